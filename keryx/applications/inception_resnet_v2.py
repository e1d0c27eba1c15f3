"""Inception-ResNet v2: Szegedy et al., Inception-v4, Inception-ResNet and the Impact of Residual Connections, 2016."""

from typing import Any

import jax

from keryx import layers
from keryx.applications.frame import UNNAMED, Asked, application, axis, classified, kernels
from keryx.applications.imagenet_utils import decode_predictions as decode_predictions
from keryx.applications.imagenet_utils import preprocessing
from keryx.applications.inception_v3 import Step, convolution, halved, joined, mixed_5b, narrowing, stem, tower
from keryx.layers.layer import Layer, registry

preprocess_input = preprocessing("tf")


@registry.register()
class CustomScaleLayer(Layer):
    """The first input plus the second times `scale`.

    Args:
        scale: The factor.

    Shapes: [(batch, ...), (batch, ...)] -> (batch, ...).

    >>> import keryx
    >>> a, b = keryx.Input((3,)), keryx.Input((3,))
    >>> CustomScaleLayer(0.1)([a, b]).shape
    (None, 3)
    """

    config_registered_name = "CustomScaleLayer"

    def __init__(self, scale: float, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs: list[jax.Array]) -> jax.Array:
        """[(batch, ...), (batch, ...)] -> (batch, ...)."""
        return inputs[0] + inputs[1] * self.scale


CustomScaleLayer.config_module = "keras.src.applications.inception_resnet_v2"  # Keras's configs name it there


def block(x: Any, scale: float, name: str, *towers: tuple[Step, ...], relu: bool = True) -> Any:
    """A part of towers that are joined and projected, added to what comes in."""
    mixed = joined([tower(x, *steps) for steps in towers], f"{name}_mixed")
    up = layers.Conv2D(x.shape[axis()], 1, padding="same", name=f"{name}_conv")(mixed)
    x = CustomScaleLayer(scale)([x, up])
    return layers.Activation("relu", name=f"{name}_ac")(x) if relu else x


def _body(x: Any, asked: Asked) -> Any:
    x = joined(mixed_5b(stem(x), 96, 64), "mixed_5b")
    for i in range(1, 11):
        towers = ((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3))
        x = block(x, 0.17, f"block35_{i}", *towers)
    x = joined([narrowing(x, (384, 3)), narrowing(x, (256, 1), (256, 3), (384, 3)), halved(x)], "mixed_6a")
    for i in range(1, 21):
        x = block(x, 0.1, f"block17_{i}", ((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1))))
    towers = [
        narrowing(x, (256, 1), (384, 3)),
        narrowing(x, (256, 1), (288, 3)),
        narrowing(x, (256, 1), (288, 3), (320, 3)),
        halved(x),
    ]
    x = joined(towers, "mixed_7a")
    for i in range(1, 11):
        towers = ((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1)))
        last = i == 10
        x = block(x, 1.0 if last else 0.2, f"block8_{i}", *towers, relu=not last)
    x = convolution(x, 1536, 1, names=("conv_7b", "conv_7b_bn", "conv_7b_ac"))
    return classified(x, asked, UNNAMED)


InceptionResNetV2 = application(
    "InceptionResNetV2",
    _body,
    "A residual network of parallel towers of convolutions (Szegedy et al. 2016, arXiv:1602.07261).",
    kernels(
        "inception_resnet_v2/inception_resnet_v2",
        "e693bd0210a403b3192acc6073ad2e96",
        "d19885ff4a710c122648d3b5c3b684e4",
    ),
    size=299,
    least=75,
    name="inception_resnet_v2",
)
