"""The maximum and the mean of windows, with gradients that do not search every window again."""

import itertools
from functools import partial
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from keryx.kernels import native
from keryx.kernels.geometry import Sizes, each_axis
from keryx.kernels.kernel import Kernel, Trained, Way, linear

# Positions in a window that one byte can tell apart.
_MOST_PLACES = 256


def max_pool(
    x: jax.Array,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str = "channels_last",
) -> jax.Array:
    """The largest value of each window; its gradient goes to the first position that holds it.

    Args:
        x: (batch, *space, channels), or (batch, channels, *space) where `data_format` is `channels_first`.
        pool_size: The size of the window, one number or one an axis of space.
        strides: The steps of the window, likewise; by default the windows lie side by side.
        padding: `valid` or `same`.
        data_format: `channels_last` or `channels_first`.

    >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), 2).ravel().tolist()
    [5.0, 7.0, 13.0, 15.0]
    """
    return _MAX(x, **_windows(x.ndim, pool_size, strides, data_format), padding=padding)[0]


def average_pool(
    x: jax.Array,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str = "channels_last",
) -> jax.Array:
    """The mean of each window, of the elements that lie within x; arguments as of `max_pool`, x of floats.

    >>> average_pool(jnp.arange(9.0).reshape(1, 3, 3, 1), 2, padding="same").ravel().tolist()
    [2.0, 3.5, 6.5, 8.0]
    """
    return _MEAN(x, **_windows(x.ndim, pool_size, strides, data_format), padding=padding)[0]


def _windows(ndim, pool_size, strides, data_format) -> dict[str, tuple[int, ...]]:
    """The window and its steps along every axis of x."""
    window = each_axis(pool_size, ndim - 2)
    steps = window if strides is None else each_axis(strides, ndim - 2)
    around = (lambda n: (1, *n, 1)) if data_format == "channels_last" else (lambda n: (1, 1, *n))
    return {"window": around(window), "strides": around(steps)}


# -- plain JAX, and detours for XLA's CPU compiler -----------------------------------------------------------------


def _largest(x, window, strides, padding):
    lowest = -jnp.inf if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.iinfo(x.dtype).min
    return (lax.reduce_window(x, np.array(lowest, x.dtype), lax.max, window, strides, padding.upper()),)


def _largest_and_where(x, window, strides, padding):
    """The largest values, the number of each in its window, and the values again."""
    (largest,) = _largest(x, window, strides, padding)
    index = jnp.zeros(largest.shape, jnp.uint8)
    if prod(window) <= _MOST_PLACES and jnp.issubdtype(x.dtype, jnp.inexact):
        pads = [(*pair, 0) for pair in lax.padtype_to_pads(x.shape, window, strides, padding.upper())]
        x = lax.pad(x, np.array(-jnp.inf, x.dtype), pads)
        for number, position in reversed(list(enumerate(itertools.product(*map(range, window))))):
            ends = [at + (n - 1) * step + 1 for at, n, step in zip(position, largest.shape, strides, strict=True)]
            here = lax.slice(x, position, ends, strides)
            index = jnp.where((here == largest) | (here != here), np.uint8(number), index)
    return largest, index, largest


def _to_the_largest(x, index, largest, dy, window, strides, padding):
    return jax.vjp(lambda x: _largest(x, window, strides, padding)[0], x)[1](dy)


def _to_the_largest_of_tiles(x, index, largest, dy, window, strides, padding):
    """XLA selects and scatters window by window; where windows do not meet, whole arrays are nine times faster."""
    even = all(size % step == 0 for size, step in zip(x.shape, window, strict=True))
    if window != strides or not (padding == "valid" or even):
        return _to_the_largest(x, index, largest, dy, window, strides, padding)
    tiled = tuple(n for count, step in zip(dy.shape, window, strict=True) for n in (count, step))
    covered = tuple(count * step for count, step in zip(dy.shape, window, strict=True))
    tiles = x[tuple(map(slice, covered))].reshape(tiled)  # (count, window) of each axis in turn
    positions = list(itertools.product(*map(range, window)))
    index_dtype = np.int8 if len(positions) < 128 else np.int32
    winner = jnp.full(dy.shape, len(positions), index_dtype)
    for number, position in reversed(list(enumerate(positions))):
        here = tiles[tuple(i for at in position for i in (slice(None), at))]
        winner = jnp.where(here == largest, index_dtype(number), winner)
    between = tuple(range(1, 2 * dy.ndim, 2))
    numbers = np.arange(len(positions), dtype=index_dtype).reshape([n for step in window for n in (1, step)])
    dx = jnp.where(jnp.expand_dims(winner, between) == numbers, jnp.expand_dims(dy, between), 0)
    beyond = [(0, size - n) for size, n in zip(x.shape, covered, strict=True)]
    return (jnp.pad(dx.reshape(covered), beyond),)


def _counts(shape, dtype, window, strides, padding):
    """How many positions of each window lie within; one number if that is the same for all."""
    if padding == "valid":
        return np.array(prod(window), dtype)
    counts = jnp.ones((1,) * len(window), dtype)
    for axis, (size, w, step) in enumerate(zip(shape, window, strides, strict=True)):
        if w > 1:  # axis by axis: XLA would fold all positions into a constant for seconds
            along = lax.reduce_window(jnp.ones(size, dtype), np.array(0, dtype), lax.add, (w,), (step,), "SAME")
            counts = counts * jnp.expand_dims(along, [i for i in range(len(window)) if i != axis])
    return counts


def _mean(x, window, strides, padding):
    total = lax.reduce_window(x, np.array(0, x.dtype), lax.add, window, strides, padding.upper())
    return (total / _counts(x.shape, x.dtype, window, strides, padding),)


def _spread(dy, sizes, window, strides, padding):
    x = jax.ShapeDtypeStruct(sizes, dy.dtype)
    return jax.linear_transpose(lambda x: _mean(x, window, strides, padding)[0], x)(dy)


# -- native --------------------------------------------------------------------------------------------------------


def _moving(window, strides):
    """From which axis to which the window is more than one position; before lies the batch, behind lie the channels."""
    axes = [i for i, pair in enumerate(zip(window, strides, strict=True)) if pair != (1, 1)]
    return (axes[0], axes[-1] + 1) if axes else (0, 0)


def _volume(shape, window, strides):
    """(batch, depth, height, width, channels), whatever the rank and the layout."""
    first, last = _moving(window, strides)
    return (prod(shape[:first]), *(1,) * (3 + first - last), *shape[first:last], prod(shape[last:]))


def _attributes(sizes, window, strides, padding):
    first, last = _moving(window, strides)
    one, none = (1,) * (3 + first - last), (0,) * (3 + first - last)
    before = [pair[0] for pair in lax.padtype_to_pads(sizes, window, strides, padding.upper())]
    return {
        "window": one + window[first:last],
        "strides": one + strides[first:last],
        "before": (*none, *before[first:last]),
    }


def _call(target, results, arrays, sizes, window, strides, padding, **attributes):
    """The handler sees volumes, and `results` have the shapes of this side again."""
    volume = partial(_volume, window=window, strides=strides)
    structs = [jax.ShapeDtypeStruct(volume(r.shape), r.dtype) for r in results]
    attributes |= _attributes(sizes, window, strides, padding)
    found = native.call(target, structs, *(a.reshape(volume(a.shape)) for a in arrays), **attributes)
    return [array.reshape(r.shape) for array, r in zip(found, results, strict=True)]


def _native_largest(x, window, strides, padding):
    (y,) = jax.eval_shape(partial(_largest, window=window, strides=strides, padding=padding), x)
    nothing = jax.ShapeDtypeStruct((0,) * x.ndim, jnp.uint8)
    return _call("keryx_max_pool_1", [y, nothing], [x], x.shape, window, strides, padding)[:1]


def _native_largest_and_where(x, window, strides, padding):
    (y,) = jax.eval_shape(partial(_largest, window=window, strides=strides, padding=padding), x)
    index = jax.ShapeDtypeStruct(y.shape, jnp.uint8)
    largest, index = _call("keryx_max_pool_1", [y, index], [x], x.shape, window, strides, padding)
    return largest, index, largest


def _native_to_the_largest(x, index, largest, dy, **how):
    return _call("keryx_max_pool_gradient_1", [x], [index, dy], x.shape, **how)


def _native_mean(x, window, strides, padding):
    results = jax.eval_shape(partial(_mean, window=window, strides=strides, padding=padding), x)
    return _call("keryx_average_pool_1", results, [x], x.shape, window, strides, padding)


def _native_spread(dy, sizes, window, strides, padding):
    dx, counts = jax.ShapeDtypeStruct(sizes, dy.dtype), _counts(sizes, dy.dtype, window, strides, padding)
    divisor = 1 if np.ndim(counts) else prod(window)
    dy = dy / counts if np.ndim(counts) else dy
    return _call("keryx_average_pool_gradient_1", [dx], [dy], sizes, window, strides, padding, divisor=divisor)


def _takes(x, *others, window, strides, padding, sizes=None):
    first, last = _moving(window, strides)
    sizes = x.shape if sizes is None else sizes
    fits = padding == "same" or all(w <= n for w, n in zip(window, sizes, strict=True))
    return (
        x.dtype == jnp.float32
        and 1 <= last - first <= 3
        and prod(window) <= _MOST_PLACES
        and fits
        and all(sizes[first:last])
    )


def _wins(x, *others, window, strides, padding, sizes=None):
    # Of less than four channels, each window is a vector of its own unless neighbours have the same: 2 to 5 times
    # slower than XLA. With four and more as fast as XLA forward, and 2 to 100 times as fast backward.
    _, last = _moving(window, strides)
    return strides[last - 1] == 1 or prod(x.shape[last:]) >= 4


def _way(run):
    return native.way(run, _takes, _wins)


_MAX = Trained(
    "max_pool",
    _largest,
    saving=Kernel("max_pool_saving", _largest_and_where, {"cpu": [_way(_native_largest_and_where)]}),
    backward=Kernel(
        "max_pool_gradient",
        _to_the_largest,
        {"cpu": [_way(_native_to_the_largest), Way("detour", _to_the_largest_of_tiles)]},
    ),
    outputs=1,
    differentiable=1,
    ways={"cpu": [_way(_native_largest)]},
)
_MEAN = Kernel("average_pool", _mean, {"cpu": [_way(_native_mean)]})
_SPREAD = Kernel("average_pool_gradient", _spread, {"cpu": [_way(_native_spread)]})
linear(_MEAN, lambda dy, x, **how: _SPREAD(dy, sizes=x.shape, **how)[0])
linear(_SPREAD, lambda dx, dy, sizes, **how: _MEAN(dx, **how)[0])
