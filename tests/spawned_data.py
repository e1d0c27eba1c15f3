"""Data sets that the tests send to other processes, which have to be able to import them."""

import os
import time

import numpy as np

from keryx.utils import PyDataset

X = np.arange(48, dtype=np.float32).reshape(24, 2)
Y = X[:, :1] / 48


class Parts(PyDataset):
    """Six batches of X and Y.

    Args:
        wrong: A batch that is made in a wrong way: it `raises`, `dies` or `hangs`, as do all after it.
        how: In which way.
        options: Those of a PyDataset.
    """

    def __init__(self, wrong=None, how="", **options):
        super().__init__(**options)
        self.order, self.wrong, self.how = np.arange(24), wrong, how

    def __len__(self):
        return 6

    def __getitem__(self, index):
        if self.wrong is not None and index >= self.wrong:
            if self.how == "raises":
                raise OSError(f"no file for batch {index}")
            if self.how == "dies":
                os._exit(3)
            os.write(1, b"hangs\n")  # at once, for others write there too
            time.sleep(1000)
        rows = self.order[4 * index : 4 * index + 4]
        return X[rows], Y[rows]

    def on_epoch_end(self):
        self.order = self.order[::-1]


class Pids(Parts):
    """Batches that say which process made them; each takes a moment."""

    def __getitem__(self, index):
        time.sleep(0.2)
        return np.full((1, 1), os.getpid(), np.int64)
