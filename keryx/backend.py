"""The names of `keras.backend` that still mean something: settings, and the values of variables."""

from collections import Counter
from typing import Any

import jax.numpy as jnp
import numpy as np

from keryx.config import epsilon as epsilon
from keryx.config import floatx as floatx
from keryx.config import image_data_format as image_data_format
from keryx.config import set_epsilon as set_epsilon
from keryx.config import set_floatx as set_floatx
from keryx.config import set_image_data_format as set_image_data_format
from keryx.core.dtypes import standardize_dtype as standardize_dtype
from keryx.core.variable import Variable
from keryx.switches import backend as backend
from keryx.utils.session import clear_session as clear_session
from keryx.utils.session import is_keras_tensor as is_keras_tensor

_uids: Counter[str] = Counter()


def get_uid(prefix: str = "") -> int:
    """1, 2, ... for each prefix."""
    _uids[prefix] += 1
    return _uids[prefix]


def get_value(x: Any) -> np.ndarray:
    """The value of a variable or tensor, as a NumPy array."""
    return x.numpy() if isinstance(x, Variable) else np.asarray(x)


def set_value(x: Variable, value: Any) -> None:
    """Give a variable a value."""
    x.store(np.asarray(value))


def is_float_dtype(dtype: Any) -> bool:
    """Whether the dtype is one of floats."""
    return "float" in standardize_dtype(dtype)


def is_int_dtype(dtype: Any) -> bool:
    """Whether the dtype is one of integers."""
    return "int" in standardize_dtype(dtype)


def result_type(*dtypes: Any) -> str:
    """The dtype that tensors of these dtypes have in common; plain int and float give way to the others.

    >>> result_type("int32", "float16"), result_type("bfloat16", float)
    ('float16', 'bfloat16')
    """
    return standardize_dtype(jnp.result_type(*dtypes)) if dtypes else floatx()
