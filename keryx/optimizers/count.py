"""The number of steps that an optimizer has taken."""

import jax
import jax.numpy as jnp
import numpy as np


class Count(int):
    """A number of steps, with the members by which programs for Keras, where it is a Variable, read it.

    >>> Count(3) + 1, Count(3).numpy(), Count(3).value.item()
    (4, array(3), 3)
    """

    @property
    def value(self) -> jax.Array:
        """The number as an array of JAX's."""
        return jnp.asarray(int(self), jnp.int32)

    def numpy(self) -> np.ndarray:
        """The number as an array of NumPy's."""
        return np.asarray(int(self))
