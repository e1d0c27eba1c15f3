"""MobileNet v2: Sandler et al., Inverted Residuals and Linear Bottlenecks, 2018 (arXiv:1801.04381)."""

from typing import Any

from keryx import layers
from keryx.applications.frame import (
    NO_FILE,
    UNNAMED,
    Asked,
    Trained,
    application,
    axis,
    classified,
    divisible,
    halving_pad,
)
from keryx.applications.imagenet_utils import decode_predictions as decode_predictions
from keryx.applications.imagenet_utils import preprocessing
from keryx.applications.mobilenet import side_of

preprocess_input = preprocessing("tf")
# Of each stage: how far a block expands the channels, the channels, how many blocks, the strides of the first.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
SIDES = (96, 128, 160, 192, 224)
ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)


def _norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(axis=axis(-1), epsilon=1e-3, momentum=0.999, name=name)(x)


def _convolution(x: Any, filters: int, name: str, size: int = 1, strides: int = 1, padding: str = "same") -> Any:
    return layers.Conv2D(filters, size, strides, padding, use_bias=False, name=name)(x)


def _block(x: Any, expansion: int, filters: int, strides: int, name: str) -> Any:
    """More channels, a depthwise convolution, fewer channels; added to what comes in, where it has that shape."""
    shortcut, channels = x, x.shape[axis(-1)]
    if expansion > 1:
        x = _norm(_convolution(x, expansion * channels, f"{name}_expand"), f"{name}_expand_BN")
        x = layers.ReLU(6.0, name=f"{name}_expand_relu")(x)
    if strides == 2:
        x = layers.ZeroPadding2D(halving_pad(x, 3), name=f"{name}_pad")(x)
    padding = "same" if strides == 1 else "valid"
    x = layers.DepthwiseConv2D(3, strides, padding, use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(_norm(x, f"{name}_depthwise_BN"))
    x = _norm(_convolution(x, filters, f"{name}_project"), f"{name}_project_BN")
    return layers.Add(name=f"{name}_add")([shortcut, x]) if channels == filters and strides == 1 else x


def _body(x: Any, asked: Asked, alpha: float) -> Any:
    x = _norm(_convolution(x, divisible(32 * alpha), "Conv1", 3, 2), "bn_Conv1")
    x = layers.ReLU(6.0, name="Conv1_relu")(x)
    number = 0
    for expansion, channels, count, strides in STAGES:
        for i in range(count):
            name = f"block_{number}" if number else "expanded_conv"
            x = _block(x, expansion, divisible(int(channels * alpha)), strides if i == 0 else 1, name)
            number += 1
    x = _norm(_convolution(x, divisible(1280 * max(alpha, 1)), "Conv_1", padding="valid"), "Conv_1_bn")
    return classified(layers.ReLU(6.0, name="out_relu")(x), asked, UNNAMED, average=None)


def _trained(x: Any, asked: Asked, alpha: float) -> Trained:
    side = side_of(x, asked, SIDES)
    asked.name = asked.name or f"mobilenetv2_{alpha:.2f}_{side}"
    if not asked.imagenet:
        return NO_FILE
    if alpha not in ALPHAS:
        asked.refuse(f"with weights='imagenet' alpha is one of {', '.join(map(str, ALPHAS))}; got {alpha}.")
    name = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{side}"
    return Trained(f"mobilenet_v2/{name}", no_top="_no_top")


MobileNetV2 = application(
    "MobileNetV2",
    _body,
    "A small network of inverted residual blocks (Sandler et al. 2018, arXiv:1801.04381).",
    _trained,
    order=(
        *("input_shape", "alpha", "include_top", "weights", "input_tensor"),
        *("pooling", "classes", "classifier_activation", "name"),
    ),
    sizes=SIDES[:-1],
    alpha=1.0,
)
