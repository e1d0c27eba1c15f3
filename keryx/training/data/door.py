"""The door for data: what it is, is decided here, once, and it is checked on its way in."""

import inspect
import math
from typing import Any

from keryx import switches
from keryx.errors import DataError
from keryx.training.data.arrays import is_array
from keryx.training.data.source import Admit, Arrays, Source
from keryx.training.data.streams import Numbered, Stream, length_of


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
        shuffle: Whether each epoch has an order of its own: of the rows of arrays, of the batches of a PyDataset.
        around: Whether an epoch of `steps` goes on where the last one stopped, and begins again at the end of the data.
        again: Whether there will be more than one epoch of the same batches.

    Raises:
        DataError: Where the data is empty, misnamed, of the wrong shape or out of range.
    """
    if x is None:
        raise DataError(f"{who} was given no data: x is None.")
    if inspect.isroutine(x):
        raise DataError(f"{who} was given the function {x.__name__}() as data. Call it: {x.__name__}().")
    around = around and steps is not None
    if switches.max_steps_per_epoch() is not None:
        steps = capped(steps)
    if not yields_batches(x):
        return Arrays(admit(x, y, weight), int(batch_size or 32), shuffle, steps, around)
    kind, length = type(x).__name__, length_of(x)
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
    # A PyDataset, or a sequence that cannot be iterated over, is asked for its batches by number.
    is_data_set = hasattr(x, "__getitem__") and hasattr(type(x), "num_batches")
    if is_data_set or (hasattr(x, "__getitem__") and not hasattr(x, "__iter__")):
        return Numbered(x, admit, steps, around, shuffle and is_data_set)
    return Stream(x, admit, steps, around)


def capped(steps: int | None) -> int | None:
    """`steps`, or the limit that holds for the process where that is less."""
    limit = switches.max_steps_per_epoch()
    return steps if limit is None or (steps is not None and steps <= limit) else limit


def yields_batches(x: Any) -> bool:
    """Whether `x` yields batches, rather than being arrays."""
    if is_array(x) or isinstance(x, (list, tuple, dict, str, bytes)):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))
