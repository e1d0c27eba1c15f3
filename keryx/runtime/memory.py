"""How this process holds the memory of XLA's programs on a CPU: what a step has freed serves the next one."""

import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keryx import config

# Blocks and free memory up to this size, in bytes, are kept; what is above goes back to the system at once.
KEPT = 2**31 - 1  # the most that mallopt takes
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of malloc.h
_CHOSEN = "GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_ARENA_MAX"


def keep_freed() -> str:
    """Let a call have the memory that the last one freed; what was done, in words.

    XLA allocates the memory of a call anew at each call. glibc returns blocks above 32 MB, and those of any thread but
    the main one, to the system when they are freed, and the system hands them out again page by page, filled with
    zeros: half a millisecond a megabyte on a virtual machine, half of a training step on images. So large blocks are
    kept, in one heap for all threads.

    What the environment says goes before this (`MALLOC_*`, `GLIBC_TUNABLES`). Other C libraries are left as they are.
    """
    if config.freed_memory() == "returned":
        return "returned to the system, as set_freed_memory('returned') says"
    if said := [name for name in _CHOSEN if name in os.environ]:
        return f"as {', '.join(said)} in the environment says"
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return "as the C library has it, which is not glibc"
    mallopt(_ARENA_MAX, 1)
    mallopt(_MMAP_THRESHOLD, KEPT)
    mallopt(_TRIM_THRESHOLD, KEPT)
    return "kept for the next step (glibc's M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD)"


@contextmanager
def given_back(after: float = 1.0) -> Iterator[None]:
    """Give what is free back to the system at the end of work that took longer than `after` seconds.

    It takes up to 0.2 seconds a gigabyte, and as long until the next work has its memory again.
    """
    begin = time.perf_counter()
    try:
        yield
    finally:
        if time.perf_counter() - begin > after:
            give_back()


def give_back() -> None:
    """Give what is free back to the system."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


class Level:
    """Holds the process at the resident memory that it had after the first call of a program.

    A small array that outlives a call can split the block that the call has freed; then the next call's block is
    allocated elsewhere, and memory grows with each such array. After every call of `LONG` seconds the resident size is
    compared with the first, so there are two such blocks at most.
    """

    LONG = 5e-3
    GROWTH = 64 * 2**20  # bytes

    def __init__(self):
        self.normal: int | None = None

    def after_call(self, seconds: float) -> None:
        """Give what is free back to the system after the program's first call, and when the process has grown."""
        if seconds < self.LONG:
            return
        now = _resident()
        if self.normal is None or now > self.normal + self.GROWTH:
            self.normal = self.normal or now
            give_back()


def _resident() -> int:
    """Bytes of memory that this process occupies; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _of_glibc(name: str) -> Any:
    """A function of glibc, unless it is not there or the environment says how memory is held."""
    if os.name != "posix" or any(chosen in os.environ for chosen in _CHOSEN):
        return None
    return getattr(ctypes.CDLL(None), name, None)
