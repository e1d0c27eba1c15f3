"""Files of models, and what configs may name, by Keras's names."""

import importlib
from typing import Any

from keryx.core.codec import deserialize as deserialize_keras_object
from keryx.core.codec import serialize as serialize_keras_object
from keryx.core.registered import custom_object_scope as custom_object_scope
from keryx.core.registered import get_custom_objects as get_custom_objects
from keryx.core.registered import get_registered_name as get_registered_name
from keryx.core.registered import get_registered_object as get_registered_object
from keryx.core.registered import register_keras_serializable as register_keras_serializable

CustomObjectScope = custom_object_scope
__all__ = ["deserialize_keras_object", "serialize_keras_object"]

_ELSEWHERE = {
    "KerasFileEditor": "editor",
    "describe": "description",
    "load_model": "models",
    "save_model": "models",
    "load_weights": "weights",
    "save_weights": "weights",
}  # by the module that has it: optimizers come with them


def __getattr__(name: str) -> Any:
    if name in _ELSEWHERE:
        return getattr(importlib.import_module(f"{__name__}.{_ELSEWHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
