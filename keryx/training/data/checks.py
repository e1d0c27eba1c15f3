"""What a model wants of its data: names, shapes, ranges, one batch at a time."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import jax
import numpy as np

from keryx.core.matching import fit_shape, match
from keryx.core.symbol import SymbolicTensor
from keryx.errors import DataError, ShapeError
from keryx.training.data.arrays import (
    Range,
    arrays_in,
    check_kind,
    check_range,
    check_whole,
    count_rows,
    device_ready,
    is_array,
    numbers,
    whole,
)
from keryx.training.step import Batch


class Wanted:
    """One array that a model wants.

    Args:
        what: What an error calls it: `input 'ids'`.
        allowed: The integers that it may hold, if not all.
        symbol: The input that it is for; None for a target.
        symbols: All inputs.
        stays: Whether it stays on the host, so that its integers may be greater than a device's.
    """

    def __init__(
        self,
        what: str,
        allowed: Range | None = None,
        symbol: SymbolicTensor | None = None,
        symbols: Sequence[SymbolicTensor] = (),
        stays: bool = False,
    ):
        self.stays = stays
        self.what, self.allowed, self.symbol, self.symbols = what, allowed, symbol, symbols
        self.is_text = symbol is not None and symbol.dtype == "string"

    def input(self, array: Any) -> Any:
        """An input, checked, in a dtype that devices hold; text stays as it is where the model takes text."""
        array = array if is_array(array) else numbers(array, self.what)
        if not self.is_text:
            check_kind(array, self.what)
        shape = fit_shape(array.shape, self.symbol, self.symbols, batch=False)  # type: ignore[arg-type]
        if not self.is_text:
            check_range(array, self.allowed, self.what)
            check_whole(array, self.allowed, self.what)
            array = array if self.stays and array.dtype.kind in "iu" else device_ready(array, self.what)
        return array if array.shape == shape else array.reshape(shape)

    def target(self, array: Any) -> Any:
        """A target, likewise, or None; labels are integers, also where they came as floats."""
        if array is None:
            return None
        array = array if is_array(array) else numbers(array, self.what)
        check_kind(array, self.what)
        if self.allowed is not None and jax.dtypes.issubdtype(array.dtype, np.floating):
            array = whole(array, self.allowed, self.what)
        check_range(array, self.allowed, self.what)
        return device_ready(array, self.what)


class Checks:
    """What a model wants of its data.

    Args:
        symbols: The model's inputs; None for a subclass, which takes what it is given.
        structure: The nest of the inputs.
        ranges: For each input the integers that an Embedding behind it takes, or None.
        objective: Matches targets to outputs; None where there are no targets.
        labels: For each output the labels that its loss takes, or None.
        host: Makes of the inputs, NumPy arrays in the model's nest, those that the compiled program takes: the part
            of the model that runs on the host. None where the program takes them as they are.
        stay: The inputs that only that part takes.
        fed: What the compiled program is given, in words, and the integers that an Embedding there takes, or None.
    """

    def __init__(
        self,
        symbols: Sequence[SymbolicTensor] | None,
        structure: Any,
        ranges: Sequence[Range | None] = (),
        objective: Any = None,
        labels: Sequence[Range | None] = (),
        host: Callable[[Any], Any] | None = None,
        stay: Collection[SymbolicTensor] = (),
        fed: Sequence[tuple[str, Range | None]] = (),
    ):
        self.fed = fed
        self.symbols, self.structure, self.host = symbols, structure, host
        self.names = [symbol.name for symbol in symbols or ()]
        self.wanted = [
            Wanted(
                f"input {symbol.name!r}",
                ranges[i] if i < len(ranges) else None,
                symbol,
                symbols or (),
                symbol in stay,
            )
            for i, symbol in enumerate(symbols or ())
        ]
        self.nest = jax.tree.structure(structure)
        self.whats = [wanted.what for wanted in self.wanted] if symbols else None
        self.objective = objective
        self.outputs: list[str] = objective.names if objective else []
        self.targets = [
            Wanted(f"target {name!r}", labels[i] if i < len(labels) else None) for i, name in enumerate(self.outputs)
        ]
        self.passed: dict[Any, Any] = {}  # the forms of data that was taken as it came, and the nest of such a batch

    @classmethod
    def of(cls, model: Any, objective: Any = None, labels: Sequence[Range | None] = ()) -> "Checks":
        """What this model wants."""
        symbols = model.inputs if model.has_graph else None
        halves, ranges = model.halves, model.input_ranges()
        fed = [*zip(halves.fed_names, model.fed_ranges(), strict=True)]
        return cls(symbols, model.input_structure, ranges, objective, labels, halves.feeding, halves.host_only, fed)

    def batch(self, x: Any, y: Any = None, weight: Any = None) -> Batch:
        """A batch of arrays in the model's own order, checked; host arrays are cast to what devices hold."""
        given, nest = jax.tree.flatten((x, y, weight))
        form = _form(given, nest)
        if form in self.passed:
            return jax.tree.unflatten(self.passed[form], given)
        batch = self._checked(x, y, weight)
        arrays, structure = jax.tree.flatten(batch)
        as_it_came = form is not None and list(map(id, given)) == list(map(id, arrays))
        if as_it_came and self.host is None and not any(wanted.allowed for wanted in self.wanted + self.targets):
            self.passed[form] = structure
        return batch

    def _checked(self, x: Any, y: Any, weight: Any) -> Batch:
        if y is None and self._is_pair(x):
            raise DataError("x is a pair of inputs and targets. Give them as two arguments, such as fit(x, y).")
        inputs, targets, weights = self.inputs(x), list[Any](), list[Any]()
        if self.objective is not None:
            targets = [w.target(target) for w, target in zip(self.targets, self._by_output(y, "target"), strict=True)]
            weights = [_weight(w, name) for w, name in zip(self._weights(weight), self.outputs, strict=True)]
        batch = Batch(inputs, targets, weights)
        rows = count_rows(batch, lambda: self._names_of(batch))
        for name, target, w in zip(self.outputs, targets, weights, strict=True):
            if w is not None and w.ndim > 1 and target is not None and w.shape != target.shape[: w.ndim]:
                steps = f", or one a step, {tuple(target.shape[:2])}" if target.ndim > 1 else ""
                raise ShapeError(
                    f"The sample weights of output {name!r} are {tuple(w.shape)}, its targets "
                    f"{tuple(target.shape)}. Give one a row, ({rows},){steps}."
                )
        return batch

    def _is_pair(self, x: Any) -> bool:
        """Whether what was given as the one input is an input with its targets."""
        single = self.objective is not None and self.symbols is not None and len(self.symbols) == 1
        if not single or not isinstance(x, (tuple, list)) or len(x) != 2 or not all(map(is_array, x)):
            return False
        return np.ndim(x[0]) == self.symbols[0].ndim and len(x[0]) == len(x[1])  # type: ignore[index]

    def _names_of(self, batch: Batch) -> list[str]:
        """What an error calls the arrays of a batch."""
        inputs = self.whats or []
        targets = [wanted.what for wanted, y in zip(self.targets, batch.y, strict=False) if y is not None]
        pairs = zip(self.outputs, batch.weight, strict=False)
        return [*inputs, *targets, *(f"sample weights of {name!r}" for name, w in pairs if w is not None)]

    def inputs(self, x: Any) -> Any:
        """The inputs alone, likewise."""
        if x is None:
            raise DataError("The model was given no data: x is None.")
        x = arrays_in(x, self.whats)
        if isinstance(x, (list, tuple)) and not jax.tree.leaves(x):
            raise DataError("The data is empty: it is a list of nothing.")
        if self.symbols is None:
            return jax.tree.map(lambda array: device_ready(array, "input"), x)
        flat = [
            wanted.input(array) for wanted, array in zip(self.wanted, match(x, self.names, self.structure), strict=True)
        ]
        inputs = flat[0] if self.structure is self.symbols[0] else jax.tree.unflatten(self.nest, flat)
        if self.host is None:
            return inputs
        values = self.host(inputs)
        for array, (what, allowed) in zip(jax.tree.leaves(values), self.fed, strict=False):
            check_range(array, allowed, what)
        return jax.tree.map(lambda array: device_ready(array, "input"), values)

    def _by_output(self, given: Any, role: str) -> list[Any]:
        """Targets or weights as they are given, in the order of the outputs."""
        return self.objective.match(arrays_in(given, [f"{role} {name!r}" for name in self.outputs]), role)

    def _weights(self, given: Any) -> list[Any]:
        if given is None:
            return [None] * len(self.outputs)
        matched = zip(self._by_output(given, "sample weight"), self.outputs, strict=True)
        return [w if w is None or is_array(w) else numbers(w, f"sample weight {name!r}") for w, name in matched]

    def weighing(self, class_weight: Any, batch: Batch) -> Batch:
        """The batch with each row weighing as much as its class does, by one dict or one an output."""
        targets, weights = batch.y, batch.weight
        names = self.outputs
        if not isinstance(class_weight, dict):
            is_list = isinstance(class_weight, (list, tuple, np.ndarray))
            raise DataError(
                f"class_weight is a dict of a weight for each class, such as {{0: 1.0, 1: 2.5}}; got "
                f"{type(class_weight).__name__}.{' dict(enumerate(weights)) makes one of it.' if is_list else ''}"
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
        for table, target, wanted in zip(tables, targets, self.targets, strict=True):
            if table is not None and target is not None:
                _check_classes(table, target, wanted)
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
            if int(label) != label:
                raise ValueError
            weights[classes == int(label)] = float(weight)
        except (TypeError, ValueError):
            raise DataError(
                f"class_weight is a dict of a number for each class, such as {{0: 1.0, 1: 2.5}}; got {label!r}: "
                f"{weight!r}."
            ) from None
    return weights


def _check_classes(table: dict[Any, Any], target: Any, wanted: Wanted) -> None:
    """Raise DataError for a weight of a class that there is not."""
    one_hot = target.ndim > 1 and target.shape[-1] > 1
    classes = target.shape[-1] if one_hot else wanted.allowed[2] if wanted.allowed else 0
    beyond = [label for label in table if isinstance(label, (int, np.integer)) and not 0 <= label < classes]
    if classes and beyond:
        raise DataError(f"class_weight names the class {beyond[0]}; {wanted.what} has the classes 0 to {classes - 1}.")


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
