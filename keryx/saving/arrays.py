"""The arrays of an HDF5 file by path, each as Keras means it, and their checksums."""

import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np

from keryx.errors import FileError, listing
from keryx.saving.hdf5 import Group

CHECKSUM = "crc32"  # the attribute of an array that holds the checksum of its bytes


class Arrays(Mapping[str, np.ndarray]):
    """All arrays of a group, by their path from there: views of the file, read when they are asked for.

    Args:
        group: The group; all that it holds is found, and so far checked, at once.

    >>> import h5py, tempfile
    >>> path = tempfile.mkdtemp() + "/a.h5"
    >>> with h5py.File(path, "w") as file:
    ...     file["dense/vars/0"] = np.float32([1, 2])
    >>> from keryx.saving import hdf5
    >>> arrays = Arrays(hdf5.read(path))
    >>> list(arrays), arrays["dense/vars/0"]
    (['dense/vars/0'], array([1., 2.], dtype=float32))
    """

    def __init__(self, group: Group):
        start = len(group.path) + bool(group.path)
        self.nodes = {node.path[start:]: node for node in group.walk()}

    def __getitem__(self, path: str) -> np.ndarray:
        node = self.nodes[path]
        array = node.array()
        if array.dtype == "V2" and node.attributes.get("dtype") == "bfloat16":
            return array.view(ml_dtypes.bfloat16)
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def check(self, what: str) -> bool:
        """Whether every array has a checksum in the file.

        Raises:
            FileError: Where the bytes of an array are not those that were written.
        """
        sums = {path: node.attributes.get(CHECKSUM) for path, node in self.nodes.items()}
        with ThreadPoolExecutor() as pool:
            found = dict(zip(sums, pool.map(self._checksum, sums), strict=True))
        wrong = [path for path, wanted in sums.items() if wanted is not None and int(wanted) != found[path]]
        if wrong:
            raise FileError(
                f"{what} is damaged: the bytes of {listing(wrong[:10])} are not those that were written. "
                "Restore the file from a copy."
            )
        return None not in sums.values()

    def _checksum(self, path: str) -> int:
        array = self.nodes[path].array()
        return zlib.crc32(array.reshape(-1).view(np.uint8)) if array.size and array.dtype != object else 0
