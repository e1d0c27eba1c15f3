"""Images that are turned, moved, sheared, zoomed and lit by chance, one by one on the host.

The chance is NumPy's `np.random`, as it was, so that its seed makes a run again.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keryx.errors import ArgumentError
from keryx.preprocessing.image import array_to_img, img_to_array
from keryx.utils.files.images import pillow

_WORDS_OF_KERAS_1 = {"row_index": "row_axis", "col_index": "col_axis", "channel_index": "channel_axis"}


def _in_old_words(function: Callable) -> Callable:
    """The function, whose axes may be called as in Keras 1."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **{_WORDS_OF_KERAS_1.get(word, word): value for word, value in kwargs.items()})

    return called


def flip_axis(x: np.ndarray, axis: int) -> np.ndarray:
    """The other way round along an axis."""
    return np.flip(np.asarray(x), axis)


def transform_matrix_offset_center(matrix: np.ndarray, x: int, y: int) -> np.ndarray:
    """A transformation of the plane around the centre of an image of `x` rows and `y` columns."""
    there, back = np.eye(3), np.eye(3)
    there[:2, 2] = x / 2 + 0.5, y / 2 + 0.5
    back[:2, 2] = -there[:2, 2]
    return there @ matrix @ back


@_in_old_words
def apply_transform(
    x: np.ndarray, transform_matrix: np.ndarray, channel_axis: int = 0, fill_mode: str = "nearest", cval: float = 0.0
) -> np.ndarray:
    """An image whose pixels come from where a matrix (3, 3) of the plane says.

    Args:
        x: The image.
        transform_matrix: The matrix, around the upper left corner.
        channel_axis: The axis of the channels.
        fill_mode: What is outside of the image: `nearest`, `constant`, `reflect` or `wrap`.
        cval: What is outside with `constant`.
    """
    return _moved(x, transform_matrix, channel_axis, fill_mode, cval, 1)


def _moved(x: np.ndarray, matrix: np.ndarray, channel_axis: int, fill_mode: str, cval: float, order: int) -> np.ndarray:
    from scipy import ndimage  # comes with JAX

    if fill_mode not in ("nearest", "constant", "reflect", "wrap"):
        raise ArgumentError(f"fill_mode is 'nearest', 'constant', 'reflect' or 'wrap'; got {fill_mode!r}.")
    channels = [
        ndimage.affine_transform(channel, matrix[:2, :2], matrix[:2, 2], order=order, mode=fill_mode, cval=cval)
        for channel in np.moveaxis(x, channel_axis, 0)
    ]
    return np.moveaxis(np.stack(channels), 0, channel_axis)


def apply_affine_transform(
    x: np.ndarray,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 0,
    col_axis: int = 1,
    channel_axis: int = 2,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> np.ndarray:
    """An image turned, then moved, sheared and zoomed, all around its centre.

    Args:
        x: The image.
        theta: The angle, in degrees.
        tx: Rows to move by.
        ty: Columns to move by.
        shear: The angle of shearing, in degrees.
        zx: How many rows of the image one row shows.
        zy: How many columns one column shows.
        row_axis: The axis of the rows.
        col_axis: The axis of the columns.
        channel_axis: The axis of the channels.
        fill_mode: What is outside of the image: `nearest`, `constant`, `reflect` or `wrap`.
        cval: What is outside with `constant`.
        order: The order of the splines between pixels: 0 the nearest one, 1 linear.

    >>> image = np.arange(4.0).reshape(2, 2, 1)
    >>> apply_affine_transform(image, tx=1)[..., 0].tolist()
    [[2.0, 3.0], [2.0, 3.0]]
    """
    if (theta, tx, ty, shear, zx, zy) == (0, 0, 0, 0, 1, 1):
        return x
    angle, slant = np.deg2rad(theta), np.deg2rad(shear)
    turned = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    moved = np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    sheared = np.array([[1, -np.sin(slant), 0], [0, np.cos(slant), 0], [0, 0, 1]])
    matrix = turned @ moved @ sheared @ np.diag([zx, zy, 1.0])
    matrix = transform_matrix_offset_center(matrix, x.shape[row_axis], x.shape[col_axis])
    return _moved(x, matrix, channel_axis, fill_mode, cval, order)


@_in_old_words
def random_rotation(
    x: np.ndarray, rg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, **fill: Any
) -> np.ndarray:
    """An image turned by up to `rg` degrees; `fill` is what `apply_affine_transform` takes beside."""
    axes = _axes(row_axis, col_axis, channel_axis)
    return apply_affine_transform(x, theta=np.random.uniform(-rg, rg), **axes, **_order(fill))


@_in_old_words
def random_shift(
    x: np.ndarray, wrg: float, hrg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, **fill: Any
) -> np.ndarray:
    """An image moved by up to the shares `wrg` of its width and `hrg` of its height."""
    tx, ty = (np.random.uniform(-r, r) * x.shape[axis] for r, axis in ((hrg, row_axis), (wrg, col_axis)))
    return apply_affine_transform(x, tx=tx, ty=ty, **_axes(row_axis, col_axis, channel_axis), **_order(fill))


@_in_old_words
def random_shear(
    x: np.ndarray, intensity: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, **fill: Any
) -> np.ndarray:
    """An image sheared by up to `intensity` degrees."""
    shear = np.random.uniform(-intensity, intensity)
    return apply_affine_transform(x, shear=shear, **_axes(row_axis, col_axis, channel_axis), **_order(fill))


@_in_old_words
def random_zoom(
    x: np.ndarray,
    zoom_range: Sequence[float],
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    **fill: Any,
) -> np.ndarray:
    """An image zoomed by numbers between the two of `zoom_range`, rows and columns each by its own."""
    if len(zoom_range) != 2:
        raise ArgumentError(f"zoom_range is a pair of numbers; got {zoom_range!r}.")
    zx, zy = (1, 1) if tuple(zoom_range) == (1, 1) else np.random.uniform(zoom_range[0], zoom_range[1], 2)
    return apply_affine_transform(x, zx=zx, zy=zy, **_axes(row_axis, col_axis, channel_axis), **_order(fill))


def _axes(row: int, column: int, channel: int) -> dict[str, Any]:
    return {"row_axis": row, "col_axis": column, "channel_axis": channel}


def _order(fill: dict[str, Any]) -> dict[str, Any]:
    return {"order" if word == "interpolation_order" else word: value for word, value in fill.items()}


def apply_channel_shift(x: np.ndarray, intensity: Any, channel_axis: int = 0) -> np.ndarray:
    """`x + intensity`, a number or one for each channel, within the least and the greatest value of the image."""
    shifted = np.moveaxis(np.moveaxis(x, channel_axis, -1) + np.asarray(intensity, x.dtype), -1, channel_axis)
    return np.clip(shifted, np.min(x), np.max(x))


@_in_old_words
def random_channel_shift(x: np.ndarray, intensity_range: float, channel_axis: int = 0) -> np.ndarray:
    """The image with up to `intensity_range` added."""
    return apply_channel_shift(x, np.random.uniform(-intensity_range, intensity_range), channel_axis)


def apply_brightness_shift(x: np.ndarray, brightness: float) -> np.ndarray:
    """The image lit: 0 is black, 1 as it is (its values from 0 to 255)."""
    pillow()
    from PIL import ImageEnhance

    return img_to_array(ImageEnhance.Brightness(array_to_img(x)).enhance(brightness))


def random_brightness(x: np.ndarray, brightness_range: Sequence[float]) -> np.ndarray:
    """The image lit by a number between two."""
    if len(brightness_range) != 2:
        raise ArgumentError(f"brightness_range is a pair of numbers; got {brightness_range!r}.")
    return apply_brightness_shift(x, np.random.uniform(brightness_range[0], brightness_range[1]))
