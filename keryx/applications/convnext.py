"""ConvNeXt: Liu et al., A ConvNet for the 2020s, 2022 (arXiv:2201.03545)."""

from typing import Any

import jax

from keryx import initializers, layers
from keryx.applications.frame import STANDARD, UNNAMED, Asked, Trained, application, axis, pooled
from keryx.applications.imagenet_utils import decode_predictions as decode_predictions
from keryx.applications.imagenet_utils import preprocessing
from keryx.layers.layer import Layer, registry
from keryx.models import Sequential

preprocess_input = preprocessing(None)
MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the channels of ImageNet, from 0 to 1."""


@registry.register()
class LayerScale(Layer):
    """Each channel times a factor that is trained: `inputs * gamma`.

    Args:
        init_values: What the factors begin at.
        projection_dim: The number of channels.

    Shapes: (batch, ..., projection_dim) -> the same.

    Source: Touvron et al. 2021 (arXiv:2103.17239).

    >>> import keryx
    >>> LayerScale(1e-6, 3)(keryx.Input((4, 4, 3))).shape
    (None, 4, 4, 3)
    """

    config_registered_name = "LayerScale"

    def __init__(self, init_values: float, projection_dim: int, **kwargs):
        super().__init__(**kwargs)
        self.init_values = init_values
        self.projection_dim = projection_dim

    def build(self, input_shape: Any = None) -> None:
        """Add the factors (projection_dim,)."""
        first = initializers.Constant(self.init_values)
        self.gamma = self.add_weight((self.projection_dim,), first, name="variable")

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, ..., projection_dim) -> the same."""
        return inputs * self.gamma.value


LayerScale.config_module = "keras.src.applications.convnext"  # Keras's configs name it there


def _norm(name: str | None = None) -> Any:
    return layers.LayerNormalization(epsilon=1e-6, name=name)


def _block(x: Any, width: int, name: str) -> Any:
    """A depthwise convolution of 7x7, then two dense layers over the channels, added to what comes in."""
    new = layers.Conv2D(width, 7, padding="same", groups=width, name=f"{name}_depthwise_conv")(x)
    new = layers.Dense(4 * width, name=f"{name}_pointwise_conv_1")(_norm(f"{name}_layernorm")(new))
    new = layers.Activation("gelu", name=f"{name}_gelu")(new)
    new = layers.Dense(width, name=f"{name}_pointwise_conv_2")(new)
    new = LayerScale(1e-6, width, name=f"{name}_layer_scale")(new)
    return x + layers.Activation("linear", name=f"{name}_identity")(new)


def _application(size: str, depth: int, width: int, *hashes: str) -> Any:
    """ConvNeXt of so many blocks in the third of four stages, with so many channels in the first."""

    def body(x: Any, asked: Asked, include_preprocessing: bool) -> Any:
        name = asked.name
        if include_preprocessing and x.shape[axis()] == 3:
            mean, variance = [255 * m for m in MEANS], [(255 * d) ** 2 for d in DEVIATIONS]
            x = layers.Normalization(mean=mean, variance=variance, name=f"{name}_prestem_normalization")(x)
        stem = [layers.Conv2D(width, 4, strides=4, name=f"{name}_stem_conv"), _norm(f"{name}_stem_layernorm")]
        x = Sequential(stem, name=f"{name}_stem")(x)
        for stage, count in enumerate((3, 3, depth, 3)):
            channels = width * 2**stage
            if stage:
                k = stage - 1
                halving = layers.Conv2D(channels, 2, strides=2, name=f"{name}_downsampling_conv_{k}")
                steps = [_norm(f"{name}_downsampling_layernorm_{k}"), halving]
                x = Sequential(steps, name=f"{name}_downsampling_block_{k}")(x)
            for i in range(count):
                x = _block(x, channels, f"{name}_stage_{stage}_block_{i}")
        if not asked.include_top:
            return _norm()(pooled(x, asked, UNNAMED))
        x = _norm(f"{name}_head_layernorm")(layers.GlobalAveragePooling2D(name=f"{name}_head_gap")(x))
        return layers.Dense(asked.classes, activation=asked.classifier_activation, name=f"{name}_head_dense")(x)

    name = f"convnext_{size.lower()}"
    return application(
        f"ConvNeXt{size}",
        body,
        "A network of convolutions in the manner of transformers (Liu et al. 2022, arXiv:2201.03545).",
        Trained(f"convnext/{name}", hashes),
        order=("include_top", "include_preprocessing", *STANDARD[1:]),
        include_preprocessing=True,
        name=name,
    )


ConvNeXtTiny = _application(
    "Tiny",
    9,
    96,
    "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
    "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
)
ConvNeXtSmall = _application(
    "Small",
    27,
    96,
    "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
    "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
)
ConvNeXtBase = _application(
    "Base",
    27,
    128,
    "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
    "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
)
ConvNeXtLarge = _application(
    "Large",
    27,
    192,
    "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
    "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
)
ConvNeXtXLarge = _application(
    "XLarge",
    27,
    256,
    "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
    "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
)
