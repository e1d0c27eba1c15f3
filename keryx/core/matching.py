"""Data given by name or by position, put in the order in which a model wants it."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.core.dtypes import narrowed
from keryx.core.symbol import SymbolicTensor, describe
from keryx.errors import DataError, ShapeError, did_you_mean, listing, warn


def wanted(symbols: Sequence[SymbolicTensor]) -> str:
    """What a model wants, in words: `a (batch, 100) int32, b (batch, 5) float32`."""
    return ", ".join(f"{s.name} {describe(s.shape, s.dtype)}" for s in symbols)


def match(given: Any, names: Sequence[str], structure: Any, role: str = "input", partial: bool = False) -> list[Any]:
    """The parts of `given` in the order of `names`.

    Args:
        given: A dict by name, a list or tuple by position, a nest like `structure`, or a single thing for one name.
        names: The names, in the order of the leaves of `structure`.
        structure: The nest in which the model holds its inputs or outputs.
        role: `input`, `target`, ...: what an error calls one of them.
        partial: Whether names may be left out; None stands in their place.

    Of a dict of inputs that holds them all, other keys are left aside, and a warning says so once.

    Raises:
        DataError: Naming what is missing and what is too much.

    >>> match({"b": 2, "a": 1}, ["a", "b"], [0, 0])
    [1, 2]
    >>> match({"a": 1, "c": 2}, ["a", "b"], [0, 0])
    Traceback (most recent call last):
    keryx.errors.DataError: The inputs are 'a', 'b'. Missing: 'b'. Not an input: 'c'.
    """
    if is_nested(structure) and isinstance(given, (dict, list, tuple)):
        return _alike(given, structure, names, role)
    if isinstance(given, dict):
        keys = sorted(structure) if isinstance(structure, dict) else names
        return _by_name(given, names if given.keys().isdisjoint(keys) else keys, role, partial)
    if isinstance(given, (list, tuple)):
        if isinstance(structure, dict):
            raise DataError(_list_for_dict(sorted(structure), len(given), role))
        if len(given) != len(names):
            pairs = all(isinstance(row, tuple) and len(row) == 2 for row in given)
            rows = "x, y = map(np.stack, zip(*rows))" if pairs else "np.stack(rows)"
            stack = f" Rows are given as one array: {rows}." if len(names) == 1 else ""
            count = _count(len(names), role)
            raise DataError(f"There {count} ({listing(names)}); got a list of {len(given)}.{stack}")
        return list(given)
    if len(names) != 1:
        if partial and given is None:
            return [None] * len(names)
        raise DataError(
            f"There {_count(len(names), role)} ({listing(names)}); got one {type(given).__name__}. "
            "Give a list in this order, or a dict by name."
        )
    return [given]


def _list_for_dict(keys: Sequence[str], count: int, role: str) -> str:
    wrong = "."
    if count < len(keys):
        wrong = f": {listing(keys[count:])} {'is' if len(keys) - count == 1 else 'are'} missing."
    elif count > len(keys):
        wrong = f", {count - len(keys)} too many."
    way_out = ", ".join(f"{key!r}: ..." for key in keys)
    return f"The {role}s are a dict with the keys {listing(keys)}; got a list of {count}{wrong} Give {{{way_out}}}."


def _count(number: int, role: str) -> str:
    return f"is 1 {role}" if number == 1 else f"are {number} {role}s"


def is_nested(structure: Any) -> bool:
    parts = structure.values() if isinstance(structure, dict) else structure
    return isinstance(structure, (dict, list, tuple)) and any(isinstance(p, (dict, list, tuple)) for p in parts)


def _by_name(given: dict[str, Any], names: Sequence[str], role: str, partial: bool) -> list[Any]:
    missing = [name for name in names if name not in given]
    extra = [name for name in given if name not in names]
    if extra and not missing and role == "input":
        _say_left_aside(tuple(extra), tuple(names))
        extra = []
    if extra or (missing and not partial):
        parts = [f"The {role}s are {listing(names)}."]
        if missing:
            parts.append(f"Missing: {listing(missing)}.")
        if extra:
            parts.append(
                f"Not an {role}: {listing(extra)}." if role[0] in "aeiou" else f"Not a {role}: {listing(extra)}."
            )
            parts.append(did_you_mean(extra[0], missing or names).strip())
        raise DataError(" ".join(part for part in parts if part))
    return [given.get(name) for name in names]


@cache
def _say_left_aside(extra: tuple[str, ...], names: tuple[str, ...]) -> None:
    warn(f"The inputs are {listing(names)}; left aside: {listing(extra)}.")


def _alike(given: Any, structure: Any, names: Sequence[str], role: str) -> list[Any]:
    """The leaves of a nest that has the structure of the model's own."""
    if isinstance(structure, dict) and isinstance(given, dict):
        ordered = _by_name(given, sorted(structure), role, partial=False)
        pairs = zip(ordered, (structure[key] for key in sorted(structure)), strict=True)
        return [leaf for part, inner in pairs for leaf in _alike(part, inner, names, role)]
    if isinstance(structure, (list, tuple)) and isinstance(given, (list, tuple)) and len(structure) == len(given):
        return [leaf for part, inner in zip(given, structure, strict=True) for leaf in _alike(part, inner, names, role)]
    if isinstance(structure, (dict, list, tuple)):
        shape = jax.tree.map(lambda _: "*", structure)
        raise DataError(f"The {role}s are a nest like {shape} ({listing(names)}); got another structure.")
    return [given]


def fit_shape(
    shape: tuple[int, ...], symbol: SymbolicTensor, symbols: Sequence[SymbolicTensor], batch: bool = True
) -> tuple[int, ...]:
    """The shape that data of `shape` takes for an input: an axis of size 1 is added or dropped at the end.

    With `batch=False` the data is more than a batch, and the size of its first axis is left open.

    Raises:
        ShapeError: Where the sizes do not fit, naming all inputs.
    """
    fitted = tuple(shape)
    if len(fitted) == symbol.ndim - 1 and symbol.shape[-1] == 1:
        fitted = (*fitted, 1)
    elif len(fitted) == symbol.ndim + 1 and fitted[-1] == 1:
        fitted = fitted[:-1]
    sizes_fit = len(fitted) == symbol.ndim and all(
        symbol.sizes_are_open or want is None or have == want or (i == 0 and not batch)
        for i, (have, want) in enumerate(zip(fitted, symbol.shape, strict=True))
    )
    if not sizes_fit:
        others = f" The model's inputs are {wanted(symbols)}." if len(symbols) > 1 else ""
        from keryx.core import ways_out

        hint = ways_out.into_input(tuple(shape), symbol, symbols)
        raise ShapeError(f"Input {symbol.name!r} wants {describe(symbol.shape)}; got {tuple(shape)}.{hint}{others}")
    return fitted


def as_wanted(x: Any, symbol: SymbolicTensor, symbols: list[SymbolicTensor]) -> Any:
    """Data for an input, on the device, of the dtype and shape that the input wants; a symbol as it is."""
    if isinstance(x, SymbolicTensor):
        return x
    if not isinstance(x, jax.Array):
        host = narrowed(x if isinstance(x, np.ndarray) else np.asarray(x), f"input {symbol.name!r}")
        if host.dtype.kind == "c" and not jnp.issubdtype(symbol.dtype, jnp.complexfloating):
            raise DataError(
                f"The input {symbol.name!r} is {host.dtype}; give its real and imaginary parts as separate features."
            )
        x = jax.device_put(host.astype(symbol.dtype))
    x = x.astype(jax.dtypes.canonicalize_dtype(symbol.dtype))
    shape = fit_shape(x.shape, symbol, symbols)
    return x if shape == x.shape else x.reshape(shape)
