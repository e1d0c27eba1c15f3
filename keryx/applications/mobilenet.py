"""MobileNet: Howard et al., Efficient Convolutional Neural Networks for Mobile Vision Applications, 2017."""

from typing import Any

from keryx import layers
from keryx.applications.frame import NO_FILE, UNNAMED, Asked, Trained, application, axis, pooled, sides_of
from keryx.applications.imagenet_utils import decode_predictions as decode_predictions
from keryx.applications.imagenet_utils import preprocessing

preprocess_input = preprocessing("tf")
WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
HALVING = (2, 4, 6, 12)
"""The blocks that halve the height and width."""


def _active(x: Any, name: str) -> Any:
    x = layers.BatchNormalization(axis=axis(-1), name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def _body(x: Any, asked: Asked, alpha: float, depth_multiplier: int, dropout: float) -> Any:
    x = layers.Conv2D(int(32 * alpha), 3, 2, padding="same", use_bias=False, name="conv1")(x)
    x = _active(x, "conv1")
    for i, width in enumerate(WIDTHS, 1):
        halving = i in HALVING
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{i}")(x) if halving else x
        x = layers.DepthwiseConv2D(
            3,
            strides=2 if halving else 1,
            padding="valid" if halving else "same",
            depth_multiplier=depth_multiplier,
            use_bias=False,
            name=f"conv_dw_{i}",
        )(x)
        x = layers.Conv2D(int(width * alpha), 1, padding="same", use_bias=False, name=f"conv_pw_{i}")(
            _active(x, f"conv_dw_{i}")
        )
        x = _active(x, f"conv_pw_{i}")
    if not asked.include_top:
        return pooled(x, asked, UNNAMED)
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Conv2D(asked.classes, 1, padding="same", name="conv_preds")(x)
    x = layers.Reshape((asked.classes,), name="reshape_2")(x)
    return layers.Activation(asked.classifier_activation, name="predictions")(x)


def side_of(x: Any, asked: Asked, sides: tuple[int, ...]) -> int | None:
    """The height and width of the images that the weights were trained on: that of the input, or 224 without a top."""
    height, width = sides_of(x)
    if asked.imagenet and not (height == width and height in sides):
        return 224
    return height


SIDES = (128, 160, 192, 224)


def _trained(x: Any, asked: Asked, alpha: float, depth_multiplier: int, dropout: float) -> Trained:
    side = side_of(x, asked, SIDES)
    asked.name = asked.name or f"mobilenet_{alpha:.2f}_{side}"
    if not asked.imagenet:
        return NO_FILE
    if depth_multiplier != 1 or alpha not in (0.25, 0.5, 0.75, 1):
        asked.refuse(
            "with weights='imagenet' alpha is 0.25, 0.5, 0.75 or 1 and depth_multiplier 1; "
            f"got {alpha} and {depth_multiplier}."
        )
    share = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1: "1_0"}[alpha]
    return Trained(f"mobilenet/mobilenet_{share}_{side}_tf", no_top="_no_top")


MobileNet = application(
    "MobileNet",
    _body,
    "A small network of depthwise and 1x1 convolutions (Howard et al. 2017, arXiv:1704.04861).",
    _trained,
    order=(
        *("input_shape", "alpha", "depth_multiplier", "dropout", "include_top", "weights", "input_tensor"),
        *("pooling", "classes", "classifier_activation", "name"),
    ),
    sizes=SIDES[:-1],
    alpha=1.0,
    depth_multiplier=1,
    dropout=0.001,
)
