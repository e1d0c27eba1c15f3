"""Operators, methods and NumPy's protocols for symbolic tensors and variables.

They are ops, which stand above the tensors in the house, and so are given to the tensors' common base class from here.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import ops
from keryx.core.arithmetic import Arithmetic
from keryx.core.graph import lift, symbols_in
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError

_BINARY = {
    "add": ops.add, "sub": ops.subtract, "mul": ops.multiply, "truediv": ops.true_divide,
    "floordiv": ops.floor_divide, "mod": ops.mod, "pow": ops.power, "matmul": ops.matmul,
    "and": ops.bitwise_and, "or": ops.bitwise_or, "xor": ops.bitwise_xor,
    "lshift": ops.left_shift, "rshift": ops.right_shift,
}  # fmt: skip
_COMPARISONS = {"lt": ops.less, "le": ops.less_equal, "gt": ops.greater, "ge": ops.greater_equal}
_EQUALITY = {"eq": ops.equal, "ne": ops.not_equal}  # not on variables, which are keys of dicts
_UNARY = {"neg": ops.negative, "abs": ops.abs, "invert": ops.bitwise_invert}
_METHODS = {
    "astype": ops.cast, "flatten": ops.ravel, "conj": ops.conj, "copy": ops.copy, "dot": ops.dot,
    "sum": ops.sum, "mean": ops.mean, "max": ops.max, "min": ops.min, "prod": ops.prod, "var": ops.var,
    "std": ops.std, "any": ops.any, "all": ops.all, "argmax": ops.argmax, "argmin": ops.argmin,
    "argsort": ops.argsort, "cumsum": ops.cumsum, "cumprod": ops.cumprod, "ravel": ops.ravel,
    "clip": lift(jnp.clip, "numpy.clip"), "repeat": ops.repeat, "round": ops.round, "squeeze": ops.squeeze,
    "swapaxes": ops.swapaxes, "take": ops.take, "trace": ops.trace,
}  # fmt: skip


def _operator(function: Callable) -> Callable:
    def operator(self, other):
        # What is no number, such as None, Python answers for: it is equal to nothing, and a sum fails.
        return NotImplemented if other is None or isinstance(other, str) else function(self, other)

    return operator


def _reflected(function: Callable) -> Callable:
    return _operator(lambda self, other: function(other, self))


def _method(function: Callable) -> Callable:
    return lambda self, *args, **kwargs: function(self, *args, **kwargs)


def _reshape(self, *shape):
    return ops.reshape(self, shape[0] if len(shape) == 1 else shape)


def _transpose(self, *axes):
    return ops.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)


# -- NumPy's protocols: np.exp(x) and np.concatenate([x, y]) ------------------------------------------------------

_ATTRIBUTES: dict[Callable, Callable] = {np.shape: ops.shape, np.ndim: ops.ndim, np.size: lambda x: x.size}


@functools.cache
def _counterpart(function: Callable) -> Callable | None:
    """JAX's function of the name that NumPy's has, as an op."""
    if function in _ATTRIBUTES:
        return _ATTRIBUTES[function]
    module = getattr(function, "__module__", None) or ""
    home: Any = {"numpy.linalg": jnp.linalg, "numpy.fft": jnp.fft}.get(module, jnp)
    counterpart = getattr(home, function.__name__, None)
    prefix = "numpy" if home is jnp else module
    return None if counterpart is None else lift(counterpart, f"{prefix}.{function.__name__}")


def _array_ufunc(self, ufunc, method, *inputs, **kwargs):
    if method != "__call__" or kwargs.get("out") is not None:
        raise ArgumentError(f"np.{ufunc.__name__}.{method} and out= do not take {self!r}. Use keryx.ops.")
    return _array_function(self, ufunc, (), inputs, kwargs)


def _array_function(self, func, types, args, kwargs):
    counterpart = _counterpart(func)
    if counterpart is not None:
        return counterpart(*args, **kwargs)
    if symbols_in((args, kwargs)):
        raise ArgumentError(f"np.{func.__name__} has no counterpart in JAX, so it does not take {self!r}.")
    arrays = jax.tree.map(lambda x: np.asarray(x) if isinstance(x, jax.Array) else x, (args, kwargs))
    return func(*arrays[0], **arrays[1])


_ATTRIBUTES_OF_BOTH: dict[str, Any] = {
    **{f"__{name}__": _operator(function) for name, function in (_BINARY | _COMPARISONS).items()},
    **{f"__r{name}__": _reflected(function) for name, function in _BINARY.items()},
    **{f"__{name}__": _method(function) for name, function in _UNARY.items()},
    **{name: _method(function) for name, function in _METHODS.items()},
    "reshape": _reshape,
    "transpose": _transpose,
    "T": property(ops.transpose),
    "__pos__": lambda self: self,
    "__getitem__": lambda self, index: ops.get_item(self, index),
    "__array_ufunc__": _array_ufunc,
    "__array_function__": _array_function,
}
for _name, _attribute in _ATTRIBUTES_OF_BOTH.items():
    setattr(Arithmetic, _name, _attribute)
for _name, _function in _EQUALITY.items():
    setattr(SymbolicTensor, f"__{_name}__", _operator(_function))
