"""Weights in several files, as Keras 3 shares them out: `x.weights.json`, and `x_00000.weights.h5` and on beside it."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from keryx.core import plain
from keryx.errors import ConfigError, FileError
from keryx.saving import atomic, hdf5, hdf5_writer, layout
from keryx.saving.arrays import arrays_of
from keryx.saving.limits import Budget

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_GB = 2**30
_SHARD = re.compile(r"[^/\\:\0]*_\d{5,}\.weights\.h5")


def write(root: Any, path: Path, arrays: Mapping[str, np.ndarray], max_shard_size: float) -> None:
    """Write arrays by path into shards of at most `max_shard_size` GB, and what says which is where.

    The shards get numbers that are not in use, and replace the old ones at the moment when `path` does.

    Raises:
        FileError: Where an array is larger than a shard may be, or a file cannot be written.
    """
    shards: list[dict[str, np.ndarray]] = [{}]
    room = limit = max_shard_size * _GB
    for name, array in arrays.items():
        if array.nbytes > limit:
            raise FileError(
                f"The array {name!r} has {array.nbytes:,} bytes, more than max_shard_size={max_shard_size} GB "
                f"({int(limit):,} bytes). Let shards be larger."
            )
        if array.nbytes > room:
            shards.append({})
            room = limit
        shards[-1][name] = array
        room -= array.nbytes
    with _alone(path.parent):
        old = {int(file.name[len(_base(path)) + 1 :].split(".")[0]): file for file in _shards(path)}
        first = 0 if not any(i in old for i in range(len(shards))) else max(old) + 1
        where: dict[str, Any] = {}
        for i, shard in enumerate(shards, first):
            file = path.with_name(f"{_base(path)}_{i:05}.weights.h5")
            with atomic.writing(file) as stream:
                hdf5_writer.write(stream, layout.as_groups(root, shard))
            for group in dict.fromkeys("/" + name.rpartition("/")[0] for name in shard):
                where[group] = [*where.get(group, []), file.name]
        total = sum(array.nbytes for array in arrays.values())
        said = {group: files[0] if len(files) == 1 else files for group, files in where.items()}
        with atomic.writing(path) as stream:
            stream.write(json.dumps({"metadata": {"total_size": total}, "weight_map": said}, indent=4).encode())
        for file in old.values():
            file.unlink(missing_ok=True)


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of all shards by path.

    Raises:
        FileError: Where a file is missing, is damaged, or is named by more than a name.
    """
    budget = Budget()
    try:
        text = path.read_bytes() if path.stat().st_size <= plain.MAX_TEXT else b""
        index = plain.loads(text, str(path))
    except FileNotFoundError:
        raise FileError(f"There is no file {path}.") from None
    except ConfigError as error:
        raise FileError(str(error)) from None
    where = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(where, dict):
        raise FileError(f"{path} does not say which weights are where: it has no 'weight_map'.")
    named = {file: None for files in where.values() for file in (files if isinstance(files, list) else [files])}
    arrays: dict[str, np.ndarray] = {}
    for name in named:
        if not isinstance(name, str) or not _SHARD.fullmatch(name):
            raise FileError(f"{path} names {name!r:.100}, which is no 'name_00000.weights.h5' beside it.")
        shard = path.with_name(name)
        if shard.is_symlink() or not shard.is_file():
            raise FileError(f"{path} names {name!r}, and there is no such file beside it.")
        found = arrays_of(hdf5.read(shard, budget))
        if twice := arrays.keys() & found.keys():
            raise FileError(f"{path}: {min(twice)!r} is in two of its files.")
        arrays |= found
    return arrays


def _base(path: Path) -> str:
    return path.name.removesuffix(".json").removesuffix(".weights")


def _shards(path: Path) -> list[Path]:
    """The shards of this name that there are."""
    pattern = re.compile(re.escape(_base(path)) + r"_\d{5,}\.weights\.h5")
    return [file for file in path.parent.iterdir() if pattern.fullmatch(file.name)] if path.parent.is_dir() else []


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """A block that no other writer of shards in this folder is in."""
    if not fcntl or not folder.is_dir():
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
