"""Special functions, segments, ranking, Fourier transforms and signals."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.core.dtypes import as_inexact
from keryx.core.graph import lift
from keryx.errors import ArgumentError, ShapeError, SymbolicError
from keryx.ops.table import as_array, op

erf = op(jax.scipy.special.erf, "x")
erfc = op(jax.scipy.special.erfc, "x")
erfinv = op(jax.scipy.special.erfinv, "x")
logsumexp = op(jax.nn.logsumexp, "x", axis=None, keepdims=False)


@lift
def rsqrt(x):
    """1 / sqrt(x)."""
    return jax.lax.rsqrt(as_inexact(x))


# -- segments and ranking ------------------------------------------------------------------------------------


def _segment(function, name: str):
    def call(data, segment_ids, num_segments=None, sorted=False):
        if num_segments is None and isinstance(segment_ids, jax.core.Tracer):
            raise SymbolicError(
                f"segment_{name}() wants num_segments= within compiled code: how many segments there are depends on "
                "the values of segment_ids."
            )
        return function(as_array(data), jnp.asarray(segment_ids), num_segments, indices_are_sorted=sorted)

    call.__doc__ = f"The {name} of the rows of each segment; `segment_ids` names the segment of a row."
    call.__name__ = call.__qualname__ = f"segment_{name}"
    return lift(call)


segment_max = _segment(jax.ops.segment_max, "max")
segment_min = _segment(jax.ops.segment_min, "min")
segment_prod = _segment(jax.ops.segment_prod, "prod")
segment_sum = _segment(jax.ops.segment_sum, "sum")


@lift
def top_k(x, k, sorted=True):
    """The k greatest values along the last axis, the greatest first, and their indices."""
    values, indices = jax.lax.top_k(as_array(x), k)
    return values, indices


@lift
def in_top_k(targets, predictions, k):
    """Whether fewer than k classes have more than the prediction of the target.

    >>> in_top_k([0, 0], [[0.1, 0.7, 0.2], [0.6, 0.3, 0.1]], 1).tolist()
    [False, True]
    """
    predictions = jnp.asarray(predictions)
    own = jnp.take_along_axis(predictions, jnp.asarray(targets)[..., None], axis=-1)
    return (jnp.sum(predictions > own, axis=-1) < k) & jnp.isfinite(own[..., 0])


# -- complex numbers -----------------------------------------------------------------------------------------


@lift
def polar(abs_, angle):
    """The complex numbers of this modulus and angle."""
    abs_, angle = (x.astype(jnp.promote_types(x.dtype, "float32")) for x in map(as_inexact, (abs_, angle)))
    return jax.lax.complex(abs_ * jnp.cos(angle), abs_ * jnp.sin(angle))


@lift
def view_as_complex(x):
    """Pairs (real, imaginary) along the last axis as complex numbers.

    >>> view_as_complex([[1, 2]]).tolist()
    [(1+2j)]
    """
    x = jnp.asarray(x)
    if x.shape[-1:] != (2,):
        raise ShapeError(f"view_as_complex wants pairs (real, imaginary) along the last axis; got the shape {x.shape}.")
    x = x.astype(jnp.promote_types(x.dtype, "float32"))
    return jax.lax.complex(x[..., 0], x[..., 1])


@lift
def view_as_real(x):
    """Complex numbers as pairs along a new last axis."""
    return jnp.stack([jnp.real(as_array(x)), jnp.imag(as_array(x))], axis=-1)


@lift
def psnr(x1, x2, max_val):
    """The peak signal-to-noise ratio: 20 log10(max_val) - 10 log10(mean((x1 - x2)²)), in decibels."""
    x1, x2 = jnp.asarray(x1), jnp.asarray(x2)
    return 20 * jnp.log10(max_val) - 10 * jnp.log10(jnp.mean(jnp.square(x1 - x2)))


# -- Fourier transforms: a complex tensor is a pair, of the real and the imaginary part ----------------------


def _pair(x) -> tuple:
    return jnp.real(x), jnp.imag(x)


def _complex(pair: Any) -> jax.Array:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ArgumentError(f"A complex input is a pair (real, imaginary); got {type(pair).__name__}.")
    return jax.lax.complex(*(jnp.asarray(part) for part in pair))


@lift
def fft(x):
    """The Fourier transform along the last axis of the pair (real, imaginary)."""
    return _pair(jnp.fft.fft(_complex(x)))


@lift
def fft2(x):
    """The Fourier transform along the last two axes of the pair (real, imaginary)."""
    return _pair(jnp.fft.fft2(_complex(x)))


@lift
def ifft2(x):
    """The inverse of `fft2`."""
    return _pair(jnp.fft.ifft2(_complex(x)))


@lift
def rfft(x, fft_length=None):
    """The Fourier transform of real numbers along the last axis, without the half that mirrors the other."""
    return _pair(jnp.fft.rfft(as_array(x), fft_length))


@lift
def irfft(x, fft_length=None):
    """The inverse of `rfft`."""
    return jnp.fft.irfft(_complex(x), fft_length)


# -- signals -------------------------------------------------------------------------------------------------


@lift
def extract_sequences(x, sequence_length, sequence_stride):
    """The windows of the last axis that lie `sequence_stride` apart: (..., windows, sequence_length)."""
    x = as_array(x)
    starts = jnp.arange(0, x.shape[-1] - sequence_length + 1, sequence_stride)
    return x[..., starts[:, None] + jnp.arange(sequence_length)]


@lift
def stft(x, sequence_length, sequence_stride, fft_length, window="hann", center=True):
    """The Fourier transforms of the windows of a signal: a pair of (..., windows, fft_length // 2 + 1)."""
    x = jnp.asarray(x)
    if center:
        half = fft_length // 2
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(half, half)], "reflect")
    frames = extract_sequences(x, fft_length, sequence_stride)
    return _pair(jnp.fft.rfft(frames * _window(window, sequence_length, fft_length, x.dtype)))


@lift
def istft(x, sequence_length, sequence_stride, fft_length, length=None, window="hann", center=True):
    """The signal whose `stft` this pair is: the windows added up, over the sum of their squared weights."""
    frames = jnp.fft.irfft(_complex(x), fft_length)
    weights = _window(window, sequence_length, fft_length, frames.dtype)
    total = fft_length + sequence_stride * (frames.shape[-2] - 1)
    signal = jax.ShapeDtypeStruct((*frames.shape[:-2], total), frames.dtype)
    add_up = jax.linear_transpose(lambda y: extract_sequences(y, fft_length, sequence_stride), signal)
    (summed,) = add_up(frames * weights)
    (squares,) = add_up(jnp.broadcast_to(jnp.square(weights), frames.shape))
    y = jnp.where(squares > 1e-11, summed / jnp.where(squares > 1e-11, squares, 1), summed)
    start = fft_length // 2 if center else 0
    end = start + length if length is not None else (total - start if center else total)
    return y[..., start:end]


def _window(window: Any, length: int, fft_length: int, dtype: Any) -> jax.Array:
    """The weights of a window, with zeros on both sides up to `fft_length`."""
    if window is None:
        weights = jnp.ones(length, dtype)
    elif isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise ArgumentError(f"A window is 'hann', 'hamming', None or a vector; got {window!r}.")
        wave = jnp.cos(2 * jnp.pi * jnp.arange(length) / length)
        weights = 0.5 - 0.5 * wave if window == "hann" else 0.54 - 0.46 * wave
    else:
        weights = jnp.asarray(window)
    before = (fft_length - length) // 2
    return jnp.pad(weights.astype(dtype), (before, fft_length - length - before))
