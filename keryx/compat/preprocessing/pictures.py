"""Images from files and as arrays, in the words of Keras 1 and 2."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keryx.preprocessing import image as today

_FORMATS = {"th": "channels_first", "tf": "channels_last", "default": None}


def load_img(
    path: Any,
    grayscale: Any = False,
    color_mode: Any = "rgb",
    target_size: Sequence[int] | None = None,
    interpolation: str = "nearest",
) -> Any:
    """An image from a file, as Pillow's Image.

    Args:
        path: The file.
        grayscale: Whether it becomes grey; a word here is the colour mode, as today.
        color_mode: `rgb`, `rgba` or `grayscale`; a size here is `target_size`, which stood here before Keras 2.2.
        target_size: (height, width) to resize it to.
        interpolation: How.
    """
    if color_mode is None or not isinstance(color_mode, str):
        target_size, color_mode = target_size or color_mode, "rgb"
    mode = grayscale if isinstance(grayscale, str) else "grayscale" if grayscale else color_mode
    return today.load_img(path, mode, target_size, interpolation)


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None, dim_ordering: Any = None) -> np.ndarray:
    """An image as an array, where the channels come as `data_format` or, in Keras 1, `dim_ordering` says.

    >>> img_to_array(np.zeros((2, 3)), dim_ordering="th").shape
    (1, 2, 3)
    """
    made: np.ndarray = today.img_to_array(img, _format(dim_ordering or data_format), dtype)
    return made


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None, dim_ordering: Any = None
) -> Any:
    """An array as Pillow's Image, whose channels come as `data_format` or `dim_ordering` says."""
    return today.array_to_img(x, _format(dim_ordering or data_format), scale, dtype)


def _format(word: Any) -> Any:
    return _FORMATS.get(word, word)
