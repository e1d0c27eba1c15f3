"""Images in another size, on the host: each axis is a weighted sum of a few rows.

Without antialiasing, with half-pixel centres: the way of `jax.image.resize(antialias=False)` and `tf.image.resize`.
Here nothing is compiled, so that each image may have a size of its own.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from keryx.errors import ArgumentError
from keryx.ops.image.sizes import crop_of_aspect


def _keys_cubic(x: np.ndarray) -> np.ndarray:
    """Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981, with a = -1/2."""
    return np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2)


def _mitchell_cubic(x: np.ndarray) -> np.ndarray:
    """Mitchell and Netravali, "Reconstruction Filters in Computer Graphics", 1988, with B = C = 1/3."""
    return np.where(x < 1, (7 * x - 12) * x * x + 16 / 3, ((-7 / 3 * x + 12) * x - 20) * x + 32 / 3) / 6


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.sinc(x) * np.sinc(x / radius)


_KERNELS: dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {
    "bilinear": (1, lambda x: 1 - x),
    "bicubic": (2, _keys_cubic),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
    "gaussian": (1.5, lambda x: np.exp(-2 * x * x)),
    "mitchellcubic": (2, _mitchell_cubic),
}
"""By interpolation, how far the kernel reaches and what it is at a distance below that."""

INTERPOLATIONS = (*_KERNELS, "nearest", "area")


def resized(image: np.ndarray, size: Sequence[int], interpolation: str = "bilinear") -> np.ndarray:
    """An image (height, width, channels) in another size, as float32.

    Args:
        image: The image.
        size: Height and width.
        interpolation: `bilinear`, `nearest`, `bicubic`, `lanczos3`, `lanczos5`, `gaussian`, `mitchellcubic`, or `area`
            (the mean of what a new pixel covers).

    >>> resized(np.array([[[0.0], [4.0]]]), (1, 4)).ravel().tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    if interpolation not in INTERPOLATIONS:
        raise ArgumentError(f"interpolation is one of {', '.join(INTERPOLATIONS)}; got {interpolation!r}.")
    image = np.asarray(image)
    image = image if image.dtype == np.uint8 else image.astype("float32")  # bytes are turned as they are taken
    for axis, new in enumerate(size):
        if image.shape[axis] == new and interpolation not in ("gaussian", "mitchellcubic"):  # which blur
            continue
        rows, weights = _taps(image.shape[axis], new, interpolation)
        if axis == 1:  # without a short axis at the end the products are several times faster
            rows = image.shape[2] * rows.repeat(image.shape[2], 1) + np.tile(np.arange(image.shape[2]), new)
            weights = weights.repeat(image.shape[2], 1)
        lines, weights = image.reshape(len(image), -1), weights[..., None] if axis == 0 else weights
        total = _weighted(lines, rows[0], axis, weights[0])
        for row, weight in zip(rows[1:], weights[1:], strict=True):
            total += _weighted(lines, row, axis, weight)
        image = total.reshape(len(total), -1, image.shape[2])
    return image.astype("float32", copy=False)


def _weighted(lines: np.ndarray, rows: np.ndarray, axis: int, weights: np.ndarray) -> np.ndarray:
    """Rows or columns, each times its weight, in one new array."""
    taken = lines.take(rows, axis, mode="clip").astype("float32", copy=False)  # to raise, NumPy would copy once more
    taken *= weights
    return taken


@functools.lru_cache(1024)
def _taps(old: int, new: int, interpolation: str) -> tuple[np.ndarray, np.ndarray]:
    """Which rows of an axis each new row takes, and with which weights: both (taps, new)."""
    scale = old / new
    if interpolation == "nearest":
        rows = np.floor((np.arange(new) + 0.5) * scale).astype(int)[None]
        return np.minimum(rows, old - 1), np.ones((1, new), "float32")
    if interpolation == "area":
        ends = np.arange(new + 1) * scale
        rows = np.floor(ends[:-1]).astype(int) + np.arange(int(np.ceil(scale)) + 1)[:, None]
        weights = np.clip(np.minimum(rows + 1, ends[1:]) - np.maximum(rows, ends[:-1]), 0, None)
    else:
        reach, kernel = _KERNELS[interpolation]
        centers = (np.arange(new) + 0.5) * scale - 0.5
        rows = np.ceil(centers - reach).astype(int) + np.arange(int(2 * reach) + 1)[:, None]
        distances = np.abs(rows - centers)
        weights = np.where((distances < reach) & (rows >= 0) & (rows < old), kernel(distances), 0)
    used = weights.any(1)
    weights = (weights / weights.sum(0)).astype("float32")
    return np.clip(rows, 0, old - 1)[used], weights[used]


def cropped(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """The greatest part around the centre of an image (height, width, ...) that has the proportions of `size`."""
    top, left, height, width = crop_of_aspect(image.shape[0], image.shape[1], (size[0], size[1]))
    return image[top : top + height, left : left + width]


def padded(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """An image (height, width, channels) with zeros around it, so that it has the proportions of `size`."""
    height, width = image.shape[:2]
    above = (max(height, int(float(width * size[0]) / size[1])) - height) // 2
    left = (max(width, int(float(height * size[1]) / size[0])) - width) // 2
    return np.pad(image, ((above, above), (left, left), (0, 0)))
