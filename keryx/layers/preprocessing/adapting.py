"""What `adapt` is given, batch by batch: arrays, data sets, generators and other iterables."""

import importlib
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from keryx.core import host
from keryx.errors import ArgumentError, DataError

_NESTS = (list, tuple, dict)
_ROWS = 8192  # at a time, where arrays are gone through in parts


def is_array(data: Any) -> bool:
    """Whether this is one array of all rows, or a list of numbers or text; not something that yields batches."""
    if isinstance(data, (list, tuple)):
        first: Any = data[0] if data else None
        while isinstance(first, (list, tuple)) and first:
            first = first[0]
        return not data or not hasattr(first, "shape") or not np.ndim(first)
    return hasattr(data, "shape") or hasattr(data, "to_numpy")


def batches(
    data: Any, who: str, batch_size: int | None = None, steps: int | None = None, verbose: int | str = "auto"
) -> Iterator[Any]:
    """The batches of the inputs within `data`, with a bar in a terminal or a notebook.

    Args:
        data: An array, or a list of numbers or text, which is cut into parts; a PyDataset; or an iterable of batches,
            such as a generator or a data set of TensorFlow's, Grain's or PyTorch's. Of batches `(x, y)`, x is taken.
        who: Who an error speaks of.
        batch_size: Rows of an array at a time.
        steps: The most batches that are taken.
        verbose: 0 shows nothing; 1 and 2 are those of `fit`; `auto` is a bar where one can be drawn.
    """
    if data is None:
        raise DataError(f"{who}: adapt was given no data.")
    found: Iterator[Any]
    length: int | None
    if is_array(data):
        rows, size = host.as_array(data, f"data of {who}"), batch_size or _ROWS
        length = -(-len(rows) // size) if rows.ndim else 1
        found = (rows[i * size : (i + 1) * size] for i in range(length)) if rows.ndim else iter([rows])
    elif hasattr(type(data), "num_batches") and hasattr(data, "__getitem__"):
        length = data.num_batches
        count = itertools.count() if length is None else range(length)
        found = (data[i] for i in count)
    elif hasattr(data, "__iter__"):
        length = len(data) if hasattr(data, "__len__") else None
        found = iter(data)
    else:
        raise ArgumentError(
            f"{who}: adapt takes arrays, a PyDataset, or an iterable of batches; got {type(data).__name__}."
        )
    if steps is not None:
        length = steps if length is None else min(length, steps)
        found = itertools.islice(found, steps)
    return _shown(map(_inputs, found), length, verbose)


def _inputs(batch: Any) -> Any:
    """The x of `(x, y)`; a tuple of words or numbers is a batch itself."""
    pair = isinstance(batch, tuple) and batch and (hasattr(batch[0], "shape") or isinstance(batch[0], _NESTS))
    return batch[0] if pair else batch


def _shown(found: Iterator[Any], length: int | None, verbose: int | str) -> Iterator[Any]:
    # Training, whose bar this is, stands above layers.
    progress_of = importlib.import_module("keryx.training.progress").Progress
    progress = progress_of(verbose, None)
    if verbose == "auto" and not progress.bar:
        progress = progress_of(0, None)
    done = 0
    with progress:
        progress.begin(0, length)
        for batch in found:
            yield batch
            done += 1
            progress.update(done, {})
        progress.end(done, {})
