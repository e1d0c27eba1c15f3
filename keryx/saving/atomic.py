"""Files that are written whole or not at all."""

import errno
import os
import stat
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
    unfinished = target.with_name(f".{target.name[:100]}.{uuid.uuid4().hex}{_UNFINISHED}")
    try:
        try:
            with open(unfinished, "x+b") as file:
                _lock(file)
                _permit(file, target)
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, target)
            sync_folder(target.parent)
        finally:
            unfinished.unlink(missing_ok=True)
        _sweep(target)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full" if full else f"{error.strerror or error}"
        rest = "What was there before is untouched." if target.exists() else "Nothing was written."
        raise FileError(f"{path} could not be written: {why}. {rest}") from error


def _lock(file: BinaryIO) -> None:
    """Show other writers that this file has one; the lock ends with the process, however that ends."""
    if fcntl:
        with suppress(OSError):  # some network file systems have none
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


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
        with suppress(OSError), open(left, "rb") as file:
            if time.time() - left.stat().st_mtime > 60:  # or it may be made just now, and not be locked yet
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where its writer lives
                left.unlink()
