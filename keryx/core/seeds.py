"""The one source of seeds on the host: a global seed, and a counter that moves on at each draw."""

import operator
import secrets
import threading
from typing import Any

import numpy as np

from keryx.errors import ConfigError

_lock = threading.Lock()
_seed = secrets.randbits(32)
_counter = 0


def as_seed(value: Any) -> int:
    """`value` as an integer, or an error that says what a seed is.

    >>> as_seed(7)
    7
    """
    try:
        return operator.index(value)
    except TypeError:
        raise ConfigError(f"A seed is an integer; got {value!r}.") from None


def set_seed(seed: int) -> None:
    """Start the global sequence of seeds anew from `seed`.

    >>> set_seed(7)
    >>> next_seed(), next_seed()
    ((7, 0), (7, 1))
    """
    global _seed, _counter
    number = as_seed(seed)
    with _lock:
        _seed, _counter = number, 0


def seed() -> int:
    """The global seed: the one last set, else one that the process drew when it started."""
    return _seed


def state() -> tuple[int, int]:
    """The global seed, and how many have been drawn of it."""
    with _lock:
        return _seed, _counter


def restore(seed: int, counter: int) -> None:
    """Go on from what `state` gave."""
    global _seed, _counter
    with _lock:
        _seed, _counter = as_seed(seed), as_seed(counter)


def next_key() -> np.ndarray:
    """A raw random key, uint32 (2,), that no other call gives until the seed is set again."""
    start, count = next_seed()
    return np.array((start % 2**32, count % 2**32), np.uint32)


def next_seed() -> tuple[int, int]:
    """The pair (seed, counter), which no other call gives until the seed is set again."""
    global _counter
    with _lock:
        pair = (_seed, _counter)
        _counter += 1
    return pair
