"""Rows in an order that a seed draws, as Keras draws it."""

import numpy as np

from keryx.errors import ArgumentError

Parts = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def drawn(generator: np.random.RandomState, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of one length, both in one new order."""
    order = np.arange(len(x))
    generator.shuffle(order)
    return x[order], y[order]


def split(x: np.ndarray, y: np.ndarray, test_split: float) -> Parts:
    """The first rows for training and the last for the test."""
    if not 0 <= test_split < 1:
        raise ArgumentError(f"test_split is a share of 0 or more, below 1; got {test_split!r}.")
    rows = int(len(x) * (1 - test_split))
    return (x[:rows], y[:rows]), (x[rows:], y[rows:])
