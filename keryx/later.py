"""What Keras has and Keryx does not have yet: the one list, each with the reason.

A name of it is answered by an error that says why; `tests/api_coverage.py` counts them apart.
"""

from collections.abc import Callable
from typing import Any, NoReturn

from keryx.errors import ArgumentError, UndefinedError

_QUANTIZATION = "quantization is a work of its own"
_DEVICES = "it comes with training on many devices: until then, jax.sharding on the pure functions of a model"
_LORA = "low-rank adaptation comes with quantization: until then, freeze layers and add a Dense"
_DENSE = "there are no sparse and ragged tensors: give dense ones, padded, with Masking or a mask"

# By a part of the name.
NAMES = {
    "distribution": _DEVICES,
    "DataParallel": _DEVICES,
    "ModelParallel": _DEVICES,
    "DeviceMesh": _DEVICES,
    "LayoutMap": _DEVICES,
    "quantize": _QUANTIZATION,
    "quantization": _QUANTIZATION,
    "Quantiz": _QUANTIZATION,
    "GPTQ": _QUANTIZATION,
    "AWQ": _QUANTIZATION,
    "Float8": _QUANTIZATION,
    "Int4": _QUANTIZATION,
    "lora": _LORA,
    "TFSMLayer": "it runs TensorFlow: load the model with load_model(), or export it anew with format='stablehlo'",
    "TorchModuleWrapper": "it runs PyTorch: JaxLayer and from_nnx() take what is written in JAX",
    "Sparse": _DENSE,
    "Ragged": _DENSE,
}
ARGUMENTS = {
    "lora_rank": _LORA,
    "lora_alpha": _LORA,
    "layout": _DEVICES,
    "quantization_config": _QUANTIZATION,
}


def reason(name: str) -> str | None:
    """Why there is no thing of this name yet; None where nothing is known of it.

    >>> reason("keras.quantizers.Quantizer")
    'quantization is a work of its own'
    """
    return next((why for part, why in NAMES.items() if part in name), None)


def refuse(package: str, name: str) -> None:
    """Raise AttributeError with the reason where a package has no thing of this name yet, but Keras has."""
    if name[0] != "_" and (why := reason(name)):
        raise UndefinedError(f"{package} has no {name!r} yet: {why}.")


def method(name: str) -> Callable[..., NoReturn]:
    """A method that Keras has, which says why it is not here yet.

    >>> import keryx
    >>> keryx.layers.Dense(2).enable_lora(4)
    Traceback (most recent call last):
    keryx.errors.ArgumentError: There is no enable_lora() yet: low-rank adaptation comes with quantization: ...
    """

    def absent(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise ArgumentError(f"There is no {name}() yet: {reason(name)}.")

    absent.__name__, absent.__doc__ = name, f"Not here yet: {reason(name)}."
    return absent
