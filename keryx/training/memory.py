"""The memory of a step, kept for the next one."""

import ctypes
import functools
import os

# Blocks and free memory up to this size, in bytes, are kept; what is above goes back to the system at once.
KEPT = 600 * 2**20
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h


@functools.cache
def keep_freed() -> None:
    """Let the C library keep what a step has freed, once a process.

    XLA asks for the memory of a call anew at each call. glibc gives blocks above 32 MB back to the system when they
    are freed, and the system hands them out again page by page, filled with zeros: 50 ms a gigabyte and more, a
    tenth of a training step on images. Other C libraries, and a process whose environment sets glibc's thresholds
    itself, are left as they are.
    """
    chosen = "GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"
    if any(name in os.environ for name in chosen):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, KEPT)
        mallopt(_TRIM_THRESHOLD, KEPT)
