"""Tensors that come from no other: zeros, grids, windows."""

from typing import Any

import jax.numpy as jnp

from keryx import config
from keryx.core.dtypes import standardize_dtype
from keryx.core.graph import lift
from keryx.ops.table import as_array


def _float(dtype: Any) -> str:
    return standardize_dtype(dtype or config.floatx())


@lift
def arange(start, stop=None, step=None, dtype=None):
    """Numbers from `start` to `stop`, which is left out, `step` apart."""
    return jnp.arange(start, stop, step, dtype)


@lift
def array(x, dtype=None):
    """`x` as a tensor of its own."""
    return jnp.array(x, dtype)


@lift
def bartlett(x):
    """The triangular window of `x` points."""
    return jnp.bartlett(int(x))


@lift
def blackman(x):
    """Blackman's window of `x` points."""
    return jnp.blackman(int(x))


@lift
def hamming(x):
    """Hamming's window of `x` points."""
    return jnp.hamming(int(x))


@lift
def hanning(x):
    """Hann's window of `x` points."""
    return jnp.hanning(int(x))


@lift
def kaiser(x, beta):
    """Kaiser's window of `x` points."""
    return jnp.kaiser(int(x), beta)


@lift
def empty(shape, dtype=None):
    """A tensor whose values do not matter: zeros."""
    return jnp.zeros(shape, _float(dtype))


@lift
def empty_like(x, dtype=None):
    """Zeros of the shape of `x`."""
    return jnp.zeros_like(as_array(x), dtype)


@lift
def eye(N, M=None, k=0, dtype=None):
    """Ones on the diagonal `k` of a matrix of zeros."""
    return jnp.eye(N, M, k, _float(dtype))


@lift
def full(shape, fill_value, dtype=None):
    """A tensor of one value."""
    return jnp.full(shape, fill_value, _float(dtype))


@lift
def full_like(x, fill_value, dtype=None):
    """A tensor of one value, of the shape of `x`."""
    return jnp.full_like(as_array(x), fill_value, dtype)


@lift
def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """`num` numbers from `start` to `stop` in equal ratios."""
    return jnp.geomspace(start, stop, num, endpoint, dtype, axis)


@lift
def identity(n, dtype=None):
    """The unit matrix."""
    return jnp.identity(n, _float(dtype))


@lift
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    """`num` numbers from `start` to `stop` in equal steps."""
    return jnp.linspace(as_array(start), as_array(stop), num, endpoint, retstep, dtype, axis)


@lift
def logspace(start, stop, num=50, endpoint=True, base=10, dtype=None, axis=0):
    """`base` to the power of `linspace`."""
    return jnp.logspace(as_array(start), as_array(stop), num, endpoint, base, dtype, axis)


@lift
def meshgrid(*x, indexing="xy"):
    """The grid that vectors of coordinates span: one tensor for each."""
    return list(jnp.meshgrid(*map(as_array, x), indexing=indexing))


@lift
def ones(shape, dtype=None):
    """Ones."""
    return jnp.ones(shape, _float(dtype))


@lift
def ones_like(x, dtype=None):
    """Ones of the shape of `x`."""
    return jnp.ones_like(as_array(x), dtype)


@lift
def tri(N, M=None, k=0, dtype=None):
    """Ones at and below the diagonal `k`."""
    return jnp.tri(N, M, k, _float(dtype))


@lift
def zeros(shape, dtype=None):
    """Zeros."""
    return jnp.zeros(shape, _float(dtype))


@lift
def zeros_like(x, dtype=None):
    """Zeros of the shape of `x`."""
    return jnp.zeros_like(as_array(x), dtype)
