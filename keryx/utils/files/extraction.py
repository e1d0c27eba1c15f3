"""Archives of data that are unpacked into a folder of their own, and nowhere else."""

import lzma
import os
import posixpath
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

from keryx.errors import ArgumentError, FileError
from keryx.saving import atomic
from keryx.saving.archive import Archive
from keryx.saving.limits import Budget, check_unpacked

Member = tuple[str, int, Callable[[], IO[bytes] | None]]
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, OSError, RuntimeError)


def extract(archive: Path, folder: Path, archive_format: str | Sequence[str] | None = "auto") -> None:
    """Unpack an archive into a folder, which takes the place of an old one when all is there.

    Every member becomes a file or a folder below it. A link within the archive becomes a copy of the file that it
    points to; no link is ever made.

    Args:
        archive: A tar (plain, gzip, bzip2, xz) or zip file.
        folder: The folder to make.
        archive_format: `tar`, `zip`, a list of these, or `auto` for both.

    Raises:
        FileError: Where it is no such archive, is damaged, would not fit on the disk, unpacks to far more than an
            honest file does, or has a member that leads out of the folder or is neither a file nor a folder (faults
            such as CVE-2007-4559, CVE-2024-55459, CVE-2025-12060). The old folder is untouched.

    >>> import io, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with tarfile.open(folder / "a.tar", "w") as tar:
    ...     tar.addfile(tarfile.TarInfo("../evil"), io.BytesIO())
    >>> extract(folder / "a.tar", folder / "a")
    Traceback (most recent call last):
    keryx.errors.FileError: '../evil' in .../a.tar leads out of the folder it is unpacked into...
    """
    formats = ["tar", "zip"] if archive_format == "auto" else archive_format or []
    formats = [formats] if isinstance(formats, str) else list(formats)
    if not formats or not set(formats) <= set(_READERS):
        raise ArgumentError(f"archive_format is 'auto', 'tar', 'zip' or a list of these; got {archive_format!r}.")
    for name in formats:
        matches, members = _READERS[name]
        with suppress(*_DAMAGE):
            if matches(archive):
                break
    else:
        raise FileError(f"{archive} cannot be unpacked: it is no {' or '.join(formats)} archive, or is damaged.")
    with atomic.writing_folder(folder, at_once=True) as new:
        free, total, size = shutil.disk_usage(new).free, 0, archive.stat().st_size
        for name, nbytes, opened in _told(members(archive), archive):
            total += nbytes
            check_unpacked(total, size, f"{archive}")
            if total > free:
                raise FileError(f"{archive} unpacks to more than the {free:,} bytes that are free on this disk.")
            _write(new.joinpath(*_steps(name, archive)), opened, f"{name!r:.200} in {archive}")


def _write(path: Path, opened: Callable[[], IO[bytes] | None], what: str) -> None:
    """Write a member as a new file; all below the folder is files and folders that were made here."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb") as file:
            for block in _told(_blocks(opened), what):
                file.write(block)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise FileError(f"{what} stands where another member of the archive stands.") from None


def _blocks(opened: Callable[[], IO[bytes] | None]) -> Iterator[bytes]:
    source = opened()
    assert source is not None  # a file has one
    with source:
        yield from iter(lambda: source.read(2**20), b"")


def _told(pieces: Iterator, what: object) -> Iterator:
    """What an archive gives, the ways in which it can be damaged told as ours."""
    try:
        yield from pieces
    except FileError:
        raise
    except _DAMAGE as error:
        raise FileError(f"{what} is damaged or truncated: {error}. Nothing was unpacked.") from error


def _steps(name: str, archive: Path) -> list[str]:
    """The folders and the file of a member's name."""
    steps = [step for step in name.split("/") if step not in ("", ".")]
    odd = "\0" in name or (os.name == "nt" and ("\\" in name or ":" in name))
    if not steps or ".." in steps or name.startswith("/") or odd:
        raise FileError(
            f"{name!r:.200} in {archive} leads out of the folder it is unpacked into. "
            "The archive is not to be trusted; nothing was unpacked."
        )
    return steps


def _tar_members(path: Path) -> Iterator[Member]:
    with tarfile.open(path) as tar:
        files: dict[str, tarfile.TarInfo] = {}
        for member in tar:
            what = f"{member.name!r:.200} in {path}"
            if member.isdir():
                continue
            if member.issym() or member.islnk():
                beside = posixpath.dirname(member.name) if member.issym() else ""
                target = posixpath.normpath(posixpath.join(beside, member.linkname))
                files = files or {posixpath.normpath(m.name): m for m in tar.getmembers() if m.isreg()}
                file = files.get(target)
                if file is None:
                    raise FileError(
                        f"{what} is a link to {member.linkname!r:.200}, which is no file of this archive. "
                        "The archive is not to be trusted; nothing was unpacked."
                    )
            elif member.isreg():
                file = member
            else:
                raise FileError(f"{what} is neither a file nor a folder but a device or a pipe; nothing was unpacked.")
            yield member.name, file.size, partial(tar.extractfile, file)
        assert tar.fileobj is not None
        tar.fileobj.seek(tar.offset)
        end = tar.fileobj.read(tarfile.BLOCKSIZE)  # of zeros, or nothing
        if any(end) or len(end) not in (0, tarfile.BLOCKSIZE):
            raise FileError(f"{path} is damaged or truncated after {tar.offset:,} bytes. Nothing was unpacked.")


def _zip_members(path: Path) -> Iterator[Member]:
    checked = Archive(path, Budget(nbytes=0))  # refuses names that lead out, links, what is encrypted, stands twice
    with zipfile.ZipFile(path) as archive:
        for name in checked:
            yield name, archive.getinfo(name).file_size, partial(archive.open, name)


_READERS = {"tar": (tarfile.is_tarfile, _tar_members), "zip": (zipfile.is_zipfile, _zip_members)}
