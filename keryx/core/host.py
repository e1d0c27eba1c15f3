"""What runs on the host: layers of NumPy arrays, such as those that read text.

A layer with `on_host = True` has a `call` that works on NumPy arrays; text comes as arrays of str, dtype object. It is
recorded as any other layer, and what is known of its outputs is found by calling it on small arrays. One with
`on_host = None` runs where its inputs are: on the host on NumPy arrays, and on the device behind what runs there.
"""

from contextvars import ContextVar
from typing import Any

import jax
import numpy as np

from keryx.core import dtypes
from keryx.core.symbol import SymbolicTensor
from keryx.errors import DataError

_TRIED = 2, 3  # sizes in place of an unknown one
on_trial: ContextVar[bool] = ContextVar("on_trial", default=False)
"""Whether a layer is called only to see what its outputs are like, so that it does not complain of the data."""


def runs_here(operation: Any, arguments: Any) -> bool:
    """Whether a call of an operation on these arguments, symbols among them, runs on the host."""
    on_host = getattr(operation, "on_host", False)
    return all(map(_at_hand, jax.tree.leaves(arguments))) if on_host is None else on_host


def _at_hand(x: Any) -> bool:
    """Whether the host knows an argument: it is an input, or follows from inputs by what runs on the host."""
    if isinstance(x, SymbolicTensor):
        return not x.node or not x.node.inputs or runs_here(x.node.operation, x.node.inputs)
    return not isinstance(x, jax.Array)


def as_text(x: Any, what: str = "input") -> np.ndarray:
    """Text of any kind (NumPy's str, bytes or objects, lists, pandas columns) as an array of str; bytes are UTF-8.

    Raises:
        DataError: Where it holds something else, or misses values.

    >>> as_text([["a", b"b"]]).tolist()
    [['a', 'b']]
    """
    array = np.asarray(x.to_numpy() if hasattr(x, "to_numpy") else x, None if _is_array(x) else object)
    if array.dtype.kind == "U":
        return array.astype(object)
    if array.dtype.kind not in "SOT":
        raise DataError(f"The {what} takes text; got {array.dtype}.")
    texts = [_decoded(value, what) for value in array.ravel().tolist()]
    flat = np.empty(len(texts), object)
    flat[:] = texts
    return flat.reshape(array.shape)


def _is_array(x: Any) -> bool:
    return hasattr(x, "__array__") or hasattr(x, "to_numpy")


def _decoded(value: Any, what: str) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise DataError(f"The {what} holds bytes that are no UTF-8: {value[:40]!r}. Decode them first.") from None
    if not isinstance(value, str):
        missing = str(value) in ("None", "nan", "<NA>", "NaT")
        hint = "a missing value. Fill them, x.fillna('')." if missing else f"{value!r} ({type(value).__name__})."
        if isinstance(value, (list, tuple, np.ndarray)):
            hint = "rows that differ in length. Fill them up: keryx.utils.pad_sequences(x, dtype=object, value='')."
        raise DataError(f"The {what} takes text; it holds {hint}")
    return value


def as_array(x: Any, what: str = "input") -> np.ndarray:
    """One argument of a host layer as a NumPy array."""
    if isinstance(x, jax.core.Tracer):
        raise DataError(
            f"The {what} runs on the host, on NumPy arrays, and was called within compiled code. Call it on an Input "
            "of a functional model, whose host part runs before, or on the data."
        )
    array = x.to_numpy() if hasattr(x, "to_numpy") else np.asarray(x, object if is_text(x) else None)
    return as_text(x, what) if array.dtype.kind in "USOT" else array


def is_text(x: Any) -> bool:
    """Whether this is text, or a list of it, which NumPy would give the length of the longest each."""
    while isinstance(x, (list, tuple)) and x:
        x = x[0]
    return isinstance(x, (str, bytes))


def argument(x: Any, what: str = "input") -> Any:
    """An argument of a host layer: its arrays as NumPy's; a list of text or numbers is one, another nest stays one."""
    return jax.tree.map(lambda part: as_array(part, what) if _is_one(part) else part, x, is_leaf=_is_one)


def _is_one(x: Any) -> bool:
    if not isinstance(x, (list, tuple)):
        return _is_array(x)
    return bool(x) and all(isinstance(leaf, (str, bytes, int, float)) for leaf in jax.tree.leaves(x))


def trial(layer: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """New symbols for the outputs of a host layer, from calls on small arrays: empty text, and zeros."""
    refuse_device(layer, (args, kwargs))

    def call(size: int) -> Any:
        def filled(x: Any) -> Any:
            if not isinstance(x, SymbolicTensor):
                return x
            shape = [size if n is None else n for n in x.shape]
            return np.full(shape, "", object) if x.dtype == "string" else np.zeros(shape, x.dtype)

        positional, named = jax.tree.map(filled, (args, kwargs))
        token = on_trial.set(True)
        try:
            halves = getattr(layer, "halves_of_call", None)
            if halves is not None:  # no vector is made, however long a config says that it is
                return jax.eval_shape(halves[1], halves[0](*positional, **named))
            return jax.tree.map(np.asarray, layer(*positional, **named))
        finally:
            on_trial.reset(token)

    def symbol(first: Any, second: Any) -> SymbolicTensor:
        shape = tuple(a if a == b else None for a, b in zip(first.shape, second.shape, strict=True))
        text = first.dtype.kind in "USOT"
        dtype = "string" if text else dtypes.narrowed(np.empty(0, first.dtype), "output").dtype
        return SymbolicTensor(shape, dtype, name="tried")

    return jax.tree.map(symbol, *map(call, _TRIED))


def refuse_device(layer: Any, arguments: Any) -> None:
    """Raise DataError where a layer that runs on the host is given what comes from the device."""
    for symbol in _symbols_in(arguments):
        if symbol.node and not _at_hand(symbol):
            raise DataError(
                f"{layer.name!r} runs on the host, before the device part of a model, but is given {symbol!r}, the "
                f"output of {symbol.node.operation.name!r}, which runs on the device. Put the layers that run on the "
                "host first."
            )


def refuse_text(operation: Any, arguments: Any) -> None:
    """Raise DataError where an operation that runs on the device is given text."""
    for symbol in _symbols_in(arguments):
        if symbol.dtype == "string":
            raise DataError(
                f"{getattr(operation, 'name', operation)!r} runs on the device, which holds no text; {symbol!r} is "
                "text. Put a layer that runs on the host between, which makes numbers of it."
            )


def _symbols_in(tree: Any) -> list[SymbolicTensor]:
    return [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, SymbolicTensor)]
