"""Keryx: Keras's functional API as one small, fast library on JAX."""

from keryx import config as config

__version__ = "0.1.0"
