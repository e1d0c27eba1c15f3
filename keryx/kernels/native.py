"""The compiled half of the kernels: finds the library that fits this processor, and calls it.

It is built with the package (native/CMakeLists.txt), once for each instruction set. Where there is none, because no
compiler was there or the processor is an unknown one, all kernels run on XLA, and one warning says so.
"""

import ctypes
import functools
import importlib.metadata
import os
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np

# Each is a handler that the library exports; the number in the name of a target changes when its arguments do,
# so that a program compiled by another version is never served by this one.
TARGETS: tuple[str, ...] = (
    "keryx_add_rows_1",
    "keryx_average_pool_1",
    "keryx_average_pool_gradient_1",
    "keryx_ceiling_1",
    "keryx_conv_1",
    "keryx_conv_input_gradient_1",
    "keryx_conv_kernel_gradient_1",
    "keryx_dense_1",
    "keryx_dense_backward_1",
    "keryx_epilogue_gradient_1",
    "keryx_global_average_pool_1",
    "keryx_global_max_pool_1",
    "keryx_gru_1",
    "keryx_gru_backward_1",
    "keryx_lstm_1",
    "keryx_lstm_backward_1",
    "keryx_max_pool_1",
    "keryx_max_pool_gradient_1",
    "keryx_product_1",
    "keryx_simple_rnn_1",
    "keryx_simple_rnn_backward_1",
    "keryx_sum_of_rows_1",
    "keryx_take_rows_1",
    "keryx_update_1",
    "keryx_winograd_1",
    "keryx_winograd_kernel_gradient_1",
)
# The best first. Each library says itself whether this processor can run it.
INSTRUCTION_SETS = ("avx512", "avx2", "neon", "baseline")


class NativeKernelsMissing(UserWarning):
    """The native kernels cannot be used; everything runs on XLA, slower."""


@functools.cache
def library() -> str | None:
    """The instruction set of the library in use, loaded on the first call; None where there is none."""
    folders = _folders()
    for folder in folders:
        for name in INSTRUCTION_SETS:
            path = folder / f"libkeryx_{name}.so"
            if path.exists() and _load(path):
                return name
    warnings.warn(
        "Keryx's native kernels are not there, so everything runs on XLA, up to several times slower. They are built "
        "by 'pip install' where a C++ compiler is; install one (g++ or clang) and install Keryx again, or silence "
        "this with keryx.config.set_kernels('xla').",
        NativeKernelsMissing,
        stacklevel=2,
    )
    return None


def _folders() -> list[Path]:
    """Where libraries may lie: where the environment says, beside this file, in the installed package."""
    if chosen := os.environ.get("KERYX_NATIVE_LIBRARIES"):
        return [Path(chosen)]
    folders = [Path(__file__).parent / "native"]
    try:
        installed = importlib.metadata.distribution("keryx")
        folders.append(Path(str(installed.locate_file("keryx/kernels/native"))))
    except importlib.metadata.PackageNotFoundError:
        pass
    return folders


def _load(path: Path) -> bool:
    """Register a library's handlers; False if it is not for this processor or for another version of Keryx or XLA."""
    try:
        handlers = ctypes.CDLL(str(path))
        handlers.keryx_runs_here.restype = ctypes.c_bool  # an int's upper bytes would be whatever lay there
        if not handlers.keryx_runs_here():
            return False
        for target in TARGETS:
            jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(getattr(handlers, target)), platform="cpu")
    except (OSError, AttributeError, jax.errors.JaxRuntimeError):
        return False
    return True


def call(target: str, results: Any, *arrays: Any, aliases: dict[int, int] | None = None, **attributes: Any) -> Any:
    """Call a handler within a program.

    Args:
        target: One of `TARGETS`.
        results: The shape and dtype of each result: arrays, or jax.ShapeDtypeStruct.
        *arrays: The operands, row after row in memory.
        aliases: Which operands are overwritten by which results.
        **attributes: Numbers, and sequences of them: int64 for whole ones, else float32; NumPy arrays as they
            are.

    Returns:
        A list of arrays.
    """
    structs = [jax.ShapeDtypeStruct(r.shape, r.dtype) for r in results]
    function = jax.ffi.ffi_call(target, structs, input_output_aliases=aliases)
    return list(function(*arrays, **{name: _attribute(value) for name, value in attributes.items()}))


def _attribute(value: Any) -> Any:
    if isinstance(value, (bool, str, np.ndarray)):
        return value
    array = np.asarray(value)
    array = array.astype(np.int64 if np.issubdtype(array.dtype, np.integer) else np.float32)
    return array if array.ndim else array[()]
