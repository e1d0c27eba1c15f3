"""California housing: prices of houses in 1990."""

import numpy as np

from keryx.datasets.sources import arrays, fetched
from keryx.datasets.splitting import Parts, drawn, split
from keryx.errors import ArgumentError


def load_data(
    version: str = "large", path: str = "california_housing.npz", test_split: float = 0.2, seed: int = 113
) -> Parts:
    """20,640 districts of California by 8 numbers each, and the median price of a house there, in dollars.

    The numbers: median income, age of the houses, rooms and bedrooms a household, people, people a household, latitude,
    longitude. From the census of 1990, by StatLib (https://www.dcc.fc.up.pt/~ltorgo/Regression/cal_housing.html).

    Args:
        version: `large`, or `small` for the first 600 rows.
        path: The file's name in the cache.
        test_split: The share of the rows that come in the second part.
        seed: For the order of the rows.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float32 arrays (rows, 8) and (rows,).

    Raises:
        FileError: Where it is not in the cache and cannot be fetched.

    >>> (x_train, y_train), (x_test, y_test) = load_data(version="small")  # doctest: +SKIP
    """
    if version not in ("small", "large"):
        raise ArgumentError(f"version is 'small' or 'large'; got {version!r}.")
    found = arrays(fetched("california_housing.npz", path))
    rows = 600 if version == "small" else None
    x, y = drawn(np.random.RandomState(seed), found["x"][:rows], found["y"][:rows])
    return split(x, y, test_split)
