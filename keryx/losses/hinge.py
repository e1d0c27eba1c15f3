"""Losses of margins, with targets -1 or 1; where all the targets are 0 or 1, 0 stands for -1."""

import jax
import jax.numpy as jnp

from keryx.core.graph import lift
from keryx.losses.base import Loss, aligned, registry


def _signed(y_true: jax.Array) -> jax.Array:
    binary = jnp.all((y_true == 0) | (y_true == 1))
    return jnp.where(binary, 2 * y_true - 1, y_true)


@registry.register()
@lift
def hinge(y_true, y_pred) -> jax.Array:
    """mean(max(1 - y_true y_pred, 0)) over the last axis.

    >>> hinge([[-1, 1]], [[0.5, 0.5]]).tolist()
    [1.0]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    return jnp.mean(jnp.maximum(1 - _signed(y_true) * y_pred, 0), axis=-1)


@registry.register()
class Hinge(Loss, function=hinge):
    """The loss of `hinge`."""

    def __init__(self, reduction="sum_over_batch_size", name="hinge", dtype=None):
        super().__init__(name, reduction, dtype)


@registry.register()
@lift
def squared_hinge(y_true, y_pred) -> jax.Array:
    """mean(max(1 - y_true y_pred, 0)²) over the last axis.

    >>> squared_hinge([[-1, 1]], [[1.0, 1.0]]).tolist()
    [2.0]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    return jnp.mean(jnp.square(jnp.maximum(1 - _signed(y_true) * y_pred, 0)), axis=-1)


@registry.register()
class SquaredHinge(Loss, function=squared_hinge):
    """The loss of `squared_hinge`."""

    def __init__(self, reduction="sum_over_batch_size", name="squared_hinge", dtype=None):
        super().__init__(name, reduction, dtype)


@registry.register()
@lift
def categorical_hinge(y_true, y_pred) -> jax.Array:
    """max(1 + max((1 - y_true) y_pred) - sum(y_true y_pred), 0) over the last axis; one-hot targets.

    >>> categorical_hinge([[0, 1]], [[0.25, 0.75]]).tolist()
    [0.5]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    right = jnp.sum(y_true * y_pred, axis=-1)
    wrong = jnp.max((1 - y_true) * y_pred, axis=-1)
    return jnp.maximum(wrong - right + 1, 0)


@registry.register()
class CategoricalHinge(Loss, function=categorical_hinge):
    """The loss of `categorical_hinge`."""

    def __init__(self, reduction="sum_over_batch_size", name="categorical_hinge", dtype=None):
        super().__init__(name, reduction, dtype)
