"""The arrays of an HDF5 file by path, each checked against its checksum."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keryx.saving.hdf5 import Group


def arrays_of(group: Group, without: str | None = None) -> dict[str, np.ndarray]:
    """All arrays of a group, those of groups within included, by their path from there: views of the file.

    Args:
        group: The group; all that it holds is found before the first array is read.
        without: The name of a group that is passed over.

    Raises:
        FileError: Where the file is damaged, or holds what is refused.

    >>> import h5py, tempfile
    >>> path = tempfile.mkdtemp() + "/a.h5"
    >>> with h5py.File(path, "w") as file:
    ...     file["dense/vars/0"] = np.float32([1, 2])
    >>> from keryx.saving import hdf5
    >>> arrays_of(hdf5.read(path))
    {'dense/vars/0': array([1., 2.], dtype=float32)}
    """
    start = len(group.path) + bool(group.path)
    nodes = {node.path[start:]: node for node in group.walk()}
    nodes = {path: node for path, node in nodes.items() if path.partition("/")[0] != without}
    large = sum(node.nbytes for node in nodes.values()) > 2**20
    if not large or any(node.is_packed for node in nodes.values()):  # what is unpacked is counted, one after another
        return {path: node.array() for path, node in nodes.items()}
    with ThreadPoolExecutor() as pool:  # checksums leave Python's lock
        return dict(zip(nodes, pool.map(lambda node: node.array(), nodes.values()), strict=True))
