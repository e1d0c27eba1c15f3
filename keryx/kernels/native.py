"""Calls of the compiled half of the kernels."""

from typing import Any

import jax
import numpy as np

from keryx.kernels import libraries


def library() -> str | None:
    """The instruction set of the library that serves; None where there is none, and everything runs on XLA."""
    return libraries.serving()


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
