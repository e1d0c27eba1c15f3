"""Functions of JAX by Keras's names and arguments: `op` makes one row of a table."""

import inspect
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.core.graph import lift
from keryx.errors import ArgumentError, SymbolicError

_TENSORS = {"x", "x1", "x2", "y", "a", "b", "indices", "q"}
_AXES = {"axis", "axes"}
_LISTS_OF_TENSORS = {"xs", "condlist", "choicelist"}
_OF_SIZES = frozenset(
    {"add", "concatenate", "expand_dims", "floor_divide", "max", "maximum", "min", "minimum", "mod", "multiply"}
    | {"prod", "remainder", "squeeze", "stack", "subtract", "sum"}
)


def sizes(given: Any, what: str) -> Any:
    """Sizes that were reckoned with as tensors as the numbers that they are.

    >>> sizes(jnp.array([2, 3]), "tile()"), sizes((2, jnp.array(3)), "tile()"), sizes((2, None), "tile()")
    ([2, 3], [2, 3], [2, None])
    """
    if isinstance(given, (list, tuple)):
        return [sizes(size, what) for size in given]
    if isinstance(given, jax.core.Tracer):
        raise SymbolicError(
            f"{what} wants sizes that are known when the code is compiled; got a tensor that depends on data. Take "
            "them of x.shape, which holds numbers."
        )
    return np.asarray(given).tolist() if isinstance(given, jax.Array) else given


def as_array(x: Any) -> Any:
    """A list or tuple of numbers as an array; a scalar stays weakly typed, and an array itself."""
    return jnp.asarray(x) if isinstance(x, (list, tuple)) else x


def _prepared(name: str, value: Any) -> Any:
    """An argument as JAX takes it: lists of numbers as arrays, lists of axes as tuples."""
    if name in _LISTS_OF_TENSORS and isinstance(value, (list, tuple)):
        return [as_array(x) for x in value]
    if name in _AXES:
        return tuple(value) if isinstance(value, list) else value
    return as_array(value) if name in _TENSORS else value


def op(function: Callable, arguments: str, /, **options: Any) -> Callable:
    """`function` as an op: its required arguments are handed on by position, its options by name.

    >>> maximum = op(jnp.maximum, "x1 x2")
    >>> maximum(x1=3, x2=[1, 5]).tolist()
    [3, 5]
    """
    names = arguments.split()
    defaults = dict.fromkeys(names, inspect.Parameter.empty) | options
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(k, kind, default=v) for k, v in defaults.items()])
    op_name = function.__name__

    def call(*args, **kwargs):
        given = dict(zip(names, args, strict=False))
        if kwargs or len(args) != len(names):  # else binding, which takes as long as a small op, has nothing to do
            try:
                given = signature.bind(*args, **kwargs).arguments
            except TypeError as error:
                raise ArgumentError(f"ops.{op_name}{signature}: {error}.") from None
        required = [_prepared(name, given[name]) for name in names]
        return function(
            *required, **{name: _prepared(name, given.get(name, default)) for name, default in options.items()}
        )

    call.__name__ = call.__qualname__ = op_name
    call.__module__ = sys._getframe(1).f_globals["__name__"]  # where pickle finds it
    call.__doc__ = (function.__doc__ or "").strip().partition("\n")[0]
    call.__signature__ = signature  # type: ignore[attr-defined]
    if _same_defaults(function, options):
        call.config_module = getattr(function, "config_module", None)  # type: ignore[attr-defined]
    return lift(call, of_sizes=op_name in _OF_SIZES)


def _same_defaults(function: Callable, options: dict[str, Any]) -> bool:
    """Whether an op, called with no options, is the function that it calls: configs may name that one."""
    if not hasattr(function, "config_module"):
        return False
    defaults = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}
    return all(defaults.get(name) == default for name, default in options.items())
