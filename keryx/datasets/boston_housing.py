"""Boston housing: prices of houses in the 1970s."""

import numpy as np

from keryx.datasets.sources import arrays, fetched
from keryx.datasets.splitting import Parts, drawn, split


def load_data(path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> Parts:
    """506 places around Boston by 13 numbers each, and what a house costs there, in thousands of dollars.

    From StatLib (http://lib.stat.cmu.edu/datasets/boston). One of the numbers, "B", takes it as given that the share of
    Black people tells prices: do not use the data for anything but to speak of that. `california_housing` has no such.

    Args:
        path: The file's name in the cache.
        test_split: The share of the rows that come in the second part.
        seed: For the order of the rows.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float64 arrays (rows, 13) and (rows,).

    Raises:
        FileError: Where it is not in the cache and cannot be fetched.

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    """
    found = arrays(fetched("boston_housing.npz", path))
    x, y = drawn(np.random.RandomState(seed), found["x"], found["y"])
    return split(x, y, test_split)
