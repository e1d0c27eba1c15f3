"""Embedding: a trained vector for each integer."""

from typing import Any

import jax

from keryx import constraints, initializers, regularizers
from keryx.core import scope
from keryx.kernels.embedding import embedding
from keryx.layers.layer import Layer, registry
from keryx.layers.sizes import sizes


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
