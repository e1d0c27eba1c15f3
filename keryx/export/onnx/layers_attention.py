"""Attention in ONNX."""

from typing import Any

import numpy as np

from keryx import layers
from keryx.export.onnx.exporter import Exporter, layer, masks_of
from keryx.export.onnx.layers_core import einsum_dense, masked_softmax
from keryx.export.onnx.value import Value

_LEAST = float(np.finfo("float32").min) / 2


def _positions(g: Exporter, x: Value, axis: int) -> Value:
    """0, 1, 2, ... along an axis of `x`."""
    n = g.size(x, axis)
    if isinstance(n, int):
        return g.constant(np.arange(n))
    return g.node("Range", g.constant(np.int64(0)), g.squeeze(n, 0), g.constant(np.int64(1)))


def _causal(g: Exporter, queries: Value, keys: Value) -> Value:
    """(1, queries, keys), True where the key comes no later than the query."""
    return g.expand_dims(g.expand_dims(queries, 1) >= keys, 0)


@layer(layers.MultiHeadAttention)
def multi_head_attention(
    g: Exporter, of: Any, query: Value, value: Value, key: Value | None = None,
    query_mask: Value | None = None, value_mask: Value | None = None, key_mask: Value | None = None,
    attention_mask: Value | None = None, return_attention_scores: bool = False, use_causal_mask: bool = False,
) -> Any:  # fmt: skip
    mask = _combined(g, of, query, value, [query_mask, value_mask, key_mask, attention_mask], use_causal_mask)
    q, k, v = (
        _project(g, of.query_dense, query),
        _project(g, of.key_dense, value if key is None else key),
        _project(g, of.value_dense, value),
    )
    order, to_scores, to_outputs, summed = of._equations
    q, k, v = (g.transpose(x, order) for x in (q, k, v))
    scores = g.node("Einsum", q * of.key_dim**-0.5, k, equation=to_scores)  # (batch, heads, T, S)
    scores = _shares(g, of, scores, summed, mask, return_attention_scores or query.ndim > 3)
    mixed = g.node("Einsum", scores, v, equation=to_outputs)
    mixed = g.transpose(mixed, np.argsort(order).tolist())  # (batch, T, heads, value_dim)
    outputs = _project(g, of.output_dense, mixed * _project(g, of._gate_dense, query) if of.use_gate else mixed)
    return (outputs, scores) if return_attention_scores else outputs


@layer(layers.GroupQueryAttention)
def grouped_attention(
    g: Exporter, of: Any, query: Value, value: Value, key: Value | None = None,
    query_mask: Value | None = None, value_mask: Value | None = None, key_mask: Value | None = None,
    attention_mask: Value | None = None, return_attention_scores: bool = False, use_causal_mask: bool = False,
) -> Any:  # fmt: skip
    mask = _combined(g, of, query, value, [query_mask, value_mask, key_mask, attention_mask], use_causal_mask)
    q = _project(g, of._query_dense, query) * of.head_dim**-0.5
    k, v = _project(g, of._key_dense, value if key is None else key), _project(g, of._value_dense, value)
    groups, heads = of.num_key_value_heads, of.num_query_heads
    (batch, queries, *_), keys = g.sizes(q), g.size(k, 1)
    q = g.reshape(q, [batch, queries, groups, heads // groups, of.head_dim])
    scores = g.node("Einsum", q, k, equation="btgrd,bsgd->bgrts")
    scores = g.reshape(scores, [batch, heads, queries, keys])
    scores = _shares(g, of, scores, (-1,), mask, return_attention_scores)
    kept = g.reshape(scores, [batch, groups, heads // groups, queries, keys])
    mixed = g.reshape(g.node("Einsum", kept, v, equation="bgrts,bsgd->btgrd"), [batch, queries, heads, of.head_dim])
    outputs = _project(g, of._output_dense, mixed * _project(g, of._gate_dense, query) if of.use_gate else mixed)
    return (outputs, scores) if return_attention_scores else outputs


def _combined(g: Exporter, of: Any, query: Value, value: Value, masks: list[Any], use_causal_mask: bool) -> Any:
    """What the masks of query, value, key and pairs leave, with those that the layer has of itself."""
    given = [_over(g, m, axis) for m, axis in zip(masks, (-1, -2, -2, None), strict=True) if m is not None]
    queries, keys = _positions(g, query, 1), _positions(g, value, 1)
    if use_causal_mask:
        given.append(_causal(g, queries, keys))
    if of.sliding_window is not None:
        given.append(g.expand_dims(g.node("Abs", g.expand_dims(queries, 1) - keys) < of.sliding_window, 0))
    mask: Value | None = None
    for other in given:
        mask = other if mask is None else _both(g, mask, other)
    return mask


def _shares(g: Exporter, of: Any, scores: Value, axes: Any, mask: Value | None, exact: bool) -> Value:
    """The softmax of the scores, as `Heads.shares` has it."""
    if mask is not None:
        mask = g.expand_dims(mask, *range(1, 1 + scores.ndim - mask.ndim))
        if not (of.dropout or exact):
            scores, mask = g.where(mask, scores, _LEAST), None
    return masked_softmax(g, scores, axes, mask)


def _over(g: Exporter, mask: Value, axis: int | None) -> Value:
    mask = g.cast(mask, "bool")
    return mask if axis is None else g.expand_dims(mask, axis)


def _project(g: Exporter, dense: Any, x: Value) -> Value:
    g.path.append(dense.name)
    try:
        return einsum_dense(g, dense, x)
    finally:
        g.path.pop()


def _both(g: Exporter, a: Value, b: Value) -> Value:
    """Where both are True; a mask without the axis of heads holds for all heads."""
    short, long = sorted((a, b), key=lambda mask: mask.ndim)
    return long & g.expand_dims(short, *range(1, 1 + long.ndim - short.ndim))


@layer(layers.Attention, layers.AdditiveAttention)
def attention(
    g: Exporter, of: Any, inputs: list[Value], mask: Any = None,
    return_attention_scores: bool = False, use_causal_mask: bool = False,
) -> Any:  # fmt: skip
    query, value, key = (*inputs, inputs[1])[:3]
    query_mask, value_mask = (mask[0], mask[1]) if mask else (None, None)
    scores = _scores(g, of, query, key)
    allowed = None if value_mask is None else _over(g, value_mask, -2)
    if use_causal_mask:
        causal = _causal(g, _positions(g, scores, -2), _positions(g, scores, -1))
        allowed = causal if allowed is None else allowed & causal
    if allowed is not None:
        scores = g.where(allowed, scores, scores - 1e9)
    weights = g.softmax(scores)
    outputs = weights @ value
    if query_mask is not None:
        outputs = g.where(_over(g, query_mask, -1), outputs, 0)
    return (outputs, weights) if return_attention_scores else outputs


def _scores(g: Exporter, of: Any, query: Value, key: Value) -> Value:
    """(batch, T, dim), (batch, S, dim) -> (batch, T, S)."""
    if not isinstance(of, layers.AdditiveAttention) and of.score_mode == "dot":
        products = query @ g.transpose(key, (*range(key.ndim - 2), -1, -2))
        return products * g.weight(of.scale) if of.use_scale else products
    pairs = g.expand_dims(query, -2) + g.expand_dims(key, -3)  # (batch, T, S, dim)
    if isinstance(of, layers.AdditiveAttention):
        agreement = g.node("Tanh", pairs)
        return g.reduce("Sum", agreement * g.weight(of.scale) if of.use_scale else agreement, -1)
    agreement = g.node("Tanh", pairs * g.weight(of.scale) if of.use_scale else pairs)
    return g.reduce("Sum", agreement, -1) * g.weight(of.concat_score_weight)


@masks_of(layers.Attention)
def attention_mask(g: Exporter, of: Any, inputs: Any, masks: Any) -> Value | None:
    return masks[0] if masks else None
