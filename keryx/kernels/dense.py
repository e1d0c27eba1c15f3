"""A product with a weight, whose gradient is one product of rows."""

import jax
from jax import lax
from jax.custom_derivatives import SymbolicZero


def dense(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`x @ kernel`.

    On a CPU the gradient of the kernel takes a transposed copy of x: XLA's product with x as it lies, whose columns it
    has to step through, takes 1.3 to 4 times as long.

    Args:
        x: (batch, ..., features).
        kernel: (features, units).

    >>> import jax.numpy as jnp
    >>> dense(jnp.ones((2, 5, 3)), jnp.ones((3, 4))).shape
    (2, 5, 4)
    """
    if jax.default_backend() != "cpu" or kernel.ndim != 2 or x.ndim < 2 or x.dtype != kernel.dtype:
        return x @ kernel
    return _product(x.reshape(-1, x.shape[-1]), kernel).reshape(*x.shape[:-1], kernel.shape[-1])


@jax.custom_jvp
def _product(x, kernel):
    return x @ kernel


def _tangents(primals, tangents):
    (x, kernel), (dx, dkernel) = primals, tangents
    outputs, change = x @ kernel, 0
    if not isinstance(dx, SymbolicZero):
        change = dx @ kernel
    if not isinstance(dkernel, SymbolicZero):
        change = change + lax.optimization_barrier(x.T).T @ dkernel
    return outputs, change


_product.defjvp(_tangents, symbolic_zeros=True)
