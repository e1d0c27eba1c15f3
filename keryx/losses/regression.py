"""Losses of numbers: (batch, ..., n) targets and outputs to (batch, ...) values."""

import jax
import jax.numpy as jnp

from keryx import config
from keryx.core.graph import lift
from keryx.losses.base import Loss, aligned, registry


@registry.register("mse", "MSE")
@lift
def mean_squared_error(y_true, y_pred) -> jax.Array:
    """mean((y_true - y_pred)²) over the last axis.

    >>> mean_squared_error([[0, 1]], [[1.0, 1.0]]).tolist()
    [0.5]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    return jnp.mean(jnp.square(y_true - y_pred), axis=-1)


@registry.register()
class MeanSquaredError(Loss, function=mean_squared_error):
    """The loss of `mean_squared_error`.

    >>> float(MeanSquaredError()(jnp.array([[0.0], [2.0]]), jnp.array([[1.0], [1.0]])))
    1.0
    """

    def __init__(self, reduction="sum_over_batch_size", name="mean_squared_error", dtype=None):
        super().__init__(name, reduction, dtype)


@registry.register("mae", "MAE")
@lift
def mean_absolute_error(y_true, y_pred) -> jax.Array:
    """mean(|y_true - y_pred|) over the last axis.

    >>> mean_absolute_error([[0, 2]], [[1.0, 1.0]]).tolist()
    [1.0]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    return jnp.mean(jnp.abs(y_true - y_pred), axis=-1)


@registry.register()
class MeanAbsoluteError(Loss, function=mean_absolute_error):
    """The loss of `mean_absolute_error`."""

    def __init__(self, reduction="sum_over_batch_size", name="mean_absolute_error", dtype=None):
        super().__init__(name, reduction, dtype)


@registry.register("mape", "MAPE")
@lift
def mean_absolute_percentage_error(y_true, y_pred) -> jax.Array:
    """100 mean(|y_true - y_pred| / max(|y_true|, epsilon)) over the last axis.

    >>> mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 4.0]]).tolist()
    [25.0]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    share = jnp.abs((y_true - y_pred) / jnp.maximum(jnp.abs(y_true), config.epsilon()))
    return 100 * jnp.mean(share, axis=-1)


@registry.register()
class MeanAbsolutePercentageError(Loss, function=mean_absolute_percentage_error):
    """The loss of `mean_absolute_percentage_error`."""

    def __init__(self, reduction="sum_over_batch_size", name="mean_absolute_percentage_error", dtype=None):
        super().__init__(name, reduction, dtype)


@registry.register("msle", "MSLE")
@lift
def mean_squared_logarithmic_error(y_true, y_pred) -> jax.Array:
    """mean((log(1 + y_true) - log(1 + y_pred))²) over the last axis; both are lifted to epsilon.

    >>> mean_squared_logarithmic_error([[1.0]], [[1.0]]).tolist()
    [0.0]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    least = config.epsilon()
    return jnp.mean(jnp.square(jnp.log1p(jnp.maximum(y_pred, least)) - jnp.log1p(jnp.maximum(y_true, least))), axis=-1)


@registry.register()
class MeanSquaredLogarithmicError(Loss, function=mean_squared_logarithmic_error):
    """The loss of `mean_squared_logarithmic_error`."""

    def __init__(self, reduction="sum_over_batch_size", name="mean_squared_logarithmic_error", dtype=None):
        super().__init__(name, reduction, dtype)


@registry.register("huber_loss")
@lift
def huber(y_true, y_pred, delta: float = 1.0) -> jax.Array:
    """mean of e² / 2 where |e| <= delta, else delta (|e| - delta / 2), with e = y_pred - y_true.

    >>> huber([[0.0, 0.0]], [[1.0, 3.0]]).tolist()
    [1.5]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    error = jnp.abs(y_pred - y_true)
    return jnp.mean(jnp.where(error <= delta, jnp.square(error) / 2, delta * (error - delta / 2)), axis=-1)


@registry.register()
class Huber(Loss, function=huber):
    """The loss of `huber` (Huber 1964)."""

    def __init__(self, delta=1.0, reduction="sum_over_batch_size", name="huber_loss", dtype=None):
        super().__init__(name, reduction, dtype)
        self.delta = delta


@registry.register("logcosh")
@lift
def log_cosh(y_true, y_pred) -> jax.Array:
    """mean(log(cosh(y_pred - y_true))) over the last axis.

    >>> log_cosh([[1.0]], [[1.0]]).tolist()
    [0.0]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    error = y_pred - y_true
    return jnp.mean(error + jax.nn.softplus(-2 * error) - jnp.log(2.0).astype(error.dtype), axis=-1)


@registry.register()
class LogCosh(Loss, function=log_cosh):
    """The loss of `log_cosh`."""

    def __init__(self, reduction="sum_over_batch_size", name="log_cosh", dtype=None):
        super().__init__(name, reduction, dtype)


@registry.register("cosine", "cosine_proximity")
@lift
def cosine_similarity(y_true, y_pred, axis: int = -1) -> jax.Array:
    """-y_true · y_pred / (|y_true| |y_pred|) along `axis`: -1 for the same direction, 0 for a zero vector.

    >>> cosine_similarity([[0.0, 2.0]], [[3.0, 0.0]]).tolist()
    [-0.0]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    return -jnp.sum(_unit(y_true, axis) * _unit(y_pred, axis), axis=axis)


def _unit(x: jax.Array, axis: int) -> jax.Array:
    squares = jnp.sum(jnp.square(x), axis=axis, keepdims=True)
    return x * jax.lax.rsqrt(jnp.maximum(squares, config.epsilon() ** 2))


@registry.register()
class CosineSimilarity(Loss, function=cosine_similarity):
    """The loss of `cosine_similarity`."""

    def __init__(self, axis=-1, reduction="sum_over_batch_size", name="cosine_similarity", dtype=None):
        super().__init__(name, reduction, dtype)
        self.axis = axis
