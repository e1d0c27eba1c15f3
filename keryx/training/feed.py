"""Any source of data, turned into batches that a compiled step can take."""

import math
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import jax
import numpy as np

from keryx.errors import ArgumentError, DataError
from keryx.training.checks import Checks, arrays_in, count_rows
from keryx.training.state import shuffled
from keryx.training.step import Batch
from keryx.training.stream import StreamFeed, Waiting, is_stream, length_of, unpacked

# Arrays up to this size are put on the device whole; of larger ones each batch is cut on the host.
RESIDENT_BYTES = 2 * 2**30


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
            self.device = jax.block_until_ready(jax.device_put(self.host))
        return self.device

    def order(self, key: Any, epoch: int) -> np.ndarray:
        """The rows of this epoch in their order, int32 (end,): a part of endless passes over all rows."""
        first = epoch * self.end
        passes = range(first // self.rows, math.ceil((first + self.end) / self.rows))
        orders = [shuffled(key, n, self.rows) if self.shuffle else np.arange(self.rows, dtype=np.int32) for n in passes]
        return np.concatenate(orders)[first % self.rows :][: self.end]

    def batches(self, key: Any, epoch: int, start: int = 0, waiting: Waiting = nullcontext) -> Iterator[Batch]:
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


Feed = ArrayFeed | StreamFeed


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
    kind, length = type(x).__name__, length_of(x)
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise DataError(f"{who}: where x is a {kind}, it yields the {name} itself: (x, y) or (x, y, weight).")
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

    known = None if length is None or length == math.inf else int(length)
    return StreamFeed(x, standardize, known if steps is None else steps, around and steps is not None)


def check_count(value: Any, who: str, name: str) -> None:
    """Raise ArgumentError unless `value` is a whole number above 0, or None."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if value is not None and not (whole and value > 0):
        raise ArgumentError(f"{who} wants a whole {name} above 0; got {value!r}.")


def split(batch: tuple[Any, Any, Any], fraction: float) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """Arrays cut into the first rows and the last `fraction` of them."""
    if not 0 < fraction < 1:
        raise ArgumentError(f"validation_split lies between 0 and 1; got {fraction!r}.")
    arrays = tuple(arrays_in(part, None) for part in batch)
    rows = count_rows(arrays)
    cut = math.floor(rows * (1 - fraction))
    if cut == 0 or cut == rows:
        raise DataError(
            f"validation_split={fraction} of {rows} rows leaves no row for {'training' if cut == 0 else 'validation'}."
        )
    return jax.tree.map(lambda a: a[:cut], arrays), jax.tree.map(lambda a: a[cut:], arrays)
