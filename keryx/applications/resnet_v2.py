"""Residual networks that normalize first: He et al., Identity Mappings in Deep Residual Networks, 2016."""

from typing import Any

from keryx import layers
from keryx.applications.frame import Asked, application, classified, kernels
from keryx.applications.imagenet_utils import decode_predictions as decode_predictions
from keryx.applications.imagenet_utils import preprocessing
from keryx.applications.resnet import WIDTHS, norm_relu, stem

preprocess_input = preprocessing("tf")


def block(x: Any, width: int, strides: int, first: bool, name: str) -> Any:
    """Normalization, then convolutions of 1x1, 3x3 and 1x1, added to what comes in."""
    active = norm_relu(x, f"{name}_preact")
    if first:
        shortcut = layers.Conv2D(4 * width, 1, strides=strides, name=f"{name}_0_conv")(active)
    else:
        shortcut = layers.MaxPooling2D(1, strides=strides)(x) if strides > 1 else x
    x = norm_relu(layers.Conv2D(width, 1, use_bias=False, name=f"{name}_1_conv")(active), f"{name}_1")
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = layers.Conv2D(width, 3, strides=strides, use_bias=False, name=f"{name}_2_conv")(x)
    x = layers.Conv2D(4 * width, 1, name=f"{name}_3_conv")(norm_relu(x, f"{name}_2"))
    return layers.Add(name=f"{name}_out")([shortcut, x])


def _application(count: int, depths: tuple[int, ...], *hashes: str) -> Any:
    def body(x: Any, asked: Asked) -> Any:
        x = stem(x, activated=False)
        for stage, (width, depth) in enumerate(zip(WIDTHS, depths, strict=True), 2):
            for i in range(depth):
                strides = 2 if i == depth - 1 and stage < 5 else 1
                x = block(x, width, strides, i == 0, f"conv{stage}_block{i + 1}")
        return classified(norm_relu(x, "post"), asked)

    about = f"A residual network of {count} layers that normalizes first (He et al. 2016, arXiv:1603.05027)."
    name = f"resnet{count}v2"
    return application(f"ResNet{count}V2", body, about, kernels(f"resnet/{name}", *hashes), name=name)


ResNet50V2 = _application(50, (3, 4, 6, 3), "3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917")
ResNet101V2 = _application(101, (3, 4, 23, 3), "6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5")
ResNet152V2 = _application(152, (3, 8, 36, 3), "a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33")
