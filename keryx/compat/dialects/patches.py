"""Attributes that stand in the place of others while a dialect is active, and the constructors that translate."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from keryx.compat.dialects.words import calls

_ABSENT = object()


class Patches:
    """Attributes that are set, and can be taken back in the opposite order.

    >>> import types
    >>> box, patches = types.SimpleNamespace(a=1), Patches()
    >>> patches.set(box, "a", 2), patches.set(box, "b", 3)
    (None, None)
    >>> patches.undo(), box
    (None, namespace(a=1))
    """

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Let an attribute of a module or class be another."""
        self._before.append((owner, name, vars(owner).get(name, _ABSENT)))
        setattr(owner, name, value)

    def undo(self) -> None:
        """Put back what stood there."""
        while self._before:
            owner, name, value = self._before.pop()
            if value is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


def by_keryx(depth: int) -> bool:
    """Whether the call so many frames above is written in Keryx, where the words are today's."""
    return sys._getframe(depth + 1).f_globals.get("__name__", "").partition(".")[0] == "keryx"


def constructor(age: int, cls: type) -> Callable:
    """`cls.__init__`, that takes the words of an age from whoever calls it from outside of Keryx."""
    original = cls.__init__  # type: ignore[misc]

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        if by_keryx(1):
            original(self, *args, **kwargs)
            return
        made = calls.arguments(age, cls.__name__, cls, args, kwargs)
        weights = made.pop("weights", None)
        original(self, **made)
        if weights is not None:
            begin_with(self, weights)

    return __init__


def method(age: int, name: str, original: Callable, translate: Callable[..., Any]) -> Callable:
    """A method that takes the words of an age: `translate(self, given, call)` gets them by name.

    Args:
        age: 1 or 2.
        name: The method's name.
        original: The method of today, or a function of its name for what is gone.
        translate: What is called; its `call(**arguments)` is the method of today.
    """
    words = calls.positions(age, name, original)

    @functools.wraps(original)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        if by_keryx(1):
            return original(self, *args, **kwargs)
        given = calls.bound(f"{name}()", words, args, kwargs)
        return translate(self, given, functools.partial(original, self))

    return called


def begin_with(layer: Any, weights: Any) -> None:
    """Let a layer that is not built yet have these weights when it is: what `weights=` meant."""
    build = layer.build

    def build_once(*args: Any, **kwargs: Any) -> None:
        del vars(layer)["build"]
        build(*args, **kwargs)
        layer.set_weights([np.asarray(value) for value in weights])

    vars(layer)["build"] = functools.wraps(build)(build_once)
