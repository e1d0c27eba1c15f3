"""Data that comes in batches."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from keryx.errors import ArgumentError, DataError
from keryx.utils.formats import in_format


class PyDataset:
    """Batches by their number: the base of data sets that are written in Python.

    A subclass has `__getitem__(index)`, which gives a batch `x`, `(x, y)` or `(x, y, sample_weight)`, and
    either `__len__` or `num_batches`.

    Args:
        workers: How many batches are made at the same time; with 0 or 1 each is made when it is wanted.
        use_multiprocessing: Whether the workers are processes, in place of threads. They are new interpreters, so the
            data set has to be picklable, and a script trains under `if __name__ == "__main__":`.
        max_queue_size: How many batches may be ready and wait, beside those that are being made.

    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         return np.array([[index]]), np.array([[index**2]])
    >>> Squares().num_batches, Squares()[2][1].item()
    (3, 4)
    """

    # The defaults stand here as well, for a subclass may not call super().__init__.
    workers = 1
    use_multiprocessing = False
    max_queue_size = 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10):
        for name, value in (("workers", workers), ("max_queue_size", max_queue_size)):
            if not isinstance(value, (int, np.integer)) or value < 0:
                raise ArgumentError(f"{name} is an integer of 0 or more; got {value!r}.")
        self.workers, self.use_multiprocessing, self.max_queue_size = (
            workers,
            use_multiprocessing,
            max_queue_size,
        )

    def __getitem__(self, index: int) -> Any:
        """The batch of this number."""
        raise NotImplementedError(f"{type(self).__name__} wants a method __getitem__(self, index).")

    @property
    def num_batches(self) -> int | None:
        """How many batches there are; None where they do not end."""
        if not hasattr(self, "__len__"):
            raise NotImplementedError(f"{type(self).__name__} wants a method __len__(self), or num_batches.")
        return len(self)

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch; here the data can be shuffled."""

    def __iter__(self) -> Iterator[Any]:
        """The batches of one epoch."""
        index = 0
        while self.num_batches is None or index < self.num_batches:
            yield self[index]
            index += 1


Sequence = PyDataset


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """A batch as fit takes it: `x`, `(x, y)` or `(x, y, sample_weight)`.

    >>> pack_x_y_sample_weight(1, 2)
    (1, 2)
    """
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    return (x,) if isinstance(x, (list, tuple)) else x


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """A batch as the three `(x, y, sample_weight)`, None for those that it does not have.

    >>> unpack_x_y_sample_weight((1, 2))
    (1, 2, None)
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise DataError(f"A batch is x, (x, y) or (x, y, sample_weight); got {len(data)} parts.")
    return (*data, *(None,) * (3 - len(data)))  # type: ignore[return-value]


def split_dataset(
    dataset: Any,
    left_size: int | float | None = None,
    right_size: int | float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """The rows of arrays in two parts.

    Args:
        dataset: An array, or a nest of lists, tuples and dicts of arrays of one length.
        left_size: The rows of the first part: a count, or a share between 0 and 1.
        right_size: The rows of the second part; either may be left out.
        shuffle: Whether the rows are drawn at random.
        seed: For the drawing.

    >>> left, right = split_dataset(np.arange(5), left_size=0.6)
    >>> left.tolist(), right.tolist()
    ([0, 1, 2], [3, 4])
    """
    arrays = jax.tree.map(np.asarray, dataset)
    lengths = {len(array) for array in jax.tree.leaves(arrays)}
    if len(lengths) != 1:
        raise DataError(f"split_dataset wants arrays of one length; got the lengths {sorted(lengths)}.")
    rows = lengths.pop()
    if left_size is None and right_size is None:
        raise ArgumentError("split_dataset wants left_size=, right_size= or both.")
    left = None if left_size is None else _count(left_size, rows, "left_size")
    right = rows - (left or 0) if right_size is None else _count(right_size, rows, "right_size")
    left = rows - right if left is None else left
    if left + right > rows:
        raise ArgumentError(f"There are {rows} rows, which is fewer than left_size + right_size = {left + right}.")
    order = np.random.default_rng(seed).permutation(rows) if shuffle else np.arange(rows)
    parts = order[:left], order[rows - right :]
    first, second = (jax.tree.map(lambda array, part=part: array[part], arrays) for part in parts)
    return first, second


def _count(size: int | float, rows: int, name: str) -> int:
    count = round(size * rows) if isinstance(size, float) else size
    if not 0 <= count <= rows or (isinstance(size, float) and not 0 < size < 1):
        raise ArgumentError(f"{name} is a share between 0 and 1, or a count of at most {rows} rows; got {size!r}.")
    return count


class _Windows(PyDataset):
    """Batches of windows over a series."""

    def __init__(self, data, targets, starts, offsets, batch_size, generator):
        super().__init__()
        self.data, self.targets, self.starts, self.offsets = data, targets, starts, offsets
        self.batch_size, self.generator = batch_size, generator
        self.on_epoch_end()

    def __len__(self):
        return -(-len(self.starts) // (self.batch_size or 1))

    def __getitem__(self, index):
        if self.batch_size is None:
            start = self.starts[index]
            window = self.data[start + self.offsets]
            return window if self.targets is None else (window, self.targets[start])
        starts = self.starts[index * self.batch_size : (index + 1) * self.batch_size]
        windows = self.data[starts[:, None] + self.offsets]  # (batch, sequence_length, ...)
        return windows if self.targets is None else (windows, self.targets[starts])

    def __iter__(self):
        try:
            yield from super().__iter__()
        finally:  # a loop that is left early was an epoch too
            self.on_epoch_end()

    def on_epoch_end(self):
        if self.generator is not None:
            self.starts = self.generator.permutation(self.starts)


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str | None = None,
) -> Any:
    """Windows of a series, in batches.

    Args:
        data: The series (time, ...).
        targets: The target of the window that starts at each time, or None.
        sequence_length: The steps of a window.
        sequence_stride: How far apart the windows begin.
        sampling_rate: How far apart the steps of a window are.
        batch_size: Windows in a batch; with None the elements are single windows.
        shuffle: Whether the windows come in an order that is drawn at random each epoch.
        seed: For the drawing.
        start_index: Where the part of the series begins that is used.
        end_index: Where it ends.
        format: None for a `PyDataset`; `tf` or `grain` for a data set of these, where they are installed.

    >>> windows = timeseries_dataset_from_array(np.arange(5), np.arange(2, 5), sequence_length=2)
    >>> x, y = windows[0]
    >>> x.tolist(), y.tolist()
    ([[0, 1], [1, 2], [2, 3]], [2, 3, 4])
    """
    data, targets = np.asarray(data), None if targets is None else np.asarray(targets)
    start, end = start_index or 0, len(data) if end_index is None else end_index
    for name, value in (
        ("sequence_length", sequence_length),
        ("sequence_stride", sequence_stride),
        ("sampling_rate", sampling_rate),
    ):
        if value <= 0:
            raise ArgumentError(f"{name} is an integer above 0; got {value!r}.")
    if not 0 <= start < end <= len(data):
        raise ArgumentError(
            f"start_index and end_index are two places in the series of {len(data)} steps, in this order; got {start} "
            f"and {end}."
        )
    starts = np.arange(start, end - (sequence_length - 1) * sampling_rate, sequence_stride)
    if targets is not None:
        starts = starts[starts < len(targets)]
    if not len(starts):
        raise DataError(f"A window of {sequence_length} steps does not fit into a series of {end - start}.")
    offsets = np.arange(sequence_length) * sampling_rate
    generator = np.random.default_rng(seed) if shuffle else None
    windows = _Windows(data, targets, starts, offsets, batch_size, generator)
    return in_format(windows, format)
