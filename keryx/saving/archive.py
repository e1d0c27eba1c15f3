"""Zip archives of a model's parts: read by a list of our own, written in one pass.

Nothing is ever extracted to a place that the archive names. A part that is stored as it is, as Keras writes them, is
a view of the file's bytes.
"""

import io
import mmap
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from keryx.errors import FileError, listing
from keryx.saving.limits import Budget, check_unpacked

MAGIC = b"PK\x03\x04"
_STORED, _DEFLATED = 0, 8
_PIECE = 2**20  # bytes


class Archive:
    """The parts of a zip archive by name, all checked before the first is read.

    Args:
        path: The file.
        budget: What its reading may use up.
        data: Its bytes, where they are in memory already; `path` is then what errors call it.

    Raises:
        FileError: Where it is no archive, is damaged, or has parts that are encrypted, stand twice, share bytes, or
            have names that lead elsewhere.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/a.zip"
    >>> with zipfile.ZipFile(path, "w") as archive:
    ...     archive.writestr("config.json", "{}")
    >>> archive = Archive(path)
    >>> list(archive), bytes(archive["config.json"])
    (['config.json'], b'{}')
    """

    def __init__(self, path: str | os.PathLike, budget: Budget | None = None, data: memoryview | None = None):
        self.path, self.budget = Path(path), budget or Budget()
        try:
            with open(self.path, "rb") if data is None else io.BytesIO(data) as file:
                parts = zipfile.ZipFile(file).infolist()
                self._data = _mapped(file) if data is None else data
        except FileNotFoundError:
            raise FileError(f"There is no file {self.path}.") from None
        except OSError as error:
            raise FileError(f"{self.path} cannot be read: {error.strerror or error}.") from error
        except Exception as error:  # zipfile raises many kinds on damaged files
            raise FileError(f"{self.path} is no archive, or is truncated or damaged: {error}.") from None
        self.budget.count(len(parts))
        self._parts: dict[str, tuple[zipfile.ZipInfo, int]] = {}
        for part in parts:
            if not part.filename.endswith("/"):
                self._parts[part.filename] = part, self._checked(part)
        self._refuse_shared_bytes()

    def __iter__(self):
        return iter(self._parts)

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def __getitem__(self, name: str) -> memoryview:
        """The bytes of a part.

        Raises:
            FileError: Where there is no such part, or its bytes are not those that were written.
        """
        if name not in self._parts:
            raise FileError(f"{self.path} has no part {name!r}; it has {listing(self._parts)}.")
        part, start = self._parts[name]
        data = self._data[start : start + part.compress_size]
        if part.compress_type == _DEFLATED:
            self.budget.allocate(part.file_size, f"{name!r} in {self.path}")
            try:
                data = memoryview(zlib.decompressobj(-15).decompress(data, part.file_size + 1))
            except zlib.error as error:
                raise FileError(f"{name!r} in {self.path} cannot be unpacked: {error}.") from None
            if len(data) != part.file_size:
                raise FileError(f"{name!r} in {self.path} has another length than the archive says: damaged.")
        return data

    def check(self, name: str) -> bool:
        """Whether the checksum of a part is that of its bytes."""
        return zlib.crc32(self[name]) == self._parts[name][0].CRC

    def _checked(self, part: zipfile.ZipInfo) -> int:
        """Where the bytes of a part begin, once all that the archive says of it is checked."""
        name, where = part.filename, f"{part.filename!r:.200} in {self.path}"
        if name in self._parts:
            raise FileError(f"{where} stands there twice.")
        steps = name.split("/")
        if not name.isprintable() or "\\" in name or ":" in name or any(step in ("", ".", "..") for step in steps):
            raise FileError(f"{where} has a name that could lead out of the archive.")
        if part.flag_bits & 0x1:
            raise FileError(f"{where} is encrypted.")
        if (part.external_attr >> 28) == 0xA:
            raise FileError(f"{where} is a symbolic link.")
        if part.compress_type not in (_STORED, _DEFLATED):
            raise FileError(f"{where} is packed by method {part.compress_type}; stored and deflated parts are read.")
        check_unpacked(part.file_size, part.compress_size, where)
        if part.compress_type == _STORED and part.compress_size != part.file_size:
            raise FileError(f"{where} has two lengths: damaged.")
        head = bytes(self._data[part.header_offset :][:30])
        if len(head) < 30 or head[:4] != MAGIC:
            raise FileError(f"{where} does not begin where the archive says: damaged.")
        start = part.header_offset + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        if start + part.compress_size > len(self._data):
            raise FileError(f"{where} goes on after the end of the file: truncated or damaged.")
        named = bytes(self._data[part.header_offset + 30 :][: int.from_bytes(head[26:28], "little")])
        if part.flag_bits & 0x800 and named != part.orig_filename.encode(errors="replace"):
            raise FileError(f"{where} has two names: damaged.")
        return start

    def _refuse_shared_bytes(self) -> None:
        """Parts that share bytes are how a small archive unpacks to a huge one."""
        spans = sorted((part.header_offset, start + part.compress_size) for part, start in self._parts.values())
        for (_, end), (begin, _) in pairwise(spans):
            if begin < end:
                raise FileError(f"Two parts of {self.path} share bytes.")


def _mapped(file: Any) -> memoryview:
    """The bytes of a file, read as they are wanted."""
    size = os.fstat(file.fileno()).st_size
    return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b"")


class Writer:
    """An archive in the making: parts are stored as they are, one after another, of any size.

    After PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.5.3 (zip64). Python's zipfile would read every byte once more for
    its checksum, which those who write large arrays know already.

    Args:
        file: Where it is written to, from its beginning on; it can seek.

    >>> import io
    >>> file = io.BytesIO()
    >>> writer = Writer(file)
    >>> writer.add("config.json", b"{}")
    >>> writer.close()
    >>> zipfile.ZipFile(file).read("config.json")
    b'{}'
    """

    def __init__(self, file: Any):
        self._file = file
        self._listed = bytearray()  # the central directory
        self._names: set[str] = set()

    def add(self, name: str, *pieces: Any) -> None:
        """Add a part that consists of these pieces, bytes or arrays."""
        with self.part(name) as part:
            for piece in pieces:
                part.write(piece)

    @contextmanager
    def part(self, name: str) -> Iterator["Part"]:
        """A block in which a part is written."""
        if name in self._names:
            raise FileError(f"The archive has a part {name!r} already.")
        self._names.add(name)
        begin = self._file.tell()
        self._file.write(_local(name, 0, 0))
        part = Part(self._file)
        yield part
        end = self._file.tell()
        self._file.seek(begin)
        self._file.write(_local(name, part.checksum, part.size))
        self._file.seek(end)
        self._listed += _entry(name, part.checksum, part.size, begin)

    def close(self) -> None:
        """Write the list of the parts."""
        begin, size, count = self._file.tell(), len(self._listed), len(self._names)
        self._file.write(self._listed)
        self._file.write(struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, _NEEDS, _NEEDS, 0, 0, count, count, size, begin))
        self._file.write(struct.pack("<IIQI", 0x07064B50, 0, begin + size, 1))
        short = min(count, 0xFFFF)
        self._file.write(
            struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, short, short, min(size, _LARGE), min(begin, _LARGE), 0)
        )


_NEEDS, _UTF8, _LARGE = 45, 0x800, 0xFFFFFFFF  # the version that knows zip64; names are UTF-8; "see the zip64 field"
_DAY = 0, 0x21  # the time of no day, the first of 1980: the same model gives the same bytes


def _local(name: str, checksum: int, size: int) -> bytes:
    """What stands before a part."""
    text, extra = name.encode(), struct.pack("<HHQQ", 1, 16, size, size)
    fields = _NEEDS, _UTF8, _STORED, *_DAY, checksum, _LARGE, _LARGE, len(text), len(extra)
    return MAGIC + struct.pack("<HHHHHIIIHH", *fields) + text + extra


def _entry(name: str, checksum: int, size: int, begin: int) -> bytes:
    """What the list of the parts says of one."""
    text, extra = name.encode(), struct.pack("<HHQQQ", 1, 24, size, size, begin)
    fields = _NEEDS, _NEEDS, _UTF8, _STORED, *_DAY, checksum, _LARGE, _LARGE, len(text), len(extra), 0, 0, 0
    return b"PK\1\2" + struct.pack("<HHHHHHIIIHHHHHII", *fields, 0o600 << 16, _LARGE) + text + extra


class Part:
    """A part in the making: its size and checksum so far."""

    def __init__(self, file: Any):
        self._file, self.size, self.checksum = file, 0, 0

    def write(self, data: Any, checksum: Callable[[], int] | None = None) -> None:
        """Add bytes; `checksum()` gives theirs once they are written, where somebody works it out meanwhile."""
        data = memoryview(data).cast("B") if memoryview(data).nbytes else memoryview(b"")
        write_in_pieces(self._file, data)
        self.size += len(data)
        if checksum is None:
            self.checksum = zlib.crc32(data, self.checksum)
        else:
            self.checksum = joined(self.checksum, checksum(), len(data))


def write_in_pieces(file: Any, data: memoryview) -> None:
    """Write bytes piece by piece: Linux takes one write of hundreds of megabytes two to four times as slowly."""
    for begin in range(0, len(data), _PIECE):
        file.write(data[begin : begin + _PIECE])


def joined(first: int, second: int, size: int) -> int:
    """The CRC-32 of two pieces one after another, from that of each and the size of the second one.

    A CRC is the rest of a polynomial over GF(2); bytes that follow multiply it by x^8 each. As in zlib's crc32_combine.

    >>> joined(zlib.crc32(b"some"), zlib.crc32(b"thing"), 5) == zlib.crc32(b"something")
    True
    """
    power, factor = 1 << 23, 1 << 31  # x^8, and 1
    while size:
        if size & 1:
            factor = _times(factor, power)
        power, size = _times(power, power), size >> 1
    return _times(factor, first) ^ second


def _times(a: int, b: int) -> int:
    """The product of two polynomials of CRC-32, whose highest bit is the lowest power."""
    product = 0
    while a:
        if a & 0x80000000:
            product ^= b
        a = a << 1 & 0xFFFFFFFF
        b = b >> 1 ^ (0xEDB88320 if b & 1 else 0)
    return product
