import os

os.environ["KERAS_BACKEND"] = "jax"  # the oracle runs on the same engine
