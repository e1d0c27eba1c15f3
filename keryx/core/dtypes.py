"""Which dtype a layer keeps its weights in, and which it computes in."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import config, later
from keryx.core.codec import Configurable, Registry
from keryx.errors import ConfigError, DataError

_NAMES = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
}  # fmt: skip


def standardize_dtype(dtype: Any, text: bool = False) -> str:
    """The name of a dtype; None is the default float dtype. `text` also admits str, as `string`.

    >>> standardize_dtype(float), standardize_dtype(None), standardize_dtype(jnp.bfloat16)
    ('float32', 'float32', 'bfloat16')
    """
    if dtype is None or dtype is float:
        return config.floatx()
    if text and (dtype is str or dtype == "string"):
        return "string"
    if dtype is int or dtype == "int":
        return "int32"
    try:
        name = dtype if isinstance(dtype, str) else jnp.dtype(dtype).name
    except TypeError:
        name = repr(dtype)
    if name not in _NAMES:
        if name.startswith(("int8_from_", "int4", "float8_from_", "gptq", "awq")):
            raise ConfigError(f"There is no policy {name!r} yet: {later.reason('quantize')}.")
        raise ConfigError(f"There is no dtype {dtype!r}. Known: {', '.join(sorted(_NAMES))}.")
    return name


def as_inexact(x: Any, beside: Any = None) -> jax.Array:
    """An array of floats, or of complex numbers: integers become what `beside` has, or `config.floatx()`.

    >>> as_inexact([1, 2]).dtype.name, as_inexact([1, 2], jnp.ones(1, "float16")).dtype.name
    ('float32', 'float16')
    """
    x = jnp.asarray(x)
    dtypes = x.dtype, getattr(beside, "dtype", x.dtype), config.floatx()
    return x.astype(next(dtype for dtype in dtypes if jnp.issubdtype(dtype, jnp.inexact)))


registry = Registry("dtype policy", "keras.dtype_policies")


def narrowed(array: Any, what: str) -> Any:
    """A host array in a dtype that devices hold: float64 becomes float32, int64 int32 where its values fit;
    the byte order becomes the processor's own.

    Raises:
        DataError: For integers that int32 cannot hold, which a plain cast would turn into others; for text,
            dates and objects; for masked elements.

    >>> narrowed(np.array([2**32]), "input 'ids'")
    Traceback (most recent call last):
    keryx.errors.DataError: The input 'ids' holds 4294967296, which int32 cannot hold.
    """
    if isinstance(array, np.ma.MaskedArray):
        if np.ma.is_masked(array):
            raise DataError(f"The {what} has masked elements. Fill them, x.filled(0.0), and give weights or a mask.")
        array = array.data
    dtype = array.dtype
    if dtype.kind in "SUMmO":
        text = " Text goes into keryx.Input(shape, dtype='string'), and a StringLookup or TextVectorization behind it."
        raise DataError(f"The {what} holds {dtype}, not numbers.{text if dtype.kind in 'SUO' else ''}")
    if isinstance(array, (np.ndarray, np.generic)) and not dtype.isnative:
        array = array.astype(dtype.newbyteorder("="))
        dtype = array.dtype
    if dtype.kind == "f" and dtype.itemsize > 8:  # longdouble
        array = array.astype(np.float64)
        dtype = array.dtype
    if jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        return array
    if dtype == np.float64:
        return array.astype(np.float32)
    if (dtype.kind in "iu" and dtype.itemsize > 4) or dtype == np.uint32:
        low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
        if low < -(2**31) or high >= 2**31:
            raise DataError(f"The {what} holds {high if high >= 2**31 else low}, which int32 cannot hold.")
        return array.astype(np.int32)
    return array


@registry.register()
class DTypePolicy(Configurable):
    """A dtype to compute in and one to keep weights in.

    Args:
        name: A dtype (both are it), or `mixed_float16` or `mixed_bfloat16` (weights stay float32). The name of the
            default policy unless given.

    >>> DTypePolicy("mixed_bfloat16").compute_dtype
    'bfloat16'
    """

    quantization_mode = None

    def __init__(self, name: str | None = None):
        self.name = config.policy_name() if name is None else str(name)
        mixed = self.name.startswith("mixed_")
        self.compute_dtype = standardize_dtype(self.name.removeprefix("mixed_"))
        self.variable_dtype = "float32" if mixed else self.compute_dtype
        if mixed and self.compute_dtype not in ("float16", "bfloat16"):
            raise ConfigError(f"A mixed policy is mixed_float16 or mixed_bfloat16; got {name!r}.")

    def __eq__(self, other):
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self):
        return hash(self.name)


@registry.register()
class FloatDTypePolicy(DTypePolicy):
    """The same, by an older name."""


DTypePolicy.config_module = FloatDTypePolicy.config_module = "keras"  # Keras's configs name them there
registry.homes["DTypePolicyMap"] = "keryx.core.policy_map"


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are given no dtype."""
    return DTypePolicy(config.policy_name())


def get(identifier: Any) -> DTypePolicy:
    """The policy that a dtype, a name or a config stands for; None is the default policy."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return registry.get(identifier)
    if isinstance(identifier, str) and identifier.startswith("mixed_"):
        return DTypePolicy(identifier)
    return DTypePolicy(standardize_dtype(identifier))
