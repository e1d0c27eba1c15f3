"""Fashion-MNIST: pieces of clothing."""

import gzip
from pathlib import Path

import numpy as np

from keryx.datasets.sources import fetched
from keryx.datasets.splitting import Parts
from keryx.errors import FileError

_FOLDER = "datasets/fashion-mnist"


def load_data() -> Parts:
    """70,000 grey images of clothes, and what each shows.

    The labels: 0 T-shirt or top, 1 trousers, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker, 8 bag,
    9 ankle boot. By Zalando SE (https://github.com/zalandoresearch/fashion-mnist), MIT licence; it takes MNIST's place.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images (60000, 28, 28) and (10000, 28, 28) of uint8, from 0 to 255;
        labels (60000,) and (10000,) of uint8, from 0 to 9.

    Raises:
        FileError: Where it is not in the cache and cannot be fetched.

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    """
    names = [f"{part}-{what}-ubyte.gz" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]
    paths = [fetched(name, cache_subdir=_FOLDER) for name in names]
    x_train, y_train, x_test, y_test = (_numbers(path) for path in paths)
    return (x_train, y_train), (x_test, y_test)


def _numbers(path: Path) -> np.ndarray:
    """A file of the format IDX: two zeros, 8 for bytes, the number of axes, their sizes in big-endian, data."""
    try:
        data = gzip.decompress(path.read_bytes())
        shape = np.frombuffer(data, ">i4", data[3], 4)
        return np.frombuffer(data, "uint8", offset=4 + 4 * data[3]).reshape(shape)
    except Exception as error:  # whatever a damaged file can bring about
        raise FileError(f"{path} is damaged: {error}. Delete it to have it fetched.") from error
