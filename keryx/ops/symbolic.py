"""Operators, methods and NumPy's protocols for symbolic tensors and variables."""

import operator
from typing import Any

import jax.numpy as jnp
import numpy as np

from keryx.core.graph import lift
from keryx.core.symbol import SymbolicTensor
from keryx.core.variable import Variable

_BINARY = {
    "add": jnp.add, "sub": jnp.subtract, "mul": jnp.multiply, "truediv": jnp.true_divide,
    "floordiv": jnp.floor_divide, "mod": jnp.mod, "pow": jnp.power, "matmul": jnp.matmul,
    "and": jnp.bitwise_and, "or": jnp.bitwise_or, "xor": jnp.bitwise_xor,
    "lshift": jnp.left_shift, "rshift": jnp.right_shift,
}  # fmt: skip
_COMPARISONS = {"lt": jnp.less, "le": jnp.less_equal, "gt": jnp.greater, "ge": jnp.greater_equal}
_EQUALITY = {"eq": jnp.equal, "ne": jnp.not_equal}  # not on variables, which are keys of dicts
_UNARY = {"neg": jnp.negative, "abs": jnp.abs, "invert": jnp.invert}
_METHODS = {
    "astype": lambda x, dtype: jnp.asarray(x).astype(dtype),
    "sum": jnp.sum, "mean": jnp.mean, "max": jnp.max, "min": jnp.min, "prod": jnp.prod, "var": jnp.var,
    "std": jnp.std, "any": jnp.any, "all": jnp.all, "argmax": jnp.argmax, "argmin": jnp.argmin,
    "cumsum": jnp.cumsum, "clip": jnp.clip, "squeeze": jnp.squeeze, "swapaxes": jnp.swapaxes, "round": jnp.round,
    "flatten": jnp.ravel, "repeat": jnp.repeat, "take": jnp.take, "dot": jnp.dot,
}  # fmt: skip


def _swapped(function):
    return lambda x, other: function(other, x)


def _reshape(self, *shape):
    return _lifted_reshape(self, shape[0] if len(shape) == 1 else shape)


def _transpose(self, *axes):
    return _lifted_transpose(self, (axes[0] if len(axes) == 1 else axes) or None)


def _array_ufunc(self, ufunc, method, *inputs, **kwargs):
    """NumPy's functions of the kind of np.exp and np.add: JAX's of the same name is recorded."""
    function = getattr(jnp, ufunc.__name__, None)
    if method != "__call__" or function is None or kwargs.get("out") is not None:
        return NotImplemented
    return lift(function, ufunc.__name__)(*inputs, **kwargs)


def _array_function(self, func, types, args, kwargs):
    """NumPy's other functions, such as np.concatenate: JAX's of the same name is recorded."""
    function = getattr(jnp, func.__name__, None)
    if function is None:
        return NotImplemented
    return lift(function, func.__name__)(*args, **kwargs)


_lifted_reshape = lift(jnp.reshape)
_lifted_transpose = lift(jnp.transpose)
_get_item = lift(operator.getitem, "get_item")


def _install(cls: type, equality: bool) -> None:
    for name, function in (_BINARY | _COMPARISONS | (_EQUALITY if equality else {})).items():
        setattr(cls, f"__{name}__", lift(function))
    for name, function in _BINARY.items():
        setattr(cls, f"__r{name}__", lift(_swapped(function), function.__name__))
    for name, function in _UNARY.items():
        setattr(cls, f"__{name}__", lift(function))
    for name, function in _METHODS.items():
        setattr(cls, name, lift(function, name))
    more: dict[str, Any] = {
        "reshape": _reshape,
        "transpose": _transpose,
        "T": property(lambda self: _lifted_transpose(self)),
        "__getitem__": lambda self, index: _get_item(self, index),
        "__array_ufunc__": _array_ufunc,
        "__array_function__": _array_function,
    }
    for name, attribute in more.items():
        setattr(cls, name, attribute)


_install(SymbolicTensor, equality=True)
_install(Variable, equality=False)
SymbolicTensor.__hash__ = object.__hash__  # type: ignore[method-assign]  # a symbol stands for itself in tables
SymbolicTensor.size = property(  # type: ignore[attr-defined]
    lambda self: None if None in self.shape else int(np.prod(self.shape))
)
