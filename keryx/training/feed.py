"""Any source of data, turned into batches that a compiled step can take."""

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import numpy as np

from keryx.errors import ArgumentError, DataError, ShapeError
from keryx.training.checks import Checks, as_array, count_rows, is_array
from keryx.training.state import shuffled
from keryx.training.step import Batch

# Arrays up to this size are put on the device whole; of larger ones each batch is cut on the host.
RESIDENT_BYTES = 2 * 2**30

Waiting = Callable[[], AbstractContextManager]


class ArrayFeed:
    """Arrays: batches are rows of them, picked on the device where the arrays fit there.

    Args:
        batch: The arrays, as host or device arrays.
        batch_size: Rows a batch.
        shuffle: Whether each pass over the rows has an order of its own.
        limit: The most batches an epoch has; None for all.
        around: Whether the limit is the very number: an epoch then goes on where the last one stopped, and begins
            again at the end of the rows.
    """

    def __init__(
        self,
        batch: Batch,
        batch_size: int,
        shuffle: bool = False,
        limit: int | None = None,
        around: bool = False,
    ):
        self.rows = count_rows(batch)
        self.batch_size, self.shuffle = min(batch_size, self.rows), shuffle
        self.host = batch
        wanted = self.rows if limit is None else limit * self.batch_size
        self.end = wanted if around else min(wanted, self.rows)  # one past the last row of an epoch
        self.steps = math.ceil(self.end / self.batch_size)
        self.resident = sum(leaf.nbytes for leaf in jax.tree.leaves(batch)) <= RESIDENT_BYTES
        self.device: Batch | None = None

    def data(self) -> Batch:
        """The arrays on the device."""
        if self.device is None:
            self.device = jax.device_put(self.host)
        return self.device

    def order(self, key: Any, epoch: int) -> np.ndarray:
        """The rows of this epoch in their order, int32 (end,): a part of endless passes over all rows."""
        first = epoch * self.end
        passes = range(first // self.rows, math.ceil((first + self.end) / self.rows))
        orders = [
            shuffled(key, n, self.rows) if self.shuffle else np.arange(self.rows, dtype=np.int32)
            for n in passes
        ]
        return np.concatenate(orders)[first % self.rows :][: self.end]

    def batches(
        self, key: Any, epoch: int, start: int = 0, waiting: Waiting = nullcontext
    ) -> Iterator[Batch]:
        """The batches of an epoch, cut on the host, from row `start` on."""
        order = self.order(key, epoch)
        for first in range(start, self.end, self.batch_size):
            rows = order[first : min(first + self.batch_size, self.end)]
            yield self.take(rows)

    def take(self, rows: np.ndarray) -> Batch:
        """A batch of these rows."""
        return jax.tree.map(lambda array: array[rows], self.host)

    def place(self, key: Any, epoch: int, number: int, row: int) -> str:
        """Where in the data this row of a batch stands, in words."""
        return f"row {self.order(key, epoch)[number * self.batch_size + row]}"

    def example(self) -> Batch:
        """Arrays of the shapes that batches have, but for their first axis."""
        return self.host


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

    def __init__(
        self, source: Any, standardize: Callable[[Any], Batch], steps: int | None, around: bool = False
    ):
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
                raise DataError(
                    f"The data is empty: the {type(self.source).__name__} ended before the first batch."
                )
            self.first = self._checked(item)
        return self.first

    def batches(
        self, key: Any, epoch: int, start: int = 0, waiting: Waiting = nullcontext
    ) -> Iterator[Batch]:
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
        if self.taken == _length(self.source):
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
            error.add_note(
                f"(In batch {self.taken - 1} that the {type(self.source).__name__} gave, counted from 0.)"
            )
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


Feed = ArrayFeed | StreamFeed
_END = object()


def feed_of(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    checks: Checks,
    batch_size: int | None = None,
    shuffle: bool = False,
    steps: int | None = None,
    class_weight: Any = None,
    who: str = "fit()",
    epochs: str | None = None,
    around: bool = False,
) -> Feed:
    """The feed of any source of data.

    Args:
        x: Arrays in the model's nest (NumPy, JAX, pandas, lists of numbers), or an iterable of batches.
        y: The targets, by output; None where `x` yields them itself.
        sample_weight: Weights of the rows, for all outputs or by output.
        checks: What the model wants of its data.
        batch_size: Rows a batch, 32 by default; for arrays only.
        shuffle: Whether each epoch has an order of its own; for arrays only.
        steps: Batches an epoch.
        class_weight: A weight for each class, or such a dict by output.
        who: The function that an error speaks of.
        epochs: The argument that `steps` came in, where the data is gone through again and again: a generator, which
            cannot begin again, then needs it.
        around: Whether an epoch goes on where the last one stopped, and begins again at the end of the data.

    Raises:
        DataError: Where the data is empty, misnamed, of the wrong shape or out of range.
    """
    check_count(batch_size, who, "batch_size")
    check_count(steps, who, epochs or "steps")
    if x is None:
        raise DataError(f"{who} was given no data: x is None.")
    if not is_stream(x):
        batch = checks.batch(x, y, sample_weight, class_weight=class_weight)
        return ArrayFeed(batch, int(batch_size or 32), shuffle, steps, around and steps is not None)
    kind, length = type(x).__name__, _length(x)
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise DataError(
                f"{who}: where x is a {kind}, it yields the {name} itself: (x, y) or (x, y, weight)."
            )
    if length == 0:
        raise DataError(f"{who} was given empty data: the {kind} has 0 batches.")
    if steps is None and length == math.inf:
        raise DataError(f"{who}: the {kind} never ends: give {epochs or 'steps'}.")
    if steps is None and epochs and hasattr(x, "__next__"):
        raise DataError(
            f"{who} cannot tell when an epoch of a {kind} ends: give {epochs}, for it may never end, and it cannot "
            "begin again."
        )

    def standardize(item):
        return checks.batch(*unpacked(item), class_weight=class_weight)

    return StreamFeed(x, standardize, length if steps is None else steps, around and steps is not None)


def check_count(value: Any, who: str, name: str) -> None:
    """Raise ArgumentError unless `value` is a whole number above 0, or None."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if value is not None and not (whole and value > 0):
        raise ArgumentError(f"{who} wants a whole {name} above 0; got {value!r}.")


def is_stream(x: Any) -> bool:
    """Whether `x` yields batches, rather than being arrays."""
    if is_array(x) or isinstance(x, (list, tuple, dict, str, bytes)):
        return False
    return (
        hasattr(x, "__next__")
        or hasattr(x, "__iter__")
        or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))
    )


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


def split(batch: tuple[Any, Any, Any], fraction: float) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """Arrays cut into the first rows and the last `fraction` of them."""
    if not 0 < fraction < 1:
        raise ArgumentError(f"validation_split lies between 0 and 1; got {fraction!r}.")
    arrays = jax.tree.map(as_array, batch, is_leaf=is_array)
    rows = count_rows(arrays)
    cut = math.floor(rows * (1 - fraction))
    if cut == 0 or cut == rows:
        raise DataError(
            f"validation_split={fraction} of {rows} rows leaves no row for {'training' if cut == 0 else 'validation'}."
        )
    return jax.tree.map(lambda a: a[:cut], arrays), jax.tree.map(lambda a: a[cut:], arrays)


def _length(source: Any) -> float | None:
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
