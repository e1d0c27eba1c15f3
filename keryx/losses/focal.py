"""Focal cross-entropies (arXiv:1708.02002): samples that are right already count less."""

import jax
import jax.numpy as jnp

from keryx.core.graph import lift
from keryx.losses import entropy
from keryx.losses.base import Loss, aligned, registry


@registry.register()
@lift
def binary_focal_crossentropy(
    y_true,
    y_pred,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """mean((1 - p)^gamma · binary cross-entropy) over `axis`, where p is the probability of the right answer.

    Args:
        y_true, y_pred: (batch, ..., n).
        apply_class_balancing: Weigh class 1 by `alpha` and class 0 by 1 - `alpha`; default False.
        alpha: Default 0.25.
        gamma: Default 2; 0 gives `binary_crossentropy`.
        from_logits: y_pred is taken before the sigmoid; default False.
        label_smoothing: Targets are moved this share of the way to 1/2; default 0.
        axis: Default -1.

    >>> binary_focal_crossentropy([[1]], [[0.5]]).round(4).tolist()
    [0.173...]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    y_true = entropy.smoothed(y_true, label_smoothing, 2)
    p = jax.nn.sigmoid(y_pred) if from_logits else y_pred
    right = y_true * p + (1 - y_true) * (1 - p)
    values = _power(1 - right, gamma) * entropy.binary(y_true, p, from_logits=False)
    if apply_class_balancing:
        values *= y_true * alpha + (1 - y_true) * (1 - alpha)
    return jnp.mean(values, axis=axis)


@registry.register()
class BinaryFocalCrossentropy(Loss, function=binary_focal_crossentropy):
    """The loss of `binary_focal_crossentropy`."""

    def __init__(
        self,
        apply_class_balancing=False,
        alpha=0.25,
        gamma=2.0,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="binary_focal_crossentropy",
        dtype=None,
    ):
        super().__init__(name, reduction, dtype)
        self.apply_class_balancing, self.alpha, self.gamma = apply_class_balancing, alpha, gamma
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


@registry.register()
@lift
def categorical_focal_crossentropy(
    y_true,
    y_pred,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """-sum(alpha (1 - p)^gamma y_true log(p)) over `axis`, where p is y_pred divided by its sum.

    Args:
        y_true: One-hot or soft targets (batch, ..., classes).
        y_pred: Probabilities of the same shape.
        alpha: A number, or one a class; default 0.25.
        gamma: Default 2.
        from_logits: y_pred is taken before the softmax; default False.
        label_smoothing: Targets are moved this share of the way to 1/classes; default 0.
        axis: Of the classes; default -1.

    >>> categorical_focal_crossentropy([[0, 1]], [[0.5, 0.5]], alpha=1.0).round(4).tolist()
    [0.173...]
    """
    y_true, y_pred = entropy.class_targets(y_true, y_pred, label_smoothing, axis)
    p = jax.nn.softmax(y_pred, axis) if from_logits else entropy.normalized(y_pred, axis)
    p = entropy.clip(p)
    return -jnp.sum(jnp.asarray(alpha, p.dtype) * _power(1 - p, gamma) * y_true * jnp.log(p), axis=axis)


@registry.register()
class CategoricalFocalCrossentropy(Loss, function=categorical_focal_crossentropy):
    """The loss of `categorical_focal_crossentropy`."""

    def __init__(
        self,
        alpha=0.25,
        gamma=2.0,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="categorical_focal_crossentropy",
        dtype=None,
    ):
        super().__init__(name, reduction, dtype)
        self.alpha, self.gamma = alpha, gamma
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


def _power(x: jax.Array, exponent: float) -> jax.Array:
    # A whole exponent is a few products; any other is a logarithm and an exponential.
    return x ** (int(exponent) if exponent == int(exponent) else exponent)
