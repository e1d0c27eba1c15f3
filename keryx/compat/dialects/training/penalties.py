"""Penalties of outputs as Keras 1 and 2 counted them."""

from typing import Any

import jax

from keryx import regularizers


@regularizers.registry.register()
class OfWholeBatch(regularizers.Regularizer):
    """The penalty of all samples of a batch together, where today's is that of one sample on average.

    Args:
        regularizer: The penalty of one sample.

    >>> import jax.numpy as jnp
    >>> float(OfWholeBatch("l2")(jnp.ones((4, 2))))  # a layer divides it by 4, the size of the batch
    0.3199999928474426
    """

    def __init__(self, regularizer: Any):
        self.regularizer = regularizers.get(regularizer)

    def __call__(self, x: Any) -> jax.Array:
        """The penalty times the size of the batch, by which a layer divides."""
        return self.regularizer(x) * x.shape[0]
