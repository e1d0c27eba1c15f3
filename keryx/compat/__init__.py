"""The code that people have: Keryx under the name keras, and the words of Keras 1 and 2."""

from keryx import lazy

__getattr__, __dir__ = lazy.exports(
    __name__, {"keryx.compat.dialects": "use", "keryx.compat.dropin": "install", "keryx.compat.tensorflow_face": ""}
)
