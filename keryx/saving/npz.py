"""The format .npz of NumPy: arrays by name in a zip archive; never a pickle."""

import io
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from keryx.errors import FileError
from keryx.saving import atomic
from keryx.saving.archive import Archive, Writer
from keryx.saving.limits import Budget

_ENDING = ".npy"
_MAX_HEADER = 10_000  # of an array: a dtype and a shape


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name; what NumPy has no dtype for, such as bfloat16, as float32, which can hold it."""
    with atomic.writing(path) as file:
        archive = Writer(file)
        for name, array in arrays.items():
            array = np.ascontiguousarray(array if array.dtype.kind != "V" else array.astype("float32")).reshape(
                array.shape
            )
            header = io.BytesIO()
            npy.write_array_header_1_0(header, npy.header_data_from_array_1_0(array))
            archive.add(name + _ENDING, header.getvalue(), memoryview(array.reshape(-1).view(np.uint8)))
        archive.close()


def read(path: Path, budget: Budget | None = None) -> dict[str, np.ndarray]:
    """The arrays of a file by name: views of it, where they are not packed.

    Raises:
        FileError: Where it is no such file, is truncated or damaged, or holds pickled objects.
    """
    archive, arrays = Archive(path, budget), {}
    for part in archive:
        name = part.removesuffix(_ENDING)
        if name in arrays:
            raise FileError(f"{path} holds an array {name!r} twice.")
        arrays[name] = _array(archive[part], f"{path}: the array {name!r:.200}")
        if not archive.check(part):
            raise FileError(f"{path}: the array {name!r} is not what was written, its checksum differs: damaged.")
    return arrays


def _array(data: memoryview, what: str) -> np.ndarray:
    head = io.BytesIO(data[: _MAX_HEADER + 12])
    try:
        version = npy.read_magic(head)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(head, max_header_size=_MAX_HEADER)
    except Exception as error:  # whatever a hostile header can bring about
        raise FileError(f"{what} is no array of NumPy's: {error}.") from None
    if dtype.kind not in "biufcSU":
        raise FileError(f"{what} is of dtype {dtype}: only numbers and texts are read, pickled objects never.")
    if len(shape) > 32 or any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(data) - head.tell():
        raise FileError(
            f"{what} is declared as {shape} {dtype}, {math.prod(shape) * dtype.itemsize:,} bytes; it has "
            f"{len(data) - head.tell():,}: truncated or damaged."
        )
    array = np.frombuffer(data[head.tell() :], dtype)
    return array.reshape(shape, order="F" if fortran else "C")
