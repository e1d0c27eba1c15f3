"""Attention in several projections of the queries, groups of which share a projection of keys and values."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.core.symbol import Shape
from keryx.errors import ConfigError, ShapeError
from keryx.layers.attention.multi_head import Heads
from keryx.layers.base.sizes import known_size, sizes
from keryx.layers.layer import registry


@registry.register("GroupQueryAttention")
class GroupedQueryAttention(Heads):
    """Attention in `num_query_heads` projections, of which each `num_query_heads / num_key_value_heads` share keys.

    Args:
        head_dim: The size of a head.
        num_query_heads: The number of heads of the queries.
        num_key_value_heads: The number of heads of the keys and values; it divides that of the queries.
        dropout: The share of attention scores that is dropped in training.
        use_bias: Whether the projections add a bias.
        sliding_window: How far apart a query and a key may be, less one; None is any distance.
        flash_attention: Ignored; XLA fuses what it can.
        kernel_initializer: How the projections' kernels begin.
        bias_initializer: How the projections' biases begin.
        kernel_regularizer: A penalty of the kernels.
        bias_regularizer: A penalty of the biases.
        activity_regularizer: A penalty of the projections' outputs, and of the layer's.
        kernel_constraint: A projection of the kernels after each step.
        bias_constraint: A projection of the biases after each step.
        use_gate: Whether the heads are multiplied by a sigmoid of the query before they are projected back.
        seed: Sets the dropout's draws apart from others'.

    Shapes: query (batch, T, features), value and key (batch, S, ...) -> (batch, T, features); with
    `return_attention_scores=True` also the scores (batch, query heads, T, S).

    Source: Ainslie et al., GQA: Training Generalized Multi-Query Transformer Models, 2023.

    >>> import keryx
    >>> x = keryx.Input((10, 16))
    >>> keryx.layers.GroupQueryAttention(head_dim=8, num_query_heads=4, num_key_value_heads=2)(x, x).shape
    (None, 10, 16)
    """

    config_class_name = "GroupQueryAttention"

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs,
    ):
        kernel = kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer
        heads = dropout, use_bias, sliding_window, flash_attention, *kernel, activity_regularizer
        super().__init__(*heads, kernel_constraint, bias_constraint, use_gate, seed, **kwargs)
        self.activity_regularizer = self.projection_regularizer
        where = "GroupQueryAttention()"
        (self.head_dim,) = sizes(where, "head_dim", head_dim, 1)
        (self.num_query_heads,) = sizes(where, "num_query_heads", num_query_heads, 1)
        (self.num_key_value_heads,) = sizes(where, "num_key_value_heads", num_key_value_heads, 1)
        if self.num_query_heads % self.num_key_value_heads:
            raise ConfigError(
                f"{where} wants num_query_heads= as a multiple of num_key_value_heads=; got {num_query_heads} and "
                f"{num_key_value_heads}."
            )

    def build(  # type: ignore[override]  # a shape for each argument of call
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> None:
        """Add the projections of query, key, value (features, heads, dim) and back (heads, dim, features)."""
        key_shape = key_shape or value_shape
        if tuple(key_shape[1:-1]) != tuple(value_shape[1:-1]) or len(query_shape) != 3:
            raise ShapeError(
                f"{self.title} wants a query (batch, T, features), and a key and a value (batch, S, ...) that differ "
                f"in the last axis only; got {query_shape}, {key_shape} and {value_shape}."
            )
        queries, keys = (self.num_query_heads, self.head_dim), (self.num_key_value_heads, self.head_dim)
        self._query_dense = self.project("query", query_shape, queries)
        self._key_dense = self.project("key", key_shape, keys)
        if self.use_gate:
            self._gate_dense = self.project("gate", query_shape, queries, activation="sigmoid")
        self._value_dense = self.project("value", value_shape, keys)
        mixed_shape, features = (*query_shape[:-1], *queries), known_size(self.title, query_shape, -1)
        self._output_dense = self.project("attention_output", mixed_shape, (features,), bound=2)

    def call(
        self,
        query: jax.Array,
        value: jax.Array,
        key: jax.Array | None = None,
        query_mask: jax.Array | None = None,
        value_mask: jax.Array | None = None,
        key_mask: jax.Array | None = None,
        attention_mask: jax.Array | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """(batch, T, features), (batch, S, features) -> (batch, T, features).

        Args:
            query_mask, value_mask, key_mask: (batch, time), True where a step is valid.
            attention_mask: (batch, T, S) or (batch, heads, T, S), True where a query may attend to a key.
            return_attention_scores: Whether the scores are given back too.
            use_causal_mask: Whether a query attends to earlier steps only.
        """
        mask = self.combined_mask(query, value, query_mask, value_mask, key_mask, attention_mask, use_causal_mask)
        q = self._query_dense(query)
        k, v = self._key_dense(value if key is None else key), self._value_dense(value)  # (batch, S, groups, dim)
        groups = self.num_key_value_heads
        q = q.reshape(*q.shape[:2], groups, -1, self.head_dim) * jnp.asarray(self.head_dim**-0.5, q.dtype)
        scores = jnp.einsum("btgrd,bsgd->bgrts", q, k)
        scores = scores.reshape(scores.shape[0], self.num_query_heads, *scores.shape[3:])  # (batch, heads, T, S)
        scores, kept = self.shares(scores, (-1,), mask, return_attention_scores, training)
        kept = kept.reshape(kept.shape[0], groups, -1, *kept.shape[2:])
        mixed = jnp.einsum("bgrts,bsgd->btgrd", kept, v)
        mixed = mixed.reshape(*mixed.shape[:2], self.num_query_heads, self.head_dim)
        outputs = self._output_dense(mixed * self._gate_dense(query) if self.use_gate else mixed)
        return (outputs, scores) if return_attention_scores else outputs


GroupQueryAttention = GroupedQueryAttention
