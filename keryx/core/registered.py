"""Classes and functions of the user's that configs may name."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from keryx.core.names import is_own
from keryx.errors import ArgumentError

_everywhere: dict[str, Any] = {}
# Of this thread, the innermost last.
_scopes: ContextVar[tuple[dict[str, Any], ...]] = ContextVar("custom_objects", default=())


def register_keras_serializable(package: str = "Custom", name: str | None = None):
    """A decorator that makes a class or function of yours known to configs, as `package>name`.

    >>> @register_keras_serializable("mine")
    ... def double(x):
    ...     return 2 * x
    >>> get_registered_name(double)
    'mine>double'
    """

    def enter(thing):
        if isinstance(thing, type) and not hasattr(thing, "get_config"):
            raise ArgumentError(f"{thing.__name__} needs a get_config method before it can be registered.")
        _everywhere[f"{package}>{name or thing.__name__}"] = thing
        return thing

    return enter


@contextmanager
def custom_object_scope(custom_objects: dict[str, Any] | None) -> Iterator[None]:
    """A block in which configs that this thread reads may name these classes and functions, a dict by name."""
    if not custom_objects:
        yield
        return
    token = _scopes.set((*_scopes.get(), dict(custom_objects)))
    try:
        yield
    finally:
        _scopes.reset(token)


def find(name: Any) -> Any:
    """The class or function that the user has given this name, or None."""
    for table in (*reversed(_scopes.get()), _everywhere):
        if isinstance(name, str) and table.get(name) is not None:
            return table[name]
    return None


def names() -> list[str]:
    """All names that `find` knows."""
    return [name for table in (*_scopes.get(), _everywhere) for name in table]


def name_of(thing: Any) -> str | None:
    """The name under which `thing` was registered; for a class of the user's that was not, its own; else None."""
    for table in (_everywhere, *reversed(_scopes.get())):
        for name, known in table.items():
            if known is thing:
                return name
    return thing.__name__ if isinstance(thing, type) and not is_own(thing) else None


def get_custom_objects() -> dict[str, Any]:
    """The live table of registered classes and functions."""
    return _everywhere


def get_registered_name(obj: Any) -> str:
    """The name under which `obj` was registered, else its own name."""
    return name_of(obj) or obj.__name__


def get_registered_object(
    name: str, custom_objects: dict[str, Any] | None = None, module_objects: dict[str, Any] | None = None
) -> Any:
    """The class or function registered under `name`, or None."""
    found = (custom_objects or {}).get(name, find(name))
    return (module_objects or {}).get(name) if found is None else found
