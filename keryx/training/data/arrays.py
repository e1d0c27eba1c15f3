"""Arrays as users give them, one at a time: taken as NumPy or JAX knows them, and checked before any cast."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from keryx.core.dtypes import narrowed
from keryx.errors import DataError

Range = tuple[str, int, int]  # who takes only these integers, the lowest, one past the highest


def is_array(x: Any) -> bool:
    """Whether `x` is one array: NumPy's, JAX's, a pandas frame, a tensor of another library or a sparse matrix."""
    return isinstance(x, np.ndarray) or any(hasattr(x, name) for name in ("__array__", "to_numpy", "toarray"))


def as_array(x: Any) -> Any:
    """One array as NumPy or JAX knows it, its dtype as it came."""
    if isinstance(x, (np.ndarray, jax.Array)) or x is None:
        return x
    if hasattr(x, "to_numpy"):
        array = x.to_numpy()
        if array.dtype == object and hasattr(x, "isna") and np.any(x.isna()):
            raise DataError("The data has missing values (NA). Fill them, x.fillna(0), or leave their rows out.")
        plain = array.dtype == object and array.ndim == 2 and all(getattr(t, "kind", "O") in "biuf" for t in x.dtypes)
        return array.astype(np.float64) if plain else array  # columns of numbers and of truth values
    if hasattr(x, "toarray"):
        raise DataError(
            f"The data is sparse, a {type(x).__name__}. Give x.toarray(), or a PyDataset that makes batches."
        )
    if hasattr(x, "detach"):  # a PyTorch tensor, maybe on an accelerator or in need of a gradient
        x = x.detach().cpu()
    return np.asarray(x)


def numbers(x: Any, what: str) -> np.ndarray:
    """A list of numbers, in lists at any depth, as an array.

    Raises:
        DataError: Where the lists have different lengths.
    """
    try:
        return np.asarray(x)
    except ValueError:
        raise DataError(
            f"The {what} is a ragged list: its rows differ in length. Pad them with keryx.utils.pad_sequences."
        ) from None


def arrays_in(given: Any, whats: Sequence[str] | None) -> Any:
    """The arrays in a nest; where one is wanted, a nest of plain numbers is itself an array.

    Args:
        given: The nest.
        whats: What an error calls each array that is wanted; None where that is not known.
    """
    if type(given) is np.ndarray:
        return given
    given = jax.tree.map(as_array, given, is_leaf=is_array)
    if isinstance(given, (list, tuple)) and (whats is None or len(whats) == 1):
        leaves = jax.tree.leaves(given)
        if leaves and all(np.ndim(leaf) == 0 for leaf in leaves):
            return numbers(given, whats[0] if whats else "input")
    return given


def count_rows(arrays: Any, names: Callable[[], list[str]] = list) -> int:
    """The number of rows, which all arrays share; an error calls them by their names, where each has one.

    Raises:
        DataError: Where they differ, or there are none.
    """
    leaves = jax.tree.leaves(arrays)
    if not leaves:
        raise DataError("The data is empty: it holds no array.")
    sizes: set[Any] = {leaf.shape[0] if leaf.ndim else None for leaf in leaves}
    if None in sizes:
        raise DataError(
            "The data holds a single number where an array of rows was expected: the first axis is the batch."
        )
    if len(sizes) > 1:
        shapes = [str(tuple(leaf.shape)) for leaf in leaves]
        named = names()
        if len(named) == len(shapes):
            shapes = [f"{name} {shape}" for name, shape in zip(named, shapes, strict=True)]
        raise DataError(f"All arrays need the same number of rows; got the shapes {', '.join(shapes)}.")
    (rows,) = sizes
    if rows == 0:
        raise DataError("The data is empty: it has 0 rows.")
    return int(rows)


def device_ready(array: Any, what: str) -> Any:
    """The array, or None, in a dtype that devices hold."""
    if array is None:
        return None
    check_kind(array, what)
    return narrowed(array, what)


def check_kind(array: Any, what: str) -> None:
    """Raise DataError for complex numbers, text, dates and objects."""
    dtype = array.dtype
    if dtype.kind == "c":
        raise DataError(f"The {what} is {dtype}; give its real and imaginary parts as separate features.")
    if dtype.kind == "m" or not (dtype.kind == "b" or jax.dtypes.issubdtype(dtype, np.number)):
        from keryx.training.data import ways_out

        raise DataError(f"The {what} holds {dtype}, not numbers.{ways_out.of_kind(array, what)}")


def whole(labels: Any, allowed: Range, what: str) -> Any:
    """Labels that came as floats, as integers.

    Raises:
        DataError: For a fraction, NaN or infinity.
    """
    host = np.asarray(narrowed(labels, what))
    whole = np.isfinite(host) & (host == np.trunc(host))
    if not whole.all():
        who, low, high = allowed
        raise DataError(
            f"The {what} holds {host[~whole][0]}, but {who} compares integers, the classes {low} to {high - 1}. "
            "Use a loss for one-hot or continuous targets."
        )
    return host.astype(np.int32)


def check_range(array: Any, allowed: Range | None, what: str) -> None:
    """Raise where an integer lies outside of what the model can take, with its value and place."""
    if allowed is None or not array.size or (array.min() >= allowed[1] and array.max() < allowed[2]):
        return
    who, low, high = allowed
    host = np.asarray(array)
    place = tuple(int(i) for i in np.argwhere(~((host >= low) & (host < high)))[0])
    value = host[place]
    from keryx.training.data import ways_out

    raise DataError(
        f"The {what} holds {value} at [{', '.join(map(str, place))}]; {who} takes {low} to {high - 1}."
        + ways_out.of_label(low, high, host, what)
    )


def check_whole(array: Any, allowed: Range | None, what: str) -> None:
    """Raise where numbers that are looked up in a table are no integers."""
    if allowed is None or not jax.dtypes.issubdtype(array.dtype, np.floating) or bool((array % 1 == 0).all()):
        return
    host = np.asarray(array)
    place = tuple(int(i) for i in np.argwhere(host % 1 != 0)[0])
    who, low, high = allowed
    raise DataError(
        f"The {what} holds {host[place]} at [{', '.join(map(str, place))}]; {who} takes integers, {low} to {high - 1}. "
        "Give the ids as they are, without scaling them."
    )


def first_non_finite(array: Any) -> tuple[Any, int] | None:
    """The first NaN or infinity in an array, and the row that it stands in.

    >>> first_non_finite(np.array([[1.0], [np.inf]]))
    (inf, 1)
    """
    host = np.asarray(array)
    if not jax.dtypes.issubdtype(host.dtype, np.floating) or np.isfinite(host).all():
        return None
    place = tuple(np.argwhere(~np.isfinite(host))[0])
    return float(host[place]), int(place[0])
