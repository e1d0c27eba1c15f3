"""The mean and the maximum over all of space or time.

Their gradients are XLA's, which fuses them with what follows.
"""

from collections.abc import Sequence
from functools import partial
from math import prod

import jax
import jax.numpy as jnp
from jax.interpreters import ad

from keryx.kernels import native, tuning
from keryx.kernels.kernel import Kernel

# Numbers from which on native code is the faster: below, XLA takes as long, and may fuse.
_LARGE = 2**20


def global_average_pool(x: jax.Array, axes: Sequence[int]) -> jax.Array:
    """The mean over `axes`.

    Args:
        x: (batch, *space, channels), or (batch, channels, *space).
        axes: The axes of space.

    >>> global_average_pool(jnp.arange(8.0).reshape(1, 2, 2, 2), (1, 2)).tolist()
    [[3.0, 4.0]]
    """
    return _MEAN(x, axes=tuple(axes))[0]


def global_max_pool(x: jax.Array, axes: Sequence[int]) -> jax.Array:
    """The largest value over `axes`; where several are the largest, they share its gradient.

    Args:
        x: (batch, *space, channels), or (batch, channels, *space).
        axes: The axes of space.

    >>> global_max_pool(jnp.arange(8.0).reshape(1, 2, 2, 2), (1, 2)).tolist()
    [[6.0, 7.0]]
    """
    return _MAX(x, axes=tuple(axes))[0]


def _mean(x, axes):
    return (x.mean(axes),)


def _largest(x, axes):
    return (x.max(axes),)


def _native(target, x, axes):
    first, last = axes[0], axes[-1] + 1
    batch, places, channels = prod(x.shape[:first]), prod(x.shape[first:last]), prod(x.shape[last:])
    result = jax.ShapeDtypeStruct((batch, channels), x.dtype)
    (y,) = native.call(target, [result], x.reshape(batch, places, channels))
    return (y.reshape(x.shape[:first] + x.shape[last:]),)


def _takes(x, axes):
    contiguous = axes == tuple(range(axes[0], axes[-1] + 1))
    return x.dtype == jnp.float32 and contiguous and all(x.shape[axis] for axis in axes)


def _wins(x, axes):
    return prod(x.shape[axes[-1] + 1 :]) >= 16 and prod(x.shape) >= _LARGE


def _by_native(target, field):
    def wins(x, axes):
        return getattr(tuning.here(), field) and _wins(x, axes)

    return {"cpu": [native.way(partial(_native, target), _takes, wins)]}


_MEAN = Kernel("global_average_pool", _mean, _by_native("keryx_global_average_pool_1", "global_average"))
_MAX = Kernel("global_max_pool", _largest, _by_native("keryx_global_max_pool_1", "global_max"))


def _mean_jvp(primals, tangents, axes):
    return _MEAN(*primals, axes=axes), _MEAN(*tangents, axes=axes)


def _mean_transpose(cotangents, x, axes):
    (dy,) = cotangents
    if type(dy) is ad.Zero:
        return [None]
    dy = jnp.expand_dims(dy / prod(x.aval.shape[axis] for axis in axes), axes)
    return [jnp.broadcast_to(dy, x.aval.shape)]


def _max_jvp(primals, tangents, axes):
    (x,), (dx,) = primals, tangents
    (y,) = _MAX(x, axes=axes)
    winners = (x == jnp.expand_dims(y, axes)).astype(x.dtype)
    return [y], [(dx * winners).sum(axes) / winners.sum(axes)]


ad.primitive_jvps[_MEAN.primitive] = _mean_jvp
ad.primitive_transposes[_MEAN.primitive] = _mean_transpose
ad.primitive_jvps[_MAX.primitive] = _max_jvp
