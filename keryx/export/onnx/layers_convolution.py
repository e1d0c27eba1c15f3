"""Convolutions and pooling in ONNX, whose channels come first: transposes stand around, and neighbours cancel."""

from typing import Any

import numpy as np

from keryx import layers
from keryx.core.symbol import Shape
from keryx.export.onnx.exporter import Exporter, layer
from keryx.export.onnx.value import Value
from keryx.kernels.geometry import pads_of_transpose, reaches


def channels_first(g: Exporter, of: Any, x: Value) -> Value:
    """An image, or what comes of a layer's images, with its channels behind the batch."""
    return g.move(x, -1, 1) if of.data_format == "channels_last" else x


def as_it_was(g: Exporter, of: Any, y: Value) -> Value:
    """What `channels_first` gave, with the channels where the layer has them."""
    return g.move(y, 1, -1) if of.data_format == "channels_last" else y


def _padding(padding: str, space: Shape, window: Any, strides: Any, dilation: Any) -> dict[str, Any]:
    """The attributes that say how many zeros are put around."""
    reach = reaches(window, dilation)
    if padding == "causal":
        return {"pads": [reach[0] - 1, 0]}
    if padding == "valid":
        return {}
    counts = []
    for n, r, step in zip(space, reach, strides, strict=True):
        if step == 1:
            total = r - 1
        elif n is not None:
            total = max((-(-n // step) - 1) * step + r - n, 0)
        else:
            return {"auto_pad": "SAME_UPPER"}  # the runtime counts
        counts.append((total // 2, total - total // 2))
    return {"pads": np.array(counts).T.ravel().tolist()}


def kernel_of(g: Exporter, variable: Any, channels: int, filters: int) -> Value:
    """(*window, ...) as (filters, channels a group, *window), or the other way round."""

    def change(k: np.ndarray) -> np.ndarray:
        rank = k.ndim - 2
        return np.transpose(k, (rank + filters, rank + channels, *range(rank)))

    return g.weight(variable, ".channels_first", change)


def convolution(g: Exporter, x: Value, kernel: Value, bias: Any, of: Any, groups: int) -> Value:
    """A convolution of (batch, channels, *space)."""
    window = kernel.shape[2:]
    around = _padding(of.padding, x.shape[2:], window, of.strides, of.dilation_rate)
    slide = {"strides": list(of.strides), "dilations": list(of.dilation_rate)}
    bias = g.weight(bias) if bias is not None else None
    return g.node("Conv", x, kernel, bias, group=groups, kernel_shape=list(window), **slide, **around)


def _finish(g: Exporter, of: Any, y: Value) -> Value:
    """The activation, while the channels come first if it does not matter to it."""
    if g.is_elementwise(of.activation):
        return as_it_was(g, of, g.activate(of.activation, y))
    return g.activate(of.activation, as_it_was(g, of, y))


@layer(layers.Conv1D, layers.Conv2D, layers.Conv3D)
def conv(g: Exporter, of: Any, inputs: Value) -> Value:
    kernel = kernel_of(g, of.kernel, channels=0, filters=1)
    return _finish(g, of, convolution(g, channels_first(g, of, inputs), kernel, of.bias, of, of.groups))


def _depthwise(g: Exporter, x: Value, variable: Any, bias: Any, of: Any) -> Value:
    def change(k: np.ndarray) -> np.ndarray:
        *window, channels, filters = k.shape
        return np.moveaxis(k.reshape(*window, 1, channels * filters), (-1, -2), (0, 1))

    return convolution(g, x, g.weight(variable, ".channels_first", change), bias, of, variable.shape[-2])


@layer(layers.DepthwiseConv1D, layers.DepthwiseConv2D)
def depthwise_conv(g: Exporter, of: Any, inputs: Value) -> Value:
    return _finish(g, of, _depthwise(g, channels_first(g, of, inputs), of.kernel, of.bias, of))


@layer(layers.SeparableConv1D, layers.SeparableConv2D)
def separable_conv(g: Exporter, of: Any, inputs: Value) -> Value:
    y = _depthwise(g, channels_first(g, of, inputs), of.depthwise_kernel, None, of)
    mix = kernel_of(g, of.pointwise_kernel, channels=0, filters=1)
    return _finish(g, of, g.node("Conv", y, mix, g.weight(of.bias) if of.use_bias else None))


@layer(layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
def conv_transpose(g: Exporter, of: Any, inputs: Value) -> Value:
    extra = of.output_padding or (None,) * of.rank
    before, after, more = [], [], []
    for reach, step, n in zip(reaches(of.kernel_size, of.dilation_rate), of.strides, extra, strict=True):
        first, last = pads_of_transpose(reach, step, of.padding, n)
        before.append(reach - 1 - first)
        after.append(max(reach - 1 - last, 0))
        more.append(max(last - reach + 1, 0))
    kernel = kernel_of(
        g, of.kernel, channels=0, filters=1
    )  # (channels, filters, *window): as it transposes a convolution
    y = g.node(
        "ConvTranspose", channels_first(g, of, inputs), kernel, g.weight(of.bias) if of.use_bias else None,
        kernel_shape=list(of.kernel_size), strides=list(of.strides), dilations=list(of.dilation_rate),
        pads=[*before, *after], output_padding=more,
    )  # fmt: skip
    return _finish(g, of, y)


# -- pooling -----------------------------------------------------------------------------------------------------


def _pool(g: Exporter, op: str, of: Any, inputs: Value) -> Value:
    x = channels_first(g, of, inputs)
    around = _padding(of.padding, x.shape[2:], of.pool_size, of.strides, (1,) * of.rank)
    return as_it_was(g, of, g.node(op, x, kernel_shape=list(of.pool_size), strides=list(of.strides), **around))


@layer(layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D)
def max_pooling(g: Exporter, of: Any, inputs: Value) -> Value:
    return _pool(g, "MaxPool", of, inputs)


@layer(layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D)
def average_pooling(g: Exporter, of: Any, inputs: Value) -> Value:
    return _pool(g, "AveragePool", of, inputs)


@layer(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D)
def global_max_pooling(g: Exporter, of: Any, inputs: Value) -> Value:
    return g.reduce("Max", inputs, of.axes, of.keepdims)


@layer(layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D)
def global_average_pooling(g: Exporter, of: Any, inputs: Value) -> Value:
    return g.reduce("Mean", inputs, of.axes, of.keepdims)


@layer(layers.GlobalAveragePooling1D)
def global_average_pooling_1d(g: Exporter, of: Any, inputs: Value, mask: Value | None = None) -> Value:
    if mask is None:
        return global_average_pooling(g, of, inputs)
    mask = g.cast(g.expand_dims(g.cast(mask, "bool"), 2 if of.data_format == "channels_last" else 1), inputs.dtype)
    valid = g.where(g.cast(mask, "bool"), inputs, 0)
    return g.reduce("Sum", valid, of.axes, of.keepdims) / g.reduce("Sum", mask, of.axes, of.keepdims)


@layer(
    layers.AdaptiveMaxPooling1D, layers.AdaptiveMaxPooling2D, layers.AdaptiveMaxPooling3D,
    layers.AdaptiveAveragePooling1D, layers.AdaptiveAveragePooling2D, layers.AdaptiveAveragePooling3D,
)  # fmt: skip
def adaptive_pooling(g: Exporter, of: Any, inputs: Value) -> Value:
    x, op = inputs, "Max" if "Max" in type(of).__name__ else "Mean"
    for axis, count in enumerate(of.output_size, start=1 if of.data_format == "channels_last" else 2):
        size = x.shape[axis]
        if size is None:
            g.refuse("adaptive pooling has windows that depend on an unknown size", "Give it a size in Input(...).")
        edges = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
        x = g.concat([g.reduce(op, g.slice(x, axis, start, end), [axis], True) for start, end in edges], axis)
    return x
