"""The optimizers of `keras.optimizers.legacy`: as in Keras 3 they are names alone, which say what to use."""

from typing import Any


class Optimizer:
    """What stood here until Keras 2; making one is an ImportError, as it is in Keras 3."""

    def __init__(self, *_: Any, **__: Any):
        name = type(self).__name__
        raise ImportError(
            f"optimizers.legacy.{name} went with Keras 2. Use keryx.optimizers.{name}; decay= is a schedule there, "
            "learning_rate=schedules.InverseTimeDecay(rate, 1, decay). A model that was saved with one loads as it is."
        )


class Adagrad(Optimizer):
    """See `Optimizer`."""


class Adam(Optimizer):
    """See `Optimizer`."""


class Ftrl(Optimizer):
    """See `Optimizer`."""


class RMSprop(Optimizer):
    """See `Optimizer`."""


class SGD(Optimizer):
    """See `Optimizer`."""
