"""Activation functions: each takes an array and gives one of the same shape (`glu` halves an axis)."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.core.codec import Registry
from keryx.core.codec import serialize as _serialize
from keryx.core.dtypes import as_inexact
from keryx.core.graph import lift
from keryx.errors import ConfigError

registry = Registry("activation", "keras.activations")


def _activation(*aliases: str):
    """A decorator that enters a function in the table, and lets it take symbolic tensors."""
    return lambda function: registry.register(*aliases)(lift(function))


@_activation()
def linear(x) -> jax.Array:
    """x itself."""
    return x


@_activation()
def relu(x, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> jax.Array:
    """max(x, 0), or in general: x between `threshold` and `max_value`, negative_slope (x - threshold) below.

    >>> relu(jnp.array([-2.0, 1.0, 9.0]), negative_slope=0.5, max_value=6.0).tolist()
    [-1.0, 1.0, 6.0]
    """
    x = jnp.asarray(x)
    if negative_slope and max_value is None and not threshold:
        return jax.nn.leaky_relu(x, negative_slope)
    y = jnp.where(x > threshold, x, jnp.zeros_like(x)) if threshold else jax.nn.relu(x)
    if max_value is not None:
        y = jax.nn.relu6(x) if max_value == 6 and not threshold else jnp.clip(y, 0, max_value)
    return y - negative_slope * jax.nn.relu(threshold - x) if negative_slope else y


@_activation()
def leaky_relu(x, negative_slope: float = 0.2) -> jax.Array:
    """x where x >= 0, else negative_slope x."""
    return jax.nn.leaky_relu(x, negative_slope)


@_activation()
def relu6(x) -> jax.Array:
    """min(max(x, 0), 6)."""
    return jax.nn.relu6(x)


@_activation()
def elu(x, alpha: float = 1.0) -> jax.Array:
    """x where x > 0, else alpha (exp(x) - 1) (arXiv:1511.07289)."""
    return jax.nn.elu(x, alpha)


@_activation()
def celu(x, alpha: float = 1.0) -> jax.Array:
    """max(x, 0) + min(alpha (exp(x / alpha) - 1), 0) (arXiv:1704.07483)."""
    return jax.nn.celu(x, alpha)


@_activation()
def selu(x) -> jax.Array:
    """1.0507 elu(x, 1.6733): keeps mean 0 and variance 1 from layer to layer (arXiv:1706.02515)."""
    return jax.nn.selu(x)


@_activation()
def softplus(x) -> jax.Array:
    """log(1 + exp(x))."""
    return jax.nn.softplus(x)


@_activation()
def softsign(x) -> jax.Array:
    """x / (1 + |x|)."""
    return jax.nn.soft_sign(x)


@_activation()
def squareplus(x, b: float = 4) -> jax.Array:
    """(x + sqrt(x² + b)) / 2 (arXiv:2112.11687)."""
    return jax.nn.squareplus(x, b)


@_activation()
def sigmoid(x) -> jax.Array:
    """1 / (1 + exp(-x)).

    >>> float(sigmoid(0.0))
    0.5
    """
    return jax.nn.sigmoid(x)


@_activation()
def hard_sigmoid(x) -> jax.Array:
    """relu6(x + 3) / 6.

    Keras 1 and 2 had `old_hard_sigmoid` under this name.
    """
    return jax.nn.hard_sigmoid(x)


@_activation()
def old_hard_sigmoid(x) -> jax.Array:
    """clip(0.2 x + 0.5, 0, 1): what Keras 1 and 2 called hard_sigmoid, and models of theirs go on to compute.

    >>> float(old_hard_sigmoid(1.0)), float(old_hard_sigmoid(3.0))
    (0.699..., 1.0)
    """
    return jnp.clip(0.2 * jnp.asarray(x) + 0.5, 0, 1)


@_activation()
def log_sigmoid(x) -> jax.Array:
    """log(sigmoid(x)), exact where sigmoid(x) rounds to 0."""
    return jax.nn.log_sigmoid(x)


@_activation("swish")
def silu(x) -> jax.Array:
    """x sigmoid(x), also called swish (arXiv:1710.05941)."""
    return jax.nn.silu(x)


@_activation("hard_swish")
def hard_silu(x) -> jax.Array:
    """x hard_sigmoid(x), also called hard_swish (arXiv:1905.02244)."""
    return jax.nn.hard_silu(x)


@_activation()
def gelu(x, approximate: bool = False) -> jax.Array:
    """x Phi(x), where Phi is the distribution function of a normal number (arXiv:1606.08415).

    Args:
        approximate: Take the formula with tanh for Phi; default False.
    """
    return jax.nn.gelu(x, approximate)


@_activation()
def glu(x, axis: int = -1) -> jax.Array:
    """a sigmoid(b), where a and b are the halves of x along `axis` (arXiv:1612.08083)."""
    return jax.nn.glu(x, axis)


@_activation()
def mish(x) -> jax.Array:
    """x tanh(softplus(x)) (arXiv:1908.08681)."""
    return jax.nn.mish(x)


@_activation()
def tanh(x) -> jax.Array:
    """The hyperbolic tangent."""
    return jnp.tanh(x)


@_activation()
def hard_tanh(x) -> jax.Array:
    """x clipped to [-1, 1]."""
    return jax.nn.hard_tanh(x)


@_activation()
def tanh_shrink(x) -> jax.Array:
    """x - tanh(x)."""
    return x - jnp.tanh(x)


@_activation()
def soft_shrink(x, threshold: float = 0.5) -> jax.Array:
    """x moved towards 0 by `threshold`, and 0 within it."""
    x = jnp.asarray(x)
    return jnp.where(x > threshold, x - threshold, jnp.where(x < -threshold, x + threshold, jnp.zeros_like(x)))


@_activation()
def hard_shrink(x, threshold: float = 0.5) -> jax.Array:
    """x where |x| > threshold, else 0."""
    x = as_inexact(x)
    return jnp.where(jnp.abs(x) > threshold, x, jnp.zeros_like(x))


@_activation()
def threshold(x, threshold: float, default_value: float) -> jax.Array:
    """x where x > threshold, else `default_value`."""
    x = jnp.asarray(x)
    return jnp.where(x > threshold, x, jnp.full_like(x, default_value))


@_activation()
def exponential(x) -> jax.Array:
    """exp(x)."""
    return jnp.exp(x)


@_activation()
def softmax(x, axis: int | tuple[int, ...] = -1) -> jax.Array:
    """exp(x) / sum(exp(x)) along `axis`.

    >>> softmax(jnp.zeros((1, 4))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    return jax.nn.softmax(x, axis)


@_activation()
def log_softmax(x, axis: int | tuple[int, ...] = -1) -> jax.Array:
    """log(softmax(x)), exact where softmax(x) rounds to 0."""
    return jax.nn.log_softmax(x, axis)


@_activation()
def sparsemax(x, axis: int = -1) -> jax.Array:
    """The point of the simplex nearest to x along `axis`: softmax with true zeros (arXiv:1602.02068).

    >>> sparsemax(jnp.array([2.0, 0.0])).tolist()
    [1.0, 0.0]
    """
    x = jnp.moveaxis(as_inexact(x), axis, -1)
    falling = -jnp.sort(-x, axis=-1)
    count = jnp.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    excess = jnp.cumsum(falling, axis=-1) - 1  # what the k largest would sum to, above 1
    support = falling * count > excess
    size = jnp.sum(support, axis=-1, keepdims=True)
    cut = jnp.sum(jnp.where(support, falling, 0), axis=-1, keepdims=True) - 1
    return jnp.moveaxis(jax.nn.relu(x - cut / size), -1, axis)


@_activation()
def sparse_plus(x) -> jax.Array:
    """0 up to -1, (x + 1)² / 4 up to 1, then x: a softplus with true zeros."""
    return jax.nn.sparse_plus(x)


@_activation()
def sparse_sigmoid(x) -> jax.Array:
    """(x + 1) / 2 clipped to [0, 1], the derivative of `sparse_plus`."""
    return jax.nn.sparse_sigmoid(x)


swish, hard_swish = silu, hard_silu


# Those that kernels apply to their results themselves, by the kernels' names for them; None is no activation.
FUSED = {linear: None, relu: "relu", tanh: "tanh", sigmoid: "sigmoid"}


def get(identifier: Any) -> Any:
    """The function that a name, a config or a callable stands for; None stands for `linear`.

    >>> get("relu") is relu, get(None) is linear
    (True, True)
    """
    found = linear if identifier is None else registry.get(identifier)
    if found is threshold and isinstance(identifier, str):
        raise ConfigError(
            "The activation 'threshold' has no defaults: give a function, "
            "lambda x: keryx.activations.threshold(x, 0.5, 0.0)."
        )
    return found


def serialize(activation: Any) -> Any:
    """The activation as plain data: a function of this module as its name.

    >>> serialize(swish)
    'silu'
    """
    return _serialize(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The activation that `serialize` wrote down."""
    return linear if config is None else registry.get(config, custom_objects)
