"""Normalizations in ONNX."""

from typing import Any

import numpy as np

from keryx import layers
from keryx.export.onnx.exporter import Exporter, layer
from keryx.export.onnx.layers_core import unit
from keryx.export.onnx.value import Value


@layer(layers.BatchNormalization)
def batch_normalization(g: Exporter, of: Any, inputs: Value, mask: Value | None = None) -> Value:
    x = g.move(g.floating(inputs), of.axis, 1)
    gamma = g.weight(of.gamma) if of.scale else g.constant(np.ones(of.moving_mean.shape, "float32"))
    beta = g.weight(of.beta) if of.center else g.constant(np.zeros(of.moving_mean.shape, "float32"))
    moving = g.weight(of.moving_mean), g.weight(of.moving_variance)
    return g.move(g.node("BatchNormalization", x, gamma, beta, *moving, epsilon=of.epsilon), 1, of.axis)


@layer(layers.LayerNormalization)
def layer_normalization(g: Exporter, of: Any, inputs: Value) -> Value:
    x = g.floating(inputs)
    axes = sorted(axis % x.ndim for axis in np.atleast_1d(of.axis).tolist())
    shape = [x.shape[axis] for axis in axes]
    along: list[Any] = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
    if of.rms_scaling:
        centred = x - g.reduce("Mean", x, axes, True)
        deviation = g.node("Sqrt", g.reduce("Mean", centred * centred, axes, True) + of.epsilon)
        return _affine(g, of, x / deviation, along)
    if axes == list(range(axes[0], x.ndim)):
        gamma = g.weight(of.gamma) if of.scale else g.constant(np.ones(shape, "float32"))
        beta = g.weight(of.beta) if of.center else None
        return g.node("LayerNormalization", x, gamma, beta, axis=axes[0], epsilon=of.epsilon)
    return _affine(g, of, _normalized(g, x, axes, of.epsilon), along)


def _normalized(g: Exporter, x: Value, axes: Any, epsilon: float) -> Value:
    """`x` with mean 0 and variance 1 along axes."""
    x = x - g.reduce("Mean", x, axes, True)
    return x / g.node("Sqrt", g.reduce("Mean", x * x, axes, True) + epsilon)


def _affine(g: Exporter, of: Any, x: Value, along: list[int]) -> Value:
    """`x` times gamma plus beta, which lie along some axes."""
    x = x * g.weight(of.gamma, f".{along}", lambda w: w.reshape(along)) if of.gamma is not None else x
    return x + g.weight(of.beta, f".{along}", lambda w: w.reshape(along)) if of.beta is not None else x


@layer(layers.GroupNormalization)
def group_normalization(g: Exporter, of: Any, inputs: Value) -> Value:
    x, axis = g.floating(inputs), of.axis % inputs.ndim
    sizes, channels = g.sizes(x), x.shape[axis]
    assert channels is not None
    groups = channels if of.groups == -1 else of.groups
    y = g.reshape(x, [*sizes[:axis], groups, channels // groups, *sizes[axis + 1 :]])
    y = _normalized(g, y, [a for a in range(1, y.ndim) if a != axis], of.epsilon)
    return _affine(g, of, g.reshape(y, sizes), [channels if a == axis else 1 for a in range(x.ndim)])


@layer(layers.RMSNormalization)
def rms_normalization(g: Exporter, of: Any, inputs: Value) -> Value:
    axes = [axis % inputs.ndim for axis in np.atleast_1d(of.axis).tolist()]
    along: list[Any] = [size if axis in axes else 1 for axis, size in enumerate(inputs.shape)]
    y = inputs / g.node("Sqrt", g.reduce("Mean", inputs * inputs, axes, True) + of.epsilon)
    return y * g.weight(of.scale, f".{along}", lambda w: w.reshape(along))


@layer(layers.UnitNormalization)
def unit_normalization(g: Exporter, of: Any, inputs: Value) -> Value:
    return unit(g, inputs, of.axis, 1e-24)
