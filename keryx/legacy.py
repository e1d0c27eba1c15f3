"""`keras.legacy`: the configs of Keras 2."""

from keryx.utils import legacy as saving

__all__ = ["saving"]
