"""Any source of data, turned into batches that a compiled step can take."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.errors import ArgumentError, DataError
from keryx.training.checks import Checks, as_array, count_rows, is_array
from keryx.training.state import shuffled
from keryx.training.step import Batch

# Arrays up to this size are put on the device whole; of larger ones each batch is cut on the host.
RESIDENT_BYTES = 2 * 2**30


class ArrayFeed:
    """Arrays: batches are rows of them, picked on the device where the arrays fit there.

    Args:
        batch: The arrays, as host or device arrays.
        batch_size: Rows a batch.
        shuffle: Whether each epoch has an order of its own.
        limit: The most batches an epoch has; None for all.
    """

    def __init__(self, batch: Batch, batch_size: int, shuffle: bool = False, limit: int | None = None):
        self.rows = count_rows(batch)
        self.batch_size, self.shuffle = min(batch_size, self.rows), shuffle
        self.host = batch
        all_steps = math.ceil(self.rows / self.batch_size)
        self.steps = all_steps if limit is None else min(limit, all_steps)
        self.resident = sum(leaf.nbytes for leaf in jax.tree.leaves(batch)) <= RESIDENT_BYTES
        self.device: Batch | None = None

    @property
    def end(self) -> int:
        """One past the last row of an epoch."""
        return min(self.rows, self.steps * self.batch_size)

    def data(self) -> Batch:
        """The arrays on the device."""
        if self.device is None:
            self.device = jax.tree.map(jnp.asarray, self.host)
        return self.device

    def order(self, key: Any, epoch: int) -> np.ndarray:
        """The order of the rows in this epoch, int32 (rows,)."""
        return shuffled(key, epoch, self.rows) if self.shuffle else np.arange(self.rows, dtype=np.int32)

    def batches(self, key: Any, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, cut on the host, from row `start` on."""
        order = self.order(key, epoch)
        for first in range(start, self.end, self.batch_size):
            rows = order[first : min(first + self.batch_size, self.end)]
            yield jax.tree.map(lambda array: array[rows], self.host)  # noqa: B023 (used before the next turn)

    def example(self) -> Batch:
        """Arrays of the shapes that batches have, but for their first axis."""
        return self.host


class StreamFeed:
    """An iterable of batches: a generator, a PyDataset, a data loader.

    Args:
        source: The iterable; one that can be iterated over again is, epoch by epoch.
        standardize: Turns what it yields into a checked `Batch`.
        steps: Batches an epoch; None for as many as come.
    """

    resident = False
    shuffle = False

    def __init__(self, source: Any, standardize: Callable[[Any], Batch], steps: int | None):
        self.source, self.standardize, self.steps = source, standardize, steps
        self.endless = hasattr(source, "__next__")
        self.iterator: Iterator | None = None
        self.first: Batch | None = None
        self.exhausted = False

    def example(self) -> Batch:
        """The first batch, which is kept for the first epoch."""
        if self.first is None:
            self.iterator = begun(self.source)
            item = next(self.iterator, None)
            if item is None:
                raise DataError(f"The data is empty: the {type(self.source).__name__} ended before the first batch.")
            self.first = self.standardize(item)
        return self.first

    def batches(self, key: Any, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, as they come; a source that can begin again does so when it has ended."""
        if self.iterator is None:
            self.iterator = begun(self.source)
        count = 0
        while self.steps is None or count < self.steps:
            if self.first is not None:
                batch, self.first = self.first, None
            else:
                item = next(self.iterator, _END)
                if item is _END:
                    self._end()
                    return
                batch = self.standardize(item)
            count += 1
            yield batch
        if not self.endless and self.steps == _length(self.source):
            self._end()

    def _end(self) -> None:
        if self.endless:
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

    Raises:
        DataError: Where the data is empty, misnamed, of the wrong shape or out of range.
    """
    if batch_size is not None and (not isinstance(batch_size, (int, np.integer)) or batch_size <= 0):
        raise ArgumentError(f"{who} wants a whole batch_size above 0; got {batch_size!r}.")
    if steps is not None and (not isinstance(steps, (int, np.integer)) or steps <= 0):
        raise ArgumentError(f"{who} wants a whole number of steps above 0; got {steps!r}.")
    if x is None:
        raise DataError(f"{who} was given no data: x is None.")
    if is_stream(x):
        for name, value in (("y", y), ("sample_weight", sample_weight)):
            if value is not None:
                kind = type(x).__name__
                raise DataError(f"{who}: where x is a {kind}, it yields the {name} itself: (x, y) or (x, y, weight).")
        length = _length(x) if hasattr(x, "__len__") or hasattr(x, "num_batches") else None
        if length == 0:
            raise DataError(f"{who} was given empty data: the {type(x).__name__} has 0 batches.")
        if steps is None and hasattr(x, "__next__") and who == "fit()":
            raise DataError(
                f"fit() cannot tell when an epoch of a {type(x).__name__} ends: give steps_per_epoch, for it may never "
                "end, and it cannot begin again."
            )
        if steps is None and length == math.inf:
            raise DataError(f"{who}: the {type(x).__name__} never ends: give steps_per_epoch.")
        wanted = steps if steps is not None else length

        def standardize(item):
            return checks.batch(*unpacked(item), class_weight=class_weight)

        return StreamFeed(x, standardize, wanted)
    batch = checks.batch(x, y, sample_weight, class_weight=class_weight)
    return ArrayFeed(batch, int(batch_size or 32), shuffle, steps)


def is_stream(x: Any) -> bool:
    """Whether `x` yields batches, rather than being arrays."""
    if is_array(x) or isinstance(x, (list, tuple, dict, str, bytes)):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))


def begun(source: Any) -> Iterator:
    """An iterator over a source, which may be a sequence without `__iter__`."""
    return iter(source) if hasattr(source, "__iter__") else (source[i] for i in range(_length(source)))


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
        raise DataError(f"validation_split={fraction} of {rows} rows leaves no row for {'training' if cut == 0 else 'validation'}.")
    return jax.tree.map(lambda a: a[:cut], arrays), jax.tree.map(lambda a: a[cut:], arrays)


def _length(source: Any) -> Any:
    """The number of batches in a source, or None where it cannot tell."""
    batches = getattr(source, "num_batches", None)
    if batches is not None:
        return batches() if callable(batches) else batches
    try:
        return len(source)
    except (TypeError, NotImplementedError, AttributeError):
        return None

