"""The parts that an HDF5 file is made of: numbers at places, object headers, types, shapes, heaps.

After the "HDF5 File Format Specification", version 3.0 (The HDF Group). Whatever the file says is checked where it is
read; what is not plain data of Keras's kind (links, references, external storage, virtual arrays) is refused.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from keryx.errors import FileError
from keryx.saving.limits import Budget

UNDEFINED = 2**64 - 1
# Types that HDF5 has no word for: the attribute `dtype` of an array of bare bytes names them.
NAMED = {kind.__name__: np.dtype(kind) for kind in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2)}
_MAX_RANK = 32
_MAX_HEADER = 65_536  # messages of one object


class Cursor:
    """A place in a run of bytes, which moves on as they are read and never leaves them."""

    __slots__ = ("at", "data")

    def __init__(self, data: memoryview, at: int = 0):
        self.data, self.at = data, at

    def take(self, count: int) -> memoryview:
        """The next bytes."""
        if count < 0 or self.at + count > len(self.data):
            raise FileError(
                f"The file ends in the midst of its own structure, at byte {len(self.data):,}: truncated or damaged."
            )
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        """The next little-endian unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def expect(self, signature: bytes, what: str) -> None:
        """Pass over a signature, or raise FileError where another stands."""
        found = bytes(self.take(len(signature)))
        if found != signature:
            raise FileError(f"{what} begins with {signature!r}; the file has {found!r} there: damaged.")

    def text(self, size: int | None = None) -> str:
        """The next text: of `size` bytes, zeros at its end left out, or up to the next zero."""
        if size is None:
            rest = bytes(self.data[self.at : self.at + 65_536])
            if (size := rest.find(b"\0")) < 0:
                raise FileError("A name in the file has no end: damaged.")
        return decoded(bytes(self.take(size)))

    def align(self, start: int = 0) -> None:
        """Go to the next multiple of 8 bytes from `start`."""
        self.at += -(self.at - start) % 8


def decoded(text: bytes) -> str:
    """A text of the file."""
    try:
        return text.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        raise FileError(f"A text in the file is not UTF-8: {text[:40]!r}.") from None


class Bytes:
    """The bytes of a whole file, and what the reading of them may use up."""

    def __init__(self, data: memoryview, budget: Budget):
        self.data, self.budget = data, budget
        self._heaps: dict[int, dict[int, memoryview]] = {}

    def at(self, address: int) -> Cursor:
        """A cursor at an address."""
        if address >= len(self.data):
            raise FileError(f"The file points to byte {address:,} of itself, but has {len(self.data):,}: damaged.")
        return Cursor(self.data, address)

    def slice(self, address: int, size: int) -> memoryview:
        """The bytes from an address on."""
        return self.at(address).take(size) if size else memoryview(b"")

    def heap_object(self, address: int, index: int) -> memoryview:
        """What lies in the collection of variable-length data at an address, under an index."""
        if address not in self._heaps:
            self._heaps[address] = dict(self._collection(address))
        if index not in self._heaps[address]:
            raise FileError(f"A text of the file lies in entry {index} of a heap that has none: damaged.")
        return self._heaps[address][index]

    def _collection(self, address: int) -> Iterator[tuple[int, memoryview]]:
        cursor = self.at(address)
        cursor.expect(b"GCOL\x01", "A heap")
        cursor.take(3)
        end = address + cursor.number(8)
        while cursor.at + 16 <= end:
            index = cursor.number(2)
            cursor.take(6)
            size = cursor.number(8)
            if index == 0:  # free space
                return
            self.budget.count()
            yield index, cursor.take(size)
            cursor.align(address)


# -- types and shapes ----------------------------------------------------------------------------------------------


class Text(NamedTuple):
    """The type of texts that lie in a heap, each of a length of its own."""

    itemsize: int = 16


class Type(NamedTuple):
    """The type of an array's elements.

    Args:
        dtype: That of NumPy, or Text.
        is_text: Whether fixed-size bytes are a text.
    """

    dtype: np.dtype | Text
    is_text: bool = False


_CLASSES = ["integer", "float", "time", "string", "bit field", "opaque", "compound", "reference", "enumeration",
            "variable-length", "array"]  # fmt: skip
_FLOATS = {2: (10, 5, 15), 4: (23, 8, 127), 8: (52, 11, 1023)}  # bits of mantissa and exponent, bias


def read_type(cursor: Cursor) -> Type:
    """A datatype message."""
    head = cursor.number(1)
    kind, version = head & 15, head >> 4
    bits, size = cursor.number(3), cursor.number(4)
    if not 1 <= version <= 4 or not 0 < size <= 2**31:
        raise FileError("The type of an array in the file means nothing: damaged.")
    order = ">" if bits & 1 else "<"
    if kind == 0 and size in (1, 2, 4, 8):
        offset, precision = cursor.number(2), cursor.number(2)
        if (offset, precision) == (0, 8 * size):
            return Type(np.dtype(f"{order}{'i' if bits & 8 else 'u'}{size}"))
    if kind == 1 and size in _FLOATS and not bits & 64:
        _, precision, _, exponent, _, mantissa, bias = (cursor.number(n) for n in (2, 2, 1, 1, 1, 1, 4))
        if (mantissa, exponent, bias) == _FLOATS[size] and precision == 8 * size:
            return Type(np.dtype(f"{order}f{size}"))
    if kind == 3:
        return Type(np.dtype(f"S{size}"), is_text=True)
    if kind == 5 and size <= 2:  # Keras writes bfloat16 so
        return Type(np.dtype(f"V{size}"))
    if kind == 8 and size == 1 and read_type(cursor).dtype.itemsize == 1:  # NumPy's bool, as h5py writes it
        return Type(np.dtype(bool))
    if kind == 9 and bits & 15 == 1:
        return Type(Text())
    name = _CLASSES[kind] if kind < len(_CLASSES) else f"number {kind}"
    raise FileError(f"The file holds an array of the type {name!r} ({size} bytes), which no weight or setting has.")


def read_shape(cursor: Cursor) -> tuple[int, ...] | None:
    """A dataspace message; None for an array that holds nothing."""
    version, rank, flags = (cursor.number(1) for _ in range(3))
    if version not in (1, 2) or rank > _MAX_RANK:
        raise FileError("The shape of an array in the file means nothing: damaged.")
    empty = version == 2 and cursor.number(1) == 2
    if version == 1:
        cursor.take(5)
    shape = tuple(cursor.number(8) for _ in range(rank))
    if flags & 1:
        cursor.take(8 * rank)
    if math.prod(filter(None, shape)) > 2**48:
        raise FileError(f"The file declares an array of shape {shape}.")
    return None if empty else shape


def read_filters(cursor: Cursor) -> Iterator[tuple[int, list[int]]]:
    """A message of the filters that chunks have gone through: the code of each, and its numbers."""
    version, count = cursor.number(1), cursor.number(1)
    cursor.take(6 * (version == 1))
    for _ in range(count):
        code = cursor.number(2)
        named = cursor.number(2) if version == 1 or code >= 256 else 0
        cursor.take(2)
        values = cursor.number(2)
        cursor.take(named)
        yield code, [cursor.number(4) for _ in range(values)]
        cursor.take(4 * (version == 1 and values % 2))


# -- object headers ------------------------------------------------------------------------------------------------


class Message(NamedTuple):
    """One thing that an object's header says of it: its kind by number, and its bytes."""

    kind: int
    flags: int
    data: memoryview

    def cursor(self) -> Cursor:
        """A cursor at its beginning."""
        if self.flags & 2:
            raise FileError("The file shares types between its arrays, which no file of Keras does.")
        return Cursor(self.data)


def read_messages(file: Bytes, address: int) -> list[Message]:
    """All messages of the object at an address."""
    new = bytes(file.slice(address, 4)) == b"OHDR"
    first, read = _begin_new(file, address) if new else _begin_old(file, address)
    messages: list[Message] = []
    blocks, seen = [first], set[int]()
    while blocks:
        block = blocks.pop(0)
        for message in read(block):
            file.budget.count()
            if len(messages) == _MAX_HEADER:
                raise FileError("An object of the file has too many properties.")
            messages.append(message)
            if message.kind != 0x10:
                continue
            cursor = message.cursor()
            where, size = cursor.number(8), cursor.number(8)
            if where in seen:
                raise FileError("The header of an object in the file goes round in a circle: damaged.")
            seen.add(where)
            blocks.append(_continuation(file, where, size, new))
    return messages


def _begin_old(file: Bytes, address: int):
    cursor = file.at(address)
    if cursor.number(1) != 1:
        raise FileError(f"At byte {address:,} of the file should be an object: damaged.")
    cursor.take(7)
    size = cursor.number(4)
    cursor.take(4)

    def read(block: memoryview) -> Iterator[Message]:
        cursor = Cursor(block)
        while cursor.at + 8 <= len(block):
            kind, size, flags = cursor.number(2), cursor.number(2), cursor.number(1)
            cursor.take(3)
            yield Message(kind, flags, cursor.take(size))

    return cursor.take(size), read


def _begin_new(file: Bytes, address: int):
    cursor = file.at(address)
    cursor.expect(b"OHDR\x02", "An object")
    flags = cursor.number(1)
    cursor.take(16 * bool(flags & 32) + 4 * bool(flags & 16))
    size = cursor.number(1 << (flags & 3))

    def read(block: memoryview) -> Iterator[Message]:
        cursor = Cursor(block)
        while cursor.at + 4 <= len(block):
            kind, size, message_flags = cursor.number(1), cursor.number(2), cursor.number(1)
            cursor.take(2 * bool(flags & 4))
            yield Message(kind, message_flags, cursor.take(size))

    return cursor.take(size), read


def _continuation(file: Bytes, address: int, size: int, new: bool) -> memoryview:
    block = file.slice(address, size)
    if not new:
        return block
    cursor = Cursor(block)
    cursor.expect(b"OCHK", "A header's second part")
    return block[4:-4]  # without the signature and the checksum


# -- trees and nests -----------------------------------------------------------------------------------------------


def leaves(file: Bytes, address: int, kind: int, key_size: int) -> Iterator[tuple[Cursor, int]]:
    """The leaves of a B-tree, each with the key that stands before it."""
    nodes, seen = [address], set[int]()
    while nodes:
        address = nodes.pop()
        if address in seen:
            raise FileError("A tree in the file goes round in a circle: damaged.")
        seen.add(address)
        cursor = file.at(address)
        cursor.expect(b"TREE" + bytes([kind]), "A tree")
        level, count = cursor.number(1), cursor.number(2)
        cursor.take(16)
        below = []
        for _ in range(count):
            file.budget.count()
            key = Cursor(cursor.take(key_size))
            below.append((key, cursor.number(8)))
        if level == 0:
            yield from below
        else:
            nodes += [child for _, child in reversed(below)]


def nested(values: list[Any], shape: tuple[int, ...]) -> Any:
    """A flat list in this shape; without one its only value."""
    if not shape:
        return values[0]
    for size in reversed(shape[1:]):
        values = [values[i : i + size] for i in range(0, len(values), size)] if size else []
    return values
