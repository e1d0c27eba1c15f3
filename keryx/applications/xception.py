"""Xception: Chollet, Xception: Deep Learning with Depthwise Separable Convolutions, 2016 (arXiv:1610.02357)."""

from typing import Any

from keryx import layers
from keryx.applications.frame import UNNAMED, Asked, application, axis, classified, kernels
from keryx.applications.imagenet_utils import decode_predictions as decode_predictions
from keryx.applications.imagenet_utils import preprocessing

preprocess_input = preprocessing("tf")


def _norm(x: Any, name: str | None = None) -> Any:
    return layers.BatchNormalization(axis=axis(-1), name=name)(x)


def _relu(x: Any, name: str) -> Any:
    return layers.Activation("relu", name=f"{name}_act")(x)


def _convolution(x: Any, width: int, strides: int, name: str) -> Any:
    x = layers.Conv2D(width, 3, strides=strides, use_bias=False, name=name)(x)
    return _relu(_norm(x, f"{name}_bn"), name)


def _separable(x: Any, width: int, name: str) -> Any:
    x = layers.SeparableConv2D(width, 3, padding="same", use_bias=False, name=name)(x)
    return _norm(x, f"{name}_bn")


def _shrinking(x: Any, number: int, *widths: int) -> Any:
    """Two separable convolutions, then half the height and width, added to a projection of what comes in."""
    shortcut = layers.Conv2D(widths[-1], 1, strides=2, padding="same", use_bias=False)(x)
    shortcut = _norm(shortcut)
    for i, width in enumerate(widths, 1):
        name = f"block{number}_sepconv{i}"
        x = _separable(_relu(x, name) if number > 2 or i > 1 else x, width, name)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"block{number}_pool")(x)
    return layers.Add()([x, shortcut])


def _body(x: Any, asked: Asked) -> Any:
    x = _convolution(x, 32, 2, "block1_conv1")
    x = _convolution(x, 64, 1, "block1_conv2")
    for number, width in enumerate((128, 256, 728), 2):
        x = _shrinking(x, number, width, width)
    for number in range(5, 13):
        shortcut = x
        for i in (1, 2, 3):
            name = f"block{number}_sepconv{i}"
            x = _separable(_relu(x, name), 728, name)
        x = layers.Add()([x, shortcut])
    x = _shrinking(x, 13, 728, 1024)
    for i, width in enumerate((1536, 2048), 1):
        name = f"block14_sepconv{i}"
        x = _relu(_separable(x, width, name), name)
    return classified(x, asked, UNNAMED)


Xception = application(
    "Xception",
    _body,
    "A network of depthwise separable convolutions (Chollet 2016, arXiv:1610.02357).",
    kernels("xception/xception", "0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"),
    size=299,
    least=71,
    name="xception",
)
