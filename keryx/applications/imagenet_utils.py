"""Images as networks that were trained on ImageNet want them, and their outputs in words."""

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from keryx import config, ops
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError, ShapeError

CLASSES = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
CLASSES_HASH = "c2c37ea517e94d9795004a39431a14cb"

# By mode: whether RGB becomes BGR, what is divided by, what is subtracted, what is divided by then.
MODES: dict[str, tuple] = {
    "caffe": (True, None, (103.939, 116.779, 123.68), None),
    "tf": (False, 127.5, (1.0, 1.0, 1.0), None),
    "torch": (False, 255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Pixels from 0 to 255 as a network was trained on them. The array that is given stays as it is.

    - `caffe`: BGR in place of RGB, less the mean of ImageNet, not scaled.
    - `tf`: `x / 127.5 - 1`.
    - `torch`: `(x / 255 - mean) / deviation`, the mean and deviation of each channel of ImageNet.

    Args:
        x: One image or a batch of them, RGB: an array of NumPy or JAX, or a symbolic tensor.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        mode: One of those above.

    Returns:
        What `x` is, of its shape; integers become floats.

    Raises:
        ArgumentError: Where the mode or the format is another.
        ShapeError: Where `x` is no image.

    >>> preprocess_input(np.full((1, 1, 1, 3), 255), mode="tf")
    array([[[[1., 1., 1.]]]], dtype=float32)
    >>> preprocess_input(np.zeros((1, 1, 3)), mode="caffe")
    array([[[-103.939, -116.779, -123.68 ]]])
    """
    if mode not in MODES:
        raise ArgumentError(f"preprocess_input(): mode is one of 'caffe', 'tf', 'torch'; got {mode!r}.")
    data_format = data_format or config.image_data_format()
    if data_format not in ("channels_first", "channels_last"):
        raise ArgumentError(
            f"preprocess_input(): data_format is 'channels_last' or 'channels_first'; got {data_format!r}."
        )
    if len(np.shape(x) if not hasattr(x, "shape") else x.shape) not in (3, 4):
        raise ShapeError(f"preprocess_input() takes an image (height, width, 3) or a batch of them; got {np.shape(x)}.")
    if not hasattr(x, "dtype"):
        x = np.asarray(x)
    if not config.is_float(x.dtype):
        x = ops.cast(x, config.floatx()) if isinstance(x, SymbolicTensor) else x.astype(config.floatx())
    first = data_format == "channels_first"
    reverse, scale, mean, deviation = MODES[mode]
    if reverse:
        x = x[..., ::-1] if not first else x[..., ::-1, :, :]
    if scale is not None:
        x = x / scale

    def by_channel(values: tuple) -> np.ndarray:
        return np.asarray(values, np.dtype(x.dtype)).reshape((3, 1, 1) if first else (3,))

    x = x - by_channel(mean)
    return x if deviation is None else x / by_channel(deviation)


def preprocessing(mode: str | None) -> Callable[..., Any]:
    """The `preprocess_input` of a family: in this mode, or none, where its models scale pixels themselves."""

    def preprocess(x: Any, data_format: str | None = None) -> Any:
        return x if mode is None else preprocess_input(x, data_format, mode)

    preprocess.__name__ = preprocess.__qualname__ = "preprocess_input"
    preprocess.__doc__ = (
        f"Pixels from 0 to 255 as the network wants them: `imagenet_utils.preprocess_input(x, data_format, {mode!r})`."
        if mode is not None
        else "Pixels from 0 to 255 as they are: the network scales them itself."
    )
    return preprocess


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """The most likely classes of ImageNet for each image.

    Args:
        preds: What a network gives for a batch of images (batch, 1000).
        top: How many classes.

    Returns:
        For each image, from the most likely on, (the class's id in WordNet, its name, its probability).

    Raises:
        ShapeError: Where they are not the outputs of 1000 classes.

    The list of classes is downloaded once, by `keryx.utils.get_file`.
    """
    preds = np.asarray(preds)
    if preds.ndim != 2 or preds.shape[1] != 1000:
        raise ShapeError(
            f"decode_predictions() takes the outputs of a network with the 1000 classes of ImageNet, (batch, 1000); "
            f"got {preds.shape}."
        )
    names = _classes()
    return [[(*names[i], row[i]) for i in np.argsort(row)[::-1][:top]] for row in preds]


@functools.cache
def _classes() -> list[tuple[str, str]]:
    from keryx.utils import get_file  # type: ignore[attr-defined]

    path = get_file("imagenet_class_index.json", CLASSES, cache_subdir="models", file_hash=CLASSES_HASH)
    with open(path) as file:
        found = json.load(file)
    return [tuple(found[str(i)]) for i in range(len(found))]
