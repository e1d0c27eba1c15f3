"""Layers that prepare numbers and images, in ONNX. What is random does nothing there."""

from typing import Any

import numpy as np

from keryx import config, layers
from keryx.export.onnx.exporter import Exporter, layer
from keryx.export.onnx.value import Value
from keryx.layers.image.base import ImageLayer

# By the way of interpolating: as jax.image.resize does it without antialiasing.
_MODES: dict[str, dict[str, Any]] = {
    "nearest": {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
    "bilinear": {"mode": "linear"},
    "bicubic": {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1},
}
_RANDOM = [
    "CutMix", "MixUp", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast",
    "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue",
    "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness",
    "RandomShear", "RandomTranslation", "RandomZoom", "AugMix", "RandAugment",
]  # fmt: skip


@layer(layers.Rescaling)
def rescaling(g: Exporter, of: Any, inputs: Value) -> Value:
    scale, offset = (np.asarray(of._for_channels(value), of.compute_dtype) for value in (of.scale, of.offset))
    return g.cast(inputs, of.compute_dtype) * scale + offset


@layer(layers.Normalization)
def normalization(g: Exporter, of: Any, inputs: Value) -> Value:
    mean, variance = (np.asarray(part, of.compute_dtype) for part in (of.mean, of.variance))
    deviation = np.maximum(np.sqrt(variance), np.asarray(config.epsilon(), of.compute_dtype))
    x = g.cast(inputs, of.compute_dtype)
    return x * deviation + mean if of.invert else (x - mean) / deviation


@layer(*(getattr(layers, name) for name in _RANDOM))
def does_nothing(g: Exporter, of: Any, data: Value) -> Value:
    return _as_floats(g, of, data)


@layer(layers.Resizing)
def resizing(g: Exporter, of: Any, data: Value) -> Value:
    if of.antialias or of.crop_to_aspect_ratio or of.pad_to_aspect_ratio or of.interpolation not in _MODES:
        g.refuse(
            "only a plain resize is written here", "Take 'nearest', 'bilinear' or 'bicubic', and no other options."
        )
    return _resized(g, of, _as_floats(g, of, data), of.interpolation)


@layer(layers.CenterCrop)
def center_crop(g: Exporter, of: Any, data: Value) -> Value:
    height, width = of.size_of(data.shape)
    if height is None or width is None:
        g.refuse("the window depends on an unknown size", "Give the Input a height and a width.")
    top, left, tall, wide = of.place(height, width)
    x = g.slice(_as_floats(g, of, data), of.height_axis % data.ndim, top, top + tall)
    x = g.slice(x, of.width_axis % data.ndim, left, left + wide)
    return x if (tall, wide) == (of.height, of.width) else _resized(g, of, x, of.interpolation)


def _as_floats(g: Exporter, of: ImageLayer, data: Value) -> Value:
    return data if of.keeps_integers and "int" in data.dtype else g.cast(data, of.compute_dtype)


def _resized(g: Exporter, of: Any, images: Value, interpolation: str) -> Value:
    """Images (batch, ...) of the layer's size."""
    last = of.data_format == "channels_last"
    x = g.move(images, -1, 1) if last else images
    sizes = g.shape([*g.sizes(x)[:2], of.height, of.width])
    y = g.node("Resize", x, None, None, sizes, coordinate_transformation_mode="half_pixel", **_MODES[interpolation])
    return g.move(y, 1, -1) if last else y
