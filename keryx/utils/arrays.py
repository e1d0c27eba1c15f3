"""Labels and sequences as arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keryx import config
from keryx.errors import ArgumentError, DataError


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Class numbers as one-hot rows of floats.

    Args:
        x: Integers of any shape; a last axis of size 1 is dropped.
        num_classes: The length of a row; by default the greatest number and one.

    Returns:
        An array of the shape of `x`, with an axis of `num_classes` more.

    Raises:
        DataError: Where a number is below 0 or not below `num_classes`.

    >>> to_categorical([0, 2]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    numbers = np.asarray(x)
    if numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = numbers[..., 0]
    classes = numbers.astype("int64")
    if not np.array_equal(classes, numbers):
        raise DataError("to_categorical wants integers; got fractions.")
    count = num_classes or int(classes.max(initial=-1)) + 1
    outside = classes[(classes < 0) | (classes >= count)]
    if outside.size:
        raise DataError(f"The class {outside[0]} is none of num_classes={count}: they go from 0 to {count - 1}.")
    return np.eye(count, dtype=config.floatx())[classes]


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """x over its norm of this order along `axis`; what is all 0 stays so.

    >>> normalize([[3.0, 4.0]]).tolist()
    [[0.6, 0.8]]
    """
    x = np.asarray(x)
    norms = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(norms == 0, 1, norms)


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Sequences of different lengths as one array.

    Args:
        sequences: Lists or arrays, each (length, ...).
        maxlen: The length of all; by default that of the longest.
        dtype: The dtype of the array.
        padding: Where a short one is filled up: `pre` or `post`.
        truncating: Where a long one is cut: `pre` or `post`.
        value: What fills.

    Returns:
        An array (sequences, maxlen, ...).

    >>> pad_sequences([[1], [2, 3, 4]], maxlen=2).tolist()
    [[0, 1], [3, 4]]
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise ArgumentError(f"{name} is 'pre' or 'post'; got {side!r}.")
    if not all(hasattr(sequence, "__len__") for sequence in sequences):
        raise DataError("pad_sequences wants a list of sequences, such as [[1], [2, 3]].")
    lengths = [len(sequence) for sequence in sequences]
    maxlen = max(lengths, default=0) if maxlen is None else maxlen
    rest = next((np.shape(sequence)[1:] for sequence in sequences if len(sequence)), ())
    is_text = isinstance(value, str) and np.dtype(dtype) != object and np.dtype(dtype).kind not in "US"
    if is_text:
        raise ArgumentError(f"value={value!r} is text and does not fit dtype={dtype!r}. Take dtype=object.")
    padded = np.full((len(sequences), maxlen, *rest), value, dtype)
    for row, sequence in zip(padded, sequences, strict=True):
        cut = sequence[max(len(sequence) - maxlen, 0) :] if truncating == "pre" else sequence[:maxlen]
        if not len(cut):
            continue
        steps = np.asarray(cut, dtype)
        if steps.shape[1:] != rest:
            raise DataError(f"The steps of all sequences are of one shape; got {rest} and {steps.shape[1:]}.")
        row[slice(maxlen - len(cut), None) if padding == "pre" else slice(len(cut))] = steps
    return padded
