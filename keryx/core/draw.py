"""Random arrays drawn on the host by NumPy: no compilation, and as many threads as there are cores.

`entropy` is a pair of integers, from `keryx.core.seeds`; the same pair gives the same numbers.
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

CHUNK = 1 << 18

Entropy = tuple[int, int]
Shape = tuple[int, ...]


def normal(entropy: Entropy, shape: Shape, dtype: np.dtype, mean: float, stddev: float) -> np.ndarray:
    """Normal numbers.

    >>> normal((1, 0), (2, 3), np.dtype("float32"), 0.0, 1.0).shape
    (2, 3)
    """

    def fill(rng: np.random.Generator, out: np.ndarray):
        rng.standard_normal(dtype=out.dtype, out=out)
        _scale(out, stddev, mean)

    return _draw(entropy, fill, shape, dtype)


def truncated_normal(entropy: Entropy, shape: Shape, dtype: np.dtype, mean: float, stddev: float) -> np.ndarray:
    """Normal numbers, drawn again where farther than two `stddev` from `mean`."""

    def fill(rng: np.random.Generator, out: np.ndarray):
        rng.standard_normal(dtype=out.dtype, out=out)
        far = np.flatnonzero(np.abs(out) > 2)
        while far.size:
            out[far] = again = rng.standard_normal(far.size, dtype=out.dtype)
            far = far[np.abs(again) > 2]
        _scale(out, stddev, mean)

    return _draw(entropy, fill, shape, dtype)


def uniform(entropy: Entropy, shape: Shape, dtype: np.dtype, low: float, high: float) -> np.ndarray:
    """Numbers spread evenly from `low` to `high`."""

    def fill(rng: np.random.Generator, out: np.ndarray):
        rng.random(dtype=out.dtype, out=out)
        _scale(out, high - low, low)

    return _draw(entropy, fill, shape, dtype)


def _draw(entropy: Entropy, fill: Callable, shape: Shape, dtype: np.dtype) -> np.ndarray:
    # Each chunk has a stream of its own, so that threads draw side by side and their number changes no value.
    out = np.empty(math.prod(shape), np.float64 if dtype == np.float64 else np.float32)
    words = [word % 2**64 for word in entropy]

    def fill_from(start: int):
        rng = np.random.Generator(np.random.SFC64([*words, start // CHUNK]))
        fill(rng, out[start : start + CHUNK])

    starts = range(0, out.size, CHUNK)
    if len(starts) > 4:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(fill_from, starts))
    else:
        for start in starts:
            fill_from(start)
    return out.reshape(shape).astype(dtype, copy=False)


def _scale(out: np.ndarray, factor: float, shift: float):
    out *= factor
    if shift:
        out += shift
