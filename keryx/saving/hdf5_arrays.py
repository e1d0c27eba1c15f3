"""What an HDF5 file holds: things with attributes, and arrays."""

import math
import zlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from keryx.errors import FileError
from keryx.saving.hdf5_parts import (
    NAMED,
    UNDEFINED,
    Bytes,
    Cursor,
    Message,
    Text,
    Type,
    decoded,
    leaves,
    nested,
    read_filters,
    read_shape,
    read_type,
)

RESAVE = " If you trust the file, write it anew with h5py's default settings."


class Node:
    """A group or an array.

    Attributes:
        path: Where it stands in the file, such as `layers/dense/vars/0`.
    """

    def __init__(self, file: Bytes, path: str, messages: list[Message]):
        self._file, self.path, self._messages = file, path, messages

    def _all(self, *kinds: int) -> Iterator[Message]:
        return (message for message in self._messages if message.kind in kinds)

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """The attributes by name: texts as str, or nested lists of str; numbers as NumPy arrays and scalars."""
        for message in self._all(0x15):
            cursor = message.cursor()
            cursor.expect(b"\0", "The list of attributes")
            flags = cursor.number(1)
            cursor.take(2 * (flags & 1))
            if cursor.number(8) != UNDEFINED:
                raise FileError(f"{self.path!r} of the file has more attributes than are read here.{RESAVE}")
        return dict(self._attribute(message) for message in self._all(0x0C))

    def _attribute(self, message: Message) -> tuple[str, Any]:
        cursor = message.cursor()
        version, flags = cursor.number(1), cursor.number(1)
        if version not in (1, 2, 3) or (version > 1 and flags):
            raise FileError(f"An attribute of {self.path!r} in the file has a form that is not read here.{RESAVE}")
        sizes = [cursor.number(2) for _ in range(3)]
        cursor.take(version == 3)
        parts = []
        for size in sizes:
            parts.append(cursor.take(size))
            if version == 1:
                cursor.align()
        kind, shape = read_type(Cursor(parts[1])), read_shape(Cursor(parts[2]))
        return decoded(bytes(parts[0])), self._value(kind, shape, cursor)

    def _value(self, kind: Type, shape: tuple[int, ...] | None, cursor: Cursor) -> Any:
        """An attribute's value."""
        if shape is None:
            return None
        count = math.prod(shape)
        data = cursor.take(count * kind.dtype.itemsize)
        self._file.budget.count(count)
        self._file.budget.allocate(len(data), f"An attribute of {self.path!r}")
        if isinstance(kind.dtype, Text):
            texts = Cursor(data)
            return nested([self._text(texts) for _ in range(count)], shape)
        if kind.is_text:
            size = kind.dtype.itemsize
            return nested([decoded(bytes(data[i * size : (i + 1) * size])) for i in range(count)], shape)
        array = np.frombuffer(bytes(data), kind.dtype).reshape(shape)
        return array if shape else array[()]

    def _text(self, cursor: Cursor) -> str:
        size, address, index = cursor.number(4), cursor.number(8), cursor.number(4)
        if size == 0:
            return ""
        text = self._file.heap_object(address, index)
        if size > len(text):
            raise FileError(f"A text of {self.path!r} in the file is longer than what holds it: damaged.")
        self._file.budget.allocate(size, f"A text of {self.path!r}")
        return decoded(bytes(text[:size]))


class Array(Node):
    """An array of numbers or texts.

    Attributes:
        shape: Its shape; None for one that holds nothing.
        dtype: NumPy's dtype of its elements.
    """

    def __init__(self, file: Bytes, path: str, messages: list[Message]):
        super().__init__(file, path, messages)
        if next(self._all(0x07), None):
            raise FileError(f"The array {path!r} lies in other files; only what lies in the file itself is read.")
        self.shape = read_shape(self._one(0x01).cursor())
        self._type = read_type(self._one(0x03).cursor())
        self.dtype = np.dtype(object) if isinstance(self._type.dtype, Text) else self._type.dtype
        if self.dtype.kind == "V" and (named := NAMED.get(str(self.attributes.get("dtype")))):
            self.dtype = named if named.itemsize == self.dtype.itemsize else self.dtype

    def _one(self, kind: int) -> Message:
        for message in self._all(kind):
            return message
        raise FileError(f"The array {self.path!r} of the file lacks its {'shape' if kind == 1 else 'type'}: damaged.")

    @property
    def nbytes(self) -> int:
        """The bytes that its elements take."""
        return math.prod((0,) if self.shape is None else self.shape) * self._type.dtype.itemsize

    def check(self) -> None:
        """Refuse an array that does not lie in the file itself, in a form that is read here."""
        cursor = self._one(0x08).cursor()
        version, kind = cursor.number(1), cursor.number(1)
        if version not in (3, 4) or kind == 3 or (kind == 2 and version == 4):
            raise FileError(f"The array {self.path!r} lies in the file in a form that is not read here.{RESAVE}")

    @property
    def is_packed(self) -> bool:
        """Whether it lies in the file in pieces, or packed, so that reading it takes memory."""
        return bytes(self._one(0x08).data[1:2]) != b"\1"

    def array(self) -> np.ndarray:
        """Its elements: a read-only view of the file where they lie there in one piece.

        Raises:
            FileError: Where they are not those that were written, by the checksum that Keryx's own files have.
        """
        shape = self.shape if self.shape is not None else (0,)
        data = self._data(shape)
        checksum = self.attributes.get("crc32")
        if isinstance(checksum, np.uint32) and zlib.crc32(data) != checksum:
            raise FileError(
                f"The array {self.path!r} of the file is not what was written, its checksum differs: damaged. If "
                "another program changed it on purpose, delete its attribute 'crc32'."
            )
        if isinstance(self._type.dtype, Text):
            self._file.budget.count(math.prod(shape))
            texts = Cursor(data)
            words = np.empty(math.prod(shape), object)
            words[:] = [self._text(texts) for _ in range(len(words))]
            return words.reshape(shape)
        return np.frombuffer(data, self._type.dtype).view(self.dtype).reshape(shape)

    def _data(self, shape: tuple[int, ...]) -> memoryview:
        self.check()
        cursor = self._one(0x08).cursor()
        _, kind = cursor.number(1), cursor.number(1)
        if kind == 0:
            data = cursor.take(cursor.number(2))
        elif kind == 1:
            address, size = cursor.number(8), cursor.number(8)
            if address == UNDEFINED and self.nbytes:  # never written
                return self._filled()
            data = self._file.slice(address, size) if self.nbytes else memoryview(b"")
        else:
            return self._chunks(cursor, shape)
        if len(data) < self.nbytes:
            raise FileError(
                f"The array {self.path!r} of the file is declared as {shape} {self.dtype}, {self.nbytes:,} bytes; "
                f"it has {len(data):,}: damaged."
            )
        return data[: self.nbytes]

    def _filled(self) -> memoryview:
        self._file.budget.allocate(self.nbytes, f"The array {self.path!r}")
        return memoryview(bytes(self.nbytes))

    # -- chunks --------------------------------------------------------------------------------------------------

    def _chunks(self, cursor: Cursor, shape: tuple[int, ...]) -> memoryview:
        rank = cursor.number(1)
        tree = cursor.number(8)
        chunk = tuple(cursor.number(4) for _ in range(rank - 1))
        itemsize = self._type.dtype.itemsize
        if len(chunk) != len(shape) or 0 in chunk or cursor.number(4) != itemsize:
            raise FileError(f"The chunks of the array {self.path!r} do not fit it: damaged.")
        size = math.prod(chunk) * itemsize
        self._file.budget.allocate(self.nbytes, f"The array {self.path!r}")
        self._file.budget.allocate(size, f"A chunk of the array {self.path!r}")
        whole = np.zeros((*shape, itemsize), np.uint8)
        filters = [one for message in self._all(0x0B) for one in read_filters(message.cursor())]
        for key, address in leaves(self._file, tree, 1, 8 + 8 * rank) if tree != UNDEFINED else ():
            stored, skipped = key.number(4), key.number(4)
            start = tuple(key.number(8) for _ in chunk)
            data = self._file.slice(address, stored)
            for i, (code, values) in reversed(list(enumerate(filters))):
                if not skipped >> i & 1:
                    data = self._unfilter(code, values, data, size)
            if len(data) != size or any(s >= n for s, n in zip(start, shape, strict=True)):
                raise FileError(f"A chunk of the array {self.path!r} does not fit it: damaged.")
            block = np.frombuffer(data, np.uint8).reshape(*chunk, itemsize)
            kept = tuple(slice(min(c, n - s)) for c, n, s in zip(chunk, shape, start, strict=True))
            whole[tuple(slice(s, s + c) for s, c in zip(start, chunk, strict=True))] = block[kept]
        return memoryview(whole).cast("B") if whole.size else memoryview(b"")

    def _unfilter(self, code: int, values: list[int], data: memoryview, size: int) -> memoryview:
        if code == 1:
            try:
                plain = zlib.decompressobj()
                return memoryview(plain.decompress(data, size + 1))
            except zlib.error as error:
                raise FileError(f"A chunk of the array {self.path!r} cannot be unpacked: {error}.") from None
        if code == 2 and values and 0 < values[0] <= len(data):  # bytes were sorted by their place in an element
            width = values[0]
            whole = len(data) // width * width
            mixed = np.frombuffer(data[:whole], np.uint8).reshape(width, -1).T
            return memoryview(mixed.tobytes() + bytes(data[whole:]))
        if code == 3:  # Fletcher's checksum
            return data[:-4]
        raise FileError(f"The array {self.path!r} is packed by filter {code}, which is not read here.{RESAVE}")
