"""Where batches come from: the contract of a source, and the one of arrays."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import numpy as np

from keryx.errors import ArgumentError, DataError
from keryx.training.state import shuffled
from keryx.training.step import Batch

Admit = Callable[..., Batch]  # (x, y, sample_weight) -> a checked batch
Waiting = Callable[[], AbstractContextManager]

# Arrays up to this size are put on the device whole; of larger ones each batch is cut on the host.
RESIDENT_BYTES = 2 * 2**30
# Resident arrays have room for more rows, so that one program serves data sets of different length: so many bytes, or
# an eighth of the data.
SPARE_BYTES = 16 * 2**20
_ALIGNED = 64  # bytes: a CPU device reads such host arrays in place


class Source(AbstractContextManager):
    """The batches of fit, evaluate and predict, checked; as a context it lets go of what it has opened.

    Attributes:
        steps: Batches an epoch; None where nobody can tell.
        ended: Whether it is at its end and cannot begin again.
    """

    steps: int | None = None
    ended = False

    def first(self) -> Batch:
        """A batch of the shapes and dtypes that all have, but for the number of rows; nothing is used up."""
        raise NotImplementedError

    def batches(self, key: Any, epoch: int, start: int = 0, waiting: Waiting = nullcontext) -> Iterator[Batch]:
        """The batches of an epoch from batch `start` on; they are waited for in a block of `waiting()`."""
        raise NotImplementedError

    def split(self, fraction: float, batch_size: int | None, steps: int | None) -> tuple["Source", "Source"]:
        """The first rows, and the last `fraction` of them in `steps` batches of `batch_size`."""
        raise ArgumentError("validation_split takes the last rows of arrays; beside a stream, give validation_data.")

    def map(self, function: Callable[[Batch], Batch]) -> "Source":
        """The same source, of batches that `function` has changed row by row."""
        raise NotImplementedError

    def place(self, key: Any, epoch: int, number: int, row: int) -> str:
        """Where in the data this row of a batch stands, in words."""
        return f"row {row} of batch {number}"

    def __exit__(self, *error: object) -> None:
        pass


class Arrays(Source):
    """Arrays: batches are rows of them, picked on the device where the arrays fit there.

    Args:
        batch: The arrays, checked, as host or device arrays.
        batch_size: Rows a batch.
        shuffle: Whether each pass over the rows has an order of its own.
        limit: The most batches an epoch has; None for all.
        around: Whether the limit is the very number: an epoch then goes on where the last one stopped, and begins
            again at the end of the rows.

    Attributes:
        arrays: All rows, as one batch on the host.
        rows: How many there are.
        end: One past the last place in the order of an epoch.
    """

    steps: int

    def __init__(self, batch: Batch, batch_size: int, shuffle: bool = False, limit: int | None = None, around=False):
        self.arrays = batch
        self.rows = len(jax.tree.leaves(batch)[0])
        self.options = batch_size, shuffle, limit, around
        self.batch_size, self.shuffle = min(batch_size, self.rows), shuffle
        wanted = self.rows if limit is None else limit * self.batch_size
        self.end = wanted if around else min(wanted, self.rows)
        self.steps = math.ceil(self.end / self.batch_size)
        self.device: Batch | None = None

    def first(self) -> Batch:
        return self.arrays

    def split(self, fraction: float, batch_size: int | None, steps: int | None) -> tuple["Arrays", "Arrays"]:
        cut = math.floor(self.rows * (1 - fraction))
        if cut == 0 or cut == self.rows:
            raise DataError(
                f"validation_split={fraction} of {self.rows} rows leaves no row for "
                f"{'training' if cut == 0 else 'validation'}."
            )
        trained, held_out = self.take(slice(cut)), self.take(slice(cut, None))
        return Arrays(trained, *self.options), Arrays(held_out, batch_size or self.options[0], limit=steps)

    def map(self, function: Callable[[Batch], Batch]) -> "Arrays":
        return Arrays(function(self.arrays), *self.options)

    def order(self, key: Any, epoch: int) -> np.ndarray:
        """The rows of this epoch in their order, int32 (end,): a part of endless passes over all rows."""
        first = epoch * self.end
        passes = range(first // self.rows, math.ceil((first + self.end) / self.rows))
        orders = [shuffled(key, n, self.rows) if self.shuffle else np.arange(self.rows, dtype=np.int32) for n in passes]
        return np.concatenate(orders)[first % self.rows :][: self.end]

    def batches(self, key: Any, epoch: int, start: int = 0, waiting: Waiting = nullcontext) -> Iterator[Batch]:
        if start >= self.steps:
            return  # before an order is made
        order, size = self.order(key, epoch), self.batch_size
        for first in range(start * size, self.end, size):
            rows = order[first : first + size]
            in_one_piece = not self.shuffle and rows[-1] - rows[0] + 1 == len(rows)
            yield self.take(slice(int(rows[0]), int(rows[-1]) + 1) if in_one_piece else rows)  # a slice copies nothing

    def take(self, rows: np.ndarray | slice) -> Batch:
        """A batch of these rows, cut on the host."""
        return jax.tree.map(lambda array: np.asarray(array)[rows], self.arrays)

    def place(self, key: Any, epoch: int, number: int, row: int) -> str:
        return f"row {self.order(key, epoch)[number * self.batch_size + row]}"

    @property
    def bytes(self) -> int:
        """The size of the arrays."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self.arrays))

    @property
    def resident(self) -> bool:
        """Whether the arrays are put on the device whole."""
        return self.bytes <= RESIDENT_BYTES

    def data(self) -> Batch:
        """The arrays on the device, with room for more rows."""
        if self.device is None:
            rows = capacity(self.rows, self.bytes // self.rows)
            roomy = jax.tree.map(lambda array: _with_room(np.asarray(array), rows), self.arrays)
            self.device = jax.block_until_ready(jax.device_put(roomy))
            self.arrays = jax.tree.map(lambda array: array[: self.rows], roomy)  # what was cast before is let go
        return self.device


def capacity(rows: int, row_bytes: int = 0) -> int:
    """The rows that a buffer for `rows` has: a multiple of a power of two, so that few sizes serve all.

    >>> capacity(132), capacity(163), capacity(10**6, row_bytes=1000)
    (256, 256, 1048576)
    """
    spare = max(rows // 8, SPARE_BYTES // max(row_bytes, 1))
    unit = 1 << (rows - 1).bit_length()
    while -rows % unit > spare:
        unit //= 2
    return rows + -rows % unit


def _with_room(array: np.ndarray, rows: int) -> np.ndarray:
    """A copy with zeros up to this number of rows, where a CPU device can read it in place."""
    shape = rows, *array.shape[1:]
    size = math.prod(shape) * array.dtype.itemsize
    memory = np.zeros(size + _ALIGNED, np.uint8)  # its pages are taken when they are first written
    begin = -memory.ctypes.data % _ALIGNED
    roomy = memory[begin : begin + size].view(array.dtype).reshape(shape)
    roomy[: len(array)] = array
    return roomy
