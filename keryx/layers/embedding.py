"""Embedding: a trained vector for each integer; and the way back."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import constraints, initializers, kernels, regularizers
from keryx.core import scope
from keryx.kernels.embedding import embedding
from keryx.layers.base.sizes import sizes
from keryx.layers.layer import Layer, registry


@registry.register()
class Embedding(Layer):
    """A row of a matrix for each id: `embeddings[inputs]`.

    An id outside the matrix gives NaN, never another row; `fit` and `predict` refuse it before.

    Args:
        input_dim: The number of ids; they run from 0 to input_dim - 1.
        output_dim: The size of a row.
        embeddings_initializer: How the embeddings (input_dim, output_dim) begin.
        embeddings_regularizer: A penalty of the embeddings.
        embeddings_constraint: A projection of the embeddings after each step.
        mask_zero: Whether id 0 is padding, which the layers that follow leave out.
        weights: The first embeddings, as an array.

    Shapes: (batch, ...) -> (batch, ..., output_dim).

    >>> import keryx
    >>> keryx.layers.Embedding(10000, 512)(keryx.Input((100,), dtype="int32")).shape
    (None, 100, 512)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        (self.input_dim,) = sizes("Embedding()", "input_dim", input_dim, 1)
        (self.output_dim,) = sizes("Embedding()", "output_dim", output_dim, 1)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = self.supports_masking = mask_zero
        self.autocast = False  # a half-precision float cannot hold the ids
        self.input_range = (0, self.input_dim)
        if weights is not None:
            with scope.named(self.name):
                self.build()
            self.built = True
            self.set_weights(weights if isinstance(weights, list) and len(weights) == 1 else [weights])

    def build(self, input_shape: Any = None) -> None:
        """Add the embeddings (input_dim, output_dim)."""
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
            name="embeddings",
        )

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, ...) -> (batch, ..., output_dim)."""
        ids = inputs if inputs.dtype == "int64" else inputs.astype("int32")
        return embedding(self.embeddings.value, ids)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """True where the id is not 0, with mask_zero; else none."""
        return inputs != 0 if self.mask_zero else None

    def get_config(self) -> dict[str, Any]:
        """The arguments; the first embeddings are no part of it."""
        config = super().get_config()
        config.pop("weights", None)
        return config


@registry.register()
class ReversibleEmbedding(Embedding):
    """An Embedding that is also called on vectors, for a logit an id: `inputs @ embeddings.T`, with `reverse=True`.

    Args:
        input_dim: The number of ids; they run from 0 to input_dim - 1.
        output_dim: The size of a row.
        tie_weights: Whether the way back uses the embeddings, or a matrix (output_dim, input_dim) of its own.
        embeddings_initializer: How the embeddings (input_dim, output_dim) begin.
        embeddings_regularizer: A penalty of the embeddings.
        embeddings_constraint: A projection of the embeddings after each step.
        mask_zero: Whether id 0 is padding, which the layers that follow leave out.
        reverse_dtype: The dtype of the way back; default that which the layer computes in.
        logit_soft_cap: Keeps logits below a number: `cap * tanh(logits / cap)`.

    Shapes: (batch, ...) -> (batch, ..., output_dim); with `reverse`, (batch, ..., output_dim) ->
    (batch, ..., input_dim).

    Source: Press and Wolf, Using the Output Embedding to Improve Language Models, 2016.

    >>> import keryx
    >>> layer = keryx.layers.ReversibleEmbedding(10000, 512)
    >>> layer(layer(keryx.Input((100,), dtype="int32")), reverse=True).shape
    (None, 100, 10000)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs,
    ):
        self.tie_weights = tie_weights  # `weights=` builds at once
        table = embeddings_initializer, embeddings_regularizer, embeddings_constraint, mask_zero
        super().__init__(input_dim, output_dim, *table, **kwargs)
        self.reverse_dtype, self.logit_soft_cap = reverse_dtype, logit_soft_cap

    def build(self, input_shape: Any = None) -> None:
        """Add the embeddings, and reverse_embeddings (output_dim, input_dim) where they are not tied."""
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                (self.output_dim, self.input_dim), self.embeddings_initializer, name="reverse_embeddings"
            )

    def call(self, inputs: jax.Array, reverse: bool = False) -> jax.Array:
        """Ids to vectors, or vectors to logits."""
        if not reverse:
            vectors = super().call(inputs)
            if self.mask_zero:
                scope.set_mask(vectors, inputs != 0)
            return vectors
        kernel = self.embeddings.value.T if self.tie_weights else self.reverse_embeddings.value
        dtype = self.reverse_dtype or self.compute_dtype
        logits = kernels.matmul(inputs.astype(dtype), kernel.astype(dtype))
        cap = self.logit_soft_cap
        return logits if cap is None else jnp.tanh(logits / cap) * cap

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """None: `call`, which knows whether it is on ids, sets the mask."""
        return
