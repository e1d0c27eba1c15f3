"""Files that are written whole or not at all."""

import ctypes
import errno
import os
import shutil
import stat
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from keryx.errors import FileError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_UNFINISHED = ".unfinished"


@contextmanager
def writing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A block that writes a new file, which takes the place of the old one when the block is done.

    Until then it lies beside the target under a name of its own. It is synced to the disk before it is renamed, and
    the folder after, so that whatever happens, a crash of the machine included, the old file or the new one is there.
    The target's permissions stay; of a symbolic link the file that it points to is replaced.

    Args:
        path: The target; its folder has to exist.

    Raises:
        FileError: Where the file cannot be written; the old one is untouched.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a"
    >>> with writing(path) as file:
    ...     _ = file.write(b"whole")
    >>> path.read_bytes()
    b'whole'
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise FileError(f"{path} is a folder; give the name of a file.")
    if not target.parent.is_dir():
        raise FileError(f"{path} cannot be written: there is no folder {target.parent}.")
    unfinished = _beside(target)
    with _failures_told(path, target):
        try:
            with open(unfinished, "x+b") as file:
                _lock(file.fileno())
                _permit(file, target)
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, target)
            sync_folder(target.parent)
        finally:
            unfinished.unlink(missing_ok=True)
        _sweep(target)


@contextmanager
def writing_folder(path: str | os.PathLike, at_once: bool = False) -> Iterator[Path]:
    """A block that fills a new folder, which takes the place of the old one when the block is done.

    All in it is synced to the disk, and then both folders exchange their names in one moment, where the system can
    (Linux and macOS, on most file systems); else the old one is moved aside first, under a name that begins with its
    own after a dot, and back if the new one cannot be put in its place.

    Args:
        path: The target; the folder that it lies in has to exist.
        at_once: Whether the system is asked to write all that waits, rather than each file: for thousands of files.

    Raises:
        FileError: Where it cannot be written; the old folder is untouched.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a"
    >>> with writing_folder(path) as folder:
    ...     _ = (folder / "b").write_text("whole")
    >>> (path / "b").read_text()
    'whole'
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileError(f"{path} cannot be written: there is no folder {target.parent}.")
    unfinished = _beside(target)
    with _failures_told(path, target):
        try:
            unfinished.mkdir()
            with _held(unfinished):
                if target.is_dir():
                    shutil.copymode(target, unfinished)
                yield unfinished
                together = at_once and hasattr(os, "sync")
                if together:
                    os.sync()
                for folder, _, names in () if together else os.walk(unfinished):
                    for name in names:
                        with open(os.path.join(folder, name), "rb+") as file:
                            os.fsync(file.fileno())
                    sync_folder(Path(folder))
                _put_folder(unfinished, target)
                sync_folder(target.parent)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)  # the old one, once they are exchanged
        _sweep(target)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """A block that shows other writers that this folder has one."""
    descriptor = os.open(folder, os.O_RDONLY) if fcntl else None
    try:
        if descriptor is not None:
            _lock(descriptor)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _beside(target: Path) -> Path:
    """A new name in the target's folder."""
    return target.with_name(f".{target.name[:100]}.{uuid.uuid4().hex}{_UNFINISHED}")


@contextmanager
def _failures_told(path: str | os.PathLike, target: Path) -> Iterator[None]:
    """A block whose failures of the system are told as ours."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full" if full else f"{error.strerror or error}"
        rest = "What was there before is untouched." if target.exists() else "Nothing was written."
        raise FileError(f"{path} could not be written: {why}. {rest}") from error


def _put_folder(new: Path, target: Path) -> None:
    """Let a folder take the place of another, if there is one, which has the name of the new one afterwards."""
    if not target.exists():
        new.rename(target)
    elif not _exchange(new, target):
        aside = new.with_suffix(".old")
        target.rename(aside)
        try:
            new.rename(target)
        except BaseException:
            aside.rename(target)
            raise
        aside.rename(new)


def _exchange(a: Path, b: Path) -> bool:
    """Exchange two names in one moment; whether the system and the file system can."""
    if os.name != "posix":
        return False
    system = ctypes.CDLL(None)
    names, swap, here = (os.fsencode(a), os.fsencode(b)), 2, -100  # RENAME_EXCHANGE or RENAME_SWAP; AT_FDCWD
    if sys.platform == "linux" and hasattr(system, "renameat2"):
        return bool(system.renameat2(here, names[0], here, names[1], swap) == 0)
    if sys.platform == "darwin" and hasattr(system, "renamex_np"):
        return bool(system.renamex_np(*names, swap) == 0)
    return False


def _lock(descriptor: int) -> None:
    """Show other writers that this file has one; the lock ends with the process, however that ends."""
    if fcntl:
        with suppress(OSError):  # some network file systems have none
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _permit(file: BinaryIO, target: Path) -> None:
    """Give the new file the permissions of the old one."""
    if not target.exists() or not hasattr(os, "fchmod"):
        return
    old = target.stat()
    with suppress(OSError):  # only the owner may, and root alone may give a file away
        os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
        os.fchown(file.fileno(), old.st_uid, old.st_gid)


def sync_folder(folder: Path) -> None:
    """Let what was renamed in a folder reach the disk."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems cannot sync a folder
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(target: Path) -> None:
    """Delete what writers of this target have left that were killed."""
    if not fcntl:
        return
    for left in target.parent.glob(f".{target.name[:100]}.*{_UNFINISHED}"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime < 60:
                continue  # it may be made just now, and not be locked yet
            descriptor = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where its writer lives
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            finally:
                os.close(descriptor)
