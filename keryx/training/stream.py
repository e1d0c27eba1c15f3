"""Streams: generators, data sets and loaders, which give data batch by batch."""

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import numpy as np

from keryx.errors import DataError, ShapeError
from keryx.training.checks import is_array
from keryx.training.step import Batch

Waiting = Callable[[], AbstractContextManager]
_END = object()


class StreamFeed:
    """An iterable of batches: a generator, a PyDataset, a data loader.

    Args:
        source: The iterable. One that can begin again does so for each epoch; a generator goes on.
        standardize: Turns what it yields into a checked `Batch`.
        steps: Batches an epoch; None for as many as come.
        around: Whether an epoch of fewer `steps` than there are batches is followed by one that goes on there, and
            one of more begins again.
    """

    resident = False

    def __init__(self, source: Any, standardize: Callable[[Any], Batch], steps: int | None, around: bool = False):
        self.source, self.standardize, self.steps, self.around = source, standardize, steps, around
        self.once = hasattr(source, "__next__")
        self.iterator: Iterator | None = None
        self.taken = 0  # batches that the iterator has given
        self.first: Batch | None = None
        self.exhausted = False

    def example(self) -> Batch:
        """The first batch, which is kept for the first epoch."""
        if self.first is None:
            item = self._next()
            if item is _END:
                raise DataError(f"The data is empty: the {type(self.source).__name__} ended before the first batch.")
            self.first = self._checked(item)
        return self.first

    def batches(self, key: Any, epoch: int, start: int = 0, waiting: Waiting = nullcontext) -> Iterator[Batch]:
        """The batches of an epoch, as they come; they are waited for in a block of `waiting()`."""
        if self.first is None and not (self.around or self.once):
            self.iterator = None
        count = 0
        while self.steps is None or count < self.steps:
            if self.first is not None:
                batch, self.first = self.first, None
            else:
                with waiting():
                    item = self._next()
                if item is _END:
                    again = self.around and not self.once and self.taken > 0
                    self._end()
                    if not again:
                        return
                    continue
                batch = self._checked(item)
            count += 1
            yield batch
        if self.taken == length_of(self.source):
            self._end()

    def place(self, key: Any, epoch: int, number: int, row: int) -> str:
        """Where in the data this row of a batch stands, in words."""
        return f"row {row} of batch {number}"

    def _next(self) -> Any:
        if self.iterator is None:
            if hasattr(self.source, "on_epoch_begin"):
                self.source.on_epoch_begin()
            self.iterator, self.taken = begun(self.source), 0
        item = next(self.iterator, _END)
        self.taken += item is not _END
        return item

    def _checked(self, item: Any) -> Batch:
        try:
            batch = self.standardize(item)
        except (DataError, ShapeError) as error:
            error.add_note(f"(In batch {self.taken - 1} that the {type(self.source).__name__} gave, counted from 0.)")
            raise
        # A device may read a NumPy array in place, and later: when the source has filled it with the next batch.
        return jax.tree.map(lambda array: array.copy() if isinstance(array, np.ndarray) else array, batch)

    def _end(self) -> None:
        if self.once:
            self.exhausted = True
            return
        self.iterator = None
        if hasattr(self.source, "on_epoch_end"):
            self.source.on_epoch_end()


def is_stream(x: Any) -> bool:
    """Whether `x` yields batches, rather than being arrays."""
    if is_array(x) or isinstance(x, (list, tuple, dict, str, bytes)):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))


def length_of(source: Any) -> float | None:
    """The number of batches in a source, infinite where it never ends; None where it cannot tell."""
    if hasattr(source, "num_batches"):
        batches = source.num_batches
        return math.inf if batches is None else batches
    if hasattr(source, "cardinality"):  # tf.data
        count = int(source.cardinality())
        return count if count >= 0 else math.inf if count == -1 else None
    try:
        return len(source)
    except (TypeError, NotImplementedError):
        return None


def begun(source: Any) -> Iterator:
    """An iterator over a source, which may be a sequence without `__iter__`."""
    return iter(source) if hasattr(source, "__iter__") else (source[i] for i in range(len(source)))


def peek(x: Any) -> tuple[Any, Any]:
    """Some inputs by whose shapes a model can be built, and the source with nothing taken out of it."""
    if not is_stream(x):
        return x, x
    iterator = begun(x)
    item = next(iterator, None)
    if item is None:
        raise DataError(f"The data is empty: the {type(x).__name__} ended before the first batch.")
    return unpacked(item)[0], itertools.chain([item], iterator) if hasattr(x, "__next__") else x


def unpacked(item: Any) -> tuple[Any, Any, Any]:
    """The x, y and sample weight of what a source yields.

    >>> unpacked(([1], [2]))
    ([1], [2], None)
    """
    if not isinstance(item, (tuple, list)):
        return item, None, None
    if isinstance(item, list) and len(item) not in (2, 3):
        return item, None, None
    if len(item) > 3:
        raise DataError(f"A batch is (x, y) or (x, y, sample_weight); got {len(item)} parts.")
    x, y, weight = (*item, None, None)[:3]
    return x, y, weight
