"""EfficientNet: Tan and Le, Rethinking Model Scaling for Convolutional Neural Networks, 2019 (arXiv:1905.11946)."""

import math
import string
from typing import Any

from keryx import initializers, layers
from keryx.applications.frame import Asked, Trained, application, axis, classified, divisible, halving_pad
from keryx.applications.imagenet_utils import decode_predictions as decode_predictions
from keryx.applications.imagenet_utils import preprocessing

preprocess_input = preprocessing(None)
# Of each stage: the size of the kernel, how many blocks, the channels, how far a block expands them, the strides.
STAGES = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)
DEVIATIONS = (0.229, 0.224, 0.225)
"""Of the channels of ImageNet, from 0 to 1."""


def drawn() -> Any:
    """How the kernels begin."""
    return initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")


def top(x: Any, asked: Asked, dropout: float, **options: Any) -> Any:
    """The classifier."""
    kernel = initializers.VarianceScaling(1 / 3, mode="fan_out", distribution="uniform")
    return classified(x, asked, dropout=dropout, kernel_initializer=kernel, **options)


def convolution(x: Any, filters: int, name: str, size: int = 1, strides: int = 1, padding: str = "same") -> Any:
    """A convolution without a bias."""
    kernel = drawn()
    return layers.Conv2D(filters, size, strides, padding, use_bias=False, kernel_initializer=kernel, name=name)(x)


def active(x: Any, name: str, norm: str | None = None, momentum: float = 0.99) -> Any:
    """Batch normalization, then swish."""
    x = layers.BatchNormalization(axis=axis(), momentum=momentum, name=norm or f"{name}_bn")(x)
    return layers.Activation("silu", name=f"{name}_activation")(x)


def excited(x: Any, squeezed: int, name: str) -> Any:
    """Each channel times a share of it that follows from the means of all."""
    channels = x.shape[axis()]
    share = layers.GlobalAveragePooling2D(name=f"{name}_squeeze")(x)
    share = layers.Reshape((channels, 1, 1) if axis() == 1 else (1, 1, channels), name=f"{name}_reshape")(share)
    for filters, activation, step in ((squeezed, "silu", "reduce"), (channels, "sigmoid", "expand")):
        share = layers.Conv2D(
            filters, 1, padding="same", activation=activation, kernel_initializer=drawn(), name=f"{name}_{step}"
        )(share)
    return layers.Multiply(name=f"{name}_excite")([x, share])


def added(x: Any, shortcut: Any, drop: float, name: str) -> Any:
    """A block's output, left out of some examples in training, and what came in."""
    if drop > 0:
        x = layers.Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
    return layers.Add(name=f"{name}_add")([x, shortcut])


def _block(x: Any, size: int, filters: int, expansion: int, strides: int, drop: float, name: str) -> Any:
    """More channels, a depthwise convolution, fewer channels; added to what comes in, where it has that shape."""
    shortcut, channels = x, x.shape[axis()]
    if expansion > 1:
        x = convolution(x, expansion * channels, f"{name}_expand_conv")
        x = active(x, f"{name}_expand")
    if strides == 2:
        x = layers.ZeroPadding2D(halving_pad(x, size), name=f"{name}_dwconv_pad")(x)
    padding = "same" if strides == 1 else "valid"
    x = layers.DepthwiseConv2D(
        size, strides, padding, use_bias=False, depthwise_initializer=drawn(), name=f"{name}_dwconv"
    )(x)
    x = excited(active(x, name), max(1, channels // 4), f"{name}_se")
    x = convolution(x, filters, f"{name}_project_conv")
    x = layers.BatchNormalization(axis=axis(), name=f"{name}_project_bn")(x)
    return added(x, shortcut, drop, name) if strides == 1 and channels == filters else x


def _application(i: int, side: int, wide: float, deep: float, dropout: float, *hashes: str) -> Any:
    """So many times as wide and as deep as the first of the family."""

    def body(x: Any, asked: Asked) -> Any:
        x = layers.Rescaling(1 / 255)(x)
        x = layers.Normalization(axis=axis())(x)
        if asked.imagenet:  # what the weights were trained with divides twice
            x = layers.Rescaling([1 / math.sqrt(deviation) for deviation in DEVIATIONS])(x)
        x = layers.ZeroPadding2D(halving_pad(x, 3), name="stem_conv_pad")(x)
        x = convolution(x, divisible(32 * wide), "stem_conv", 3, 2, "valid")
        x = active(x, "stem")
        counts = [math.ceil(count * deep) for _, count, *_ in STAGES]
        number = 0
        for stage, (size, _, filters, expansion, strides) in enumerate(STAGES):
            for k in range(counts[stage]):
                name = f"block{stage + 1}{string.ascii_lowercase[k]}"
                drop = 0.2 * number / sum(counts)
                x = _block(x, size, divisible(filters * wide), expansion, strides if k == 0 else 1, drop, name)
                number += 1
        x = active(convolution(x, divisible(1280 * wide), "top_conv"), "top")
        return top(x, asked, dropout)

    name = f"efficientnetb{i}"
    return application(
        f"EfficientNetB{i}",
        body,
        "A network whose depth, width and size of images grow together (Tan and Le 2019, arXiv:1905.11946).",
        Trained(name, hashes, root="https://storage.googleapis.com/keras-applications/"),
        size=side,
        name=name,
    )


EfficientNetB0 = _application(
    0, 224, 1.0, 1.0, 0.2, "902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d"
)
EfficientNetB1 = _application(
    1, 240, 1.0, 1.1, 0.2, "1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432"
)
EfficientNetB2 = _application(
    2, 260, 1.1, 1.2, 0.3, "b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39"
)
EfficientNetB3 = _application(
    3, 300, 1.2, 1.4, 0.3, "ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226"
)
EfficientNetB4 = _application(
    4, 380, 1.4, 1.8, 0.4, "18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba"
)
EfficientNetB5 = _application(
    5, 456, 1.6, 2.2, 0.4, "ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f"
)
EfficientNetB6 = _application(
    6, 528, 1.8, 2.6, 0.5, "165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743"
)
EfficientNetB7 = _application(
    7, 600, 2.0, 3.1, 0.5, "8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a"
)
