"""Linear algebra: jax.numpy.linalg and jax.scipy.linalg by Keras's argument names."""

import jax
import jax.numpy as jnp

from keryx import config, kernels
from keryx.core.dtypes import as_inexact
from keryx.core.graph import lift
from keryx.errors import DataError
from keryx.ops.table import as_array, op

det = op(jnp.linalg.det, "x")
eigh = op(jnp.linalg.eigh, "x")
inv = op(jnp.linalg.inv, "x")
matrix_rank = op(jnp.linalg.matrix_rank, "x", tol=None)
norm = op(jnp.linalg.norm, "x", ord=None, axis=None, keepdims=False)
pinv = op(jnp.linalg.pinv, "x", rcond=None)
qr = op(jnp.linalg.qr, "x", mode="reduced")
slogdet = op(jnp.linalg.slogdet, "x")
svd = op(jnp.linalg.svd, "x", full_matrices=True, compute_uv=True)


@lift
def matmul(x1, x2):
    """The product of matrices, of stacks of them, or of vectors.

    >>> matmul([[1, 2]], [[3], [4]]).tolist()
    [[11]]
    """
    return kernels.matmul(jnp.asarray(x1), jnp.asarray(x2))


@lift
def cdist(x, y):
    """The Euclidean distance between each row of `x` and each row of `y`.

    >>> cdist([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]]).tolist()
    [[5.0, 1.0]]
    """
    x, y = as_inexact(x, y), as_inexact(y, x)
    return jnp.linalg.norm(x[..., :, None, :] - y[..., None, :, :], axis=-1)


@lift
def cholesky(x, upper=False):
    """The triangular L with x = L Lᵀ; with `upper`, the U with x = Uᵀ U.

    Raises:
        DataError: Where x is not positive definite; within compiled code the factor is NaN instead.
    """
    factor = jnp.linalg.cholesky(as_array(x), upper=upper)
    if not isinstance(factor, jax.core.Tracer) and bool(jnp.isnan(factor).any()):
        raise DataError("ops.cholesky wants a positive definite matrix without NaN; this one has no Cholesky factor.")
    return factor


@lift
def cholesky_inverse(x, upper=False):
    """The inverse of the matrix whose Cholesky factor is `x`."""
    x = jnp.asarray(x)
    one = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
    inverse = jax.scipy.linalg.solve_triangular(x, one, lower=not upper)
    transposed = jnp.swapaxes(inverse, -1, -2)
    return inverse @ transposed if upper else transposed @ inverse


@lift
def eig(x):
    """Eigenvalues and right eigenvectors of a square matrix; on the CPU only."""
    return tuple(jnp.linalg.eig(as_array(x)))


@lift
def logdet(x):
    """log(det(x)) of a positive definite matrix."""
    return jnp.linalg.slogdet(as_array(x))[1]


@lift
def lstsq(a, b, rcond=None):
    """The x with the least |a x - b|."""
    return jnp.linalg.lstsq(as_array(a), as_array(b), rcond)[0]


@lift
def lu_factor(x):
    """The factors L and U of x in one matrix, and the swaps of rows."""
    return tuple(jax.scipy.linalg.lu_factor(as_array(x)))


@lift
def normalize(x, axis=-1, order=2, epsilon=None):
    """x over its norm of this order along `axis`; the norm is no less than `epsilon`.

    >>> normalize([[3.0, 4.0]]).tolist()
    [[0.6..., 0.8...]]
    """
    x = as_inexact(x)
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:  # through the square, whose gradient at 0 is finite
        return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(x), axis, keepdims=True), epsilon**2))
    return x / jnp.maximum(jnp.linalg.norm(x, order, axis, keepdims=True), epsilon)


@lift
def solve(a, b):
    """The x with a x = b."""
    a, b = jnp.asarray(a), jnp.asarray(b)
    if b.ndim == a.ndim - 1:
        return jnp.linalg.solve(a, b[..., None])[..., 0]
    return jnp.linalg.solve(a, b)


@lift
def solve_triangular(a, b, lower=False):
    """The x with a x = b, where `a` is a triangular matrix."""
    a, b = jnp.asarray(a), jnp.asarray(b)
    vector = b.ndim == a.ndim - 1
    x = jax.scipy.linalg.solve_triangular(a, b[..., None] if vector else b, lower=lower)
    return x[..., 0] if vector else x
