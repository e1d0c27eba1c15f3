"""Objects as plain data in Keras's words, and made again from it: the one way out, and the one way in.

A config names a class or a function by its name; the name is looked up in tables of what Keryx offers and what the
user has registered. Nothing but modules of ours that the tables name is imported, no attribute is looked up, and no
function is called because a config says so: a class is built by its `from_config`; a function is handed on as it is.
"""

import functools
import importlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from keryx.core import plain, registered
from keryx.core.names import config_arguments, is_own, snake_case
from keryx.errors import ConfigError, did_you_mean, listing


class Configurable:
    """An object whose config is the arguments it was made with.

    `__init__` stores each argument under the argument's own name; that is all that `get_config` needs. A class
    that keeps an argument in another way overrides `get_config`.
    """

    config_module: str | None = None  # where Keras's configs say that the class is

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__` by name, as plain data."""
        return {name: serialize(getattr(self, name)) for name in config_arguments(type(self))}

    @classmethod
    def from_config(cls, config: dict[str, Any]):
        """A new object, made with the arguments that `get_config` gave.

        Raises:
            ConfigError: Whatever is wrong with them.
        """
        with plain.reading(cls.__name__, config):
            return cls(**{name: _decode(value) for name, value in config.items()})

    def __repr__(self):
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class Registry:
    """The table of one family of named things: layers, initializers, losses, ...

    Args:
        kind: What one of them is called in an error, such as `"initializer"`.
        module: The module that Keras's configs name for them, such as `"keras.initializers"`.
    """

    def __init__(self, kind: str, module: str):
        self.kind, self.module = kind, module
        self.table: dict[str, Any] = {}
        self.homes: dict[str, str] = {}  # the modules, not imported yet, whose things are entered when asked for
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
        found = registered.find(name)
        found = self.known(name) if found is None else found
        if found is None:
            # Without the form that snake_case gives to names such as RMSprop, beside the one that people write.
            words = [
                word for word in self.names() if (plain := word.replace("_", "")) == word or plain not in self.table
            ]
            close = did_you_mean(name, words) or _of_another_kind(name)
            known = [word for word in words if word.islower()] or words
            raise ConfigError(f"There is no {self.kind} {name!r}.{close or f' Known: {listing(known)}.'}")
        return found

    def _made(self, cls: type) -> Any:
        """An object of a class that was given by its name, or as it is.

        Raises:
            ConfigError: Where it wants arguments, so that only an object of it can be given.
        """
        _, *parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
        needed = [p.name for p in parameters if p.default is p.empty and p.kind not in _VARIADIC]
        if needed:
            wanted = ", ".join(f"{name}=..." for name in needed)
            raise ConfigError(
                f"The {self.kind} {cls.__name__} wants {listing(needed)}: make it, {cls.__name__}({wanted})."
            )
        return cls()

    def known(self, name: str) -> Any:
        """The class or function of the library's that has this name, or None."""
        if name not in self.table and name in self.homes:
            importlib.import_module(self.homes[name])
        return self.table.get(name)

    def names(self) -> list[str]:
        """All names that there are."""
        return sorted({*self.table, *self.homes})

    def get(self, identifier: Any, custom_objects: dict[str, Any] | None = None) -> Any:
        """What `identifier` stands for: a name, a config, a class, or the thing itself; None stays None."""
        if custom_objects:
            with registered.custom_object_scope(custom_objects):
                return self.get(identifier)
        if isinstance(identifier, str):
            identifier = self.find(identifier)
        elif isinstance(identifier, dict):
            return deserialize(identifier, self)
        if isinstance(identifier, type):
            return self._made(identifier)
        if identifier is None or callable(identifier) or isinstance(identifier, Configurable):
            return identifier
        from keryx.core import mistaken

        told = mistaken.described(identifier) if hasattr(identifier, "shape") else repr(identifier)
        raise ConfigError(f"Wanted the {self.kind} as a name, a config, a function or an object; got {told}.")


_registries: dict[str, Registry] = {}
_VARIADIC = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


def _of_another_kind(name: str) -> str:
    """A sentence that says what a name is, where it is one of another family's."""
    kinds = [table.kind for table in _registries.values() if table.known(name) is not None]
    return f" {name!r} is the name of {'an' if kinds[0][0] in 'aeio' else 'a'} {kinds[0]}." if kinds else ""


def registry_of(module: str) -> Registry:
    """The table of the things that Keras keeps in this module."""
    return _registries[module]


_by_reference: ContextVar[bool] = ContextVar("by_reference", default=False)

# -- out -----------------------------------------------------------------------------------------------------------


def serialize(value: Any) -> Any:
    """`value` as plain data: numbers, strings, lists, tuples and dicts. The inverse of `deserialize`.

    Raises:
        ConfigError: For functions without a name, such as lambdas, and objects without a get_config.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        parts = [serialize(v) for v in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, dict):
        return {key: serialize(v) for key, v in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, slice):
        return _special("slice", start=value.start, stop=value.stop, step=value.step)
    if value is Ellipsis:
        return _special("ellipsis")
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, np.ndarray):
        return _special("numpy", value=value.tolist(), dtype=value.dtype.name)
    if hasattr(value, "get_config") and not isinstance(value, type):
        return _serialize_object(value)
    if callable(value):
        return _serialize_function(value)
    if hasattr(value, "__array__"):
        return serialize(np.asarray(value))
    raise ConfigError(f"{value!r} has no config: give its class a get_config method.")


def _special(name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": f"__{name}__", "config": serialize(config)}


def _serialize_object(value: Any) -> dict[str, Any]:
    """An object by its class, its config, and how it was built; files add how it was compiled."""
    cls = type(value)
    name = registered.name_of(cls)
    plain_data = {
        "module": value.config_module if is_own(cls) else cls.__module__,
        "class_name": getattr(value, "config_class_name", cls.__name__),
        "config": value.get_config(),
        "registered_name": name or getattr(value, "config_registered_name", None),
    }
    built = value.get_build_config() if _tells_how_built(cls) else None
    return plain_data | ({"build_config": serialize(built)} if built else {})


def _tells_how_built(cls: type) -> bool:
    """Whether a config says how the object was built: layers of ours are built by graphs, or by layers around them."""
    return hasattr(cls, "get_build_config") and getattr(cls, "tells_how_built", not is_own(cls))


def _serialize_function(function: Callable) -> Any:
    name = registered.name_of(function)
    if not name and getattr(function, "config_module", None) in _registries:
        return function.__name__
    if not name and _by_reference.get():
        return function
    name = name or _own_name(function)
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}


def _own_name(function: Callable) -> str:
    """The name of a function that is not registered, by which whoever reads the config hands it over.

    Raises:
        ConfigError: Where it has none, or one of ours has it, which a reader would take.
    """
    name, title = getattr(function, "__name__", ""), getattr(function, "__qualname__", function)
    if not name.isidentifier():
        raise ConfigError(
            f"The function {title!r} cannot be written down, for code is never read from a file. Give it a name with "
            "def, and register it, @keryx.utils.register_keras_serializable() above its definition, or hand it over "
            "when it is read: load_model(path, custom_objects={'name': function})."
        )
    if any(table.known(name) is not None for table in _registries.values()):
        raise ConfigError(
            f"The function {title!r} cannot be written down by its name, for it is that of one of Keryx's own, which a "
            f"reader would take. Give that one, {name!r}, or register yours under a name of its own: "
            "@keryx.utils.register_keras_serializable() above its definition."
        )
    return name


@contextmanager
def by_reference() -> Iterator[None]:
    """A block in which `serialize` keeps functions as they are, for configs that never leave the process."""
    token = _by_reference.set(True)
    try:
        yield
    finally:
        _by_reference.reset(token)


# -- in ------------------------------------------------------------------------------------------------------------


def deserialize(
    value: Any,
    registry: Registry | None = None,
    custom_objects: dict[str, Any] | None = None,
    safe_mode: bool = True,
    **_: Any,
) -> Any:
    """What `serialize` wrote down, or Keras, made again.

    Args:
        value: Plain data; a dict with `class_name` and `config` becomes an object.
        registry: Where to look first; with it, a dict must name an object.
        custom_objects: Classes and functions of yours that the data names.
        safe_mode: Ignored: no config runs code.

    Raises:
        ConfigError: Whatever is wrong with the data.
    """
    if registry is not None and not isinstance(registry, Registry):  # Keras's second argument
        registry, custom_objects = None, registry
    with registered.custom_object_scope(custom_objects), plain.reading(_title(value), value):
        return _decode(value, registry)


def reads(method: Callable) -> Any:
    """A decorator for a from_config method: a class method that raises nothing but ConfigError."""

    @functools.wraps(method)
    def from_config(cls, config, custom_objects=None):
        with registered.custom_object_scope(custom_objects), plain.reading(cls.__name__, config):
            if not isinstance(config, dict):
                raise ConfigError(f"The config of a {cls.__name__} is a dict; got {type(config).__name__}.")
            return method(cls, config)

    return classmethod(from_config)


def _title(value: Any) -> str:
    return str(value.get("class_name", "object"))[:80] if isinstance(value, dict) else "object"


def _decode(value: Any, registry: Registry | None = None) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_decode(v) for v in value)
    if not isinstance(value, dict):
        return value
    if not {"class_name", "config"} <= value.keys():
        if registry:
            raise ConfigError(
                f"The config of a {registry.kind} wants the keys 'class_name' and 'config'; got {listing(value)}."
            )
        return {key: _decode(v) for key, v in value.items()}
    name = value["class_name"]
    if not isinstance(name, str):
        raise ConfigError(f"The class_name of a config is a string; got {type(name).__name__}.")
    if name.startswith("__"):
        return _decode_special(name, value["config"])
    return _decode_object(name, value, registry)


def _decode_special(name: str, config: Any) -> Any:
    if name == "__lambda__":
        raise ConfigError(
            "The config holds the code of a Python lambda, which is never run. Write the function with def, register "
            "it with @keryx.utils.register_keras_serializable(), and save the model again."
        )
    if name == "__tuple__":
        return tuple(_decode(v) for v in config)
    if name == "__slice__":
        return slice(*(_decode(config[part]) for part in ("start", "stop", "step")))
    if name == "__ellipsis__":
        return Ellipsis
    if name in ("__numpy__", "__tensor__"):
        if config["dtype"] not in _DTYPES:
            raise ConfigError(f"An array in a config is of numbers; got the dtype {config['dtype']!r}.")
        return np.array(config["value"], dtype=np.dtype(_DTYPES[config["dtype"]]))
    raise ConfigError(f"The config holds a {name}, which has no meaning here.")


_DTYPES = {np.dtype(code).name: np.dtype(code) for code in "?bhilqBHILQefdFD"}


def _decode_object(name: str, value: dict[str, Any], registry: Registry | None) -> Any:
    """The function that a config names, or an object of the class that it names, built as it was.

    `compile_config`, which Keras writes beside `config`, belongs to the reader of files.
    """
    found, config = _look_up(name, value, registry), value["config"]
    is_class = isinstance(found, type)
    if name == "function" and not is_class:
        return found
    if name == "function" or not is_class:
        what, other = ("class", "function") if is_class else ("function", "class")
        raise ConfigError(
            f"The config speaks of the {what} {found.__name__!r} as of a {other}. No function is called because a "
            "config says so."
        )
    with plain.reading(name, config) as state:
        key = value.get("shared_object_id")
        if key is not None and isinstance(key, int) and (found, key) in state.shared:
            return state.shared[found, key]
        made = found.from_config(config) if hasattr(found, "from_config") else found(**_decode(config))
        built = value.get("build_config")
        if built and _tells_how_built(found) and not getattr(made, "built", True):
            made.build_from_config(_decode(built))
            made.built = True
        if isinstance(key, int):
            state.shared[found, key] = made
        return made


# Where configs say that the library's things are; what is of another module is the user's, whatever its name.
_LIBRARIES = {"builtins", "keras", "keras_core", "keryx", "tensorflow", "tf_keras"}


def _look_up(name: str, value: dict[str, Any], registry: Registry | None) -> Any:
    names = [value["config"]] if name == "function" else [value.get("registered_name"), name]
    for one in names:
        found = registered.find(one)
        if found is not None:
            return found
    name, module = str(names[-1]), str(value.get("module") or "keras")
    first = _registries.get(module, registry)
    ours = (registry, first, *_registries.values()) if module.partition(".")[0] in _LIBRARIES else ()
    for table in dict.fromkeys(r for r in ours if r is not None):
        found = table.known(name)
        if found is not None:
            return found
    tables = [registry] if registry is not None else _registries.values()
    known = {name for table in tables for name in table.names()} | set(registered.names())
    raise ConfigError(
        f"The config names {name[:200]!r}, which is not among the things that Keryx can make."
        f"{did_you_mean(name[:200], known)} If it is yours, hand it over with custom_objects= or "
        "@keryx.utils.register_keras_serializable()."
    )
