"""HDF5 files, written in one pass without the HDF5 library.

After the "HDF5 File Format Specification", version 3.0 (The HDF Group): a superblock of version 0, object headers of
version 1, groups as lists of links, arrays in one piece. All addresses are known before the first byte is written, so
that a file streams into a socket or a part of an archive, and each array goes there straight from its own memory.
The headers stand at the end: every array's checksum is one of its attributes.
"""

import math
import struct
import zlib
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keryx.errors import FileError
from keryx.saving.archive import Part, write_in_pieces

CHECKSUM = "crc32"  # the attribute of an array that holds the checksum of its bytes
_UNDEFINED = b"\xff" * 8
_SHAPE, _LINK_INFO, _TYPE, _FILL, _LINK, _LAYOUT, _GROUP_INFO, _ATTRIBUTE = (
    0x01,
    0x02,
    0x03,
    0x05,
    0x06,
    0x08,
    0x0A,
    0x0C,
)
_NOTHING = b"\2\0\0\2"  # the shape of what holds nothing
_SUPERBLOCK = 96
_MAX_MESSAGE, _MAX_MESSAGES = 65_528, 65_000  # sizes and counts have two bytes
_MAX_TEXTS, _MIN_HEAP = 65_000, 4096  # of one collection of texts
_TEXT = np.dtype([("size", "<u4"), ("address", "<u8"), ("index", "<u4")])  # how an array refers to a text
_FLOATS = {2: (10, 5, 15), 4: (23, 8, 127), 8: (52, 11, 1023)}  # bits of mantissa and exponent, bias
_SMALL = 2**16  # bytes that are not worth a thread
_AHEAD = 2  # checksums that may be behind what is written


@dataclass
class Dataset:
    """An array with attributes of its own.

    Args:
        array: Anything with `shape` and `dtype`; it is asked for its bytes when they are written, not before.
        attributes: What is said of it.
    """

    array: Any
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Group:
    """A group in the making.

    Args:
        members: Groups, arrays and Datasets by name.
        attributes: What is said of it: texts, lists of texts, numbers, arrays, None.
    """

    members: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)

    def put(self, path: str, member: Any) -> None:
        """Put a member at a path, in groups that are made where there are none.

        >>> root = Group()
        >>> root.put("dense/vars/0", np.zeros(2))
        >>> list(root.members["dense"].members["vars"].members)
        ['0']
        """
        *groups, name = path.split("/")
        group = self
        for step in groups:
            group = group.members.setdefault(step, Group())
        group.members[name] = member


def write(file: Any, root: Group) -> dict[str, int]:
    """Write a file.

    Args:
        file: Has `write`, which takes anything like bytes; it is never asked to seek.
        root: What the file holds.

    Returns:
        The CRC-32 of each array's bytes by its path; the file holds it as well, as the array's attribute `crc32`.

    Raises:
        FileError: Where something of it has no place in an HDF5 file.

    >>> import io
    >>> file = io.BytesIO()
    >>> write(file, Group({"kernel": np.ones(2, "float32")}))
    {'kernel': 3573961104}
    >>> from keryx.saving import hdf5
    >>> hdf5.read(file.getvalue())["kernel"].array()
    array([1., 1.], dtype=float32)
    """
    return _File(root).write(file)


class _File:
    """The plan of a file: its headers, and where everything will stand.

    Headers are made from the leaves up, so that a group knows the addresses of its members. An address is counted from
    the beginning of its own area (arrays, texts, headers) until all areas have their sizes.
    """

    def __init__(self, root: Group):
        self.arrays: list[tuple[str, Any, int]] = []  # path, array, bytes after which it begins
        self.checksums: list[int] = []  # where each array's goes in the headers
        self.headers, self.heap = bytearray(), _Heap()
        self.places: list[tuple[int, str]] = []  # where an address stands in the headers, and the area that it is of
        self.size = 0  # of all arrays
        root_address = self._group(root, "")
        self.starts = {"arrays": _SUPERBLOCK}
        self.starts["texts"] = self.starts["arrays"] + self.size
        self.starts["headers"] = self.starts["texts"] + len(self.heap.close())
        for place, area in self.places:
            self._add(place, self.starts[area])
        end = self.starts["headers"] + len(self.headers)
        self.superblock = struct.pack(
            "<8s8BHHI4QQQII16x",
            b"\x89HDF\r\n\x1a\n", 0, 0, 0, 0, 0, 8, 8, 0, 4, 16, 0,
            0, 2**64 - 1, end, 2**64 - 1,
            0, self.starts["headers"] + root_address, 0, 0,
        )  # fmt: skip

    def write(self, file: Any) -> dict[str, int]:
        file.write(self.superblock)
        found: dict[str, int] = {}
        waiting: deque[tuple[str, Future[int]]] = deque()
        with ThreadPoolExecutor(_AHEAD) as beside:  # a checksum takes about as long as writing
            for path, array, begin in self.arrays:
                data = self._bytes(array)
                if len(data) < _SMALL:
                    file.write(data)
                    found[path] = zlib.crc32(data)
                else:
                    checksum = beside.submit(zlib.crc32, data)
                    waiting.append((path, checksum))
                    # A part of an archive has a checksum of its own, that of all its pieces.
                    file.write(data, checksum.result) if isinstance(file, Part) else write_in_pieces(file, data)
                file.write(bytes(-(begin + len(data)) % 8))
                while len(waiting) > _AHEAD:  # each holds its array
                    name, checksum = waiting.popleft()
                    found[name] = checksum.result()
            found |= {name: checksum.result() for name, checksum in waiting}
        for (path, _, _), place in zip(self.arrays, self.checksums, strict=True):
            struct.pack_into("<I", self.headers, place, found[path])
        file.write(self.heap.data)
        file.write(self.headers)
        return found

    def _bytes(self, array: Any) -> memoryview:
        if array.dtype == _TEXT:
            array = array.copy()
            array["address"][array["size"] > 0] += self.starts["texts"]
        return memoryview(np.ascontiguousarray(np.asarray(array)).reshape(-1).view(np.uint8))

    def _add(self, place: int, start: int) -> None:
        (address,) = struct.unpack_from("<Q", self.headers, place)
        struct.pack_into("<Q", self.headers, place, address + start)

    # -- headers -------------------------------------------------------------------------------------------------

    def _group(self, group: Group, path: str) -> int:
        header = _Header(path)
        header.add(_LINK_INFO, b"\0\0" + 2 * _UNDEFINED)  # its links stand in the header itself,
        header.add(_GROUP_INFO, b"\0\0")  # however many there are
        for name, member in group.members.items():
            if name in ("", ".", "..") or "/" in name or "\0" in name:
                raise FileError(f"{name!r} in the group {path!r} is no name in an HDF5 file.")
            where = f"{path}/{name}".lstrip("/")
            if isinstance(member, Group):
                address = self._group(member, where)
            else:
                address = self._dataset(member if isinstance(member, Dataset) else Dataset(member), where)
            link = struct.pack("<BBBH", 1, 0x11, 1, len(name.encode())) + name.encode()  # in UTF-8, of a 2-byte length
            header.add(_LINK, link + struct.pack("<Q", address), (len(link), "headers"))
        self._attributes(header, group.attributes)
        return self._place(header)

    def _dataset(self, dataset: Dataset, path: str) -> int:
        array, attributes = dataset.array, dict(dataset.attributes)
        if not hasattr(array, "dtype") or not hasattr(array, "shape"):
            array = np.asarray(array)
        if array.dtype.kind in "UOT":
            array = self.heap.refer(np.asarray(array), f"The array {path!r}")
        elif array.dtype.kind == "V" and array.dtype.type is not np.void:
            attributes["dtype"] = array.dtype.name  # bfloat16 and the like: HDF5 has no word for them
        size = math.prod(array.shape) * array.dtype.itemsize
        header = _Header(path)
        header.add(_SHAPE, _shape(array.shape))
        header.add(_TYPE, _type(array.dtype, f"The array {path!r}"))
        header.add(_FILL, b"\2\2\2\0")  # nothing stands where nothing was written
        if size:
            header.add(_LAYOUT, struct.pack("<BBQQ", 3, 1, self.size, size), (2, "arrays"))
        else:
            header.add(_LAYOUT, b"\3\1" + _UNDEFINED + bytes(8))
        attributes.pop(CHECKSUM, None)
        self._attributes(header, {**attributes, CHECKSUM: np.uint32(0)})  # the last, so that its place is known
        self.arrays.append((path, array, self.size))
        self.size += size + -size % 8
        address = self._place(header)
        self.checksums.append(address + 16 + header.end - 4)
        return address

    def _attributes(self, header: "_Header", attributes: Mapping[str, Any]) -> None:
        for name, value in attributes.items():
            what = f"The attribute {name!r} of {header.path!r}"
            value = _plain(value)
            shape = _NOTHING if value is None else _shape(value.shape)
            if value is None:
                value = np.zeros(0, "float32")
            elif value.dtype.kind == "O" or (value.dtype.kind == "S" and value.nbytes > _MAX_MESSAGE - 1024):
                value = self.heap.refer(value, what)
            sizes = len(name.encode()) + 1, len(_type(value.dtype, what)), len(shape)
            head = struct.pack("<BB3HB", 3, 0, *sizes, 1) + name.encode() + b"\0" + _type(value.dtype, what) + shape
            texts = np.flatnonzero(value["size"]) if value.dtype == _TEXT else ()
            header.add(_ATTRIBUTE, head + value.tobytes(), *((len(head) + 16 * int(i) + 4, "texts") for i in texts))

    def _place(self, header: "_Header") -> int:
        """Add a header to the others: its address among them."""
        address = len(self.headers)
        self.headers += struct.pack("<BxHII4x", 1, header.count, 1, len(header.data)) + header.data
        self.places += [(address + 16 + place, area) for place, area in header.places]
        return address


class _Header:
    """The messages of one object."""

    def __init__(self, path: str):
        self.path, self.data, self.count = path, bytearray(), 0
        self.places: list[tuple[int, str]] = []
        self.end = 0  # of the last message's data

    def add(self, kind: int, data: bytes, *places: tuple[int, str]) -> None:
        """Add a message; `places` says where addresses stand in its data, and of which area."""
        size = len(data) + -len(data) % 8
        if size > _MAX_MESSAGE or self.count == _MAX_MESSAGES:
            what = "a property of more than 64 KB" if size > _MAX_MESSAGE else f"more than {_MAX_MESSAGES:,} members"
            raise FileError(f"HDF5 has no place for {what} in {self.path!r}.")
        self.count += 1
        self.places += [(len(self.data) + 8 + place, area) for place, area in places]
        self.end = len(self.data) + 8 + len(data)
        self.data += struct.pack("<HHB3x", kind, size, 0) + data.ljust(size, b"\0")


class _Heap:
    """Texts that arrays and attributes refer to, in collections of up to 65,000."""

    def __init__(self):
        self.data, self._begin, self._count = bytearray(), 0, 0

    def refer(self, texts: np.ndarray, what: str) -> np.ndarray:
        """Take in texts: an array of references to them, their addresses counted from the beginning of all."""
        entries = np.zeros(texts.shape, _TEXT)
        for i, text in enumerate(texts.reshape(-1).tolist()):
            if not isinstance(text, (str, bytes)):
                raise FileError(f"{what} holds {type(text).__name__}; HDF5 has a place for texts and numbers.")
            data = text.encode() if isinstance(text, str) else text
            if data:
                entries.reshape(-1)[i] = len(data), *self._take(data)
        return entries

    def _take(self, data: bytes) -> tuple[int, int]:
        if self._count in (0, _MAX_TEXTS):
            self.close()
            self._begin, self._count = len(self.data), 0
            self.data += bytes(16)
        self._count += 1
        self.data += struct.pack("<HHIQ", self._count, 1, 0, len(data)) + data + bytes(-len(data) % 8)
        return self._begin, self._count

    def close(self) -> bytearray:
        """Finish the collection that texts were put into last: all of them."""
        if self._count:
            unused = max(_MIN_HEAP - (len(self.data) - self._begin), 0)
            if unused:
                unused = max(unused, 16)
                self.data += struct.pack("<QQ", 0, unused).ljust(unused, b"\0")
            struct.pack_into("<4sB3xQ", self.data, self._begin, b"GCOL", 1, len(self.data) - self._begin)
        return self.data


def _plain(value: Any) -> np.ndarray | None:
    """An attribute's value as an array: of numbers, of bytes, or of texts as objects."""
    if value is None:
        return None
    if isinstance(value, str):
        return np.array(value, object)
    array = np.asarray(value)
    if array.dtype.kind in "UT":  # lists of texts are of one length, as h5py writes what Keras gives it
        return np.char.encode(array.astype(str), "utf-8")
    return array


def _shape(shape: tuple[int, ...]) -> bytes:
    return struct.pack("<BBx5x", 1, len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)


def _type(dtype: np.dtype, what: str) -> bytes:
    """A datatype message, of version 1."""
    size, order = dtype.itemsize, int(dtype.byteorder == ">")
    if dtype == _TEXT:
        return struct.pack("<B3BI", 0x19, 1, 1, 0, size) + _type(np.dtype("uint8"), what)
    if dtype.kind in "iu":
        return struct.pack("<B3BIHH", 0x10, order | 8 * (dtype.kind == "i"), 0, 0, size, 0, 8 * size)
    if dtype.kind == "f" and size in _FLOATS:
        mantissa, exponent, bias = _FLOATS[size]
        head = struct.pack("<B3BIHH", 0x11, order | 0x20, 8 * size - 1, 0, size, 0, 8 * size)
        return head + struct.pack("<4BI", mantissa, exponent, 0, mantissa, bias)
    if dtype.kind == "b":
        names = b"FALSE\0\0\0TRUE\0\0\0\0"
        return struct.pack("<B3BI", 0x18, 2, 0, 0, 1) + _type(np.dtype("int8"), what) + names + b"\0\1"
    if dtype.kind == "S":
        return struct.pack("<B3BI", 0x13, 1, 0, 0, max(size, 1))
    if dtype.kind == "V" and dtype.names is None:
        return struct.pack("<B3BI", 0x15, 0, 0, 0, size)
    raise FileError(f"{what} has the dtype {dtype.name}, which HDF5 files of models do not hold.")
