"""Files of models, and what configs may name, by Keras's names."""

from typing import Any

from keryx import lazy
from keryx.core import codec
from keryx.core.registered import custom_object_scope as custom_object_scope
from keryx.core.registered import get_custom_objects as get_custom_objects
from keryx.core.registered import get_registered_name as get_registered_name
from keryx.core.registered import get_registered_object as get_registered_object
from keryx.core.registered import register_keras_serializable as register_keras_serializable

CustomObjectScope = custom_object_scope


def serialize_keras_object(obj: Any) -> Any:
    """`obj` as plain data: numbers, strings, lists, tuples and dicts.

    Raises:
        ConfigError: For functions that are not registered, lambdas among them, and objects without a get_config.
    """
    return codec.serialize(obj)


def deserialize_keras_object(
    config: Any, custom_objects: dict[str, Any] | None = None, safe_mode: bool = True, **kwargs: Any
) -> Any:
    """What `serialize_keras_object` wrote down, or Keras, made again.

    Args:
        config: Plain data; a dict with `class_name` and `config` becomes an object.
        custom_objects: Classes and functions of yours that the data names.
        safe_mode: Ignored: no config runs code.

    Raises:
        ConfigError: Whatever is wrong with the data.
    """
    return codec.deserialize(config, None, custom_objects, safe_mode, **kwargs)


# Optimizers come with these.
__getattr__, __dir__ = lazy.exports(
    __name__,
    {
        "keryx.saving.description": "describe",
        "keryx.saving.editor": "KerasFileEditor",
        "keryx.saving.models": "load_model save_model",
        "keryx.saving.weights": "load_weights save_weights",
    },
)
