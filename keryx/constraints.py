"""Projections of weights, applied after each step of training; norms are taken along `axis`, 0 by default."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from keryx import config
from keryx.core.codec import Configurable, Registry
from keryx.core.codec import serialize as _serialize

registry = Registry("constraint", "keras.constraints")

Axis = int | Sequence[int]


class Constraint(Configurable):
    """What keeps a weight within bounds: `constraint(weight) -> weight`."""

    def __call__(self, w: jax.Array) -> jax.Array:
        """The weight that takes the place of `w`."""
        return w


@registry.register()
class NonNeg(Constraint):
    """max(w, 0).

    >>> NonNeg()(jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def __call__(self, w):
        return jnp.maximum(w, 0)


@registry.register()
class UnitNorm(Constraint):
    """w / |w|: each vector along `axis` gets the norm 1."""

    def __init__(self, axis: Axis = 0):
        self.axis = axis

    def __call__(self, w):
        return w / (config.epsilon() + _norms(w, self.axis))


@registry.register()
class MaxNorm(Constraint):
    """Vectors longer than `max_value` (2) are scaled down to it.

    >>> MaxNorm(1.0)(jnp.array([[0.0], [4.0]])).round(4).tolist()
    [[0.0], [1.0]]
    """

    def __init__(self, max_value: float = 2, axis: Axis = 0):
        self.max_value, self.axis = max_value, axis

    def __call__(self, w):
        norms = _norms(w, self.axis)
        return w * (jnp.clip(norms, 0, self.max_value) / (config.epsilon() + norms))


@registry.register()
class MinMaxNorm(Constraint):
    """Norms outside [min_value, max_value] are moved towards it, by the share `rate` of the way.

    Args:
        min_value: Default 0.
        max_value: Default 1.
        rate: Default 1, all the way.
        axis: Default 0.
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0):
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w):
        norms = _norms(w, self.axis)
        wanted = self.rate * jnp.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (wanted / (config.epsilon() + norms))


def _norms(w: jax.Array, axis: Axis) -> jax.Array:
    axes = axis if isinstance(axis, int) else tuple(axis)
    return jnp.sqrt(jnp.sum(jnp.square(w), axis=axes, keepdims=True))


non_neg, unit_norm, max_norm, min_max_norm = NonNeg, UnitNorm, MaxNorm, MinMaxNorm


def get(identifier: Any) -> Any:
    """The constraint that a name, a config, a class or a function stands for; None stays None.

    >>> get("max_norm")
    MaxNorm(max_value=2, axis=0)
    """
    return registry.get(identifier)


def serialize(constraint: Any) -> Any:
    """The constraint as plain data."""
    return _serialize(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The constraint that `serialize` wrote down."""
    return registry.get(config, custom_objects)
