"""A product with a weight, its bias and activation."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from keryx.kernels import native, tuning
from keryx.kernels.epilogue import ACTIVATIONS, SLOPES, number
from keryx.kernels.kernel import Kernel, Trained, Way, bilinear


# Outside of compiled code it is one program, which JAX calls without a line of Python.
@partial(jax.jit, static_argnames="activation", inline=True)
def dense(x: jax.Array, kernel: jax.Array, bias: jax.Array | None = None, activation: str | None = None) -> jax.Array:
    """`activation(x @ kernel + bias)`.

    Args:
        x: (batch, ..., features).
        kernel: (features, units).
        bias: (units,), or None.
        activation: "relu", "tanh", "sigmoid" or None.

    >>> import jax.numpy as jnp
    >>> dense(jnp.ones((2, 5, 3)), jnp.ones((3, 4)), jnp.ones(4), "relu").shape
    (2, 5, 4)
    """
    if bias is None:
        return ACTIVATIONS[activation](matmul(x, kernel))
    if not _is_product(x, kernel) or bias.dtype != x.dtype:
        return ACTIVATIONS[activation](x @ kernel + bias)
    (y,) = _dense(x.reshape(-1, x.shape[-1]), kernel, bias, activation=activation)
    return y.reshape(*x.shape[:-1], kernel.shape[-1])


def matmul(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`x @ kernel`, whatever their ranks and dtypes; by the kernel of dense layers where it is one product.

    >>> import jax.numpy as jnp
    >>> matmul(jnp.ones((2, 5, 3)), jnp.ones((3, 4))).shape
    (2, 5, 4)
    """
    if not _is_product(x, kernel):
        return x @ kernel
    (y,) = _product(x.reshape(-1, x.shape[-1]), kernel, transposed=(False, False))
    return y.reshape(*x.shape[:-1], kernel.shape[-1])


def _is_product(x, kernel):
    return kernel.ndim == 2 and x.ndim >= 2 and x.dtype == kernel.dtype and jnp.issubdtype(x.dtype, jnp.floating)


def _wins(rows, depth, columns):
    # Few rows on a matrix of many megabytes wait for memory, and XLA is as fast. Else 1 to 3 times as fast on two,
    # the gradients with small batches most; but long columns of parts of vectors take twice as long.
    numbers = tuning.here()
    if columns < numbers.dense_columns and rows > numbers.dense_rows:
        return False
    largest = max(rows * depth, depth * columns, rows * columns)
    if (depth <= numbers.dense_deep or rows < numbers.dense_high) and largest >= numbers.dense_large:
        return False
    return min(rows, depth, columns) >= 64 or largest <= 2**21


def _product_wins(left, right, transposed):
    rows, depth = left.shape[::-1] if transposed[0] else left.shape
    return _wins(rows, depth, right.shape[0 if transposed[1] else 1])


def _plain_product(left, right, transposed):
    return ((left.T if transposed[0] else left) @ (right.T if transposed[1] else right),)


def _product_detour(left, right, transposed):
    # XLA's product with a left as it lies, whose columns it has to step through, takes 1.3 to 4 times as long.
    if transposed[0]:
        return (lax.optimization_barrier(left.T) @ (right.T if transposed[1] else right),)
    return _plain_product(left, right, transposed)


def _native_product(left, right, transposed):
    (out,) = jax.eval_shape(lambda a, b: _plain_product(a, b, transposed), left, right)
    return native.call(
        "keryx_product_1", [out], left, right, left_transposed=transposed[0], right_transposed=transposed[1]
    )


def _left(dout, right, shape, transposed):
    if transposed[0]:
        return _product(right, dout, transposed=(transposed[1], True))[0]
    return _product(dout, right, transposed=(False, not transposed[1]))[0]


def _right(dout, left, shape, transposed):
    if transposed[1]:
        return _product(dout, left, transposed=(True, transposed[0]))[0]
    return _product(left, dout, transposed=(not transposed[0], False))[0]


_product = Kernel(
    "product",
    _plain_product,
    {"cpu": [native.way(_native_product, wins=_product_wins), Way("detour", _product_detour)]},
)
bilinear(_product, _left, _right)


def _plain_dense(x, kernel, bias, activation):
    return (ACTIVATIONS[activation](x @ kernel + bias),)


def _native_dense(x, kernel, bias, activation):
    y = jax.ShapeDtypeStruct((x.shape[0], kernel.shape[1]), x.dtype)
    return native.call("keryx_dense_1", [y], x, kernel, bias, activation=number(activation))


def _plain_backward(x, y, dy, activation):
    dz = SLOPES[activation](y, dy)
    (dkernel,) = _product(x, dz, transposed=(True, False))
    return dz, dkernel, dz.sum(0)


def _native_backward(x, y, dy, activation):
    structs = [jax.ShapeDtypeStruct(s, x.dtype) for s in (y.shape, (x.shape[1], y.shape[1]), (y.shape[1],))]
    return native.call("keryx_dense_backward_1", structs, x, y, dy, activation=number(activation))


def _backward(x, kernel, bias, y, dy, activation):
    dz, dkernel, dbias = _dense_backward(x, y, dy, activation=activation)
    (dx,) = _product(dz, kernel, transposed=(False, True))  # dropped by XLA where x is data
    return dx, dkernel, dbias


def _forward_wins(x, kernel, bias, activation):
    return _wins(x.shape[0], *kernel.shape)


def _backward_wins(x, y, dy, activation):
    return _wins(x.shape[1], *y.shape)


_dense_forward = Kernel("dense_forward", _plain_dense, {"cpu": [native.way(_native_dense, wins=_forward_wins)]})
_dense_backward = Kernel(
    "dense_backward", _plain_backward, {"cpu": [native.way(_native_backward, wins=_backward_wins)]}
)
_dense = Trained(
    "dense",
    _plain_dense,
    saving=lambda *arrays, **static: _dense_forward(*arrays, **static) * 2,  # y is also what the backward pass needs
    backward=_backward,
    outputs=1,
    differentiable=3,
    ways=_dense_forward.ways,
)
