"""Residual networks: He et al., Deep Residual Learning for Image Recognition, 2015 (arXiv:1512.03385)."""

from typing import Any

from keryx import layers
from keryx.applications.frame import Asked, application, axis, classified, kernels
from keryx.applications.imagenet_utils import decode_predictions as decode_predictions
from keryx.applications.imagenet_utils import preprocessing

preprocess_input = preprocessing("caffe")
WIDTHS = (64, 128, 256, 512)


def norm(x: Any, name: str) -> Any:
    """Batch normalization over the channels."""
    return layers.BatchNormalization(axis=axis(), epsilon=1.001e-5, name=name)(x)


def norm_relu(x: Any, name: str) -> Any:
    """Batch normalization, then relu."""
    return layers.Activation("relu", name=f"{name}_relu")(norm(x, f"{name}_bn"))


def stem(x: Any, activated: bool) -> Any:
    """A quarter of the height and width, in 64 channels."""
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    x = layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x)
    x = norm_relu(x, "conv1") if activated else x
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    return layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)


def block(x: Any, width: int, strides: int, first: bool, name: str) -> Any:
    """Convolutions of 1x1, 3x3 and 1x1, added to what comes in, which the first of a stage projects."""
    shortcut = x
    if first:
        shortcut = layers.Conv2D(4 * width, 1, strides=strides, name=f"{name}_0_conv")(x)
        shortcut = norm(shortcut, f"{name}_0_bn")
    x = norm_relu(layers.Conv2D(width, 1, strides=strides, name=f"{name}_1_conv")(x), f"{name}_1")
    x = norm_relu(layers.Conv2D(width, 3, padding="same", name=f"{name}_2_conv")(x), f"{name}_2")
    x = norm(layers.Conv2D(4 * width, 1, name=f"{name}_3_conv")(x), f"{name}_3_bn")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _application(count: int, depths: tuple[int, ...], *hashes: str) -> Any:
    def body(x: Any, asked: Asked) -> Any:
        x = stem(x, activated=True)
        for stage, (width, depth) in enumerate(zip(WIDTHS, depths, strict=True), 2):
            for i in range(depth):
                strides = 2 if i == 0 and stage > 2 else 1
                x = block(x, width, strides, i == 0, f"conv{stage}_block{i + 1}")
        return classified(x, asked)

    about = f"A residual network of {count} layers (He et al. 2015, arXiv:1512.03385)."
    name = f"resnet{count}"
    return application(f"ResNet{count}", body, about, kernels(f"resnet/{name}", *hashes), name=name)


ResNet50 = _application(50, (3, 4, 6, 3), "2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626")
ResNet101 = _application(101, (3, 4, 23, 3), "f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21")
ResNet152 = _application(152, (3, 8, 36, 3), "100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c")
