"""The process that compiled code runs in: what it lends is taken here, once, and not in a forked child."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from keryx.errors import ForkError
from keryx.runtime import cache, memory

owner: int | None = None  # the process in which `ready` has done its work
_memory = "not asked yet: no weight was made, and no program ran"
_lock = threading.Lock()


def ready() -> None:
    """Take what compiled code needs of this process, on the first call; cheap afterwards.

    Raises:
        ForkError: In a child that was forked when compiled code had run in its parent: JAX's threads are not there.
    """
    if owner != os.getpid():
        _take()


@contextmanager
def compiling() -> Iterator[None]:
    """A block that may compile: it is ready, and finds the programs that earlier processes have compiled."""
    ready()
    with cache.lent():
        yield


def _take() -> None:
    global owner, _memory
    if owner is not None:
        raise ForkError(
            "This process was forked from one in which Keryx had run compiled code, whose threads a fork does not "
            "copy: it would hang. Start processes with the method 'spawn' (multiprocessing.get_context('spawn')), or "
            "fork before the first weight is made."
        )
    with _lock:
        if owner is None:
            _memory = memory.keep_freed()
            owner = os.getpid()


def freed_memory() -> str:
    """What becomes of memory that compiled code has freed, in words."""
    return _memory
