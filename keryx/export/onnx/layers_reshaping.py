"""Layers that move, repeat, add or cut elements, in ONNX."""

from math import prod
from typing import Any

import numpy as np

from keryx import layers
from keryx.export.onnx.exporter import Exporter, layer
from keryx.export.onnx.value import Value
from keryx.layers.base.sizes import spatial_axes


@layer(layers.Flatten)
def flatten(g: Exporter, of: Any, inputs: Value) -> Value:
    x = g.move(inputs, 1, -1) if of.data_format == "channels_first" and inputs.ndim > 1 else inputs
    return g.reshape(x, [g.size(x, 0), g.times(*g.sizes(x)[1:])])


@layer(layers.Reshape)
def reshape(g: Exporter, of: Any, inputs: Value) -> Value:
    sizes = list(of.target_shape)
    given = [n for n in inputs.shape[1:] if n is not None]
    if -1 in sizes and len(given) == inputs.ndim - 1:
        sizes[sizes.index(-1)] = prod(given) // max(-prod(sizes), 1)
    return g.reshape(inputs, [g.size(inputs, 0), *sizes])


@layer(layers.Permute)
def permute(g: Exporter, of: Any, inputs: Value) -> Value:
    return g.transpose(inputs, (0, *of.dims))


@layer(layers.RepeatVector)
def repeat_vector(g: Exporter, of: Any, inputs: Value) -> Value:
    batch, features = g.sizes(inputs)
    return g.expand(g.expand_dims(inputs, 1), [batch, of.n, features])


@layer(layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D)
def zero_padding(g: Exporter, of: Any, inputs: Value) -> Value:
    added = dict(zip(spatial_axes(of.data_format, of.rank), of.padding, strict=True))
    pads = [added.get(axis, (0, 0)) for axis in range(inputs.ndim)]
    return g.node("Pad", inputs, g.constant(np.array(pads, "int64").T.ravel()))


@layer(layers.Cropping1D, layers.Cropping2D, layers.Cropping3D)
def cropping(g: Exporter, of: Any, inputs: Value) -> Value:
    for axis, (before, after) in zip(spatial_axes(of.data_format, of.rank), of.cropping, strict=True):
        inputs = g.slice(inputs, axis, before, -after or None)
    return inputs


_MODES: dict[str, dict[str, Any]] = {
    "nearest": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "bilinear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    "bicubic": {
        "mode": "cubic", "coordinate_transformation_mode": "half_pixel", "cubic_coeff_a": -0.5, "exclude_outside": 1,
    },
}  # fmt: skip


@layer(layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D)
def up_sampling(g: Exporter, of: Any, inputs: Value) -> Value:
    mode = getattr(of, "interpolation", "nearest")
    if mode not in _MODES:
        g.refuse(f"ONNX's Resize does not interpolate by {mode}", "Use 'nearest', 'bilinear' or 'bicubic'.")
    last = of.data_format == "channels_last"
    x = g.move(inputs, -1, 1) if last else inputs
    y = g.node("Resize", x, None, g.constant(np.array([1, 1, *of.size], "float32")), **_MODES[mode])
    return g.move(y, 1, -1) if last else y
