"""What an argument meant in its age where today's default or today's name means something else.

Where Keras 1.2 and Keras 2.2 differ from today is told here; what files say is told by `keryx.saving.old.words`.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from keryx import initializers
from keryx.core.names import is_own

_RECURRENT = {"recurrent_activation": "old_hard_sigmoid"}
_GATES = ("LSTM", "LSTMCell", "GRU", "GRUCell", "ConvLSTM2D")
_RATES = {"SGD": 0.01, "RMSprop": 0.001, "Adagrad": 0.01, "Adadelta": 1.0, "Adam": 0.001, "Adamax": 0.002}
_RATES |= {"Nadam": 0.002}


def _orthogonal() -> initializers.Initializer:
    return initializers.Orthogonal(gain=1.1)


def _optimizers(epsilon: float) -> dict[str, dict[str, Any]]:
    made = {name: {"learning_rate": rate, "epsilon": epsilon} for name, rate in _RATES.items()}
    del made["SGD"]["epsilon"]
    made["Adagrad"]["initial_accumulator_value"] = 0.0
    return made


# What a class took where nothing was said, beside what `words.DEFAULTS` says of every old age: by age, class and the
# argument of today.
DEFAULTS: dict[int, dict[str, dict[str, Any]]] = {
    1: {
        **{name: {**_RECURRENT, "recurrent_initializer": _orthogonal} for name in _GATES},
        "SimpleRNN": {"recurrent_initializer": _orthogonal},
        **_optimizers(1e-8),
        "Flatten": {"data_format": "channels_last"},  # the elements in the order in which they are
        "fit": {"epochs": 10, "batch_size": 32, "verbose": 1},
    },
    2: {**{name: dict(_RECURRENT) for name in _GATES}, **_optimizers(1e-7)},
}


# Words of classes that no file speaks of, or not by these words, beside those of `keryx.saving.old.words`.
RENAMED: dict[str, dict[str, str]] = {
    "Model": {"input": "inputs", "output": "outputs"},
    "L1": {"l": "l1"},
    "L2": {"l": "l2"},
    "ReduceLROnPlateau": {"epsilon": "min_delta"},
    "LambdaCallback": {"on_batch_begin": "on_train_batch_begin", "on_batch_end": "on_train_batch_end"},
}

# Words that a class took and did nothing with, or nothing that could be missed.
ASIDE: dict[str, tuple[str, ...]] = {
    "TensorBoard": ("batch_size", "write_grads", "embeddings_layer_names", "embeddings_data"),
    "Conv2DTranspose": ("output_shape",),  # which follows from the rest
    "InputLayer": ("input_dtype",),
}

# What layers that are not named are called, before their number, where that is not today's name.
NAMES: dict[int, dict[str, str]] = {
    1: {
        **{f"conv{rank}d": f"convolution{rank}d" for rank in (1, 2, 3)},
        **dict.fromkeys(("add", "average", "concatenate", "dot", "maximum", "multiply"), "merge"),
        "conv2d_transpose": "deconvolution2d",
        "separable_conv2d": "separableconvolution2d",
        "functional": "model",
        "input_layer": "input",
    },
    2: {"functional": "model", "input_layer": "input"},
}


def name_of(age: int, name: str) -> str:
    """What a layer of today's name was called.

    >>> name_of(1, "max_pooling2d"), name_of(2, "max_pooling2d"), name_of(1, "conv2d")
    ('maxpooling2d', 'max_pooling2d', 'convolution2d')
    """
    return NAMES[age].get(name) or (name.replace("_", "") if age == 1 else name)


# Words that cannot be taken, and what to write.
REFUSED = {
    "Embedding()": {"dropout": "put SpatialDropout1D behind it, which leaves out vectors, not words"},
    "BatchNormalization()": {
        "mode": "1 normalized each sample, as LayerNormalization does; 2 took the batch's own numbers in every phase"
    },
}


def _normal(scale: float, mode: str) -> Callable[[], initializers.Initializer]:
    return lambda: initializers.VarianceScaling(scale, mode, "untruncated_normal")


# Initial distributions that have kept their name and changed: Keras 1 did not cut the tails off, and scaled matrices.
INITIALIZERS: dict[int, dict[str, Callable[[], initializers.Initializer]]] = {
    1: {
        "glorot_normal": _normal(1.0, "fan_avg"),
        "he_normal": _normal(2.0, "fan_in"),
        "orthogonal": _orthogonal,
    },
    2: {},
}


def initializer(age: int, value: Any) -> Any:
    """An argument that names an initial distribution, or is one of the functions of `shape` that Keras 1 took."""
    value = getattr(value, "of_today", value)
    if isinstance(value, str) and value in INITIALIZERS[age]:
        return INITIALIZERS[age][value]()
    if inspect.isfunction(value) and not is_own(value) and "dtype" not in inspect.signature(value).parameters:
        return OfShape(value)
    return value


class OfShape(initializers.Initializer):
    """The values that a function `(shape, name=None)` of Keras 1 makes, which may be a variable.

    Args:
        function: The function.

    >>> OfShape(lambda shape, name=None: np.full(shape, 2.0))((2,)).tolist()
    [2.0, 2.0]
    """

    def __init__(self, function: Callable):
        self.function = function

    def on_host(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        takes = inspect.signature(self.function).parameters
        value = self.function(shape, name=None) if "name" in takes else self.function(shape)
        return np.asarray(value).astype(dtype)
