"""Sources that give data batch by batch: data sets with numbered batches, loaders, generators."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import jax
import numpy as np

from keryx.errors import DataError, ShapeError
from keryx.training.data.source import Admit, Source, Waiting
from keryx.training.data.workers import Workers
from keryx.training.state import shuffled
from keryx.training.step import Batch

_END = object()


class Batched(Source):
    """What the data gives, batch by batch.

    Args:
        data: Where the batches come from. It is told when an epoch begins and ends, if it has the methods
            `on_epoch_begin` and `on_epoch_end`.
        admit: Checks what it gives.
        steps: Batches an epoch; None for as many as come.
        around: Whether an epoch of `steps` goes on where the last one stopped, and begins again at the end of the data.
    """

    def __init__(self, data: Any, admit: Admit, steps: int | None, around: bool = False):
        self.data, self.admit, self.steps, self.around = data, admit, steps, around
        self.head: Batch | None = None  # the first batch, until an epoch begins with it
        self.in_epoch = False

    def map(self, function: Callable[[Batch], Batch]) -> Source:
        admit = self.admit
        self.admit = lambda *parts: function(admit(*parts))
        return self

    def begin(self) -> None:
        """Tell the data that an epoch begins, once."""
        if not self.in_epoch and hasattr(self.data, "on_epoch_begin"):
            self.data.on_epoch_begin()
        self.in_epoch = True

    def end(self) -> None:
        """Tell the data that an epoch has ended."""
        self.in_epoch = False
        if hasattr(self.data, "on_epoch_end"):
            self.data.on_epoch_end()

    def checked(self, item: Any, number: int) -> Batch:
        """What the data gave as its batch of this number."""
        try:
            batch = self.admit(*unpacked(item))
        except (DataError, ShapeError) as error:
            error.add_note(f"(In batch {number} that the {type(self.data).__name__} gave, counted from 0.)")
            raise
        # A device may read a NumPy array in place, and later: when the source has filled it with the next batch.
        return jax.tree.map(lambda array: array.copy() if isinstance(array, np.ndarray) else array, batch)


class Numbered(Batched):
    """Data whose batches are asked for by number, such as a `PyDataset`, so that an epoch can begin at any of them.

    Args:
        shuffle: Whether each pass over the batches has an order of its own.
    """

    def __init__(self, data: Any, admit: Admit, steps: int | None, around: bool = False, shuffle: bool = False):
        super().__init__(data, admit, steps, around)
        self.shuffle, self.workers = shuffle, Workers(data)

    def first(self) -> Batch:
        if self.head is None:
            self.begin()
            self.head = self.checked(self.data[0], 0)
        return self.head

    def batches(self, key: Any, epoch: int, start: int = 0, waiting: Waiting = nullcontext) -> Iterator[Batch]:
        self.begin()
        numbers = self.numbers(key, epoch, start)
        head, self.head = self.head, None
        known = numbers.index(0) if head is not None and 0 in numbers else None
        items = self.workers.batches([number for i, number in enumerate(numbers) if i != known])
        for i, number in enumerate(numbers):
            if head is not None and i == known:
                yield head
                continue
            with waiting():
                item = next(items)
            yield self.checked(item, number)
        self.end()

    def numbers(self, key: Any, epoch: int, start: int) -> Sequence[int]:
        """The numbers of the batches of an epoch, from its batch `start` on: a part of endless passes over all."""
        length = length_of(self.data)  # of this epoch
        if length is None or length == math.inf:
            assert self.steps is not None
            first = epoch * self.steps if self.around else 0
            return range(first + start, first + self.steps)
        length = int(length)
        steps = self.steps if self.around and self.steps else min(self.steps or length, length)
        first = epoch * (steps if self.around else length)
        passes = range(first // length, math.ceil((first + steps) / length))
        orders = {n: shuffled(key, n, length).tolist() if self.shuffle else range(length) for n in passes}
        return [orders[n // length][n % length] for n in range(first + start, first + steps)]

    def __exit__(self, *error: object) -> None:
        self.workers.close()


class Stream(Batched):
    """An iterable of batches: a loader, which begins again for each epoch, or a generator, which goes on.

    It knows no positions: to begin at a later batch, those before it are taken and left.
    """

    def __init__(self, data: Any, admit: Admit, steps: int | None, around: bool = False):
        super().__init__(data, admit, steps, around)
        self.once = hasattr(data, "__next__")
        self.iterator: Iterator | None = None
        self.taken = 0  # batches that the iterator has given

    def first(self) -> Batch:
        if self.head is None:
            self.begin()
            item = self.take()
            if item is _END:
                raise DataError(f"The data is empty: the {type(self.data).__name__} ended before the first batch.")
            self.head = self.checked(item, 0)
        return self.head

    def batches(self, key: Any, epoch: int, start: int = 0, waiting: Waiting = nullcontext) -> Iterator[Batch]:
        self.begin()
        if self.head is None and not (self.around or self.once):
            self.iterator = None
        for number in itertools.count() if self.steps is None else range(self.steps):
            if self.head is not None:
                batch, self.head = self.head, None
            else:
                with waiting():
                    item = self.take()
                if item is _END:
                    break
                if number < start:
                    continue
                batch = self.checked(item, self.taken - 1)
            if number >= start:
                yield batch
        self.end()

    def take(self) -> Any:
        """What the data gives next, or `_END`; what goes around begins again."""
        while True:
            if self.iterator is None:
                self.iterator, self.taken = self.data if self.once else iter(self.data), 0
            item = next(self.iterator, _END)
            if item is not _END:
                self.taken += 1
                return item
            if self.once or not self.around or not self.taken:
                self.ended = self.once
                return _END
            self.iterator = None


def length_of(data: Any) -> float | None:
    """The number of batches, infinite where they never end; None where the data cannot tell."""
    batches: Any = getattr(data, "num_batches", _END)
    if batches is not _END:
        return math.inf if batches is None else batches
    if hasattr(data, "cardinality"):  # tf.data
        count = int(data.cardinality())
        return count if count >= 0 else math.inf if count == -1 else None
    try:
        return len(data)
    except (TypeError, NotImplementedError):
        return None


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
    x, y, weight = (*item, None, None, None)[:3]
    return x, y, weight
