"""What dense layers and convolutions end with: a bias and an activation; and both backwards in one pass."""

import math

import jax
import jax.numpy as jnp

from keryx.kernels import native
from keryx.kernels.kernel import Kernel, linear

# Their order is that of the native code.
ACTIVATIONS = {None: lambda x: x, "relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}
# Slope times dy, of the output y.
SLOPES = {
    None: lambda y, dy: dy,
    "relu": lambda y, dy: jnp.where(y > 0, dy, 0),
    "tanh": lambda y, dy: dy * (1 - y * y),
    "sigmoid": lambda y, dy: dy * (y * (1 - y)),
}


def number(activation: str | None) -> int:
    """What the native code calls an activation."""
    return list(ACTIVATIONS).index(activation)


def gradient(y: jax.Array, dy: jax.Array, activation: str | None) -> tuple[jax.Array, jax.Array]:
    """Of `y = activation(z + bias)`: the gradients of z, of the shape of y, and of the bias (channels,).

    >>> dz, dbias = gradient(jnp.array([[0.0, 2.0], [1.0, 3.0]]), jnp.ones((2, 2)), "relu")
    >>> dbias.tolist()
    [1.0, 2.0]
    """
    if activation is None:
        return dy, _SUM(dy)[0]
    dz, dbias = _GRADIENT(y, dy, activation=activation)
    return dz, dbias


def _plain(y, dy, activation):
    dz = SLOPES[activation](y, dy)
    return dz, _plain_sum(dz)[0]


def _plain_sum(dy):
    return (dy.sum(range(dy.ndim - 1)),)


def _rows(array):
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def _native(y, dy, activation):
    y, dy, shape = _rows(y), _rows(dy), dy.shape
    bias = jax.ShapeDtypeStruct(shape[-1:], dy.dtype)
    dz, dbias = native.call("keryx_epilogue_gradient_1", [dy, bias], y, dy, activation=number(activation))
    return dz.reshape(shape), dbias


def _native_sum(dy):
    return native.call("keryx_sum_of_rows_1", [jax.ShapeDtypeStruct(dy.shape[-1:], dy.dtype)], _rows(dy))


_GRADIENT = Kernel("epilogue_gradient", _plain, {"cpu": [native.way(_native)]})
_SUM = Kernel("sum_of_rows", _plain_sum, {"cpu": [native.way(_native_sum)]})
linear(_SUM, lambda dsum, shape: jnp.broadcast_to(dsum, shape.shape))
