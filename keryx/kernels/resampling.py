"""Resampling along an axis: what is between two numbers, and means of several where there will be fewer.

To resample is to multiply by a matrix, of which a column holds a few numbers that are not zero: the taps.
"""

from collections.abc import Sequence
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from keryx.kernels.kernel import Kernel, Way, linear

# A product with a whole matrix costs as much as taps of this part of its height.
_TAPS = 1 / 20


def resize(x: jax.Array, shape: Sequence[int], method: str, antialias: bool = False) -> jax.Array:
    """`jax.image.resize`, to float32 rounding.

    Args:
        x: Numbers; integers are taken as floats.
        shape: The shape wanted.
        method: `nearest`, `bilinear`, `bicubic`, `lanczos3` or `lanczos5`.
        antialias: Whether an axis that gets shorter is smoothed first.

    >>> resize(jnp.array([0.0, 1.0]), (4,), "bilinear").tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    axes = [axis for axis, (old, new) in enumerate(zip(x.shape, shape, strict=True)) if old != new]
    if method == "nearest" or not all(isinstance(n, int) and n for axis in axes for n in (x.shape[axis], shape[axis])):
        return jax.image.resize(x, shape, method, antialias)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        x = x.astype(jnp.float32)
    dtype, x = x.dtype, x.astype(jnp.promote_types(x.dtype, jnp.float32))
    for axis in sorted(axes, key=lambda axis: shape[axis] / x.shape[axis]):  # the less there is, the sooner it is done
        how = (x.shape[axis], shape[axis], method, antialias)
        x = _RESAMPLE(x, axis=axis, how=how, backward=False)[0]
    return x.astype(dtype)


@lru_cache(64)
def _matrix(how: tuple, backward: bool, dtype: str) -> np.ndarray:
    """What the axis is multiplied by: (before, after)."""
    before, after, method, antialias = how
    with jax.ensure_compile_time_eval():
        resized = jax.image.resize(jnp.eye(before, dtype=dtype), (after, before), method, antialias)
    return np.asarray(resized) if backward else np.asarray(resized).T


def _count(matrix: np.ndarray) -> int:
    """The most taps of a column."""
    return int(np.count_nonzero(matrix, axis=0).max())


def _by_product(x, axis, how, backward):
    matrix = _matrix(how, backward, str(x.dtype))
    product = jnp.tensordot(x, matrix, ((axis,), (0,)), precision=jax.lax.Precision.HIGHEST)
    return (jnp.moveaxis(product, -1, axis),)


def _by_taps(x, axis, how, backward):
    """The taps, one image at a time: XLA would work them out anew for each number of a sum that follows."""
    matrix = _matrix(how, backward, str(x.dtype))
    places = np.argsort(matrix == 0, axis=0, kind="stable")[: _count(matrix)]  # of the taps, then of some zeros
    weights = np.take_along_axis(matrix, places, 0)

    def resampled(x, axis):
        aligned = [-1 if i == axis else 1 for i in range(x.ndim)]
        taps = zip(places, weights, strict=True)
        return sum(jnp.take(x, at, axis, mode="clip") * weight.reshape(aligned) for at, weight in taps)

    return (jax.lax.map(lambda x: resampled(x, axis - 1), x) if axis else resampled(x, axis),)


def _has_few_taps(context, axis, how, backward):
    (x,) = context.avals_in
    matrix = _matrix(how, backward, str(x.dtype))
    return _count(matrix) <= _TAPS * len(matrix)


_RESAMPLE = Kernel("resample", _by_product, {"cpu": [Way("taps", _by_taps, _has_few_taps)]})
linear(_RESAMPLE, lambda dy, x, axis, how, backward: _RESAMPLE(dy, axis=axis, how=how, backward=not backward)[0])
