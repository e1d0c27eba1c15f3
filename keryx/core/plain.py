"""Plain data from outside: how deep, how large, of which numbers it may be, and what may be built from it.

All of it is checked before the first object is made, and everything that goes wrong while the objects are made comes
out as a ConfigError.
"""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from keryx.core.names import is_name
from keryx.errors import ConfigError, KeryxError

MAX_TEXT = 32 * 2**20  # characters of JSON
MAX_DEPTH = 1_000  # lists and dicts within each other; each nested model takes four
MAX_VALUES = 5_000_000
MAX_INT = 2**64


def physical_memory() -> int:
    """The machine's memory, bytes."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # pragma: no cover  # Windows
        return 2**36


@dataclass
class _Reading:
    """What one reading of a config has used up, and the objects in it that others refer to."""

    bytes_left: int
    shared: dict[Any, Any] = field(default_factory=dict)


_reading: ContextVar[_Reading | None] = ContextVar("reading", default=None)
_budget: ContextVar[int | None] = ContextVar("budget", default=None)
_OF_THE_BASE = tuple(f"unexpected keyword argument {name!r}" for name in ("name", "trainable", "dtype"))


@contextmanager
def budget(nbytes: int) -> Iterator[None]:
    """A block in which the weights that a config describes may take no more than this; else the machine's memory."""
    token = _budget.set(nbytes)
    try:
        yield
    finally:
        _budget.reset(token)


@contextmanager
def reading(what: str, value: Any) -> Iterator[_Reading]:
    """A block that builds `what` from `value`: it checks it, unless an outer one has, and raises ConfigErrors only."""
    current = _reading.get()
    token = None
    try:
        if current is None:
            check(value)
            limit = _budget.get()
            current = _Reading(physical_memory() if limit is None else limit)
            token = _reading.set(current)
        yield current
    except ConfigError as error:
        if not getattr(error, "__notes__", None):
            error.add_note(f"In the config of {what}.")
        raise
    except RecursionError:
        raise ConfigError(f"The config of {what} is nested too deeply.") from None
    except Exception as error:  # whatever a hostile config can bring about
        text = str(error) if isinstance(error, KeryxError) else f"{type(error).__name__}: {error}"
        if text.endswith(_OF_THE_BASE):
            text += ", which a layer's config holds: let __init__ take **kwargs, and call super().__init__(**kwargs)."
        raise ConfigError(f"The config of {what} makes no {what}: {text}") from error
    finally:
        if token is not None:
            _reading.reset(token)


def spend(shape: tuple[int, ...], itemsize: int) -> None:
    """Take a weight off what the config being read may allocate.

    Raises:
        ConfigError: Where it is more than there is left, before anything is allocated.
    """
    current = _reading.get()
    if current is None:
        return
    nbytes = math.prod(shape) * itemsize
    if nbytes > current.bytes_left:
        raise ConfigError(
            f"The config describes a weight of shape {shape}, {nbytes:,} bytes, where {current.bytes_left:,} are left."
        )
    current.bytes_left -= nbytes


def loads(text: Any, whence: str) -> Any:
    """The plain data of a JSON text, checked.

    Raises:
        ConfigError: Where it is no JSON, too large, too deep, has a key twice, or numbers that no config has.

    >>> loads('{"units": 3}', "here")
    {'units': 3}
    >>> loads('{"units": 3, "units": 4}', "here")
    Traceback (most recent call last):
    keryx.errors.ConfigError: here: the key 'units' stands twice in one object.
    """
    if not isinstance(text, (str, bytes)):
        raise ConfigError(f"{whence} wants JSON as text; got {type(text).__name__}.")
    if len(text) > MAX_TEXT:
        raise ConfigError(f"{whence}: {len(text):,} characters are more than the {MAX_TEXT:,} that a config may have.")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ConfigError(f"{whence}: the key {twice!r} stands twice in one object.")
        return found

    def integer(digits: str) -> int:
        if len(digits) > 21:
            raise ConfigError(f"{whence}: {digits[:21]}... is no number that a config has.")
        return int(digits)

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_int=integer)
    except ConfigError:
        raise
    except RecursionError:
        raise ConfigError(f"{whence}: the JSON is nested too deeply.") from None
    except ValueError as error:
        raise ConfigError(f"{whence} wants JSON; {error}.") from None
    check(value)
    return value


def check(value: Any) -> None:
    """Refuse data that is too deep or too large, numbers out of range, and names that are none.

    Objects that are no plain data can only come from within the process, and are left alone.
    """
    values, level = [value], 0
    count = 0
    while values:
        count += len(values)
        if count > MAX_VALUES:
            raise ConfigError(f"A config has at most {MAX_VALUES:,} values; this one has more.")
        if level > MAX_DEPTH:
            raise ConfigError(f"A config is nested at most {MAX_DEPTH:,} deep; this one is deeper.")
        below: list[Any] = []
        for one in values:
            if type(one) is dict:
                _check_keys(one)
                below.extend(one.values())
            elif type(one) in (list, tuple):
                below.extend(one)
            elif type(one) is int and abs(one) > MAX_INT:
                raise ConfigError(f"An integer of {one.bit_length()} bits is no number that a config has.")
        values, level = below, level + 1


def _check_keys(one: dict[Any, Any]) -> None:
    for key in one:
        if not isinstance(key, str):
            raise ConfigError(f"The keys of a config are strings; got {key!r}.")
    if one.get("name") is not None and ("class_name" in one or "inbound_nodes" in one or "trainable" in one):
        check_name(one["name"])
    if "class_name" in one and isinstance(one.get("config"), dict) and one["config"].get("name") is not None:
        check_name(one["config"]["name"])


def check_name(name: Any) -> str:
    """`name`, or a ConfigError where it is none that a layer may have."""
    if not is_name(name):
        shown = repr(name) if len(repr(name)) < 80 else f"{name!r:.60}..."
        raise ConfigError(f"A name is a string without '/' and control characters, and not '.' or '..'; got {shown}.")
    return name
