"""Files from the web: fetched once, checked, put in their place whole."""

import errno
import hashlib
import os
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from keryx.errors import ArgumentError, FileError, warn
from keryx.screens import tell
from keryx.utils.files.extraction import extract as unpack
from keryx.utils.files.transfer import Part


def get_file(
    fname: str | os.PathLike | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Sequence[str] | None = "auto",
    cache_dir: str | os.PathLike | None = None,
    force_download: bool = False,
) -> str:
    """The path of a file that is fetched where it is not in the cache yet.

    An interrupted download goes on where it stopped, within the call and in the next one, if the server can tell that
    the file is still the same. What has come is put in its place when it is whole and its checksum is right; so long,
    the file that was there before stays.

    Args:
        fname: The file's name in the cache; by default that of the URL. With `extract`, a name without a dot is
            that of the folder.
        origin: The URL: https, http or file. An https server may not send us on to another kind.
        untar: The same as `extract`, for tar archives only.
        md5_hash: The same as `file_hash`, of the md5.
        file_hash: The checksum of the file: sha256 or md5, in hexadecimal digits.
        cache_subdir: The folder below `cache_dir`, or an absolute path.
        hash_algorithm: `sha256`, `md5` or `auto`, which tells them by their length.
        extract: Whether the file is an archive to unpack, into a folder that is replaced when the archive is newer.
            No member can be written anywhere else.
        archive_format: `tar`, `zip`, a list of these, or `auto` for both.
        cache_dir: By default `KERAS_HOME` of the environment, or `~/.keryx`.
        force_download: Whether it is fetched even where it is in the cache.

    Returns:
        The path of the file, or that of the folder where it is unpacked.

    Raises:
        FileError: Where the file cannot be fetched, is not what its checksum says, or holds what is refused.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.txt").write_text("text")
    >>> path = get_file(origin=(folder / "a.txt").as_uri(), cache_dir=folder / "cache")
    Downloading data from file:///...
    ...
    >>> Path(path).relative_to(folder).as_posix(), Path(path).read_text()
    ('cache/datasets/a.txt', 'text')
    """
    if not origin:
        raise ArgumentError("get_file wants origin=, the URL of the file.")
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    checksum = None if file_hash is None else Checksum(file_hash, hash_algorithm)
    name = os.fspath(fname) if fname else os.path.basename(urllib.parse.urlsplit(origin).path)
    if not name or name in (".", "..") or "/" in name or os.sep in name or "\0" in name:
        raise ArgumentError(
            f"fname is the name of a file, without folders; got {name!r}. The folder is cache_dir= and cache_subdir=."
            if fname
            else f"The URL {origin} does not end with the name of a file: give fname=."
        )
    folder = Path(cache_dir or home()).expanduser() / cache_subdir
    unpacks = extract or untar
    is_archive_name = not unpacks or (fname and "." in name)
    target = folder / (name if is_archive_name else f"{name}_archive")
    fetched = False
    if force_download or not _is_there(target, checksum):
        _fetch(origin, target, checksum, force_download)
        fetched = True
    if not unpacks:
        return str(target)
    unpacked = folder / (f"{name[: name.index('.')]}_extracted" if is_archive_name else name)
    if fetched or not unpacked.is_dir() or unpacked.stat().st_mtime < target.stat().st_mtime:
        unpack(target, unpacked, "tar" if untar else archive_format)
    return str(unpacked)


def home() -> Path:
    """Where files from the web are kept: `KERAS_HOME` of the environment, or `~/.keryx`."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keryx").expanduser()


class Checksum:
    """What a file has to be.

    >>> Checksum("B" * 32).algorithm
    'md5'
    """

    def __init__(self, digits: str, algorithm: str = "auto"):
        lengths = {"sha256": 64, "md5": 32}
        self.digits = str(digits).lower()
        fitting = [name for name, length in lengths.items() if length == len(self.digits)]
        self.algorithm = fitting[0] if algorithm == "auto" and fitting else algorithm
        if self.algorithm not in fitting:
            raise ArgumentError(
                "A checksum is 64 hexadecimal digits of sha256 or 32 of md5; got "
                f"{len(self.digits)} digits and hash_algorithm={algorithm!r}."
            )

    def of(self, path: Path) -> str:
        """That of a file."""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.new(self.algorithm, usedforsecurity=False)).hexdigest()

    def __str__(self):
        return f"{self.algorithm} {self.digits}"


def _is_there(target: Path, checksum: Checksum | None) -> bool:
    """Whether the cache has the file."""
    if not target.is_file():
        return False
    if checksum is None or checksum.of(target) == checksum.digits:
        return True
    tell(f"{target} is not the file whose {checksum}; it is fetched again.")
    return False


def _fetch(origin: str, target: Path, checksum: Checksum | None, force: bool) -> None:
    """Fetch a file and put it in its place."""
    url = urllib.parse.urlsplit(origin)
    if url.scheme not in ("https", "http", "file"):
        raise ArgumentError(f"get_file fetches from https, http and file URLs; got {origin!r}.")
    if url.scheme == "http" and checksum is None and url.hostname not in ("localhost", "127.0.0.1", "::1"):
        warn(f"Whoever stands between here and {origin} can change the file: take https, or give file_hash=.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with Part(target, origin) as part:
            if not force and part.waited and _is_there(target, checksum):
                return  # another process has fetched it meanwhile
            tell(f"Downloading data from {origin}")
            part.pull(anyway=checksum is not None)
            if checksum is not None and part.resumed and checksum.of(part.path) != checksum.digits:
                part.begin_again()  # what was there was of another file
                part.pull()
            found = None if checksum is None else checksum.of(part.path)
            if checksum is not None and found != checksum.digits:
                part.begin_again()
                raise FileError(
                    f"What {origin} gives has the {checksum.algorithm} {found}, where {checksum.digits} was expected: "
                    "it was damaged or changed on the way, or the file there is a new one. It is not kept."
                )
            part.place()
    except FileError:
        raise
    except OSError as error:
        why = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror or error
        raise FileError(
            f"{target} cannot be written: {why}. Give another folder: cache_dir=, or KERAS_HOME in the environment."
        ) from error
