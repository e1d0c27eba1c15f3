"""The native libraries: which are there, which this processor and this JAX can use, and which serves.

They are built with the package (native/CMakeLists.txt), one for each instruction set. The processor is asked before a
library is loaded, for loading one may already run instructions that the processor lacks.
"""

import ctypes
import functools
import importlib.metadata
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import jax

from keryx import config
from keryx.errors import ConfigError, warn
from keryx.kernels import processor

# Each is a handler that a library exports; the number at the end changes when its arguments do.
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


class NativeKernelsMissing(UserWarning):
    """The native kernels cannot be used; everything runs on XLA, slower."""


@dataclass(frozen=True)
class Library:
    """The library for one instruction set.

    Attributes:
        path: Where it lies; None if it was not built.
        refused: Why it cannot be used; None if it can.
    """

    path: Path | None
    refused: str | None = None


def target(handler: str, instruction_set: str) -> str:
    """The name under which JAX knows a library's handler; programs for different libraries are different programs."""
    return f"{handler}_{instruction_set}"


def serving() -> str | None:
    """The instruction set of the library in use; None, with a warning the first time, where there is none.

    Raises:
        ConfigError: Where `keryx.config.set_instruction_set` asks for one that cannot be used.
    """
    wanted = config.instruction_set()
    best = _best(_folders())
    if wanted == "auto":
        return best
    library = libraries()[wanted]
    if library.refused is None:
        return wanted
    usable = [name for name, other in libraries().items() if other.refused is None]
    raise ConfigError(
        f"The native library for {wanted} cannot be used: {library.refused}. "
        f"Those that can: {', '.join(usable) or 'none'}; 'auto' takes the best."
    )


def libraries() -> dict[str, Library]:
    """The library for each instruction set, the best first, loaded where it can be used."""
    return _load_all(_folders())


def _folders() -> tuple[Path, ...]:
    """Where libraries may lie: where the environment says, beside this file, in the installed package."""
    if chosen := os.environ.get("KERYX_NATIVE_LIBRARIES"):
        return (Path(chosen),)
    folders = [Path(__file__).parent / "native"]
    try:
        installed = importlib.metadata.distribution("keryx")
        folders.append(Path(str(installed.locate_file("keryx/kernels/native"))))
    except importlib.metadata.PackageNotFoundError:
        pass
    return tuple(folders)


@functools.cache
def _best(folders: tuple[Path, ...]) -> str | None:
    found = _load_all(folders)
    best = next((name for name, library in found.items() if library.refused is None), None)
    if best is None:
        warn(_why_none(found), NativeKernelsMissing)
    return best


def _why_none(found: dict[str, Library]) -> str:
    built = {name: library.refused for name, library in found.items() if library.path}
    if built:
        why = "cannot be used (" + "; ".join(f"{name}: {refused}" for name, refused in built.items()) + ")"
        remedy = "install Keryx again on this machine, with this JAX"
    else:
        why = "are not there"
        remedy = (
            "they are built by 'pip install' where a C++ compiler is: install one (g++ or clang) and Keryx once more"
        )
    return (
        f"Keryx's native kernels {why}, so everything runs on XLA, up to several times slower. To have them, {remedy}; "
        "keryx.config.set_kernels('xla') silences this."
    )


@functools.cache
def _load_all(folders: tuple[Path, ...]) -> dict[str, Library]:
    jax.devices("cpu")  # handlers that are registered before JAX has started are not checked until it does
    paths = {name: _first(folders, name) for name in processor.REQUIRED}
    try:
        features = processor.features_here(_first(folders, "processor") or folders[0] / "libkeryx_processor.so")
    except OSError as error:
        features, unknown = frozenset[str](), str(error)
    else:
        unknown = ""
    return {name: _load(name, path, features, unknown) for name, path in paths.items()}


def _first(folders: Iterable[Path], name: str) -> Path | None:
    paths = (folder / f"libkeryx_{name}.so" for folder in folders)
    return next((path for path in paths if path.exists()), None)


def _load(name: str, path: Path | None, features: frozenset[str], unknown: str) -> Library:
    """Load a library and register its handlers, all of them or none, if the processor can run it."""
    lacking = processor.missing(name, features)
    if lacking and not unknown:
        return Library(path, f"not for this processor, which has no {', '.join(lacking)}")
    if path is None:
        return Library(None, "it was not built")
    if lacking:
        return Library(path, f"the processor could not be asked: {unknown}")
    try:
        handlers = ctypes.CDLL(str(path))
    except OSError as error:
        return Library(path, f"it does not load: {error}")
    absent = [handler for handler in TARGETS if not hasattr(handlers, handler)]
    if absent:
        return Library(path, f"it is of another version of Keryx, without {', '.join(absent[:3])}")
    try:
        for handler in TARGETS:
            function = jax.ffi.pycapsule(getattr(handlers, handler))
            jax.ffi.register_ffi_target(target(handler, name), function, platform="cpu")
    except Exception as error:  # JAX documents none; what is registered so far is never called
        return Library(path, f"it was built for another version of XLA's foreign functions: {error}")
    return Library(path)
