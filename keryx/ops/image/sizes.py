"""Images of other sizes: resized, padded, cut, and cut into patches."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import kernels
from keryx.core.graph import lift
from keryx.errors import ArgumentError
from keryx.kernels.geometry import Sizes, each_axis, pads_of, reaches
from keryx.ops.image.layout import as_given, as_images, axes, one_of

INTERPOLATIONS = "nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"
_METHODS = "linear", "bilinear", "trilinear", "cubic", "bicubic", "tricubic", "lanczos3", "lanczos5"


def crop_of_aspect(height: int, width: int, target: tuple[int, int]) -> tuple[int, int, int, int]:
    """Top, left, height and width of the largest window in the middle that has the shape of the target.

    >>> crop_of_aspect(4, 8, (2, 2))
    (0, 2, 4, 4)
    """
    window_height = max(min(height, int(width * target[0] / target[1])), 1)
    window_width = max(min(width, int(height * target[1] / target[0])), 1)
    return int((height - window_height) / 2), int((width - window_width) / 2), window_height, window_width


@lift
def resize(
    images,
    size,
    interpolation="bilinear",
    antialias=False,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    fill_mode="constant",
    fill_value=0.0,
    data_format=None,
):
    """Images at another size, in their own dtype; integers are rounded.

    Args:
        images: One image or a batch.
        size: The new height and width.
        interpolation: `nearest`, `bilinear`, `bicubic`, `lanczos3` or `lanczos5`.
        antialias: Whether what is made smaller is smoothed first, so that no fine pattern turns into a coarse one.
        crop_to_aspect_ratio: Whether edges are cut off first so that nothing is stretched.
        pad_to_aspect_ratio: Whether edges are put on first so that nothing is stretched.
        fill_mode: Only `constant`.
        fill_value: What the edges hold that are put on.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.

    Raises:
        ArgumentError: For options that mean nothing, and for both a crop and a padding.
        ShapeError: For another rank than 3 or 4.

    >>> resize(jnp.arange(4.0).reshape(2, 2, 1), (1, 2), data_format="channels_last").ravel().tolist()
    [1.0, 2.0]
    """
    x, (height, width, _) = as_images(images), axes(data_format)
    one_of("interpolation", interpolation, INTERPOLATIONS)
    one_of("fill_mode", fill_mode, ("constant",))
    size = tuple(size)
    if len(size) != 2 or min(size) <= 0:
        raise ArgumentError(f"size is a height and a width above 0; got {size}.")
    if pad_to_aspect_ratio and crop_to_aspect_ratio:
        raise ArgumentError("Images are cropped or padded to the aspect ratio, not both: set one of them.")
    if crop_to_aspect_ratio:
        top, left, window_height, window_width = crop_of_aspect(x.shape[height], x.shape[width], size)
        x = jax.lax.slice_in_dim(x, top, top + window_height, axis=height % x.ndim)
        x = jax.lax.slice_in_dim(x, left, left + window_width, axis=width % x.ndim)
    elif pad_to_aspect_ratio:
        rows = int((max(x.shape[height], int(x.shape[width] * size[0] / size[1])) - x.shape[height]) / 2)
        columns = int((max(x.shape[width], int(x.shape[height] * size[1] / size[0])) - x.shape[width]) / 2)
        x = _padded(x, {height: (rows, rows), width: (0, 0) if rows else (columns, columns)}, fill_value)
    shape = list(x.shape)
    shape[height], shape[width] = size
    return as_given(kernels.resize(x, shape, interpolation, antialias), x.dtype)


def _padded(x: jax.Array, pads: dict[int, tuple[int, int]], value: Any = 0) -> jax.Array:
    return jnp.pad(x, [pads.get(i - x.ndim, (0, 0)) for i in range(x.ndim)], constant_values=value)


@lift
def scale_and_translate(images, output_shape, scale, translation, spatial_dims, method, antialias=True):
    """Arrays of another shape, each axis stretched and moved: element `i` comes to stand at `i * scale + translation`.

    Args:
        images: An array of any rank.
        output_shape: The new shape, as long as the old one.
        scale: One factor for each of `spatial_dims`.
        translation: One distance for each of them.
        spatial_dims: The axes that are stretched and moved.
        method: `linear`, `cubic`, `lanczos3` or `lanczos5`; `bilinear`, `trilinear`, ... are the same.
        antialias: Whether what is made smaller is smoothed first.

    >>> scale_and_translate(jnp.ones((2, 1)), (4, 1), [2.0], [0.0], (0,), "linear").ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    one_of("method", method, _METHODS)
    x, scale, translation = jnp.asarray(images), jnp.asarray(scale), jnp.asarray(translation)
    return jax.image.scale_and_translate(
        x, tuple(output_shape), tuple(spatial_dims), scale, translation, method, antialias
    )


def _two_of_three(axis: str, words: tuple[str, str, str], values: tuple[Any, Any, Any], sign: int, size: int) -> Any:
    """What is put on, or cut off, before and after an axis, of which two of before, after and target are told."""
    told = ", ".join(f"{word}={value}" for word, value in zip(words, values, strict=True))
    if list(values).count(None) != 1:
        raise ArgumentError(f"The {axis} wants exactly two of {', '.join(words)}; got {told}.")
    before, after, target = values
    if before is None:
        before = sign * (target - size) - after
    elif after is None:
        after = sign * (target - size) - before
    if min(before, after) < 0 or size + sign * (before + after) < 0:
        raise ArgumentError(f"The {axis} is {size}, which does not go with {told}: {before} before and {after} after.")
    return before, after


@lift
def pad_images(
    images,
    top_padding=None,
    left_padding=None,
    bottom_padding=None,
    right_padding=None,
    target_height=None,
    target_width=None,
    data_format=None,
):
    """Images with zeros around; of each axis two of the padding before, the padding after and the target are given.

    Args:
        images: One image or a batch.
        top_padding: Rows put on above.
        left_padding: Columns put on to the left.
        bottom_padding: Rows put on below.
        right_padding: Columns put on to the right.
        target_height: The new height.
        target_width: The new width.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.

    Raises:
        ArgumentError: For more or less than two of the three, or what comes out negative.

    >>> pad_images(jnp.ones((2, 2, 1)), 1, 0, 0, target_width=3, data_format="channels_last").shape
    (3, 3, 1)
    """
    x, (height, width, _) = as_images(images), axes(data_format)
    rows = top_padding, bottom_padding, target_height
    columns = left_padding, right_padding, target_width
    vertical = _two_of_three("height", ("top_padding", "bottom_padding", "target_height"), rows, 1, x.shape[height])
    sides = _two_of_three("width", ("left_padding", "right_padding", "target_width"), columns, 1, x.shape[width])
    return _padded(x, {height: vertical, width: sides})


@lift
def crop_images(
    images,
    top_cropping=None,
    left_cropping=None,
    bottom_cropping=None,
    right_cropping=None,
    target_height=None,
    target_width=None,
    data_format=None,
):
    """Images without their edges; of each axis two of the crop before, the crop after and the target are given.

    Args:
        images: One image or a batch.
        top_cropping: Rows cut off above.
        left_cropping: Columns cut off to the left.
        bottom_cropping: Rows cut off below.
        right_cropping: Columns cut off to the right.
        target_height: The new height.
        target_width: The new width.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.

    Raises:
        ArgumentError: For more or less than two of the three, or what comes out negative.

    >>> crop_images(jnp.ones((4, 4, 1)), 1, 0, 0, target_width=3, data_format="channels_last").shape
    (3, 3, 1)
    """
    x, (height, width, _) = as_images(images), axes(data_format)
    rows = top_cropping, bottom_cropping, target_height
    columns = left_cropping, right_cropping, target_width
    top, bottom = _two_of_three(
        "height", ("top_cropping", "bottom_cropping", "target_height"), rows, -1, x.shape[height]
    )
    left, right = _two_of_three(
        "width", ("left_cropping", "right_cropping", "target_width"), columns, -1, x.shape[width]
    )
    x = jax.lax.slice_in_dim(x, top, x.shape[height] - bottom, axis=height % x.ndim)
    return jax.lax.slice_in_dim(x, left, x.shape[width] - right, axis=width % x.ndim)


@lift
def extract_patches(images, size: Sizes, strides=None, dilation_rate: Sizes = 1, padding="valid", data_format=None):
    """The windows of images, each as one long row of channels: (batch, rows, columns, window * channels).

    Args:
        images: One image or a batch; volumes where the size has three numbers.
        size: Of the window, one number or two; three for volumes.
        strides: Steps from window to window; by default they lie side by side.
        dilation_rate: Steps within the window.
        padding: `valid` or `same`, which puts zeros around.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.

    Raises:
        ArgumentError: For a size of other than one to three numbers.
        ShapeError: For images of another rank, or smaller than a window.

    >>> extract_patches(jnp.ones((6, 6, 3)), 2, data_format="channels_last").shape
    (3, 3, 12)
    """
    rank = len(size) if isinstance(size, (tuple, list)) else 2
    if rank not in (2, 3):
        raise ArgumentError(f"size is one number, or two, or three for volumes; got {size!r}.")
    x = as_images(images, ranks=(rank + 1, rank + 2))
    first = axes(data_format)[2] != -1
    last = jnp.moveaxis(x, -rank - 1, -1) if first else x
    window, steps, gaps = (each_axis(value, rank) for value in (size, strides or size, dilation_rate))
    space = last.shape[-rank - 1 : -1]
    pads = pads_of(padding, space, reaches(window, gaps), steps)
    last = _padded(last, {i - rank - 1: pair for i, pair in enumerate(pads)})
    for i, (n, step, gap) in enumerate(zip(window, steps, gaps, strict=True)):
        axis = last.ndim - 1 - (rank - i)  # what stood before it has become two axes, what comes after has not
        count = (last.shape[axis] - (n - 1) * gap - 1) // step + 1
        if step == n and gap == 1:
            cut = jax.lax.slice_in_dim(last, 0, count * n, axis=axis)
            last = cut.reshape(*cut.shape[:axis], count, n, *cut.shape[axis + 1 :])
        else:
            last = jnp.take(last, np.arange(count)[:, None] * step + np.arange(n) * gap, axis)
    lead = last.ndim - 1 - 2 * rank
    places, within = range(lead, lead + 2 * rank, 2), range(lead + 1, lead + 2 * rank, 2)
    last = last.transpose(*range(lead), *places, *within, last.ndim - 1)
    patches = last.reshape(*last.shape[: lead + rank], -1)
    return jnp.moveaxis(patches, -1, -rank - 1) if first else patches


def extract_patches_3d(volumes, size: Sizes, strides=None, dilation_rate: Sizes = 1, padding="valid", data_format=None):
    """The windows of volumes, each as one long row of channels: (batch, depth, rows, columns, window * channels).

    Args:
        volumes: One volume or a batch.
        size: Of the window, one number or three.
        strides: Steps from window to window; by default they lie side by side.
        dilation_rate: Steps within the window.
        padding: `valid` or `same`, which puts zeros around.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.

    Raises:
        ShapeError: For volumes of another rank, or smaller than a window.

    >>> extract_patches_3d(jnp.ones((4, 4, 4, 1)), 2, data_format="channels_last").shape
    (2, 2, 2, 8)
    """
    return extract_patches(volumes, each_axis(size, 3), strides, dilation_rate, padding, data_format)
