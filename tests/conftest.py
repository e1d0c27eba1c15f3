"""Before any test: the oracle's backend, and Ctrl-C."""

import os
import signal

os.environ["KERAS_BACKEND"] = "jax"  # Keras, the oracle of the tests, has to be told so before it is imported

# A script's shell has SIGINT ignored in what it puts into the background; then Ctrl-C would reach no test.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
