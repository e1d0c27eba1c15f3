"""Settings that hold for the whole process: default dtype, epsilon, layout, where compiled programs are kept."""

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from keryx.errors import ConfigError

_settings: dict[str, Any] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "dtype_policy": None,
    "kernels": os.environ.get("KERYX_KERNELS", "auto"),
}
_KERNELS = ("auto", "native", "xla")
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


def dtype_policy() -> str:
    """The name of the policy of layers that are given no dtype: `floatx()` unless set otherwise."""
    return str(_settings["dtype_policy"] or floatx())


def set_dtype_policy(policy: Any) -> None:
    """Set the policy of layers that are given no dtype: a float dtype, `mixed_bfloat16` or `mixed_float16`.

    >>> set_dtype_policy("mixed_bfloat16")
    >>> dtype_policy()
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


def set_image_data_format(value: str) -> None:
    """Set the default layout of images."""
    if value not in ("channels_last", "channels_first"):
        raise ConfigError(f"image_data_format is 'channels_last' or 'channels_first'; got {value!r}.")
    _settings["image_data_format"] = value


def set_compilation_cache(folder: str | os.PathLike | None) -> None:
    """Where compiled programs are kept between processes; None keeps none.

    By default it is `keryx` in the user's cache folder, or where JAX_COMPILATION_CACHE_DIR or `jax.config` had told
    JAX before keryx was imported. KERYX_COMPILATION_CACHE=off in the environment turns it off, and another value
    names the folder.
    """
    jax.config.update("jax_compilation_cache_dir", None if folder is None else os.fspath(folder))
    if folder is not None:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _start_compilation_cache() -> None:
    wanted = os.environ.get("KERYX_COMPILATION_CACHE", "")
    told = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if told is None and wanted.lower() not in ("off", "0", "none"):
        try:
            home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        except RuntimeError:  # a process of no user has no home
            return
        set_compilation_cache(wanted or home / "keryx" / "compiled")


def is_float(dtype) -> bool:
    """Whether this dtype is a floating one, bfloat16 and its kin included."""
    return jax.dtypes.issubdtype(np.dtype(dtype), np.floating)


_start_compilation_cache()


def kernels() -> str:
    """Which code serves what is heavy on a CPU: auto, native or xla; see `set_kernels`."""
    return str(_settings["kernels"])


def set_kernels(value: str) -> None:
    """Choose the code that convolution, pooling, recurrence, products and updates run on, on a CPU.

    The environment variable KERYX_KERNELS sets it for a process. Programs compiled so far are compiled again.
    `keryx.kernels.report()` says what serves what.

    Args:
        value: `auto`: native kernels where they were measured to be faster than XLA; `native`: wherever they can do
            what is asked; `xla`: nowhere.

    >>> set_kernels("auto")
    >>> kernels()
    'auto'
    """
    if value not in _KERNELS:
        raise ConfigError(f"set_kernels() takes one of {', '.join(_KERNELS)}; got {value!r}.")
    if value != _settings["kernels"]:
        _settings["kernels"] = value
        jax.clear_caches()
