"""Penalties on weights, which training adds to the loss."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from keryx import config
from keryx.core.codec import Configurable, Registry
from keryx.core.codec import serialize as _serialize
from keryx.errors import ConfigError, ShapeError

registry = Registry("regularizer", "keras.regularizers")


class Regularizer(Configurable):
    """What gives a weight its penalty: `regularizer(weight) -> scalar`."""

    def __call__(self, x: jax.Array) -> jax.Array:
        """The penalty of the weight `x`."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(x).")


@registry.register()
class L1(Regularizer):
    """l1 sum(|x|), with l1 = 0.01.

    >>> float(L1(0.5)(jnp.array([-1.0, 3.0])))
    2.0
    """

    def __init__(self, l1: float = 0.01):
        self.l1 = _factor("l1", l1, 0.01)

    def __call__(self, x):
        return self.l1 * jnp.sum(jnp.abs(x))


@registry.register()
class L2(Regularizer):
    """l2 sum(x²), with l2 = 0.01.

    >>> float(L2(0.5)(jnp.array([-1.0, 3.0])))
    5.0
    """

    def __init__(self, l2: float = 0.01):
        self.l2 = _factor("l2", l2, 0.01)

    def __call__(self, x):
        return self.l2 * jnp.sum(jnp.square(x))


@registry.register("l1_l2")
class L1L2(Regularizer):
    """l1 sum(|x|) + l2 sum(x²), with l1 = l2 = 0.

    >>> float(L1L2(l1=1.0, l2=0.5)(jnp.array([-1.0, 3.0])))
    9.0
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1, self.l2 = _factor("l1", l1, 0.0), _factor("l2", l2, 0.0)

    def __call__(self, x):
        penalty = jnp.zeros((), x.dtype)
        if self.l1:
            penalty += self.l1 * jnp.sum(jnp.abs(x))
        if self.l2:
            penalty += self.l2 * jnp.sum(jnp.square(x))
        return penalty


@registry.register()
class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean |cosine| over the pairs of rows (or columns) of a matrix.

    Args:
        factor: Default 0.01.
        mode: "rows" (default) or "columns": which shall be orthogonal to one another.

    >>> float(OrthogonalRegularizer(1.0)(jnp.eye(3)))
    0.0
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        if mode not in ("rows", "columns"):
            raise ConfigError(f"mode is 'rows' or 'columns'; got {mode!r}.")
        self.factor, self.mode = _factor("factor", factor, 0.01), mode

    def __call__(self, x):
        if x.ndim != 2:
            raise ShapeError(f"OrthogonalRegularizer wants a matrix; got shape {x.shape}.")
        vectors = x if self.mode == "rows" else x.T
        squares = jnp.sum(jnp.square(vectors), axis=1, keepdims=True)
        vectors = vectors * jax.lax.rsqrt(jnp.maximum(squares, config.epsilon() ** 2))
        cosines = vectors @ vectors.T
        n = len(cosines)
        pairs = jnp.sum(jnp.abs(cosines * (1 - jnp.eye(n, dtype=x.dtype)))) / 2
        return self.factor * pairs / (n * (n - 1) / 2)


def _factor(name: str, value: float | None, default: float) -> float:
    value = default if value is None else value
    if not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ConfigError(f"{name} must be a finite number, 0 or above; got {value!r}.")
    return float(value)


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer


def get(identifier: Any) -> Any:
    """The regularizer that a name, a config, a class or a function stands for; None stays None.

    >>> get("l2")
    L2(l2=0.01)
    """
    return registry.get(identifier)


def serialize(regularizer: Any) -> Any:
    """The regularizer as plain data."""
    return _serialize(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The regularizer that `serialize` wrote down."""
    return registry.get(config, custom_objects)
