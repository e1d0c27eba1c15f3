"""Activations and other functions of neural networks in ONNX."""

from typing import Any

import numpy as np

from keryx import config
from keryx.export.onnx.exporter import Exporter, op
from keryx.export.onnx.value import Value

for _name, _operator in {
    "sigmoid": "Sigmoid", "softplus": "Softplus", "softsign": "Softsign", "mish": "Mish", "tanh": "Tanh",
    "exponential": "Exp", "erf": "Erf",
}.items():  # fmt: skip
    op(_name)(lambda g, x, _operator=_operator: g.node(_operator, g.floats(x)))


@op("linear")
def linear(g: Exporter, x: Any) -> Value:
    return g.value(x)


@op("stop_gradient")
def stop_gradient(g: Exporter, variable: Any) -> Value:
    return g.value(variable)


@op("relu")
def relu(g: Exporter, x: Any, negative_slope: float = 0.0, max_value: Any = None, threshold: float = 0.0) -> Value:
    x = g.value(x)
    if negative_slope and max_value is None and not threshold:
        return leaky_relu(g, x, negative_slope)
    y = g.where(x > threshold, x, 0) if threshold else g.node("Relu", x)
    if max_value is not None:
        y = g.clip(y, 0, max_value)
    return y - g.node("Relu", threshold - x) * negative_slope if negative_slope else y


@op("leaky_relu")
def leaky_relu(g: Exporter, x: Any, negative_slope: float = 0.2) -> Value:
    return g.node("LeakyRelu", g.floats(x), alpha=float(negative_slope))


@op("relu6")
def relu6(g: Exporter, x: Any) -> Value:
    return g.clip(g.value(x), 0, 6)


@op("elu")
def elu(g: Exporter, x: Any, alpha: float = 1.0) -> Value:
    return g.node("Elu", g.floats(x), alpha=float(alpha))


@op("celu")
def celu(g: Exporter, x: Any, alpha: float = 1.0) -> Value:
    return g.node("Celu", g.floats(x), alpha=float(alpha))


@op("selu")
def selu(g: Exporter, x: Any) -> Value:
    return g.node("Selu", g.floats(x))


@op("squareplus")
def squareplus(g: Exporter, x: Any, b: float = 4) -> Value:
    x = g.floats(x)
    return (x + g.node("Sqrt", x * x + b)) / 2


@op("hard_sigmoid")
def hard_sigmoid(g: Exporter, x: Any) -> Value:
    return g.node("HardSigmoid", g.floats(x), alpha=1 / 6, beta=0.5)


@op("old_hard_sigmoid")
def old_hard_sigmoid(g: Exporter, x: Any) -> Value:
    return g.node("HardSigmoid", g.floats(x), alpha=0.2, beta=0.5)


@op("log_sigmoid")
def log_sigmoid(g: Exporter, x: Any) -> Value:
    return -g.node("Softplus", -g.floats(x))


@op("silu", "swish")
def silu(g: Exporter, x: Any) -> Value:
    x = g.floats(x)
    return x * g.node("Sigmoid", x)


@op("hard_silu", "hard_swish")
def hard_silu(g: Exporter, x: Any) -> Value:
    return g.floats(x) * hard_sigmoid(g, x)


@op("gelu")
def gelu(g: Exporter, x: Any, approximate: bool = False) -> Value:
    x = g.floats(x)
    if approximate:
        return x * 0.5 * (1 + g.node("Tanh", (x + x * x * x * 0.044715) * np.sqrt(2 / np.pi)))
    return x * 0.5 * (1 + g.node("Erf", x * np.sqrt(0.5)))


@op("glu")
def glu(g: Exporter, x: Any, axis: int = -1) -> Value:
    a, b = g.split(g.floats(x), 2, axis)
    return a * g.node("Sigmoid", b)


@op("hard_tanh")
def hard_tanh(g: Exporter, x: Any) -> Value:
    return g.clip(g.value(x), -1, 1)


@op("tanh_shrink")
def tanh_shrink(g: Exporter, x: Any) -> Value:
    x = g.floats(x)
    return x - g.node("Tanh", x)


@op("soft_shrink")
def soft_shrink(g: Exporter, x: Any, threshold: float = 0.5) -> Value:
    return g.node("Shrink", g.floats(x), lambd=float(threshold), bias=float(threshold))


@op("hard_shrink")
def hard_shrink(g: Exporter, x: Any, threshold: float = 0.5) -> Value:
    return g.node("Shrink", g.floats(x), lambd=float(threshold), bias=0.0)


@op("threshold")
def threshold(g: Exporter, x: Any, threshold: float, default_value: float) -> Value:
    x = g.value(x)
    return g.where(x > threshold, x, default_value)


@op("sparse_plus")
def sparse_plus(g: Exporter, x: Any) -> Value:
    x = g.floats(x)
    return g.where(x > 1, x, g.where(x < -1, 0, (x + 1) * (x + 1) / 4))


@op("sparse_sigmoid")
def sparse_sigmoid(g: Exporter, x: Any) -> Value:
    return g.clip((g.floats(x) + 1) / 2, 0, 1)


@op("softmax")
def softmax(g: Exporter, x: Any, axis: Any = -1) -> Value:
    return g.softmax(g.floats(x), axis)


@op("log_softmax")
def log_softmax(g: Exporter, x: Any, axis: Any = -1) -> Value:
    x = g.floats(x)
    if np.ndim(axis) == 0:
        return g.node("LogSoftmax", x, axis=axis % x.ndim)
    x = x - g.reduce("Max", x, axis, True)
    return x - g.node("Log", g.reduce("Sum", g.node("Exp", x), axis, True))


@op("sparsemax")
def sparsemax(g: Exporter, x: Any, axis: int = -1) -> Value:
    x = g.move(g.floats(x), axis, -1)
    n = g.size(x, -1)
    falling, _ = g.nodes("TopK", x, g.shape([n]), outputs=2, axis=x.ndim - 1)
    count = g.cast(g.node("Range", g.constant(np.int64(1)), g.scalar(n) + 1, g.constant(np.int64(1))), x.dtype)
    excess = g.node("CumSum", falling, g.constant(np.int64(x.ndim - 1))) - 1
    support = g.cast(falling * count > excess, x.dtype)
    cut = g.reduce("Sum", support * falling, -1, True) - 1
    return g.move(g.node("Relu", x - cut / g.reduce("Sum", support, -1, True)), -1, axis)


@op("one_hot")
def one_hot(g: Exporter, x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Value:
    ids = g.value(x)
    axis = axis % (ids.ndim + 1)
    classes = g.constant(np.arange(num_classes).reshape(-1, *[1] * (ids.ndim - axis)))
    return g.cast(g.elementwise("Equal", g.cast(g.expand_dims(ids, axis), "int64"), classes), dtype or config.floatx())


@op("normalize")
def normalize(g: Exporter, x: Any, axis: int = -1, order: int = 2, epsilon: Any = None) -> Value:
    x = g.floats(x)
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        length = g.node("Sqrt", g.reduce("Sum", x * x, axis, True))
    else:
        length = g.elementwise(
            "Pow", g.reduce("Sum", g.elementwise("Pow", g.node("Abs", x), order), axis, True), 1 / order
        )
    return x / g.elementwise("Max", length, epsilon)
