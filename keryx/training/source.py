"""Where batches come from: what the data is, is decided here, once, and it is checked on its way in."""

import math
import operator
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import numpy as np

from keryx.errors import ArgumentError, DataError
from keryx.training.checks import count_rows
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


def source_of(
    x: Any,
    y: Any,
    weight: Any,
    admit: Admit,
    *,
    who: str,
    batch_size: int | None = None,
    steps: int | None = None,
    steps_name: str = "steps",
    shuffle: bool = False,
    around: bool = False,
    again: bool = False,
) -> Source:
    """The source that serves this data.

    Args:
        x: Arrays in the model's nest (NumPy, JAX, pandas, lists of numbers), or an iterable of batches.
        y: The targets, by output; None where `x` yields them itself.
        weight: Weights of the rows, for all outputs or by output.
        admit: Checks a batch and puts it in the model's order; it sees the data before anything is made of it.
        who: The function that an error speaks of.
        batch_size: Rows a batch, 32 by default; for arrays only.
        steps: Batches an epoch.
        steps_name: The argument that they came in.
        shuffle: Whether each epoch has an order of its own; for arrays only.
        around: Whether an epoch of `steps` goes on where the last one stopped, and begins again at the end of the data.
        again: Whether there will be more than one epoch of the same batches.

    Raises:
        DataError: Where the data is empty, misnamed, of the wrong shape or out of range.
    """
    if x is None:
        raise DataError(f"{who} was given no data: x is None.")
    around = around and steps is not None
    if not yields_batches(x):
        return Arrays(admit(x, y, weight), int(batch_size or 32), shuffle, steps, around)
    from keryx.training import streams  # which stands on this contract

    kind, length = type(x).__name__, streams.length_of(x)
    for name, value in (("y", y), ("sample_weight", weight)):
        if value is not None:
            raise DataError(f"{who}: where x is a {kind}, it yields the {name} itself: (x, y) or (x, y, weight).")
    if length == 0:
        raise DataError(f"{who} was given empty data: the {kind} has 0 batches.")
    if steps is None and length == math.inf:
        raise DataError(f"{who}: the {kind} never ends: give {steps_name}.")
    if steps is None and again and hasattr(x, "__next__"):
        raise DataError(f"{who} needs a {kind} more than once, and it cannot begin again: give {steps_name}.")
    if length is not None and length != math.inf and not around:
        steps = int(length) if steps is None else min(steps, int(length))
    return (streams.Numbered if streams.is_numbered(x) else streams.Stream)(x, admit, steps, around)


def yields_batches(x: Any) -> bool:
    """Whether `x` yields batches, rather than being arrays."""
    if isinstance(x, (np.ndarray, list, tuple, dict, str, bytes)) or hasattr(x, "__array__") or hasattr(x, "to_numpy"):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))


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
        resident: Whether the arrays fit on the device.
    """

    steps: int

    def __init__(self, batch: Batch, batch_size: int, shuffle: bool = False, limit: int | None = None, around=False):
        self.arrays = batch
        self.rows = count_rows(batch)
        self.options = batch_size, shuffle, limit, around
        self.batch_size, self.shuffle = min(batch_size, self.rows), shuffle
        wanted = self.rows if limit is None else limit * self.batch_size
        self.end = wanted if around else min(wanted, self.rows)
        self.steps = math.ceil(self.end / self.batch_size)
        self.bytes = sum(map(operator.attrgetter("nbytes"), jax.tree.leaves(batch)))
        self.resident = self.bytes <= RESIDENT_BYTES
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
            yield self.take(order[first : first + size])

    def take(self, rows: np.ndarray | slice) -> Batch:
        """A batch of these rows, cut on the host."""
        return jax.tree.map(lambda array: np.asarray(array)[rows], self.arrays)

    def place(self, key: Any, epoch: int, number: int, row: int) -> str:
        return f"row {self.order(key, epoch)[number * self.batch_size + row]}"

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
