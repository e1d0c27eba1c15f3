"""The way out of data that a model cannot take: the last sentence of an error, imported only for one."""

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np

_OF_TIMES = " Make numbers of dates and times, such as the days since the first."


def of_kind(array: Any, what: str) -> str:
    """What to write where an array holds no numbers."""
    if array.dtype.kind == "M" or array.dtype.kind == "m":
        return _OF_TIMES
    values = list(array.flat)[:1000] if array.dtype.kind == "O" else list(array.flat[:1000])
    first = next((value for value in values if value is not None), None)
    if any(isinstance(value, (datetime.date, datetime.timedelta)) for value in values):  # as pandas hands them over
        return _OF_TIMES
    if any(isinstance(value, (str, bytes)) for value in values):
        if what.startswith("target"):
            return " Number the classes: classes, y = numpy.unique(y, return_inverse=True)."
        if _are_written_numbers(values):
            return " Its numbers are written as text: x.astype('float32')."
        if array.ndim == 2 and array.shape[1] > 1:
            return f" {_columns(array)}Number its categories, pandas.get_dummies(x), or use StringLookup."
        return " Make numbers of words with TextVectorization, of categories with StringLookup."
    if callable(first):
        return " It is a function: call it."
    if isinstance(first, (list, tuple, np.ndarray)):
        return " Its rows differ in length: pad them with keryx.utils.pad_sequences."
    if first is None:
        return " It holds None: fill it in, or leave such rows out."
    return " x.astype('float32') makes numbers of it, if they are."


def _are_written_numbers(values: Sequence[Any]) -> bool:
    """Whether all values are numbers, or text that reads as one."""
    try:
        return bool(np.isfinite(np.array(values).astype("float32")).all())
    except (TypeError, ValueError):
        return False


def _columns(array: Any) -> str:
    """Which columns hold text, and what: a table of pandas's is an array of objects by now."""
    text = [i for i in range(array.shape[1]) if isinstance(array[0, i], (str, bytes))]
    if not text or len(text) == array.shape[1]:
        return ""
    return f"Column {text[0]} holds text, {array[0, text[0]]!r}. "


def of_label(low: int, high: int, labels: Any, what: str) -> str:
    """What to write where one of some integers lies outside of `low` to `high` - 1."""
    if not what.startswith("target"):
        many = labels.min() >= low and labels.max() < 2 * high + 100
        return f" Give it input_dim={int(labels.max()) + 1} for these ids." if many else ""
    if high - low == 1:
        return " Its output has one unit; for a yes or no, use loss='binary_crossentropy'."
    begin = int(labels.min()) - low
    if begin and labels.max() - labels.min() < high - low:
        return f" Classes count from {low}: give y {'-' if begin > 0 else '+'} {abs(begin)}."
    if len(np.unique(labels)) <= high - low:
        return " Number the classes: classes, y = numpy.unique(y, return_inverse=True)."
    if labels.min() >= low and labels.max() < 2 * high + 100:
        return f" For {int(labels.max()) + 1} classes, end the model in Dense({int(labels.max()) + 1})."
    return ""


def of_missing_target(x: Any) -> str:
    """What to write where there is a loss, and no target."""
    if isinstance(x, (tuple, list)) and len(x) == 2:
        return " Give x and y as two arguments: fit(x, y)."
    return " Give y as well: fit(x, y), or batches (x, y)."
