"""Names: of objects, of their classes, and of the arguments that a class is made with."""

import functools
import inspect
import re
from typing import Any

# A name becomes part of paths, in files and in archives: it must not be able to lead anywhere else.
_NAME = re.compile(r"(?!\.{1,2}\Z)[^/\x00-\x1f\x7f]{1,1000}")


def is_name(name: Any) -> bool:
    """Whether `name` may name a layer: a string without slashes and control characters, and neither `.` nor `..`.

    >>> is_name("dense_1"), is_name("a/b"), is_name("..")
    (True, False, False)
    """
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def snake_case(name: str) -> str:
    """The name of a class as a name of an object.

    >>> snake_case("TimeDistributed"), snake_case("LSTM"), snake_case("Conv2D")
    ('time_distributed', 'lstm', 'conv2d')
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def structural_name(thing: Any) -> str:
    """The name of a thing, without the number of one that was named automatically: that is a matter of what was before.

    >>> import keryx
    >>> structural_name(keryx.layers.Dense(2, name="dense_7")), structural_name(keryx.layers.Dense(2, name="top_7"))
    ('dense', 'top_7')
    """
    kinds = rf"(forward_|backward_)?(functional|{snake_case(type(thing).__name__)})"
    return re.sub(rf"\A({kinds})_\d+\Z", r"\1", thing.name)


def untaken(name: str, taken: dict[str, int]) -> str:
    """`name`, or with a number where it is taken; it is taken from here on.

    Args:
        name: What it is to be.
        taken: The names that are taken, each with the next number to try.

    >>> taken = {}
    >>> untaken("dense", taken), untaken("dense", taken), untaken("dense", taken)
    ('dense', 'dense_1', 'dense_2')
    """
    free = name
    while free in taken:
        free = f"{name}_{taken[name]}"
        taken[name] += 1
    taken[free] = 1
    return free


def init_arguments(cls: type) -> list[str]:
    """The names of the arguments of `cls.__init__`, those that its `**kwargs` hand to a base first.

    >>> class A:
    ...     def __init__(self, name=None): ...
    >>> class B(A):
    ...     def __init__(self, units, **kwargs): ...
    >>> init_arguments(B)
    ['name', 'units']
    """
    return list(_arguments_along(cls.__mro__))


def config_arguments(cls: type) -> list[str]:
    """The arguments that the `get_config` of Keryx writes down for an object of this class.

    All of them, but where a class of the user's has a `get_config` of its own: that one answers for the arguments
    of its class, and its `super().get_config()` gives those of the classes above.

    >>> import keryx
    >>> class Scaled(keryx.layers.Identity):
    ...     __module__ = "mine"
    ...     def __init__(self, factor, **kwargs): ...
    ...     def get_config(self): ...
    >>> "factor" in config_arguments(Scaled), "name" in config_arguments(Scaled)
    (False, True)
    """
    lowest = max((i + 1 for i, c in enumerate(cls.__mro__) if "get_config" in vars(c) and not is_own(c)), default=0)
    return list(_arguments_along(cls.__mro__[lowest:]))


@functools.lru_cache(1000)
def _arguments_along(classes: tuple[type, ...]) -> tuple[str, ...]:
    names: list[str] = []
    for base in classes:
        if base is object or "__init__" not in vars(base):
            continue
        _, *parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
        own = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        names = own + [name for name in names if name not in own]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return tuple(names)


def given_arguments(cls: type, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """What an object of a class of the user's was made with, as far as it is plain data, defaults included.

    A config falls back on it for arguments that `__init__` does not store.
    """
    if is_own(cls):
        return {}
    try:
        bound = inspect.signature(cls.__init__).bind(None, *args, **kwargs)  # type: ignore[misc]
    except TypeError:
        return {}
    bound.apply_defaults()
    return {name: value for name, value in bound.arguments.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(v) for v in value)
    return value is None or isinstance(value, (bool, int, float, str))


def is_own(thing: Any) -> bool:
    """Whether a class or function is Keryx's, rather than the user's."""
    return (getattr(thing, "__module__", None) or "").partition(".")[0] == "keryx"
