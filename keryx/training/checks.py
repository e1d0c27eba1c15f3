"""Data seen on the host, before any cast: names, shapes, ranges, emptiness, and where a NaN came from."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from keryx.core.dtypes import narrowed
from keryx.core.matching import fit_shape, match
from keryx.core.symbol import SymbolicTensor
from keryx.errors import DataError, ShapeError
from keryx.training.step import Batch

Range = tuple[str, int, int]  # who takes only these whole numbers, the lowest, one past the highest


def is_array(x: Any) -> bool:
    """Whether `x` is one array: NumPy's, JAX's, a pandas frame or a tensor of another library."""
    return isinstance(x, np.ndarray) or hasattr(x, "__array__") or hasattr(x, "to_numpy")


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
    given = jax.tree.map(as_array, given, is_leaf=is_array)
    if isinstance(given, (list, tuple)) and (whats is None or len(whats) == 1):
        leaves = jax.tree.leaves(given)
        if leaves and all(np.ndim(leaf) == 0 for leaf in leaves):
            return numbers(given, whats[0] if whats else "input")
    return given


def count_rows(arrays: Any) -> int:
    """The number of rows, which all arrays share.

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
        shapes = ", ".join(str(tuple(leaf.shape)) for leaf in leaves)
        raise DataError(f"All arrays need the same number of rows; got the shapes {shapes}.")
    (rows,) = sizes
    if rows == 0:
        raise DataError("The data is empty: it has 0 rows.")
    return int(rows)


class Checks:
    """What a model wants of its data.

    Args:
        symbols: The model's inputs; None for a subclass, which takes what it is given.
        structure: The nest of the inputs.
        ranges: For each input the whole numbers that an Embedding behind it takes, or None.
        objective: Matches targets to outputs; None where there are no targets.
        labels: For each output the labels that its loss takes, or None.
        host: Makes of the inputs, NumPy arrays in the model's nest, those that the compiled program takes: the part
            of the model that runs on the host. None where the program takes them as they are.
    """

    def __init__(
        self,
        symbols: Sequence[SymbolicTensor] | None,
        structure: Any,
        ranges: Sequence[Range | None] = (),
        objective: Any = None,
        labels: Sequence[Range | None] = (),
        host: Callable[[Any], Any] | None = None,
    ):
        self.symbols, self.structure, self.ranges = symbols, structure, ranges
        self.objective, self.labels, self.host = objective, labels, host
        self.passed: dict[Any, Any] = {}  # the forms of data that was taken as it came, and the nest of such a batch

    def batch(self, x: Any, y: Any = None, weight: Any = None) -> Batch:
        """A batch of arrays in the model's own order, checked; host arrays are cast to what devices hold."""
        given, nest = jax.tree.flatten((x, y, weight))
        form = _form(given, nest)
        if form in self.passed:
            return jax.tree.unflatten(self.passed[form], given)
        batch = self._checked(x, y, weight)
        arrays, structure = jax.tree.flatten(batch)
        looks_at_values = any(self.ranges) or any(self.labels)
        if form is not None and not looks_at_values and list(map(id, given)) == list(map(id, arrays)):
            self.passed[form] = structure
        return batch

    def _checked(self, x: Any, y: Any, weight: Any) -> Batch:
        inputs = self.inputs(x)
        targets = self._by_output(y, "target")
        weights = self._by_output(weight, "sample weight")
        targets = [self._target(target, i) for i, target in enumerate(targets)]
        batch = Batch(inputs, targets, [_weight(w, self._name(i)) for i, w in enumerate(weights)])
        rows = count_rows(batch)
        for i, (target, w) in enumerate(zip(batch.y, batch.weight, strict=True)):
            if w is not None and target is not None and w.shape != target.shape[: w.ndim] and w.ndim > 1:
                raise ShapeError(
                    f"The sample weights of output {self._name(i)!r} are {tuple(w.shape)}, its targets "
                    f"{tuple(target.shape)}. Give one a row, ({rows},), or one a step, {tuple(target.shape[:2])}."
                )
        return batch

    def inputs(self, x: Any) -> Any:
        """The inputs alone, likewise."""
        x = arrays_in(x, [f"input {symbol.name!r}" for symbol in self.symbols] if self.symbols else None)
        if isinstance(x, (list, tuple)) and not jax.tree.leaves(x):
            raise DataError("The data is empty: it is a list of nothing.")
        if self.symbols is None:
            return jax.tree.map(lambda array: device_ready(array, "input"), x)
        flat = match(x, [s.name for s in self.symbols], self.structure)
        flat = [self._input(array, i) for i, array in enumerate(flat)]
        inputs = jax.tree.unflatten(jax.tree.structure(self.structure), flat)
        return inputs if self.host is None else jax.tree.map(lambda a: device_ready(a, "input"), self.host(inputs))

    def _input(self, array: Any, i: int) -> Any:
        """One input, checked; text stays as it is where the model takes text."""
        symbol, what = self.symbols[i], f"input {self.symbols[i].name!r}"  # type: ignore[index]
        array = array if is_array(array) else numbers(array, what)
        shape = fit_shape(array.shape, symbol, self.symbols, batch=False)  # type: ignore[arg-type]
        if symbol.dtype != "string":
            check_kind(array, what)
            check_range(array, self.ranges[i] if i < len(self.ranges) else None, what)
            array = device_ready(array, what)
        return array if array.shape == shape else array.reshape(shape)

    def _target(self, target: Any, i: int) -> Any:
        """One target, checked; labels are integers, also where they came as floats."""
        if target is None:
            return None
        what, labels = f"target {self._name(i)!r}", self.labels[i] if i < len(self.labels) else None
        check_kind(target, what)
        if labels is not None and jax.dtypes.issubdtype(target.dtype, np.floating):
            target = _whole(target, labels, what)
        check_range(target, labels, what)
        return device_ready(target, what)

    def _by_output(self, given: Any, role: str) -> list[Any]:
        if self.objective is None:
            return []
        given = arrays_in(given, [f"{role} {name!r}" for name in self.objective.names])
        matched = self.objective.match(given, role)
        return [
            m if m is None or is_array(m) else numbers(m, f"{role} {self._name(i)!r}") for i, m in enumerate(matched)
        ]

    def _name(self, i: int) -> str:
        names = self.objective.names if self.objective else []
        return names[i] if i < len(names) else f"output {i}"

    def weighing(self, class_weight: Any, batch: Batch) -> Batch:
        """The batch with each row weighing as much as its class does, by one dict or one an output."""
        targets, weights = batch.y, batch.weight
        names = self.objective.names if self.objective else []
        if not isinstance(class_weight, dict):
            raise DataError(
                f"class_weight is a dict of a weight for each class, such as {{0: 1.0, 1: 2.5}}; got "
                f"{type(class_weight).__name__}. dict(enumerate(weights)) makes one of a list."
            )
        by_output = any(isinstance(value, dict) for value in class_weight.values())
        if by_output:
            tables = match(class_weight, names, self.objective.structure, "class weight", partial=True)
        elif len(targets) == 1:
            tables = [class_weight]
        else:
            raise DataError(
                f"class_weight for several outputs is a dict by output ({', '.join(names)}), each a dict by class."
            )
        weights = [
            weight if table is None or target is None else _times(class_weights_of(target, table), weight)
            for table, target, weight in zip(tables, targets, weights, strict=True)
        ]
        return batch._replace(weight=weights)


def _form(given: list[Any], nest: Any) -> Any:
    """What the checks depend on, where they look at no values; None where the data is not rows of NumPy arrays."""
    form, rows = [nest], set()
    for array in given:
        if type(array) is not np.ndarray or array.ndim == 0:
            return None
        form.append((array.dtype, array.shape[1:]))
        rows.add(len(array))
    return tuple(form) if len(rows) == 1 and 0 not in rows else None


def class_weights_of(target: Any, table: dict[int, float]) -> np.ndarray:
    """The weight of each row by its class, float32 (rows,); classes that the table leaves out weigh 1.

    >>> class_weights_of(np.array([[0, 1], [1, 0]]), {1: 5.0}).tolist()
    [5.0, 1.0]
    """
    target = np.asarray(target)
    one_hot = target.ndim > 1 and target.shape[-1] > 1
    classes = (
        target.argmax(-1)
        if one_hot
        else target.reshape(target.shape[:-1] if target.shape[-1:] == (1,) and target.ndim > 1 else target.shape)
    )
    classes = np.round(classes).astype(np.int64)
    weights = np.ones(classes.shape, np.float32)
    for label, weight in table.items():
        try:
            weights[classes == int(label)] = float(weight)
        except (TypeError, ValueError):
            raise DataError(
                f"class_weight is a dict of a number for each class, such as {{0: 1.0, 1: 2.5}}; got {label!r}: "
                f"{weight!r}."
            ) from None
    return weights


def _times(weights: np.ndarray, given: Any) -> np.ndarray:
    if given is None:
        return weights
    given = np.asarray(given, np.float32)
    return weights * given.reshape(given.shape + (1,) * (weights.ndim - given.ndim))


def _weight(weight: Any, name: str) -> Any:
    if weight is None:
        return None
    if weight.ndim == 0:
        raise ShapeError(f"The sample weights of output {name!r} are a single number; give one a row.")
    device_ready(weight, f"sample weight of {name!r}")
    weight = weight.astype(np.float32)
    return weight[:, 0] if weight.ndim == 2 and weight.shape[1] == 1 else weight


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
        hint = " If it is ragged, pad it with keryx.utils.pad_sequences." if dtype.kind == "O" else ""
        if dtype.kind in "SU" and what.startswith("target"):
            hint = " classes, y = numpy.unique(y, return_inverse=True) numbers the classes."
        raise DataError(f"The {what} holds {dtype}, not numbers.{hint}")


def _whole(labels: Any, allowed: Range, what: str) -> Any:
    """Labels that came as floats, as integers.

    Raises:
        DataError: For a fraction, NaN or infinity.
    """
    host = np.asarray(narrowed(labels, what))
    whole = np.isfinite(host) & (host == np.trunc(host))
    if not whole.all():
        who, low, high = allowed
        raise DataError(
            f"The {what} holds {host[~whole][0]}, but {who} compares whole numbers, the classes {low} to {high - 1}. "
            "Use a loss for one-hot or continuous targets."
        )
    return host.astype(np.int32)


def check_range(array: Any, allowed: Range | None, what: str) -> None:
    """Raise where a whole number lies outside of what the model can take, with its value and place."""
    if allowed is None or not array.size or (array.min() >= allowed[1] and array.max() < allowed[2]):
        return
    who, low, high = allowed
    host = np.asarray(array)
    place = tuple(int(i) for i in np.argwhere(~((host >= low) & (host < high)))[0])
    value = host[place]
    raise DataError(f"The {what} holds {value} at [{', '.join(map(str, place))}]; {who} takes {low} to {high - 1}.")


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
