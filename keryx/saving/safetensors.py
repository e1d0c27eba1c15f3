"""The format safetensors: arrays by name, described by JSON at the file's beginning.

Read and written by code of our own, for it is eight bytes of length, JSON and the arrays: the package would copy each
array once more, and take what it says of itself for checked. Here a file is refused unless its arrays, in the order of
their places, fill it without gap or overlap. Files of our own carry a checksum of each array in their metadata.

Source: "Safetensors: format", Hugging Face, github.com/huggingface/safetensors.
"""

import json
import math
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from keryx.core import plain
from keryx.errors import ConfigError, FileError
from keryx.saving import atomic, hdf5

_DTYPES = {
    "BOOL": bool, "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
    "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "C64": "<c8", "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2,
}  # fmt: skip
_DTYPES = {name: np.dtype(kind) for name, kind in _DTYPES.items()}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_MAX_HEADER = 100 * 2**20
_MAX_RANK = 32
_METADATA, _CHECKSUMS = "__metadata__", "keryx.crc32"


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name.

    Raises:
        FileError: Where the file cannot be written, or an array is of a dtype that the format has no word for.
    """
    blocks = {name: memoryview(np.ascontiguousarray(a).reshape(-1).view(np.uint8)) for name, a in arrays.items()}
    with ThreadPoolExecutor() as pool:  # checksums leave Python's lock
        checksums = dict(zip(blocks, pool.map(zlib.crc32, blocks.values()), strict=True))
    header: dict[str, Any] = {_METADATA: {_CHECKSUMS: json.dumps(checksums)}}
    end = 0
    for name, array in arrays.items():
        if array.dtype not in _NAMES or name == _METADATA:
            raise FileError(
                f"{path}: safetensors has no word for {name!r} of dtype {array.dtype}. Write '.weights.h5'."
            )
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic.writing(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for block in blocks.values():
            file.write(block)


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name: read-only views of it.

    Raises:
        FileError: Where it is no such file, is truncated or damaged, or says of itself what cannot be.
    """
    data = hdf5.mapped(path)
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > _MAX_HEADER or bytes(data[8:9]) != b"{":
        raise FileError(f"{path} is no safetensors file.")
    if 8 + size > len(data):
        raise FileError(f"{path} is truncated: its description has {size:,} bytes, the file {len(data):,}.")
    try:
        header = plain.loads(bytes(data[8 : 8 + size]), f"{path}")
    except ConfigError as error:
        raise FileError(str(error)) from None
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise FileError(f"{path}: the metadata of the file is no texts by name.")
    places = {name: _place(one, f"{path}: {name!r:.200}") for name, one in header.items()}
    end = 0
    for name, (_, _, begin, after) in sorted(places.items(), key=lambda item: item[1][2:]):
        if begin != end:
            raise FileError(f"{path}: {name!r:.200} does not begin where the array before it ends, at byte {end:,}.")
        end = after
    blocks = data[8 + size :]
    if end != len(blocks):
        raise FileError(f"{path} is truncated or damaged: its arrays have {end:,} bytes, the file {len(blocks):,}.")
    _check(path, metadata, {name: blocks[begin:after] for name, (_, _, begin, after) in places.items()})
    return {
        name: np.frombuffer(blocks[begin:after], dtype).reshape(shape)
        for name, (dtype, shape, begin, after) in places.items()
    }


def _place(one: Any, what: str) -> tuple[np.dtype, tuple[int, ...], int, int]:
    """An array's dtype, shape, and where it begins and ends, checked against each other."""
    if not isinstance(one, dict) or one.keys() != {"dtype", "shape", "data_offsets"}:
        raise FileError(f"{what} is not described by dtype, shape and data_offsets.")
    name, shape, offsets = one["dtype"], one["shape"], one["data_offsets"]
    if not isinstance(name, str) or name not in _DTYPES:
        raise FileError(f"{what} has the dtype {name!r:.100}, which is not read here.")
    for value in (shape, offsets):
        if not isinstance(value, list) or not all(type(n) is int and n >= 0 for n in value):
            raise FileError(f"{what} has a shape or a place that means nothing: {value!r:.100}.")
    if (
        len(offsets) != 2
        or len(shape) > _MAX_RANK
        or offsets[1] - offsets[0] != math.prod(shape) * _DTYPES[name].itemsize
    ):
        raise FileError(f"{what} is declared as {shape!r:.200} {name}, which its place {offsets!r:.100} does not hold.")
    return _DTYPES[name], tuple(shape), offsets[0], offsets[1]


def _check(path: Path, metadata: dict[str, str], blocks: dict[str, memoryview]) -> None:
    """Compare each array with its checksum, where the file has some."""
    if _CHECKSUMS not in metadata:
        return
    checksums = plain.loads(metadata[_CHECKSUMS], f"{path}")
    with ThreadPoolExecutor() as pool:
        for name, found in zip(blocks, pool.map(zlib.crc32, blocks.values()), strict=True):
            if not isinstance(checksums, dict) or checksums.get(name) != found:
                raise FileError(f"{path}: the array {name!r} is not what was written, its checksum differs: damaged.")
