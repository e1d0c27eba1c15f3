"""Keras on JAX is the oracle of numbers; it must be told so before its first import."""

import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
