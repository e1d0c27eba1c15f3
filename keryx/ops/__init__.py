"""Functions of jax.numpy, jax.nn and jax.lax, by Keras's names, that also take symbolic tensors and variables."""

from keryx.ops import symbolic as _symbolic  # operators on symbolic tensors and variables
