"""Objects as plain data in the words of Keras 2: a class and its config, and no more."""

from typing import Any

from keryx.core import codec, registered
from keryx.errors import ConfigError, did_you_mean


def serialize_keras_object(instance: Any) -> Any:
    """A function as its name, an object as a dict of its `class_name` and `config`.

    Raises:
        ConfigError: For what is neither a function nor has a `get_config`.

    >>> import keryx
    >>> serialize_keras_object(keryx.initializers.Constant(2.0))
    {'class_name': 'Constant', 'config': {'value': 2.0}}
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        name = registered.name_of(type(instance)) or type(instance).__name__
        return {"class_name": name, "config": codec.serialize(instance.get_config())}
    if hasattr(instance, "__name__"):
        return registered.get_registered_name(instance)
    raise ConfigError(f"{instance!r} has no config: give its class a get_config method.")


def deserialize_keras_object(
    identifier: Any,
    module_objects: dict[str, Any] | None = None,
    custom_objects: dict[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """What `serialize_keras_object` wrote down, made again.

    Args:
        identifier: A name, a dict of a `class_name` and a `config`, or a function, which is returned as it is.
        module_objects: Classes and functions by name.
        custom_objects: More of them, looked into first.
        printable_module_name: What one is called in errors.

    Raises:
        ConfigError: Where nothing has the name, or the config does not fit.
    """
    if identifier is None or callable(identifier):
        return identifier
    if isinstance(identifier, dict):
        with registered.custom_object_scope((module_objects or {}) | (custom_objects or {})):
            return codec.deserialize(identifier)
    found = registered.get_registered_object(identifier, custom_objects, module_objects)
    if found is None:
        known = [*(custom_objects or {}), *(module_objects or {}), *registered.names()]
        raise ConfigError(f"There is no {printable_module_name} {identifier!r}.{did_you_mean(str(identifier), known)}")
    return found() if isinstance(found, type) else found
