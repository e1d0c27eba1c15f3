"""Objects written down as plain dicts, in Keras's words, and made again from them.

A config names a class; the class is looked up in the static tables below, of what Keryx offers and what the user
has registered. Nothing is ever imported, and no attribute is ever looked up, because a config says so.
"""

import inspect
import re
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np

from keryx.errors import ArgumentError, ConfigError, did_you_mean, listing


class Configurable:
    """An object whose config is the arguments it was made with.

    `__init__` stores each argument under the argument's own name; that is all that `get_config` needs. A class
    that keeps an argument in another way overrides `get_config`.
    """

    config_module: str | None = None  # where Keras's configs say that the class is

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__` by name, as plain data."""
        return {name: serialize(getattr(self, name)) for name in init_arguments(type(self))}

    @classmethod
    def from_config(cls, config: dict[str, Any]):
        """A new object, made with the arguments that `get_config` gave."""
        return cls(**{name: deserialize(value) for name, value in config.items()})

    def __repr__(self):
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


def init_arguments(cls: type) -> list[str]:
    """The names of the arguments of `cls.__init__`, those that its `**kwargs` hand to a base first.

    >>> class A:
    ...     def __init__(self, name=None): ...
    >>> class B(A):
    ...     def __init__(self, units, **kwargs): ...
    >>> init_arguments(B)
    ['name', 'units']
    """
    names: list[str] = []
    for base in cls.__mro__:
        if base is object or "__init__" not in vars(base):
            continue
        _, *parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
        own = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        names = own + [name for name in names if name not in own]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return names


def snake_case(name: str) -> str:
    """The name of a class as a name of an object.

    >>> snake_case("TimeDistributed"), snake_case("LSTM"), snake_case("Conv2D")
    ('time_distributed', 'lstm', 'conv2d')
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


class Registry:
    """The table of one family of named things: layers, initializers, losses, ...

    Args:
        kind: What one of them is called in an error, such as `"initializer"`.
        module: The module that Keras's configs name for them, such as `"keras.initializers"`.
    """

    def __init__(self, kind: str, module: str):
        self.kind, self.module = kind, module
        self.table: dict[str, Any] = {}
        _registries[module] = self

    def register(self, *aliases: str):
        """A decorator that enters a class or function under its own name, its snake_case name and `aliases`."""

        def enter(thing):
            for name in (thing.__name__, snake_case(thing.__name__), *aliases):
                self.table.setdefault(name, thing)
            thing.config_module = self.module
            return thing

        return enter

    def find(self, name: str) -> Any:
        """The class or function of this name."""
        custom = _custom(name)
        if custom is not None:
            return custom
        if name not in self.table:
            raise ConfigError(
                f"There is no {self.kind} {name!r}.{did_you_mean(name, self.table)} "
                f"Known: {listing(sorted(self.table))}."
            )
        return self.table[name]

    def get(self, identifier: Any) -> Any:
        """What `identifier` stands for: a name, a config, a class, or the thing itself; None stays None."""
        if isinstance(identifier, str):
            identifier = self.find(identifier)
        elif isinstance(identifier, dict):
            return deserialize(identifier, self)
        if isinstance(identifier, type):
            return identifier()
        if identifier is None or callable(identifier) or isinstance(identifier, Configurable):
            return identifier
        raise ConfigError(f"Wanted the {self.kind} as a name, a config, a function or an object; got {identifier!r}.")


_registries: dict[str, Registry] = {}


def registry_of(module: str) -> Registry:
    """The table of the things that Keras keeps in this module."""
    return _registries[module]


_global_custom: dict[str, Any] = {}
_scoped_custom: list[dict[str, Any]] = []
_by_reference: list[bool] = []


def serialize(value: Any) -> Any:
    """`value` as plain data: numbers, strings, lists, tuples and dicts. The inverse of `deserialize`."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return type(value)(serialize(v) for v in value)
    if isinstance(value, dict):
        return {key: serialize(v) for key, v in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, slice):
        parts = {"start": value.start, "stop": value.stop, "step": value.step}
        return {"class_name": "__slice__", "config": serialize(parts)}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}
    if hasattr(value, "get_config") and not isinstance(value, type):
        return {
            "module": getattr(value, "config_module", None),
            "class_name": getattr(value, "config_class_name", type(value).__name__),
            "config": value.get_config(),
            "registered_name": _registered_name(type(value)),
        }
    if callable(value):
        return _serialize_function(value)
    if hasattr(value, "__array__"):
        return serialize(np.asarray(value))
    raise ConfigError(f"{value!r} has no config: give its class a get_config method.")


def _serialize_function(function: Callable) -> Any:
    registered = _registered_name(function)
    if registered:
        return {"class_name": "function", "config": registered, "registered_name": registered}
    if getattr(function, "config_module", None) in _registries:
        return function.__name__
    if _by_reference:
        return function
    raise ConfigError(
        f"The function {getattr(function, '__qualname__', function)!r} cannot be written down, for code is never "
        "read from a file. Register it: @keryx.utils.register_keras_serializable() above its definition."
    )


@contextmanager
def by_reference():
    """A block in which `serialize` keeps functions as they are, for configs that never leave the process."""
    _by_reference.append(True)
    try:
        yield
    finally:
        _by_reference.pop()


def deserialize(value: Any, registry: Registry | None = None) -> Any:
    """What `serialize` wrote down, made again.

    Args:
        value: Plain data; a dict with `class_name` and `config` becomes an object.
        registry: Where to look first; with it, a dict must name an object.
    """
    if isinstance(value, (list, tuple)):
        return type(value)(deserialize(v) for v in value)
    if not isinstance(value, dict):
        return value
    if not {"class_name", "config"} <= value.keys():
        if registry:
            raise ConfigError(
                f"The config of a {registry.kind} wants the keys 'class_name' and 'config'; got {listing(value)}."
            )
        return {key: deserialize(v) for key, v in value.items()}
    name, config = value["class_name"], value["config"]
    if name == "__tuple__":
        return tuple(deserialize(v) for v in config)
    if name == "__slice__":
        return slice(*(deserialize(config[part]) for part in ("start", "stop", "step")))
    if name == "__ellipsis__":
        return Ellipsis
    if name in ("__numpy__", "__tensor__"):
        return np.array(config["value"], dtype=config["dtype"])
    found = _look_up(value, registry)
    if name == "function":
        return found
    return found.from_config(config) if hasattr(found, "from_config") else found(**deserialize(config))


def _look_up(value: dict[str, Any], registry: Registry | None) -> Any:
    registered, name = value.get("registered_name"), str(value["class_name"])
    if name == "function":
        registered = name = str(value["config"])
    found = _custom(registered) if registered else None
    found = found if found is not None else _custom(name)
    if found is not None:
        return found
    first = _registries.get(str(value.get("module")), registry)
    for table in dict.fromkeys(r for r in (registry, first, *_registries.values()) if r is not None):
        if name in table.table:
            return table.table[name]
    known = {name for table in _registries.values() for name in table.table} | _global_custom.keys()
    raise ConfigError(
        f"The config names {name!r}, which is not among the things that Keryx can make.{did_you_mean(name, known)} "
        "If it is yours, hand it over with custom_objects= or @keryx.utils.register_keras_serializable()."
    )


def _custom(name: Any) -> Any:
    for table in (*reversed(_scoped_custom), _global_custom):
        if name in table:
            return table[name]
    return None


def _registered_name(thing: Any) -> str | None:
    return next((name for name, known in _global_custom.items() if known is thing), None)


def register_keras_serializable(package: str = "Custom", name: str | None = None):
    """A decorator that makes a class or function of yours known to configs, as `package>name`.

    >>> @register_keras_serializable("mine")
    ... def double(x):
    ...     return 2 * x
    >>> serialize(double)["registered_name"]
    'mine>double'
    """

    def enter(thing):
        if isinstance(thing, type) and not hasattr(thing, "get_config"):
            raise ArgumentError(f"{thing.__name__} needs a get_config method before it can be registered.")
        _global_custom[f"{package}>{name or thing.__name__}"] = thing
        return thing

    return enter


@contextmanager
def custom_object_scope(objects: dict[str, Any] | None):
    """A block in which configs may name `objects`: a dict of classes and functions by name."""
    _scoped_custom.append(dict(objects or {}))
    try:
        yield
    finally:
        _scoped_custom.pop()


def get_custom_objects() -> dict[str, Any]:
    """The live table of registered classes and functions."""
    return _global_custom


def get_registered_name(thing: Any) -> str:
    """The name under which `thing` was registered, else its own name."""
    return _registered_name(thing) or thing.__name__


def get_registered_object(name: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """The class or function registered under `name`, or None."""
    return (custom_objects or {}).get(name, _custom(name))
