"""Losses of overlap, for masks of images: one minus a measure of how far two sets agree."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from keryx import config
from keryx.core.graph import lift
from keryx.losses.base import Loss, aligned, registry

Axis = int | Sequence[int] | None


@registry.register()
@lift
def dice(y_true, y_pred, axis: Axis = None) -> jax.Array:
    """1 - 2 sum(y_true y_pred) / (sum(y_true) + sum(y_pred) + epsilon) over `axis` (default all axes).

    >>> dice([[1, 0]], [[1.0, 0.0]]).round(4).tolist()
    0.0
    """
    y_true, y_pred = aligned(y_true, y_pred)
    axes = _axes(axis)
    both = jnp.sum(y_true * y_pred, axis=axes)
    return 1 - 2 * both / (jnp.sum(y_true, axis=axes) + jnp.sum(y_pred, axis=axes) + config.epsilon())


@registry.register()
class Dice(Loss, function=dice):
    """The loss of `dice`."""

    def __init__(self, reduction="sum_over_batch_size", name="dice", axis=None, dtype=None):
        super().__init__(name, reduction, dtype)
        self.axis = axis


@registry.register()
@lift
def tversky(y_true, y_pred, alpha: float = 0.5, beta: float = 0.5, axis: Axis = None) -> jax.Array:
    """1 - TP / (TP + alpha A + beta B + epsilon) over `axis` (default all axes) (arXiv:1706.05721).

    TP = sum(y_true y_pred), A = sum(y_true (1 - y_pred)), B = sum((1 - y_true) y_pred): as in Keras, `alpha`
    weighs what was missed and `beta` what was found in error. Both 1/2 gives `dice`.

    >>> tversky([[1, 1]], [[1.0, 0.0]], alpha=1.0).round(4).tolist()
    0.5
    """
    y_true, y_pred = aligned(y_true, y_pred)
    axes = _axes(axis)
    both = jnp.sum(y_true * y_pred, axis=axes)
    missed = jnp.sum(y_true * (1 - y_pred), axis=axes)
    false = jnp.sum((1 - y_true) * y_pred, axis=axes)
    return 1 - both / (both + alpha * missed + beta * false + config.epsilon())


@registry.register()
class Tversky(Loss, function=tversky):
    """The loss of `tversky`."""

    def __init__(self, alpha=0.5, beta=0.5, reduction="sum_over_batch_size", name="tversky", axis=None, dtype=None):
        super().__init__(name, reduction, dtype)
        self.alpha, self.beta, self.axis = alpha, beta, axis


def _axes(axis: Axis) -> int | tuple[int, ...] | None:
    return axis if axis is None or isinstance(axis, int) else tuple(axis)
