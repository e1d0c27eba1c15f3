"""The process's own source of randomness, on the host: a seed, and how often it was drawn from."""

import secrets
import threading

_lock = threading.Lock()
_seed = secrets.randbits(63)
_count = 0


def set_seed(seed: int) -> None:
    """Start again from `seed`: all that is drawn from here on is the same each time."""
    global _seed, _count
    with _lock:
        _seed, _count = int(seed), 0


def seed() -> int:
    """The process's seed: given with `set_seed`, else drawn from the system at import."""
    return _seed


def next_seed() -> tuple[int, int]:
    """The seed and a count that no one has had since it was set."""
    global _count
    with _lock:
        _count += 1
        return _seed, _count
