"""Dense layers, embeddings, activations, merging layers, wrappers, and what only acts in training, in ONNX."""

from typing import Any

import numpy as np

from keryx import layers
from keryx.export.onnx.exporter import Exporter, layer, masks_of
from keryx.export.onnx.value import Value
from keryx.layers import merging


@layer(layers.Dense)
def dense(g: Exporter, of: Any, inputs: Value) -> Value:
    x, kernel = g.floating(inputs), g.weight(of.kernel)
    bias = g.weight(of.bias) if of.use_bias else None
    if x.ndim == 2:
        return g.activate(of.activation, g.node("Gemm", x, kernel, bias))
    return g.activate(of.activation, x @ kernel if bias is None else x @ kernel + bias)


@layer(layers.EinsumDense)
def einsum_dense(g: Exporter, of: Any, inputs: Value) -> Value:
    outputs = g.node("Einsum", g.floating(inputs), g.weight(of.kernel), equation=of.equation)
    return g.activate(of.activation, outputs if of.bias_axes is None else outputs + g.weight(of.bias))


@layer(layers.Embedding)
def embedding(g: Exporter, of: Any, inputs: Value) -> Value:
    ids = inputs if inputs.dtype == "int64" else g.cast(inputs, "int32")
    return g.node("Gather", g.weight(of.embeddings), ids, axis=0)


@masks_of(layers.Embedding)
def embedding_mask(g: Exporter, of: Any, inputs: Value, masks: Any) -> Value | None:
    return ~g.elementwise("Equal", inputs, 0) if of.mask_zero else None


@layer(layers.ReversibleEmbedding)
def reversible_embedding(g: Exporter, of: Any, inputs: Value, reverse: bool = False) -> Value:
    if not reverse:
        return embedding(g, of, inputs)
    tied = of.tie_weights
    kernel = g.weight(of.embeddings, ".transposed", np.transpose) if tied else g.weight(of.reverse_embeddings)
    logits, cap = g.floating(inputs) @ kernel, of.logit_soft_cap
    return logits if cap is None else g.node("Tanh", logits / cap) * cap


@masks_of(layers.ReversibleEmbedding)
def reversible_embedding_mask(g: Exporter, of: Any, inputs: Value, masks: Any) -> Value | None:
    return None if "float" in inputs.dtype else embedding_mask(g, of, inputs, masks)


@layer(layers.Masking)
def masking(g: Exporter, of: Any, inputs: Value) -> Value:
    return g.where(g.expand_dims(masking_mask(g, of, inputs), -1), inputs, 0)


@masks_of(layers.Masking)
def masking_mask(g: Exporter, of: Any, inputs: Value, masks: Any = None) -> Value:
    differs = ~g.elementwise("Equal", inputs, g.constant(of.mask_value, inputs.dtype))
    return g.cast(g.reduce("Max", g.cast(differs, "float32"), -1), "bool")


@layer(
    layers.Identity, layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D,
    layers.GaussianDropout, layers.GaussianNoise, layers.AlphaDropout, layers.ActivityRegularization,
)  # fmt: skip
def identity(g: Exporter, of: Any, inputs: Any) -> Any:
    return inputs


@layer(layers.Lambda)
def lambda_layer(g: Exporter, of: Any, inputs: Any, mask: Any = None) -> Any:
    return g.take_apart(of.call, [inputs], {} if mask is None else {"mask": mask})


# -- activations -------------------------------------------------------------------------------------------------


@layer(layers.Activation)
def activation(g: Exporter, of: Any, inputs: Value) -> Value:
    return g.activate(of.activation, inputs)


@layer(layers.ReLU)
def relu(g: Exporter, of: Any, inputs: Value) -> Value:
    return g.op("relu", inputs, of.negative_slope, of.max_value, of.threshold)


@layer(layers.LeakyReLU)
def leaky_relu(g: Exporter, of: Any, inputs: Value) -> Value:
    return g.op("leaky_relu", inputs, of.negative_slope)


@layer(layers.ELU)
def elu(g: Exporter, of: Any, inputs: Value) -> Value:
    return g.op("elu", inputs, of.alpha)


@layer(layers.PReLU)
def prelu(g: Exporter, of: Any, inputs: Value) -> Value:
    return g.node("PRelu", inputs, g.weight(of.alpha))


@layer(layers.Softmax)
def softmax(g: Exporter, of: Any, inputs: Value, mask: Value | None = None) -> Value:
    return masked_softmax(g, inputs, of.axis, mask)


def masked_softmax(g: Exporter, x: Value, axis: Any, mask: Value | None) -> Value:
    """Softmax over the elements where `mask` is True, 0 elsewhere."""
    if mask is None:
        return g.softmax(x, axis)
    mask = mask if mask.dtype == "bool" else mask > 0.5
    return g.where(mask, g.softmax(g.where(mask, x, -1e9), axis), 0)


# -- merging -----------------------------------------------------------------------------------------------------


def _lined_up(g: Exporter, inputs: list[Value], mask: Any) -> tuple[list[Value], list[Value | None]]:
    """Inputs of one rank, and their masks laid over them."""
    rank = max(x.ndim for x in inputs)
    if mask is None or any(x.ndim != rank for x in inputs):
        return [g.expand_dims(x, *range(1, 1 + rank - x.ndim)) for x in inputs], [None] * len(inputs)
    return inputs, [m if m is None else g.expand_dims(m, *range(m.ndim, rank)) for m in mask]


def _folded(g: Exporter, op: str, xs: list[Value]) -> Value:
    result = xs[0]
    for x in xs[1:]:
        result = g.elementwise(op, result, x)
    return result


_OPERATORS = {layers.Add: "Add", layers.Subtract: "Sub", layers.Average: "Add"}


@layer(layers.Add, layers.Subtract, layers.Average)
def merge(g: Exporter, of: Any, inputs: list[Value], mask: Any = None) -> Value:
    xs, _ = _lined_up(g, inputs, mask)
    op = next(op for kind, op in _OPERATORS.items() if isinstance(of, kind))
    return _folded(g, op, xs) / len(xs) if isinstance(of, layers.Average) else _folded(g, op, xs)


@layer(layers.Multiply)
def multiply(g: Exporter, of: Any, inputs: list[Value], mask: Any = None) -> Value:
    xs, masks = _lined_up(g, inputs, mask)
    product = _folded(g, "Mul", [x if m is None else g.where(m, x, 1) for x, m in zip(xs, masks, strict=True)])
    valid = [m for m in masks if m is not None]
    return product if len(valid) < len(masks) else g.where(_folded(g, "Or", valid), product, 0)


@layer(layers.Maximum, layers.Minimum)
def extremum(g: Exporter, of: Any, inputs: list[Value], mask: Any = None) -> Value:
    xs, masks = _lined_up(g, inputs, mask)
    outputs, valid = xs[0], masks[0]
    for x, m in zip(xs[1:], masks[1:], strict=True):
        x = x if m is None else g.where(m, x, outputs)
        outputs = outputs if valid is None else g.where(valid, outputs, x)
        outputs = g.elementwise("Max" if isinstance(of, layers.Maximum) else "Min", outputs, x)
        valid = None if valid is None or m is None else valid | m
    return outputs


@masks_of(merging.Merge)
def merged_mask(g: Exporter, of: Any, inputs: Any, masks: Any) -> Value | None:
    if masks is None or any(m is None for m in masks):
        return None
    return _folded(g, "Or", list(masks))


@layer(layers.Concatenate)
def concatenate(g: Exporter, of: Any, inputs: list[Value], mask: Any = None) -> Value:
    return g.concat(inputs, of.axis)


@masks_of(layers.Concatenate)
def concatenated_mask(g: Exporter, of: Any, inputs: Any, masks: Any) -> Value | None:
    if masks is None or all(m is None for m in masks):
        return None
    valid = [g.constant(True) if m is None else g.expand_dims(m, *range(m.ndim, x.ndim)) for x, m in
             zip(inputs, masks, strict=True)]  # fmt: skip
    whole = [g.cast(g.expand(m, g.sizes(x)), "float32") for x, m in zip(inputs, valid, strict=True)]
    return g.cast(g.reduce("Max", g.concat(whole, of.axis), -1), "bool")


@layer(layers.Dot)
def dot(g: Exporter, of: Any, inputs: list[Value], mask: Any = None) -> Value:
    x, y = g.alike(*inputs)
    given = (of.axes, of.axes) if isinstance(of.axes, int) else of.axes
    a, b = given[0] % x.ndim, given[1] % y.ndim
    if of.normalize:
        x, y = (unit(g, z, axis, 1e-14) for z, axis in ((x, a), (y, b)))
    letters = "bcdefghijklmnopq"
    left = "a" + letters[: x.ndim - 1]
    right = "a" + letters[x.ndim - 1 :][: y.ndim - 1]
    right = right[:b] + left[a] + right[b + 1 :]
    kept = left.replace(left[a], "") + right.replace(left[a], "")[1:]
    products = g.node("Einsum", x, y, equation=f"{left},{right}->{kept}")
    return g.expand_dims(products, 1) if products.ndim == 1 else products


@masks_of(layers.Dot, layers.GlobalAveragePooling1D)
def no_mask(g: Exporter, of: Any, inputs: Any, masks: Any) -> None:
    return None


def unit(g: Exporter, x: Value, axis: Any, least: float) -> Value:
    """`x` over its length along axes, whose square is no less than `least`."""
    square = g.reduce("Sum", x * x, axis, True)
    return x / g.node("Sqrt", g.elementwise("Max", square, g.constant(np.float32(least))))


# -- wrappers ----------------------------------------------------------------------------------------------------


@layer(layers.TimeDistributed)
def time_distributed(g: Exporter, of: Any, inputs: Any, mask: Any = None) -> Any:
    first = g.leaves(inputs)[0]
    batch, time = g.size(first, 0), g.size(first, 1)

    def fold(x: Value, m: Value | None) -> Value:
        folded = g.reshape(x, [g.times(batch, time), *g.sizes(x)[2:]])
        folded.mask = g.reshape(m, [g.times(batch, time), *g.sizes(m)[2:]]) if m is not None and m.ndim > 2 else None
        return folded

    masks = mask if isinstance(mask, (list, tuple)) else [mask]
    masks = [*masks, *[None] * len(g.leaves(inputs))]
    beside = iter(masks)
    outputs = g.call(of.layer, g.map(lambda x: fold(x, next(beside)), inputs))
    return g.map(lambda y: g.reshape(y, [batch, time, *g.sizes(y)[1:]]), outputs)
