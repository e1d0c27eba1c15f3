"""MNIST: handwritten digits."""

import numpy as np

from keryx.datasets.sources import arrays, fetched
from keryx.datasets.splitting import Parts


def load_data(path: str = "mnist.npz") -> Parts:
    """70,000 grey images of handwritten digits, and which digit each is.

    By Yann LeCun and Corinna Cortes (http://yann.lecun.com/exdb/mnist), CC BY-SA 3.0.

    Args:
        path: The file's name in the cache.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images (60000, 28, 28) and (10000, 28, 28) of uint8, from 0 to 255;
        labels (60000,) and (10000,) of uint8, from 0 to 9.

    Raises:
        FileError: Where it is not in the cache and cannot be fetched.

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    >>> x_train.shape  # doctest: +SKIP
    (60000, 28, 28)
    """
    found: dict[str, np.ndarray] = arrays(fetched("mnist.npz", path))
    return (found["x_train"], found["y_train"]), (found["x_test"], found["y_test"])
