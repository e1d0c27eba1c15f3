"""The one source of seeds on the host: a global seed, and a counter that moves on at each draw."""

import operator
import random
import threading
from typing import Any

import numpy as np

from keryx.errors import ConfigError

_lock = threading.Lock()
_seed = random.SystemRandom().getrandbits(32)
_counter = 0
_is_set = False  # by anybody


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
    global _seed, _counter, _is_set
    number = as_seed(seed)
    with _lock:
        _seed, _counter, _is_set = number, 0, True


def seed() -> int:
    """The global seed: the one last set, else one that the process drew when it started."""
    return _seed


def state() -> tuple[int, int]:
    """The global seed, and how many have been drawn of it."""
    with _lock:
        return _seed, _counter


def restore(seed: int, counter: int) -> None:
    """Go on from what `state` gave."""
    global _seed, _counter, _is_set
    with _lock:
        _seed, _counter, _is_set = as_seed(seed), as_seed(counter), True


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


def is_set() -> bool:
    """Whether anybody has set the global seed."""
    return _is_set


def first_seed() -> tuple[int, int]:
    """The pair that weights, and the order of a training, begin from.

    Where nobody has set a seed here, it is drawn by Python's `random`, so that `random.seed(1)` alone makes them come
    out the same, as in Keras: SciKeras's `random_state` relies on that.
    """
    return next_seed() if _is_set else (random.getrandbits(32), random.getrandbits(31))
