"""Calls of the compiled half of the kernels."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

from keryx import config
from keryx.kernels import libraries
from keryx.kernels.kernel import Way

_DTYPES = {"float32", "int32", "uint8", "bool"}


def library() -> str | None:
    """The instruction set of the library that serves; None where there is none, and everything runs on XLA."""
    return libraries.serving()


def _always(*shapes, **static) -> bool:
    return True


def way(run: Callable, takes: Callable[..., bool] = _always, wins: Callable[..., bool] = _always) -> Way:
    """A CPU's way by native code, which serves float32 on one CPU.

    Args:
        run: The operation by way of `call`; only ever given what `takes` allows.
        takes: `(*shapes, **static) -> bool`: whether the native code can do this. Shapes have `.shape` and `.dtype`.
            That all are float32 (or bool, int32 or uint8) is checked before.
        wins: Likewise, whether it was measured to be faster than XLA.
    """
    return Way("native", run, partial(_serves, takes, wins))


def _serves(takes, wins, context, /, **static) -> bool:
    mode, module, shapes = config.kernels(), context.module_context, context.avals_in
    if mode == "xla" or module.lowering_parameters.for_export:
        return False
    if tuple(module.platforms) != ("cpu",) or getattr(module.axis_context, "num_devices", 2) != 1:
        return False
    if {str(a.dtype) for a in (*shapes, *context.avals_out)} - _DTYPES or library() is None:
        return False
    return takes(*shapes, **static) and (mode == "native" or wins(*shapes, **static))


def call(handler: str, results: Any, *arrays: Any, aliases: dict[int, int] | None = None, **attributes: Any) -> Any:
    """Call a handler of the library that serves, within a program.

    Args:
        handler: One of `libraries.TARGETS`.
        results: The shape and dtype of each result: arrays, or jax.ShapeDtypeStruct.
        *arrays: The operands, row after row in memory.
        aliases: Which operands are overwritten by which results.
        **attributes: Numbers, and sequences of them: int64 for integers, else float32; NumPy arrays as they are.

    Returns:
        A list of arrays.

    Raises:
        RuntimeError: Where no library serves.
    """
    serving = library()
    if serving is None:
        raise RuntimeError(f"{handler} was called, but no native library serves; keryx.kernels.report() says why.")
    structs = [jax.ShapeDtypeStruct(r.shape, r.dtype) for r in results]
    function = jax.ffi.ffi_call(libraries.target(handler, serving), structs, input_output_aliases=aliases)
    return list(function(*arrays, **{name: _attribute(value) for name, value in attributes.items()}))


def _attribute(value: Any) -> Any:
    if isinstance(value, (bool, str, np.ndarray)):
        return value
    array = np.asarray(value)
    array = array.astype(np.int64 if np.issubdtype(array.dtype, np.integer) else np.float32)
    return array if array.ndim else array[()]
