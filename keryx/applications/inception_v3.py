"""Inception v3: Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2015 (arXiv:1512.00567)."""

from typing import Any

from keryx import layers
from keryx.applications.frame import UNNAMED, Asked, application, axis, classified, kernels
from keryx.applications.imagenet_utils import decode_predictions as decode_predictions
from keryx.applications.imagenet_utils import preprocessing

preprocess_input = preprocessing("tf")
Step = tuple[int, Any]
"""A convolution: its filters and the size of its kernel."""


def convolution(
    x: Any, filters: int, size: Any, strides: int = 1, padding: str = "same", names: tuple = (None, None, None)
) -> Any:
    """A convolution, batch normalization without a scale, relu."""
    conv, norm, relu = names
    x = layers.Conv2D(filters, size, strides=strides, padding=padding, use_bias=False, name=conv)(x)
    x = layers.BatchNormalization(axis=axis(), scale=False, name=norm)(x)
    return layers.Activation("relu", name=relu)(x)


def tower(x: Any, *steps: Step) -> Any:
    """One convolution after the other."""
    for filters, size in steps:
        x = convolution(x, filters, size)
    return x


def narrowing(x: Any, *steps: Step) -> Any:
    """A tower whose last convolution halves the height and width."""
    return convolution(tower(x, *steps[:-1]), *steps[-1], strides=2, padding="valid")


def joined(towers: list[Any], name: str | None = None) -> Any:
    """The channels of all towers."""
    return layers.Concatenate(axis=axis(), name=name)(towers)


def average(x: Any) -> Any:
    """The average around each pixel."""
    return layers.AveragePooling2D(3, strides=1, padding="same")(x)


def halved(x: Any) -> Any:
    """Half the height and width, by the maximum."""
    return layers.MaxPooling2D(3, strides=2)(x)


def stem(x: Any) -> Any:
    """An eighth of the height and width, in 192 channels."""
    x = convolution(x, 32, 3, strides=2, padding="valid")
    x = convolution(x, 32, 3, padding="valid")
    x = halved(convolution(x, 64, 3))
    x = convolution(x, 80, 1, padding="valid")
    return halved(convolution(x, 192, 3, padding="valid"))


def mixed_5b(x: Any, *widths: int) -> list[Any]:
    """Four towers, the first and the last of these widths."""
    return [
        tower(x, (widths[0], 1)),
        tower(x, (48, 1), (64, 5)),
        tower(x, (64, 1), (96, 3), (96, 3)),
        tower(average(x), (widths[1], 1)),
    ]


def _split(x: Any, name: str | None) -> Any:
    return joined([convolution(x, 384, (1, 3)), convolution(x, 384, (3, 1))], name)


def _body(x: Any, asked: Asked) -> Any:
    x = stem(x)
    for i, width in enumerate((32, 64, 64)):
        x = joined(mixed_5b(x, 64, width), f"mixed{i}")
    towers = [narrowing(x, (384, 3)), narrowing(x, (64, 1), (96, 3), (96, 3)), halved(x)]
    x = joined(towers, "mixed3")
    for i, width in enumerate((128, 160, 160, 192), 4):
        towers = [
            tower(x, (192, 1)),
            tower(x, (width, 1), (width, (1, 7)), (192, (7, 1))),
            tower(x, (width, 1), (width, (7, 1)), (width, (1, 7)), (width, (7, 1)), (192, (1, 7))),
            tower(average(x), (192, 1)),
        ]
        x = joined(towers, f"mixed{i}")
    towers = [
        narrowing(x, (192, 1), (320, 3)),
        narrowing(x, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)),
        halved(x),
    ]
    x = joined(towers, "mixed8")
    for i in range(2):
        towers = [
            tower(x, (320, 1)),
            _split(tower(x, (384, 1)), f"mixed9_{i}"),
            _split(tower(x, (448, 1), (384, 3)), None),
            tower(average(x), (192, 1)),
        ]
        x = joined(towers, f"mixed{9 + i}")
    return classified(x, asked, UNNAMED)


InceptionV3 = application(
    "InceptionV3",
    _body,
    "A network of towers of convolutions of several sizes (Szegedy et al. 2015, arXiv:1512.00567).",
    kernels("inception_v3/inception_v3", "9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63"),
    size=299,
    least=75,
    name="inception_v3",
)
