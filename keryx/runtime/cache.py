"""Programs that earlier processes have compiled, in a folder of this user and this kind of processor.

JAX writes and reads them, but only while Keryx compiles (`lent`): before and after, its settings are those of the
process, so other code keeps the cache that it has, or none.
"""

import hashlib
import os
import platform
import shutil
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache

from keryx import config

# Writing stops where the disk has less than this left, in bytes.
SPARE_BYTES = 2**28
_SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)
_SUFFIX = "-cache"  # of the files that JAX writes
_STAMP = "checked"  # a file whose time says which entries were looked at
_NEVER = 1e9  # seconds: programs that take less time to compile are not written
# What JAX warns of before it compiles as if there were no such entry: one that another thread or process is just
# writing, one that a disk has spoilt or has no room for. Nobody has anything to do about it.
_NEEDLESS = "Error (reading|writing) persistent compilation cache entry"


@dataclass(frozen=True)
class Place:
    """Where programs are kept.

    Attributes:
        folder: The folder; None where none are kept.
        reason: Why there is none, or why it is only read; empty where all is well.
        writes: Whether new programs are written.
        limit: How many bytes are left there when a process first uses it.
    """

    folder: Path | None
    reason: str = ""
    writes: bool = False
    limit: int = 0


_lock = threading.RLock()
_places: dict[tuple, Place] = {}
_borrowers = 0
_before: dict[str, object] = {}
_ignored: list = []  # the filter of warnings, while there is one


def place() -> Place:
    """Where programs are kept; the folder is made, and brought below its limit, on the first call."""
    asked = config.compilation_cache()
    with _lock:
        if asked not in _places:
            _places[asked] = _prepared(*asked)
        return _places[asked]


def size() -> int:
    """The bytes in the folder."""
    folder = place().folder
    return sum(entry.stat().st_size for entry in _entries(folder)) if folder else 0


@contextmanager
def lent() -> Iterator[None]:
    """A block in which JAX keeps the programs that it compiles in the folder, and finds those that lie there.

    Where the process has a cache of its own (`jax_compilation_cache_dir`), that one serves.
    """
    global _borrowers
    here = place()
    if here.folder is None:
        yield
        return
    with _lock:
        if _borrowers == 0 and jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
            _before.update({name: getattr(jax.config, name) for name in _SETTINGS})
            _set(str(here.folder), 0.0 if here.writes else _NEVER, -1)
        if _before:  # for each anew: a `catch_warnings` of another thread may have put older filters back
            warnings.filterwarnings("ignore", _NEEDLESS)
            _ignored[:] = warnings.filters[:1]
        _borrowers += 1
    try:
        yield
    finally:
        with _lock:
            _borrowers -= 1
            if _borrowers == 0 and _before:
                _set(*_before.values())
                _before.clear()
                with suppress(ValueError):
                    warnings.filters.remove(_ignored[0])  # type: ignore[attr-defined]


def borrowed() -> bool:
    """Whether JAX's settings are Keryx's at this moment."""
    return bool(_before)


def _set(*values: object) -> None:
    for name, value in zip(_SETTINGS, values, strict=True):
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # JAX asks for the folder once, and remembers


def _prepared(asked: str | None, limit: int) -> Place:
    if asked is None:
        return Place(None, "turned off")
    own = asked == "auto"
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        base = home / "keryx" / "compiled" if own else Path(asked)
        folder = base / processor_key()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if own and hasattr(os, "getuid"):
            found = folder.stat()
            if found.st_uid != os.getuid() or found.st_mode & 0o022:
                return Place(None, f"{folder} can be written by others, who could put their own programs there")
        if not os.access(folder, os.R_OK | os.X_OK):
            return Place(None, f"{folder} cannot be read")
        if not os.access(folder, os.W_OK):
            return Place(folder, "it can only be read", limit=limit)
        _sweep(folder, limit)
        if shutil.disk_usage(folder).free < SPARE_BYTES:
            return Place(folder, "the disk is full", limit=limit)
    except (OSError, RuntimeError) as error:  # RuntimeError: a process of no user has no home
        return Place(None, f"{type(error).__name__}: {error}")
    return Place(folder, writes=True, limit=limit)


def processor_key() -> str:
    """A name for the kind of processor, of all features that it has: a program for another may not run on this one."""
    told = [platform.system(), platform.machine(), platform.processor()]
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        told += sorted({line for line in lines if line.startswith(("flags", "Features", "model", "CPU part"))})
    except OSError:
        pass
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _entries(folder: Path) -> list[os.DirEntry]:
    with os.scandir(folder) as entries:
        return [entry for entry in entries if entry.name.endswith(_SUFFIX)]


def _sweep(folder: Path, limit: int) -> None:
    """Delete what a process that died has left unfinished, and the least recently used programs above the limit.

    Entries are looked into once, after they were written; JAX itself does not read one whose checksum is wrong.
    """
    stamp = folder / _STAMP
    looked = stamp.stat().st_mtime if stamp.exists() else 0.0
    found = [(entry, entry.stat()) for entry in _entries(folder)]
    kept = []
    for entry, info in found:
        if info.st_mtime >= looked - 1 and not _whole(Path(entry.path)):
            Path(entry.path).unlink(missing_ok=True)
        else:
            kept.append((max(info.st_atime, info.st_mtime), info.st_size, entry.path))
    total = sum(bytes_ for _, bytes_, _ in kept)
    for _, bytes_, path in sorted(kept):
        if total <= limit:
            break
        Path(path).unlink(missing_ok=True)
        total -= bytes_
    stamp.touch()


def _whole(path: Path) -> bool:
    """Whether an entry that JAX has compressed can be read to its end; of other compressions than zlib, a guess."""
    data = path.read_bytes()
    if data[:1] != b"\x78":
        return bool(data)
    try:
        zlib.decompress(data)
    except zlib.error:
        return False
    return True
