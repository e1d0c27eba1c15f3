"""Where the data sets come from, and how their files are read: what a file says never chooses code.

The addresses and checksums are those of Keras 3.15, so that files that Keras has fetched serve as well.
"""

import json
import math
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.lib import format as npy

from keryx.errors import FileError
from keryx.utils.download import get_file

STORE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
TORONTO = "https://www.cs.toronto.edu/~kriz/"

CHECKSUMS = {
    "boston_housing.npz": "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
    "california_housing.npz": "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
    "cifar-10-python.tar.gz": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    "cifar-100-python.tar.gz": "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    "imdb.npz": "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
    "imdb_word_index.json": "bfafd718b763782e994055a2d397834f",
    "mnist.npz": "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    "reuters.npz": "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
    "reuters_word_index.json": "4d44cc38712099c9e383dc6e5f11a921",
}


def fetched(name: str, path: str | None = None, **options: Any) -> Path:
    """The path of a file of the store, in the cache.

    Args:
        name: Its name there.
        path: Its name in the cache.
        options: What else `get_file` is told.
    """
    return Path(get_file(path or name, STORE + name, file_hash=CHECKSUMS.get(name), **options))


def words(name: str, path: str) -> dict[str, int]:
    """The number of each word, from a file of the store."""
    return json.loads(fetched(name, path).read_text("utf-8"))


def arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file .npz by name; arrays of lists, which NumPy keeps as a pickle, by `unpickled`.

    Raises:
        FileError: Where it is no such file, or holds anything else.
    """
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for part in archive.namelist():
                with archive.open(part) as file:
                    found[part.removesuffix(".npy")] = _array(file, path)
    except FileError:
        raise
    except Exception as error:  # whatever a damaged file can bring about
        raise FileError(
            f"{path} is no file of arrays, or is damaged: {error}. Delete it to have it fetched."
        ) from error
    return found


def _array(file: Any, path: Path) -> np.ndarray:
    version = npy.read_magic(file)
    _, _, dtype = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file)
    if dtype.hasobject:
        return np.asarray(unpickled(file, path))
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)


def unpickled(file: BinaryIO, path: Path, encoding: str = "ASCII") -> Any:
    """What a pickle holds, if that is plain data and NumPy's arrays of it.

    Nothing that the pickle names is looked up: three names stand for what NumPy's arrays are made of here, all others
    are refused. So nothing can be run, and no array be made over memory that is not its own.

    Raises:
        FileError: Where it names anything else, or is damaged.

    >>> import io
    >>> unpickled(io.BytesIO(pickle.dumps({"a": np.arange(2)})), Path("a"))["a"].tolist()
    [0, 1]
    >>> unpickled(io.BytesIO(pickle.dumps(print)), Path("a"))
    Traceback (most recent call last):
    keryx.errors.FileError: a holds 'builtins.print', which no data set needs: it is not to be trusted. ...
    """
    try:
        return _Unpickler(file, encoding=encoding, path=path).load()
    except FileError:
        raise
    except Exception as error:  # whatever a hostile pickle can bring about
        raise FileError(f"{path} is damaged: {error}. Delete it to have it fetched.") from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, encoding: str, path: Path):
        super().__init__(file, encoding=encoding)
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return lambda *_: _Array(0)
        if module == "numpy" and name in ("ndarray", "dtype"):
            return None if name == "ndarray" else _DType
        raise FileError(
            f"{self.path} holds '{module}.{name}', which no data set needs: it is not to be trusted. Delete it."
        )


class _DType:
    """Stands for a dtype that a pickle describes."""

    def __init__(self, name: str | bytes, *_: object):
        text = name.decode() if isinstance(name, bytes) else name
        if not re.fullmatch(r"[biufO]\d{1,2}", text):
            raise ValueError(f"an array of the dtype {text!r:.20}")
        self.dtype = np.dtype(object if text[0] == "O" else text)

    def __setstate__(self, state: tuple) -> None:
        order = state[1].decode() if isinstance(state[1], bytes) else state[1]
        self.dtype = self.dtype.newbyteorder(order)  # type: ignore[arg-type]


class _Array(np.ndarray):
    """An array that a pickle describes."""

    def __setstate__(self, state: tuple) -> None:  # type: ignore[override]
        version, shape, described, fortran, data = state
        size = math.prod(shape)
        dtype = described.dtype
        kind, length = (list, size) if dtype.hasobject else (bytes, size * dtype.itemsize)
        if version != 1 or min(shape, default=0) < 0 or type(data) is not kind or len(data) != length:
            raise ValueError(f"an array {shape} {dtype} of other content")
        super().__setstate__((version, shape, dtype, bool(fortran), data))  # type: ignore[arg-type]

    def __reduce__(self) -> NoReturn:
        raise TypeError("It is only read.")
