"""Keras, the oracle of the tests, runs on JAX; it has to be told so before it is imported."""

import os

os.environ["KERAS_BACKEND"] = "jax"
