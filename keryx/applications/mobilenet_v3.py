"""MobileNet v3: Howard et al., Searching for MobileNetV3, 2019 (arXiv:1905.02244)."""

from collections.abc import Sequence
from typing import Any

from keryx import layers
from keryx.applications.frame import NO_FILE, Asked, Trained, application, axis, divisible, halving_pad, pooled
from keryx.applications.imagenet_utils import decode_predictions as decode_predictions
from keryx.applications.imagenet_utils import preprocessing

preprocess_input = preprocessing(None)
# Of each block: how far it expands the channels, the channels, the size of the kernel, the strides, whether it squeezes
# and excites, whether by hard swish rather than relu.
SMALL = (
    (1, 16, 3, 2, True, False),
    (72 / 16, 24, 3, 2, False, False),
    (88 / 24, 24, 3, 1, False, False),
    (4, 40, 5, 2, True, True),
    (6, 40, 5, 1, True, True),
    (6, 40, 5, 1, True, True),
    (3, 48, 5, 1, True, True),
    (3, 48, 5, 1, True, True),
    (6, 96, 5, 2, True, True),
    (6, 96, 5, 1, True, True),
    (6, 96, 5, 1, True, True),
)
LARGE = (
    (1, 16, 3, 1, False, False),
    (4, 24, 3, 2, False, False),
    (3, 24, 3, 1, False, False),
    (3, 40, 5, 2, True, False),
    (3, 40, 5, 1, True, False),
    (3, 40, 5, 1, True, False),
    (6, 80, 3, 2, False, True),
    (2.5, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True),
    (6, 112, 3, 1, True, True),
    (6, 112, 3, 1, True, True),
    (6, 160, 5, 2, True, True),
    (6, 160, 5, 1, True, True),
    (6, 160, 5, 1, True, True),
)
HASHES = {
    "large_224_0.75_float": ("765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e"),
    "large_224_1.0_float": ("59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389"),
    "large_minimalistic_224_1.0_float": ("675e7b876c45c57e9e63e6d90a36599c", "ec5221f64a2f6d1ef965a614bdae7973"),
    "small_224_0.75_float": ("cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819"),
    "small_224_1.0_float": ("8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836"),
    "small_minimalistic_224_1.0_float": ("99cd97fb2fcdad2bf028eb838de69e37", "cde8136e733e811080d9fcd8a252f7e4"),
}


def _convolution(x: Any, filters: int, name: str, size: int = 1, strides: int = 1, bias: bool = False) -> Any:
    return layers.Conv2D(filters, size, strides, "same", use_bias=bias, name=name)(x)


def _norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(axis=axis(-1), epsilon=1e-3, momentum=0.999, name=name)(x)


def _active(x: Any, swish: bool) -> Any:
    return (layers.Activation("hard_silu") if swish else layers.ReLU())(x)


def _excited(x: Any, name: str) -> Any:
    """Each channel times a share of it that follows from the means of all."""
    channels = x.shape[axis(-1)]
    share = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_avg_pool")(x)
    share = _convolution(share, divisible(channels / 4), f"{name}_conv", bias=True)
    share = layers.ReLU(name=f"{name}_relu")(share)
    share = _convolution(share, channels, f"{name}_conv_1", bias=True)
    return layers.Multiply(name=f"{name}_mul")([x, layers.ReLU(6.0)(share + 3.0) * (1.0 / 6.0)])


def _block(
    x: Any, expansion: float, filters: int, size: int, strides: int, excite: bool, swish: bool, name: str
) -> Any:
    """More channels, a depthwise convolution, fewer channels; added to what comes in, where it has that shape."""
    shortcut, channels = x, x.shape[axis(-1)]
    if expansion != 1:
        x = _norm(_convolution(x, divisible(channels * expansion), f"{name}_expand"), f"{name}_expand_bn")
        x = _active(x, swish)
    if strides == 2:
        x = layers.ZeroPadding2D(halving_pad(x, size), name=f"{name}_depthwise_pad")(x)
    padding = "same" if strides == 1 else "valid"
    x = layers.DepthwiseConv2D(size, strides, padding, use_bias=False, name=f"{name}_depthwise")(x)
    x = _active(_norm(x, f"{name}_depthwise_bn"), swish)
    x = _excited(x, f"{name}_squeeze_excite") if excite else x
    x = _norm(_convolution(x, filters, f"{name}_project"), f"{name}_project_bn")
    return layers.Add(name=f"{name}_add")([shortcut, x]) if channels == filters and strides == 1 else x


def _application(size: str, blocks: Sequence[tuple], width: int) -> Any:
    """Of these blocks, with this many channels before the classifier."""

    def body(
        x: Any, asked: Asked, alpha: float, minimalistic: bool, dropout_rate: float, include_preprocessing: bool
    ) -> Any:
        full = not minimalistic
        if include_preprocessing:
            x = layers.Rescaling(1 / 127.5, offset=-1.0)(x)
        x = _active(_norm(_convolution(x, 16, "conv", 3, 2), "conv_bn"), full)
        for i, (expansion, filters, kernel, strides, excite, swish) in enumerate(blocks):
            name = f"expanded_conv_{i}" if i else "expanded_conv"
            kernel = kernel if full else 3
            x = _block(x, expansion, divisible(filters * alpha), kernel, strides, excite and full, swish and full, name)
        x = _norm(_convolution(x, divisible(x.shape[axis(-1)] * 6), "conv_1"), "conv_1_bn")
        x = _active(x, full)
        if not asked.include_top:
            return pooled(x, asked)
        x = layers.GlobalAveragePooling2D(keepdims=True)(x)
        x = _active(_convolution(x, divisible(width * max(alpha, 1)), "conv_2", bias=True), full)
        x = layers.Dropout(dropout_rate)(x) if dropout_rate > 0 else x
        x = layers.Flatten()(_convolution(x, asked.classes, "logits", bias=True))
        return layers.Activation(asked.classifier_activation, name="predictions")(x)

    def trained(x: Any, asked: Asked, alpha: float, minimalistic: bool, **_: Any) -> Trained:
        if not asked.imagenet:
            return NO_FILE
        name = f"{size.lower()}{'_minimalistic' if minimalistic else ''}_224_{float(alpha)}_float"
        if name not in HASHES:
            known = "alpha is 1" if minimalistic else "alpha is 0.75 or 1"
            asked.refuse(f"with weights='imagenet' and minimalistic={minimalistic} {known}; got {alpha}.")
        return Trained(f"mobilenet_v3/weights_mobilenet_v3_{name}", HASHES[name], "_no_top_v2")

    return application(
        f"MobileNetV3{size}",
        body,
        "A small network that was searched for (Howard et al. 2019, arXiv:1905.02244).",
        trained,
        order=(
            *("input_shape", "alpha", "minimalistic", "include_top", "weights", "input_tensor", "classes", "pooling"),
            *("dropout_rate", "classifier_activation", "include_preprocessing", "name"),
        ),
        static=False,
        alpha=1.0,
        minimalistic=False,
        dropout_rate=0.2,
        include_preprocessing=True,
        name=f"MobileNetV3{size}",
    )


MobileNetV3Small = _application("Small", SMALL, 1024)
MobileNetV3Large = _application("Large", LARGE, 1280)
