"""Settings that hold for the whole process: default dtype, epsilon, layout, where compiled programs are kept."""

import os
from typing import Any

import jax
import numpy as np

from keryx import lazy
from keryx.errors import ConfigError, did_you_mean

_settings: dict[str, Any] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "dtype_policy": None,
}
_FLOATS = ("float16", "bfloat16", "float32", "float64")


def floatx() -> str:
    """The default dtype of weights and float inputs.

    >>> floatx()
    'float32'
    """
    return str(_settings["floatx"])


def set_floatx(value: str) -> None:
    """Set the default float dtype: float16, bfloat16, float32 or float64."""
    if value not in _FLOATS:
        raise ConfigError(f"floatx is one of {', '.join(_FLOATS)}; got {value!r}.")
    if value == "float64":
        jax.config.update("jax_enable_x64", True)
    _settings["floatx"] = value


def policy_name() -> str:
    """The name of the policy of layers that are given no dtype: `floatx()` unless set otherwise."""
    return str(_settings["dtype_policy"] or floatx())


def set_dtype_policy(policy: Any) -> None:
    """Set the policy of layers that are given no dtype: a float dtype, `mixed_bfloat16` or `mixed_float16`.

    >>> set_dtype_policy("mixed_bfloat16")
    >>> policy_name()
    'mixed_bfloat16'
    >>> set_dtype_policy("float32")
    """
    name = str(getattr(policy, "name", policy))
    if name not in (*_FLOATS, "mixed_bfloat16", "mixed_float16"):
        known = ", ".join((*_FLOATS, "mixed_bfloat16", "mixed_float16"))
        raise ConfigError(f"A dtype policy is one of {known}; got {policy!r}.")
    _settings["dtype_policy"] = name


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite: 1e-7 unless set otherwise."""
    return float(_settings["epsilon"])


def set_epsilon(value: float) -> None:
    """Set the small number of `epsilon()`."""
    _settings["epsilon"] = float(value)


def image_data_format() -> str:
    """The default layout of images: `channels_last` or `channels_first`."""
    return str(_settings["image_data_format"])


def set_image_data_format(data_format: str) -> None:
    """Set the default layout of images."""
    if data_format not in ("channels_last", "channels_first"):
        raise ConfigError(f"image_data_format is 'channels_last' or 'channels_first'; got {data_format!r}.")
    _settings["image_data_format"] = data_format


def is_float(dtype) -> bool:
    """Whether this dtype is a floating one, bfloat16 and its kin included."""
    return jax.dtypes.issubdtype(np.dtype(dtype), np.floating)


class _Choice:
    """A setting of the process with a few values, first read from a variable of the environment.

    Args:
        name: What it is called in errors.
        variable: The environment variable that holds it when it is first read.
        values: What it may be; the first is the default.
    """

    def __init__(self, name: str, variable: str, values: tuple[str, ...]):
        self.name, self.variable, self.values = name, variable, values
        self.value: str | None = None

    def get(self) -> str:
        """The value; read from the environment on the first call, and checked as `set` checks it."""
        if self.value is None:
            self.value = self._checked(os.environ.get(self.variable) or self.values[0], f"{self.variable} is")
        return self.value

    def set(self, value: str) -> bool:
        """Take another value; whether something has been done with one that differs."""
        before, self.value = self.value, self._checked(value, f"set_{self.name}() takes")
        return before not in (None, self.value)

    def _checked(self, value: str, who: str) -> str:
        if value not in self.values:
            known = ", ".join(self.values)
            raise ConfigError(f"{who} one of {known}; got {value!r}.{did_you_mean(value, self.values)}")
        return value


_kernels = _Choice("kernels", "KERYX_KERNELS", ("auto", "native", "xla"))
_instruction_set = _Choice("instruction_set", "KERYX_INSTRUCTION_SET", ("auto", "avx512", "avx2", "neon", "baseline"))
# A part of the key under which JAX keeps what it has traced: another choice is another program, and nobody's programs
# are thrown away.
_kernels_of_programs = jax.make_user_context()


_cache: tuple[str | None, int] | None = None
_CACHE_BYTES = 2 * 2**30


def compilation_cache() -> tuple[str | None, int]:
    """The folder in which compiled programs are kept, `auto`, or None; and its limit in bytes."""
    if _cache is None:
        wanted, limit = (os.environ.get(f"KERYX_COMPILATION_CACHE{end}", "") for end in ("", "_BYTES"))
        off = wanted.lower() in ("off", "0", "none")
        set_compilation_cache(None if off else wanted or "auto", limit or _CACHE_BYTES, "KERYX_COMPILATION_CACHE_BYTES")
    assert _cache is not None
    return _cache


def set_compilation_cache(
    folder: str | os.PathLike | None, max_bytes: int | str = _CACHE_BYTES, _who: str = "max_bytes"
) -> None:
    """Where the programs that Keryx compiles are kept between processes; other code's are not.

    The environment variables KERYX_COMPILATION_CACHE, a folder or `off`, and KERYX_COMPILATION_CACHE_BYTES set it for
    a process. Where the process has a cache of its own (JAX_COMPILATION_CACHE_DIR or `jax.config`), that one serves.
    Each kind of processor has a folder of its own within.

    Args:
        folder: The folder; `auto` for `keryx` in the user's cache folder; None keeps nothing.
        max_bytes: When a process first uses the folder, the least recently used programs above this are deleted.

    Raises:
        ConfigError: Where `max_bytes` is no integer above 0.
    """
    global _cache
    if not str(max_bytes).isdecimal() or int(max_bytes) == 0:
        raise ConfigError(f"{_who} is an integer of bytes above 0; got {max_bytes!r}.")
    _cache = None if folder is None else os.fspath(folder), int(max_bytes)


_freed_memory = _Choice("freed_memory", "KERYX_FREED_MEMORY", ("kept", "returned"))


def freed_memory() -> str:
    """What becomes of memory that a training step has freed: kept or returned; see `set_freed_memory`."""
    return _freed_memory.get()


def set_freed_memory(value: str) -> None:
    """Choose whether memory that a training step has freed is kept for the next one.

    It holds from the first weight on, for which it has to be set before. KERYX_FREED_MEMORY sets it for a process.

    Args:
        value: `kept`, which sets glibc's thresholds for the process: steps on large arrays are up to twice as fast;
            or `returned`: nothing is set.

    >>> freed_memory()
    'kept'
    """
    _freed_memory.set(value)


def kernels() -> str:
    """Which code serves what is heavy on a CPU: auto, native or xla; see `set_kernels`."""
    return _kernels.get()


def set_kernels(value: str) -> None:
    """Choose the code that convolution, pooling, recurrence, products and updates run on, on a CPU.

    The environment variable KERYX_KERNELS sets it for a process. Programs are compiled anew for another choice; those
    of the last one are kept. `keryx.kernels.report()` says what serves what.

    Args:
        value: `auto`: native kernels where they were measured to be faster than XLA; `native`: wherever they can do
            what is asked; `xla`: nowhere.

    >>> set_kernels("auto")
    >>> kernels()
    'auto'
    """
    if _kernels.set(value):
        _choose_programs()


def instruction_set() -> str:
    """The instruction set whose native library is to serve, or `auto`; see `set_instruction_set`."""
    return _instruction_set.get()


def set_instruction_set(value: str) -> None:
    """Choose which native library serves, for tests and measurements.

    The environment variable KERYX_INSTRUCTION_SET sets it for a process. That the library is there, and that the
    processor can run it, is checked when a kernel next needs it: `keryx.kernels.report()` says which there are.

    Args:
        value: `auto`, the best that the processor can run; or `avx512`, `avx2`, `neon` or `baseline`.

    >>> set_instruction_set("auto")
    >>> instruction_set()
    'auto'
    """
    if _instruction_set.set(value):
        _choose_programs()


def _choose_programs() -> None:
    _kernels_of_programs.set_global((_kernels.value, _instruction_set.value))


# Keras keeps these here too.
__getattr__, __dir__ = lazy.exports(
    __name__,
    {
        "keryx.core.dtypes": "dtype_policy",
        "keryx.switches": "backend disable_flash_attention disable_interactive_logging disable_traceback_filtering "
        "enable_flash_attention enable_interactive_logging enable_traceback_filtering enable_unsafe_deserialization "
        "is_flash_attention_enabled is_interactive_logging_enabled is_nnx_enabled is_traceback_filtering_enabled "
        "max_epochs max_steps_per_epoch set_backend set_max_epochs set_max_steps_per_epoch",
    },
)
