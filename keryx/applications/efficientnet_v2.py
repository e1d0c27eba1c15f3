"""EfficientNet v2: Tan and Le, EfficientNetV2: Smaller Models and Faster Training, 2021 (arXiv:2104.00298)."""

import math
import string
from collections.abc import Sequence
from typing import Any

from keryx import initializers, layers
from keryx.applications.efficientnet import DEVIATIONS, active, added, convolution, drawn, excited, top
from keryx.applications.frame import STANDARD, Asked, Trained, application, axis
from keryx.applications.imagenet_utils import decode_predictions as decode_predictions
from keryx.applications.imagenet_utils import preprocessing

preprocess_input = preprocessing(None)
MEANS = (0.485, 0.456, 0.406)
# Of each stage: how many blocks, the channels, how far a block expands them, the strides, whether a block is fused: one
# convolution in place of a 1x1 and a depthwise one, which are squeezed and excited.
BASE = (
    (1, 16, 1, 1, True),
    (2, 32, 4, 2, True),
    (2, 48, 4, 2, True),
    (3, 96, 4, 2, False),
    (5, 112, 6, 1, False),
    (8, 192, 6, 2, False),
)
SMALL = (
    (2, 24, 1, 1, True),
    (4, 48, 4, 2, True),
    (4, 64, 4, 2, True),
    (6, 128, 4, 2, False),
    (9, 160, 6, 1, False),
    (15, 256, 6, 2, False),
)
MEDIUM = (
    (3, 24, 1, 1, True),
    (5, 48, 4, 2, True),
    (5, 80, 4, 2, True),
    (7, 160, 4, 2, False),
    (14, 176, 6, 1, False),
    (18, 304, 6, 2, False),
    (5, 512, 6, 1, False),
)
LARGE = (
    (4, 32, 1, 1, True),
    (7, 64, 4, 2, True),
    (7, 96, 4, 2, True),
    (10, 192, 4, 2, False),
    (19, 224, 6, 1, False),
    (25, 384, 6, 2, False),
    (7, 640, 6, 1, False),
)
MOMENTUM = 0.9


def _channels(count: float) -> int:
    """The nearest multiple of 8."""
    return max(8, int(count + 4) // 8 * 8)


def _block(x: Any, filters: int, expansion: int, strides: int, fused: bool, drop: float, name: str) -> Any:
    """More channels, a convolution of 3x3, fewer channels; added to what comes in, where it has that shape."""
    shortcut, channels = x, x.shape[axis()]
    plain = fused and expansion == 1  # one convolution does all
    if not plain:
        wide = expansion * channels
        x = convolution(x, wide, f"{name}_expand_conv", *((3, strides) if fused else (1, 1)))
        x = active(x, f"{name}_expand", momentum=MOMENTUM)
    if not fused:
        x = layers.DepthwiseConv2D(
            3, strides, "same", use_bias=False, depthwise_initializer=drawn(), name=f"{name}_dwconv2"
        )(x)
        x = excited(active(x, name, momentum=MOMENTUM), max(1, channels // 4), f"{name}_se")
    x = convolution(x, filters, f"{name}_project_conv", *((3, strides) if plain else (1, 1)))
    x = layers.BatchNormalization(axis=axis(), momentum=MOMENTUM, name=f"{name}_project_bn")(x)
    if plain:
        x = layers.Activation("silu", name=f"{name}_project_activation")(x)
    return added(x, shortcut, drop, name) if strides == 1 and channels == filters else x


def _scaled(x: Any, by_channel: bool) -> Any:
    """Pixels as the weights were trained on them."""
    if not by_channel or x.shape[axis()] != 3:
        return layers.Rescaling(1 / 128, offset=-1.0)(x)
    x = layers.Rescaling(1 / 255)(x)
    return layers.Normalization(axis=axis(), mean=list(MEANS), variance=[d**2 for d in DEVIATIONS])(x)


def _application(
    size: str, side: int, stages: Sequence[tuple], wide: float, deep: float, stem: int, *hashes: str
) -> Any:
    """Of these stages, so many times as wide and as deep, with a stem of so many channels."""

    def body(x: Any, asked: Asked, include_preprocessing: bool) -> Any:
        if include_preprocessing:
            x = _scaled(x, by_channel=stages is BASE)
        x = active(convolution(x, _channels(stem * wide), "stem_conv", 3, 2), "stem", momentum=MOMENTUM)
        total, number = sum(count for count, *_ in stages), 0
        for stage, (count, filters, expansion, strides, fused) in enumerate(stages, 1):
            for k in range(math.ceil(count * deep)):
                name = f"block{stage}{string.ascii_lowercase[k]}"
                drop = 0.2 * number / total
                x = _block(x, _channels(filters * wide), expansion, strides if k == 0 else 1, fused, drop, name)
                number += 1
        x = active(convolution(x, _channels(1280 * wide), "top_conv"), "top", momentum=MOMENTUM)
        return top(x, asked, 0.2, bias_initializer=initializers.Constant(0.0))

    name = f"efficientnetv2-{size.lower()}"
    return application(
        f"EfficientNetV2{size}",
        body,
        "A network that was searched for, made to train quickly (Tan and Le 2021, arXiv:2104.00298).",
        Trained(f"efficientnet_v2/{name}", hashes),
        order=(*STANDARD[:-1], "include_preprocessing", "name"),
        size=side,
        include_preprocessing=True,
        name=name,
    )


EfficientNetV2B0 = _application(
    "B0", 224, BASE, 1.0, 1.0, 32, "21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff"
)
EfficientNetV2B1 = _application(
    "B1", 240, BASE, 1.0, 1.1, 32, "069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37"
)
EfficientNetV2B2 = _application(
    "B2", 260, BASE, 1.1, 1.2, 32, "424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb"
)
EfficientNetV2B3 = _application(
    "B3", 300, BASE, 1.2, 1.4, 32, "1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856"
)
EfficientNetV2S = _application(
    "S", 384, SMALL, 1.0, 1.0, 24, "e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070"
)
EfficientNetV2M = _application(
    "M", 480, MEDIUM, 1.0, 1.0, 24, "a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342"
)
EfficientNetV2L = _application(
    "L", 480, LARGE, 1.0, 1.0, 32, "27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615"
)
