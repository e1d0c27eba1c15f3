"""What Keryx has taken of the process."""

from dataclasses import dataclass

import jax

from keryx.runtime import cache, process


@dataclass(frozen=True)
class Report:
    """What Keryx has taken of the process.

    Attributes:
        memory: What becomes of memory that compiled code has freed, in words.
        cache: The folder of compiled programs, or None.
        cache_bytes: How much lies there.
        cache_limit: How much is left there when a process first uses it.
        cache_reason: Why there is no folder, or why nothing is written to it; empty where all is well.
    """

    memory: str
    cache: str | None
    cache_bytes: int
    cache_limit: int
    cache_reason: str

    def __str__(self) -> str:
        kept = f"{self.cache}, {self.cache_bytes / 2**20:,.1f} of {self.cache_limit / 2**20:,.0f} MiB"
        reason = f" ({self.cache_reason})" if self.cache_reason else ""
        return f"freed memory: {self.memory}\ncompiled programs: {kept if self.cache else 'not kept'}{reason}"

    __repr__ = __str__


def report() -> Report:
    """What Keryx has taken of the process: memory, and the folder of compiled programs.

    >>> import keryx
    >>> print(keryx.runtime.report())
    freed memory: ...
    compiled programs: ...
    """
    own = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    here = cache.place()
    if own is not None and not cache.borrowed():
        return Report(process.freed_memory(), own, 0, 0, "JAX's own, which the process has set")
    folder = None if here.folder is None else str(here.folder)
    return Report(process.freed_memory(), folder, cache.size(), here.limit, here.reason)
