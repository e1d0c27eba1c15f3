"""The little of TensorFlow that programs for `tf.keras` have beside it; what else is asked for is refused by name."""

import logging
from typing import Any, NoReturn

import jax
import numpy as np

from keryx import activations
from keryx.core import seeds, variable
from keryx.core.symbol import SymbolicTensor
from keryx.errors import UndefinedError, did_you_mean

# A version that programs may compare, and that says what it is.
VERSION = "2.21.0+keryx"

_DTYPES = ("bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
# Those that take and mean the same in TensorFlow and in keras.activations.
_ACTIVATIONS = ("elu", "log_softmax", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign")
_ALIASES = {"swish": activations.silu, "tanh": activations.tanh}


def set_seed(seed: int) -> None:
    """Begin anew, from this seed, what Keryx draws; NumPy and Python have seeds of their own."""
    seeds.set_seed(seed)


def list_physical_devices(device_type: str | None = None) -> list[jax.Device]:
    """The devices of JAX, of one type where one is given.

    >>> len(list_physical_devices("TPU"))
    0
    """
    kinds = {"gpu": "gpu", "cuda": "gpu", "rocm": "gpu"}
    wanted = device_type and device_type.lower()
    return [device for device in jax.devices() if wanted in (None, kinds.get(device.platform, device.platform))]


def is_gpu_available() -> bool:
    """Whether JAX has a GPU."""
    return bool(list_physical_devices("GPU"))


def set_memory_growth(device: Any, enable: bool) -> None:
    """Nothing: what JAX takes of a device's memory is set by XLA_PYTHON_CLIENT_PREALLOCATE, before it is imported."""


def executing_eagerly() -> bool:
    """True: outside of compiled functions, ops are computed when they are called."""
    return True


def get_logger() -> logging.Logger:
    """The logger `tensorflow`, to which nothing is written."""
    return logging.getLogger("tensorflow")


class _Kind(type):
    """The type of types that are asked about with isinstance, and make nothing."""

    stands_for: tuple[type, ...]

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.stands_for)

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise _refusal(f"tensorflow.{cls.__name__}()")


class Tensor(metaclass=_Kind):
    """What is a tensor here: arrays of JAX, and symbolic ones."""

    stands_for = jax.Array, SymbolicTensor


class Variable(metaclass=_Kind):
    """What is a variable here: Keryx's."""

    stands_for = (variable.Variable,)


def _modules() -> dict[str, dict[str, Any]]:
    dtypes = {name: np.dtype(name) for name in _DTYPES}
    own = {"Tensor": Tensor, "Variable": Variable, "executing_eagerly": executing_eagerly, "get_logger": get_logger}
    devices = {"list_physical_devices": list_physical_devices}
    return {
        "": own | dtypes | {"newaxis": None},
        "config": devices,
        "config.experimental": devices | {"set_memory_growth": set_memory_growth},
        "dtypes": dtypes,
        "nn": {name: getattr(activations, name) for name in _ACTIVATIONS} | _ALIASES,
        "random": {"set_seed": set_seed},
        "test": {"is_gpu_available": is_gpu_available},
    }


def is_module(path: str) -> bool:
    """Whether there is anything at a path below `tensorflow`."""
    return path in _modules()


def names(path: str) -> list[str]:
    """What there is at a path below `tensorflow`."""
    modules = _modules()
    inner = [name.rpartition(".")[2] for name in modules if name and name.rpartition(".")[0] == path]
    return [*modules.get(path, ()), *inner, *(["keras"] if path == "" else [])]


def find(path: str, name: str) -> Any:
    """A thing of TensorFlow's that is here; AttributeError, with what to do, where it is not.

    >>> find("nn", "relu").__name__
    'relu'
    >>> find("", "GradientTape")
    Traceback (most recent call last):
    keryx.errors.UndefinedError: tensorflow.GradientTape is TensorFlow's own, and here only tensorflow.keras is: ...
    """
    found = _modules().get(path, {})
    if name in found:
        return found[name]
    raise _refusal(".".join(filter(None, ("tensorflow", path, name))), did_you_mean(name, found))


def _refusal(full: str, hint: str = "") -> UndefinedError:
    return UndefinedError(
        f"{full} is TensorFlow's own, and here only tensorflow.keras is: Keryx stands in for it where a program uses "
        f"nothing else of TensorFlow.{hint} Write it with keras.ops, jax or numpy, or run the program without "
        "--tensorflow, on TensorFlow itself."
    )
