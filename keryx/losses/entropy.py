"""The steps that the cross-entropies have in common."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import config
from keryx.errors import ShapeError, warn
from keryx.losses.base import aligned


def clip(probabilities: jax.Array) -> jax.Array:
    """Away from 0 and 1 by epsilon, so that logarithms stay finite."""
    return jnp.clip(probabilities, config.epsilon(), 1 - config.epsilon())


def normalized(probabilities: jax.Array, axis: int) -> jax.Array:
    """Divided by their sum along `axis`."""
    return probabilities / jnp.sum(probabilities, axis=axis, keepdims=True)


def binary(y_true: jax.Array, y_pred: jax.Array, from_logits: bool) -> jax.Array:
    """-y_true log(p) - (1 - y_true) log(1 - p), number by number."""
    if from_logits:
        # The same with p = sigmoid(y_pred), in a form that neither overflows nor cancels. Both `where` switch
        # at the same point, which makes the gradient at 0 right: those of abs and maximum do not match there.
        positive = y_pred >= 0
        linear = jnp.where(positive, y_pred * (1 - y_true), -y_pred * y_true)
        return linear + jnp.log1p(jnp.exp(jnp.where(positive, -y_pred, y_pred)))
    p = clip(y_pred)
    return -y_true * jnp.log(p) - (1 - y_true) * jnp.log(1 - p)


def smoothed(y_true: jax.Array, share: float, classes: int) -> jax.Array:
    """Moved by `share` of the way to 1 / classes."""
    return y_true * (1 - share) + share / classes if share else y_true


def class_targets(y_true: Any, y_pred: Any, label_smoothing: float, axis: int) -> tuple[jax.Array, jax.Array]:
    """One-hot or soft targets and outputs of the same shape."""
    y_true, y_pred = aligned(y_true, y_pred, classes=True)
    classes = y_pred.shape[axis]
    if classes == 1:
        warn(
            f"A categorical crossentropy of outputs {y_pred.shape} has one class and is always 0. "
            "For a yes or no, use binary_crossentropy.",
            SyntaxWarning,
        )
    return smoothed(y_true, label_smoothing, classes), y_pred


def class_numbers(y_true: Any, y_pred_shape: tuple[int, ...], axis: int) -> jax.Array:
    """Labels as int32, of the shape of the outputs without `axis`."""
    labels = jnp.asarray(y_true)
    axis = axis % len(y_pred_shape)
    wanted = y_pred_shape[:axis] + y_pred_shape[axis + 1 :]
    if labels.ndim == len(y_pred_shape) and labels.shape[axis] == 1:
        labels = jnp.squeeze(labels, axis)
    if labels.shape != wanted:
        from keryx.core import ways_out

        raise ShapeError(
            f"The labels have shape {jnp.shape(y_true)}, the outputs {y_pred_shape}: labels are class "
            f"numbers of shape {wanted}.{ways_out.to_class_numbers(jnp.shape(y_true), y_pred_shape)}"
        )
    return labels.astype(jnp.int32)


def pick(y_pred: jax.Array, labels: jax.Array, axis: int) -> jax.Array:
    """y_pred at the labels along `axis`; see `only_known` for labels that are none of the classes."""
    indices = jnp.expand_dims(jnp.clip(labels, 0, y_pred.shape[axis] - 1), axis)
    return jnp.squeeze(jnp.take_along_axis(y_pred, indices, axis, mode="promise_in_bounds"), axis)


def only_known(values: jax.Array, labels: jax.Array, classes: int) -> jax.Array:
    """The values, NaN where a label is none of the classes. Put last, it keeps NaN out of the gradients."""
    return jnp.where((labels >= 0) & (labels < classes), values, jnp.nan)
