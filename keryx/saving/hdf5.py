"""HDF5 files, read without the HDF5 library, whose C code crashes or hangs on some damaged files.

What Keras's files consist of is read: groups, contiguous and chunked arrays, attributes of numbers and texts. What
could reach outside of the file or hide something is refused: links, references, external storage, virtual arrays. An
array that lies in one piece is a view of the file's bytes: nothing is copied.
"""

import mmap
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from keryx.errors import FileError
from keryx.saving.hdf5_arrays import RESAVE, Array, Node
from keryx.saving.hdf5_parts import (
    UNDEFINED,
    Bytes,
    Cursor,
    leaves,
    read_messages,
)
from keryx.saving.limits import Budget, check_unpacked

SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Group(Node):
    """A group: what it holds, by name.

    >>> import h5py, tempfile, numpy as np
    >>> path = tempfile.mkdtemp() + "/a.h5"
    >>> with h5py.File(path, "w") as file:
    ...     file["dense/vars/0"] = np.float32([[1, 2]])
    ...     file["dense"].attrs["name"] = "dense"
    >>> group = read(path)
    >>> list(group), group["dense"].attributes, group["dense/vars/0"].array()
    (['dense'], {'name': 'dense'}, array([[1., 2.]], dtype=float32))
    """

    @cached_property
    def _addresses(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for name, address in (*self._table(), *self._links()):
            self._file.budget.count()
            if name in found or name in ("", ".", "..") or "/" in name:
                raise FileError(
                    f"The group {self.path!r} of the file holds something under the name {name!r}: damaged."
                )
            found[name] = address
        return found

    @cached_property
    def _members(self) -> dict[str, Node]:
        return {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._addresses)

    def __len__(self) -> int:
        return len(self._addresses)

    def __contains__(self, path: str) -> bool:
        return self.get(path) is not None

    def get(self, path: str) -> "Any":
        """The group or array at a path from here; None where there is none."""
        first, _, rest = path.partition("/")
        if first not in self._addresses:
            return None
        if first not in self._members:
            where = f"{self.path}/{first}".lstrip("/")
            self._members[first] = _open(self._file, self._addresses[first], where)
        member = self._members[first]
        if not rest:
            return member
        return member.get(rest) if isinstance(member, Group) else None

    def __getitem__(self, path: str) -> "Any":
        found = self.get(path)
        if found is None:
            raise FileError(f"The file holds no {f'{self.path}/{path}'.lstrip('/')!r}.")
        return found

    def walk(self) -> "Iterator[Array]":
        """All arrays, those of groups within included, each once."""
        groups, seen = [self], set[int]()
        while groups:
            group = groups.pop()
            if group.path.count("/") >= self._file.budget.depth:
                raise FileError(f"The groups of the file are nested more than {self._file.budget.depth} deep.")
            for name, address in group._addresses.items():
                if address in seen:
                    raise FileError(f"{group.path}/{name} is a second name for another part of the file.{RESAVE}")
                seen.add(address)
                member = group[name]
                if isinstance(member, Group):
                    groups.append(member)
                else:
                    yield member

    def _table(self) -> Iterator[tuple[str, int]]:
        """The members of a group that is a B-tree of symbol tables, as HDF5 writes by default."""
        for message in self._all(0x11):
            cursor = message.cursor()
            tree, heap = cursor.number(8), self._file.at(cursor.number(8))
            heap.expect(b"HEAP\0", "The names of a group")
            heap.take(3)
            size, _, address = (heap.number(8) for _ in range(3))
            names = self._file.slice(address, size)
            for _, leaf in leaves(self._file, tree, 0, 8):
                table = self._file.at(leaf)
                table.expect(b"SNOD\x01", "The table of a group")
                table.take(1)
                for _ in range(table.number(2)):
                    name, where, cached = table.number(8), table.number(8), table.number(4)
                    table.take(20)
                    if cached == 2:
                        raise _link_error(self.path)
                    yield Cursor(names, name).text(), where

    def _links(self) -> Iterator[tuple[str, int]]:
        """The members of a small group of the newer form, which h5py writes with libver='latest'."""
        for message in self._all(0x02):
            cursor = message.cursor()
            cursor.expect(b"\0", "The list of links")
            cursor.take(8 * (cursor.number(1) & 1))
            if cursor.number(8) != UNDEFINED:
                raise FileError(f"The group {self.path!r} of the file has a form that is not read here.{RESAVE}")
        for message in self._all(0x06):
            cursor = message.cursor()
            cursor.expect(b"\x01", "A link")
            flags = cursor.number(1)
            if flags & 8 and cursor.number(1) != 0:
                raise _link_error(self.path)
            cursor.take(8 * bool(flags & 4) + bool(flags & 16))
            name = cursor.text(cursor.number(1 << (flags & 3)))
            yield name, cursor.number(8)


def read(path: str | os.PathLike | memoryview | bytes, budget: Budget | None = None) -> Group:
    """The root of an HDF5 file, once all of it has been looked through.

    Its arrays hold the file open for as long as they are used.

    Args:
        path: The file, or its bytes.
        budget: What may be used up.

    Raises:
        FileError: Where it is no HDF5 file, is truncated or damaged, or holds what is refused.
    """
    if isinstance(path, (bytes, memoryview)):
        data, name = memoryview(path), "The file"
    else:
        name, data = str(Path(path)), mapped(path)
    if bytes(data[:8]) != SIGNATURE:
        raise FileError(f"{name} is no HDF5 file: it begins with {bytes(data[:8])!r}.")
    root, nbytes = _root(Bytes(data, budget or Budget()), name), 0
    for array in root.walk():
        array.check()
        nbytes += array.nbytes
    check_unpacked(nbytes, len(data), name)
    return root


def mapped(path: str | os.PathLike) -> memoryview:
    """The bytes of a file, which are read when they are looked at."""
    with open(path, "rb") as file:
        empty = os.fstat(file.fileno()).st_size == 0
        return memoryview(b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _root(file: Bytes, name: str) -> Group:
    cursor = file.at(8)
    version = cursor.number(1)
    if version in (0, 1):
        cursor.take(4)
        sizes = cursor.number(1), cursor.number(1)
        cursor.take(9 + 4 * version)
        base, _, end, _ = (cursor.number(8) for _ in range(4))
        cursor.take(8)
        root = cursor.number(8)
    elif version in (2, 3):
        sizes = cursor.number(1), cursor.number(1)
        cursor.take(1)
        base, _, end, root = (cursor.number(8) for _ in range(4))
    else:
        raise FileError(f"{name} is an HDF5 file of version {version}, which is not read here.{RESAVE}")
    if sizes != (8, 8) or base:
        raise FileError(f"{name} is an HDF5 file of a form that is not read here.{RESAVE}")
    if end > len(file.data):
        raise FileError(f"{name} is truncated: it should have {end:,} bytes, and has {len(file.data):,}.")
    group = _open(file, root, "")
    if not isinstance(group, Group):
        raise FileError(f"The root of {name} is no group: damaged.")
    return group


def _open(file: Bytes, address: int, path: str) -> Group | Array:
    if path.count("/") > file.budget.depth:
        raise FileError(f"The groups of the file are nested more than {file.budget.depth} deep.")
    messages = read_messages(file, address)
    kinds = {message.kind for message in messages}
    if {0x01, 0x03, 0x08} & kinds:
        return Array(file, path, messages)
    return Group(file, path, messages)


def _link_error(path: str) -> FileError:
    return FileError(f"The group {path!r} of the file holds a link; only what lies in the file itself is read.")
