"""Images as files, as Pillow has them, and as arrays."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import config
from keryx.errors import ArgumentError, ConfigError, FileError, ShapeError, warn
from keryx.utils.resizing import crop_box

_MODES = {"grayscale": ("L", "I;16", "I"), "rgb": ("RGB",), "rgba": ("RGBA",)}


def pillow() -> Any:
    """Pillow's module Image."""
    try:
        from PIL import Image
    except ImportError:
        raise ConfigError("Images are read and written by Pillow: pip install 'keryx[image]'.") from None
    return Image


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Sequence[int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """An image from a file, as Pillow's Image.

    Args:
        path: A path, or a file object of bytes.
        color_mode: `grayscale`, `rgb` or `rgba`. A grey image of more than 8 bits stays so.
        target_size: (height, width); by default the image keeps its size.
        interpolation: How it is resized, by Pillow: `nearest`, `bilinear`, `bicubic`, `hamming`, `box` or `lanczos`.
        keep_aspect_ratio: Whether the image is first cropped around its centre to the proportions of `target_size`.

    Raises:
        FileError: Where there is no such file, or it is no image.
        ConfigError: Where Pillow is not installed.

    >>> import io
    >>> file = io.BytesIO()
    >>> save_img(file, np.zeros((2, 3, 3)), file_format="png")
    >>> load_img(file, target_size=(4, 4)).size
    (4, 4)
    """
    image_module = pillow()
    if color_mode not in _MODES:
        raise ArgumentError(f"color_mode is 'grayscale', 'rgb' or 'rgba'; got {color_mode!r}.")
    if not hasattr(path, "read") and not isinstance(path, (str, bytes, os.PathLike)):
        raise ArgumentError(f"load_img wants a path or a file object; got a {type(path).__name__}.")
    try:
        with image_module.open(path) as opened:
            modes = _MODES[color_mode]
            opened.load()
            image = opened if opened.mode in modes else opened.convert(modes[0])
    except FileNotFoundError:
        raise FileError(f"There is no file {path}.") from None
    except Exception as error:  # whatever a damaged image can bring about
        raise FileError(f"{path} cannot be read as an image: {error}.") from error
    if target_size is None:
        return image
    height, width = target_size
    if image.size == (width, height):
        return image
    ways = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
    if interpolation not in ways:
        raise ArgumentError(f"interpolation is one of {', '.join(ways)}; got {interpolation!r}.")
    box = None
    if keep_aspect_ratio:
        old_width, old_height = image.size
        new_height = min(old_height, old_width * height // width)
        new_width = min(old_width, old_height * width // height)
        top, left = (old_height - new_height) // 2, (old_width - new_width) // 2
        box = (left, top, left + new_width, top + new_height)
    return image.resize((width, height), image_module.Resampling[interpolation.upper()], box=box)


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """Pillow's Image as an array (height, width, channels).

    Args:
        img: The image, or an array (height, width) or (height, width, channels).
        data_format: Where the channels come: `channels_last` or `channels_first`; by default what is configured.
        dtype: By default `floatx`.

    >>> img_to_array(np.zeros((2, 3)), data_format="channels_first").shape
    (1, 2, 3)
    """
    channels_first = _channels_first(data_format)
    array = np.asarray(img, dtype=dtype or config.floatx())
    if array.ndim not in (2, 3):
        raise ShapeError(f"An image is (height, width) or (height, width, channels); got {array.shape}.")
    array = array[..., None] if array.ndim == 2 else array
    return array.transpose(2, 0, 1) if channels_first else array


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Any:
    """An array as Pillow's Image.

    Args:
        x: (height, width, channels) with 1 channel for grey, 3 for RGB or 4 for RGBA.
        data_format: Where the channels come; by default what is configured.
        scale: Whether the least and the greatest value become 0 and 255; else the values are from 0 to 255 already.
        dtype: What the array is reckoned in, by default `floatx`.

    Raises:
        ShapeError: Where it is no such array.

    >>> array_to_img(np.eye(2)[..., None]).getpixel((0, 0))
    255
    """
    image_module = pillow()
    array = np.asarray(x, dtype=dtype or config.floatx())
    if array.ndim == 3 and _channels_first(data_format):
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ShapeError(f"An image has three axes, and 1, 3 or 4 channels; got {np.shape(x)}.")
    if scale:
        array = array - array.min()
        array = array / (array.max() or 1) * 255
    if array.shape[2] > 1:
        return image_module.fromarray(np.ascontiguousarray(array.astype("uint8")))
    return image_module.fromarray(array[..., 0].astype("int32" if array.max() > 255 else "uint8"))


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array as an image.

    Args:
        path: A path, or a file object.
        x: (height, width, channels), as for `array_to_img`.
        data_format: Where the channels come; by default what is configured.
        file_format: Such as `png`; by default what the path ends with.
        scale: Whether the values are stretched to 0 to 255.
        kwargs: What Pillow's `save` takes beside.
    """
    if file_format is None and isinstance(path, (str, pathlib.Path)):
        file_format = pathlib.Path(path).suffix[1:].lower()
    if file_format and file_format.lower() == "jpg":
        file_format = "jpeg"
    image = array_to_img(x, data_format, scale)
    if image.mode == "RGBA" and file_format == "jpeg":
        warn("JPEG has no transparency: the fourth channel is left out.")
        image = image.convert("RGB")
    image.save(path, format=file_format, **kwargs)


def smart_resize(
    x: Any, size: Sequence[int], interpolation: str = "bilinear", data_format: str = "channels_last"
) -> Any:
    """Images in another size, without distortion: cropped around the centre to its proportions first.

    Args:
        x: An image (height, width, channels) or a batch of such.
        size: Height and width.
        interpolation: `bilinear`, `nearest`, `bicubic`, `lanczos3` or `lanczos5`.
        data_format: `channels_last` or `channels_first`.

    Returns:
        An array of `x`'s kind: NumPy or JAX.

    >>> smart_resize(np.zeros((6, 8, 3)), (3, 2)).shape
    (3, 2, 3)
    """
    ways = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")
    if interpolation not in ways:
        raise ArgumentError(f"interpolation is one of {', '.join(ways)}; got {interpolation!r}.")
    images = jnp.asarray(x)
    if images.ndim not in (3, 4):
        raise ShapeError(f"smart_resize wants an image of three axes or a batch of four; got {images.shape}.")
    rows = images.ndim - (2 if _channels_first(data_format) else 3)
    top, left, height, width = crop_box(images.shape[rows], images.shape[rows + 1], size)
    images = jax.lax.slice_in_dim(images, top, top + height, axis=rows)
    images = jax.lax.slice_in_dim(images, left, left + width, axis=rows + 1)
    shape = (*images.shape[:rows], *size, *images.shape[rows + 2 :])
    images = jax.image.resize(images, shape, interpolation, antialias=False)
    return np.array(images) if isinstance(x, np.ndarray) else images


def _channels_first(data_format: str | None) -> bool:
    data_format = data_format or config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ArgumentError(f"data_format is 'channels_last' or 'channels_first'; got {data_format!r}.")
    return data_format == "channels_first"
