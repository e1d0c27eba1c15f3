"""What the machine can do: the ceilings of a roofline, measured once a process, and the memory that is free."""

import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from keryx.runtime import process

_RUNS, _SECONDS = 5, 0.2  # of each measurement, at least
_CHAIN = 200


class Ceilings(NamedTuple):
    """What the device does at best.

    Attributes:
        flops: Floating-point operations a second, of a product of large float32 matrices.
        bytes: Bytes a second that are read or written, of arrays beyond any cache.
        near_bytes: Likewise of arrays that a cache holds.
        near: The most bytes that an operation reads and writes in a cache.
        operation: Seconds that an operation takes which has next to nothing to do.
        call: Seconds that a call of a compiled program takes which computes nothing.
    """

    flops: float
    bytes: float
    near_bytes: float
    near: int
    operation: float
    call: float


@functools.cache
def ceilings() -> Ceilings:
    """The ceilings of the device that programs run on: a second of measurements, once."""
    process.ready()  # holds memory as programs will find it
    large = jax.default_backend() != "cpu"
    side, far, near = (8192, 2**28, 2**22) if large else (512, 2**24, 2**20)  # elements of float32
    matrix = jnp.ones((side, side))
    flops = 2 * side**3 / _best(jax.jit(lambda x: x @ x), matrix)
    call = _best(jax.jit(lambda x: x + 1), jnp.zeros(8))
    add = jax.jit(lambda x: x + 1)
    beyond, within = jnp.zeros(far), jnp.zeros(near)
    speeds = [8 * x.size / max(_best(add, x) - call, 1e-7) for x in (beyond, within)]

    def chain(x: Any) -> Any:  # products follow one another: none can be fused
        return jax.lax.fori_loop(0, _CHAIN, lambda i, x: x @ x, x)

    operation = max(_best(jax.jit(chain), jnp.eye(8)) - call, 0.0) / _CHAIN
    return Ceilings(flops, speeds[0], max(speeds), 8 * near, operation, call)


def _best(program: Callable, x: Any) -> float:
    """The least time of a call: what else the machine does only makes it longer."""
    jax.block_until_ready(program(x))
    taken: list[float] = []
    while len(taken) < _RUNS or sum(taken) < _SECONDS:
        begin = time.perf_counter()
        jax.block_until_ready(program(x))
        taken.append(time.perf_counter() - begin)
    return min(taken)


def free_memory() -> int | None:
    """The bytes that are free on the device that programs run on; None where nobody says."""
    device = jax.devices()[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"] - stats.get("bytes_in_use", 0))
    return _free_on_host() if device.platform == "cpu" else None


def _free_on_host() -> int | None:
    """The memory that the system could give this process: of the machine, or of the container that it runs in."""
    found = [_available(), _left_in_group("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current")]
    known = [free for free in found if free is not None]
    return min(known) if known else None


def _available() -> int | None:
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")  # all there is
    except (ValueError, OSError, AttributeError):
        return None


def _left_in_group(limit: str, used: str) -> int | None:
    try:
        return int(Path(limit).read_text()) - int(Path(used).read_text())  # the limit may be "max": none
    except (OSError, ValueError):
        return None
