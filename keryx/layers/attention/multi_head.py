"""Attention: outputs that are means of values, weighted by how queries and keys agree."""

from string import ascii_lowercase
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import constraints, initializers, regularizers
from keryx.core import scope
from keryx.core.symbol import Shape
from keryx.errors import ShapeError
from keryx.layers.activation import masked_softmax
from keryx.layers.base.sizes import choice, fraction, sizes
from keryx.layers.einsum_dense import EinsumDense
from keryx.layers.layer import Layer, registry
from keryx.layers.regularization import dropout


def causal_mask(queries: int, keys: int) -> jax.Array:
    """(1, queries, keys), True where the key comes no later than the query."""
    return (jnp.arange(queries)[:, None] >= jnp.arange(keys))[None]


class Heads(Layer):
    """What attention in several projections of queries, keys and values has in common, however many of each."""

    supports_masking = True

    def __init__(
        self,
        dropout: float,
        use_bias: bool,
        sliding_window: int | None,
        flash_attention: bool | None,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        bias_regularizer: Any,
        activity_regularizer: Any,
        kernel_constraint: Any,
        bias_constraint: Any,
        use_gate: bool,
        seed: int | None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        where = f"{type(self).__name__}()"
        self.dropout = fraction(where, "dropout", dropout)
        self.use_bias, self.use_gate, self.seed = use_bias, use_gate, seed
        if sliding_window is not None:
            sizes(where, "sliding_window", sliding_window, 1)
        self.sliding_window, self.flash_attention = sliding_window, flash_attention
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.projection_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def project(
        self, name: str, shape: Shape, last: tuple[int, ...], bound: int = 1, activation: Any = None
    ) -> EinsumDense:
        """A built projection of the last `bound` axes of inputs of this shape to axes of the sizes `last`."""
        free = ascii_lowercase[: len(shape) - bound]
        summed = ascii_lowercase[len(free) : len(shape)]
        new = ascii_lowercase[len(shape) : len(shape) + len(last)]
        dense = EinsumDense(
            f"{free}{summed},{summed}{new}->{free}{new}",
            (*[None] * (len(free) - 1), *last),
            activation=activation,
            bias_axes=new if self.use_bias else None,
            kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer,
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            activity_regularizer=self.projection_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            dtype=self.dtype_policy,
            name=name,
        )
        with scope.named(name):
            dense.build(shape)
        dense.built = True
        return dense

    def combined_mask(self, query, value, query_mask, value_mask, key_mask, attention_mask, use_causal_mask) -> Any:
        """What all the masks leave, (batch, T, S); None where there is none."""
        masks = [
            None if query_mask is None else jnp.expand_dims(query_mask.astype(bool), -1),
            None if value_mask is None else jnp.expand_dims(value_mask.astype(bool), -2),
            None if key_mask is None else jnp.expand_dims(key_mask.astype(bool), -2),
            None if attention_mask is None else attention_mask.astype(bool),
        ]
        queries, keys = query.shape[1], value.shape[1]
        if use_causal_mask:
            masks.append(causal_mask(queries, keys))
        if self.sliding_window is not None:
            distance = jnp.abs(jnp.arange(queries)[:, None] - jnp.arange(keys))
            masks.append((distance < self.sliding_window)[None])
        combined = None
        for mask in masks:
            if mask is not None:
                combined = mask if combined is None else _both(combined, mask)
        return combined

    def shares(self, scores: jax.Array, axes: tuple[int, ...], mask: Any, exact: bool, training: bool | None) -> Any:
        """The softmax of scores (batch, heads, T, S), before dropout and after."""
        if mask is not None:
            mask = jnp.expand_dims(mask, tuple(range(1, 1 + scores.ndim - mask.ndim)))
            if not (self.dropout or exact):
                # As Keras has it: in this case alone, a query with nothing to attend to gets the mean of all.
                scores, mask = jnp.where(mask, scores, jnp.finfo(scores.dtype).min / 2), None
        scores = masked_softmax(scores, axes, mask)
        return scores, dropout(scores, self.dropout, scores.shape, self.seed) if training and self.dropout else scores


@registry.register()
class MultiHeadAttention(Heads):
    """Attention in several projections: `softmax(q @ k.T / sqrt(key_dim)) @ v` in each, projected back.

    Args:
        num_heads: The number of heads.
        key_dim: The size of a head's queries and keys.
        value_dim: The size of a head's values; default `key_dim`.
        dropout: The share of attention scores that is dropped in training.
        use_bias: Whether the projections add a bias.
        output_shape: The last size, or sizes, of the outputs; default that of the query.
        attention_axes: The axes that are attended over; default all but the batch and the features.
        sliding_window: How far apart a query and a key may be, less one; None is any distance.
        flash_attention: Ignored; XLA fuses what it can.
        kernel_initializer: How the projections' kernels begin.
        bias_initializer: How the projections' biases begin.
        kernel_regularizer: A penalty of the kernels.
        bias_regularizer: A penalty of the biases.
        activity_regularizer: A penalty of the projections' outputs.
        kernel_constraint: A projection of the kernels after each step.
        bias_constraint: A projection of the biases after each step.
        use_gate: Whether the heads are multiplied by a sigmoid of the query before they are projected back.
        seed: Sets the dropout's draws apart from others'.

    Shapes: query (batch, T, features), value and key (batch, S, ...) -> (batch, T, features); with
    `return_attention_scores=True` also the scores (batch, heads, T, S).

    Source: Vaswani et al., Attention Is All You Need, 2017.

    >>> import keryx
    >>> x = keryx.Input((10, 16))
    >>> keryx.layers.MultiHeadAttention(num_heads=2, key_dim=8)(x, x, use_causal_mask=True).shape
    (None, 10, 16)
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
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
        where = "MultiHeadAttention()"
        (self.num_heads,) = sizes(where, "num_heads", num_heads, 1)
        (self.key_dim,) = sizes(where, "key_dim", key_dim, 1)
        (self.value_dim,) = sizes(where, "value_dim", value_dim or key_dim, 1)
        self.output_shape = (output_shape,) if isinstance(output_shape, int) else output_shape and tuple(output_shape)
        self.attention_axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes

    def get_config(self) -> dict[str, Any]:
        """The arguments; the activity regularizer is that of the projections."""
        self.activity_regularizer, kept = self.projection_regularizer, self.activity_regularizer
        try:
            return super().get_config()
        finally:
            self.activity_regularizer = kept

    def build(  # type: ignore[override]  # a shape for each argument of call
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> None:
        """Add the projections of query, key, value (features, heads, dim) and back (heads, dim, features)."""
        key_shape = key_shape or value_shape
        if tuple(key_shape[1:-1]) != tuple(value_shape[1:-1]):
            raise ShapeError(
                f"{self.title} wants a key and a value that differ in the last axis only; got {key_shape} "
                f"and {value_shape}."
            )
        heads, rank = self.num_heads, len(query_shape)
        self.query_dense = self.project("query", query_shape, (heads, self.key_dim))
        self.key_dense = self.project("key", key_shape, (heads, self.key_dim))
        if self.use_gate:
            self._gate_dense = self.project("gate", query_shape, (heads, self.value_dim), activation="sigmoid")
        self.value_dense = self.project("value", value_shape, (heads, self.value_dim))
        mixed_shape = (*query_shape[:-1], heads, self.value_dim)
        back = self.output_shape or (query_shape[-1],)
        self.output_dense = self.project("attention_output", mixed_shape, back, bound=2)
        axes = self.attention_axes or range(1, rank - 1)
        self._equations = attention_equations(rank, [axis % rank for axis in axes])

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
        q, k, v = (
            self.query_dense(query),
            self.key_dense(value if key is None else key),
            self.value_dense(value),
        )
        order, to_scores, to_outputs, summed = self._equations
        q, k, v = (jnp.transpose(x, order) for x in (q, k, v))  # (batch, heads, time, features): XLA's products like it
        scores = jnp.einsum(to_scores, q * jnp.asarray(self.key_dim**-0.5, q.dtype), k)  # (batch, heads, T, S)
        scores, kept = self.shares(scores, summed, mask, return_attention_scores or query.ndim > 3, training)
        mixed = jnp.einsum(to_outputs, kept, v)
        mixed = jnp.transpose(mixed, np.argsort(order).tolist())  # (batch, T, heads, value_dim)
        outputs = self.output_dense(mixed * self._gate_dense(query) if self.use_gate else mixed)
        return (outputs, scores) if return_attention_scores else outputs


def _both(a: jax.Array, b: jax.Array) -> jax.Array:
    """Where both are True; a mask without the axis of heads holds for all heads."""
    short, long = sorted((a, b), key=lambda mask: mask.ndim)
    return long & jnp.expand_dims(short, tuple(range(1, 1 + long.ndim - short.ndim)))


def attention_equations(rank: int, axes: list[int]) -> tuple[list[int], str, str, tuple[int, ...]]:
    """How queries, keys and values are transposed, the einsums to scores and to outputs, and the softmax's axes.

    Queries have `rank` axes, then heads and features in place of the last one; transposed, the axes that attention is
    not over come first, then those that it is over, then features.

    >>> attention_equations(3, [1])
    ([0, 2, 1, 3], 'acbd,aced->acbe', 'acbe,aced->acbd', (-1,))
    """
    others = [i for i in range(rank) if i not in axes]
    own = range(rank + 1, rank + 1 + len(axes))  # of the keys
    batch, query, key = ("".join(ascii_lowercase[i] for i in group) for group in (others, axes, own))
    scores, features = batch + query + key, ascii_lowercase[rank]
    q, k = batch + query + features, batch + key + features
    return [*others, *axes, rank], f"{q},{k}->{scores}", f"{scores},{k}->{q}", tuple(range(-len(axes), 0))


@registry.register()
class Attention(Layer):
    """`softmax(query @ key.T) @ value`, on a list [query, value] or [query, value, key].

    Args:
        use_scale: Whether the scores are multiplied by a trained number.
        score_mode: `dot`, the product above, or `concat`: `w * sum(tanh(query + key))`.
        dropout: The share of attention scores that is dropped in training.
        seed: Sets the dropout's draws apart from others'.

    Shapes: [(batch, T, dim), (batch, S, dim)] -> (batch, T, dim).

    >>> import keryx
    >>> keryx.layers.Attention()([keryx.Input((5, 8)), keryx.Input((7, 8))]).shape
    (None, 5, 8)
    """

    supports_masking = True

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        where = f"{type(self).__name__}()"
        self.use_scale, self.seed = use_scale, seed
        self.score_mode = choice(where, "score_mode", score_mode, ("dot", "concat"))
        self.dropout = fraction(where, "dropout", dropout)

    def build(self, input_shape: Any) -> None:
        """Add the scale and, for `concat`, its weight: single numbers."""
        self._check(input_shape)
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def _check(self, inputs: Any) -> None:
        if not isinstance(inputs, (list, tuple)) or len(inputs) not in (2, 3) or isinstance(inputs[0], int):
            raise ShapeError(f"{self.title} wants a list [query, value] or [query, value, key].")

    def scores(self, query: jax.Array, key: jax.Array) -> jax.Array:
        """(batch, T, dim), (batch, S, dim) -> (batch, T, S)."""
        if self.score_mode == "concat":
            pairs = query[..., :, None, :] + key[..., None, :, :]  # (batch, T, S, dim)
            return self.concat_score_weight * jnp.tanh(self.scale * pairs if self.use_scale else pairs).sum(-1)
        products = query @ jnp.swapaxes(key, -2, -1)
        return products * self.scale if self.use_scale else products

    def call(
        self,
        inputs: list[jax.Array],
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """[(batch, T, dim), (batch, S, dim)] -> (batch, T, dim).

        Args:
            mask: [query mask (batch, T), value mask (batch, S)], True where a step is valid; or None.
            return_attention_scores: Whether the weights (batch, T, S) are given back too.
            use_causal_mask: Whether a query attends to earlier steps only.
        """
        self._check(inputs)
        query, value, key = (*inputs, inputs[1])[:3]
        query_mask, value_mask = (mask[0], mask[1]) if mask else (None, None)
        scores = self.scores(query, key)
        allowed = None if value_mask is None else jnp.expand_dims(value_mask, -2)
        if use_causal_mask:
            causal = causal_mask(*scores.shape[-2:])
            allowed = causal if allowed is None else allowed & causal
        if allowed is not None:
            scores = jnp.where(allowed, scores, scores - (65504.0 if scores.dtype == "float16" else 1e9))
        weights = jax.nn.softmax(scores, -1)
        if training and self.dropout:
            weights = dropout(weights, self.dropout, weights.shape, self.seed)
        outputs = weights @ value
        if query_mask is not None:
            outputs = jnp.where(query_mask[..., None], outputs, 0)
        return (outputs, weights) if return_attention_scores else outputs

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the query."""
        return previous_mask[0] if previous_mask else None


@registry.register()
class AdditiveAttention(Attention):
    """Attention with the scores `sum(scale * tanh(query + key))`.

    Args:
        use_scale: Whether there is a trained scale (dim,); default True.
        dropout: The share of attention scores that is dropped in training.

    Source: Bahdanau et al., Neural Machine Translation, 2015.

    >>> import keryx
    >>> keryx.layers.AdditiveAttention()([keryx.Input((5, 8)), keryx.Input((7, 8))]).shape
    (None, 5, 8)
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs):
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Add the scale (dim,)."""
        self._check(input_shape)
        if self.use_scale:
            self.scale = self.add_weight((input_shape[0][-1],), "glorot_uniform", name="scale")

    def scores(self, query: jax.Array, key: jax.Array) -> jax.Array:
        """(batch, T, dim), (batch, S, dim) -> (batch, T, S)."""
        agreement = jnp.tanh(query[..., :, None, :] + key[..., None, :, :])  # (batch, T, S, dim)
        return (self.scale * agreement if self.use_scale else agreement).sum(-1)
