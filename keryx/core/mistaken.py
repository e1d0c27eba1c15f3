"""What stands where a tensor, a layer or a value is wanted, in words: imported only where an error speaks of it."""

from typing import Any

import jax

from keryx.core.symbol import SymbolicTensor
from keryx.errors import SymbolicError

_CHOOSE = "Choose by keryx.ops.where(condition, a, b), or keryx.ops.cond(condition, f, g)."


def title_of(operation: Any) -> str:
    """How an error speaks of what is called: a layer, a model or an op."""
    return getattr(operation, "title", None) or f"the op {getattr(operation, 'op_name', '?')!r}"


def is_layer(x: Any) -> bool:
    """Whether it is a layer."""
    return not isinstance(x, type) and hasattr(x, "nodes") and hasattr(x, "call")


def is_layer_class(x: Any) -> bool:
    """Whether it is a class of layers."""
    return isinstance(x, type) and hasattr(x, "add_weight") and hasattr(x, "call")


def described(x: Any) -> str:
    """What something is, and where it is clear what was meant, what to write.

    >>> import keryx, numpy as np
    >>> described(keryx.layers.Dense)
    'the class Dense. Make a layer of it: Dense(...)'
    >>> described(np.zeros((3, 4)))
    'an array of shape (3, 4)'
    """
    if is_layer_class(x):
        return f"the class {x.__name__}. Make a layer of it: {x.__name__}(...)"
    if isinstance(x, type):
        return f"the class {x.__name__}"
    if type(x).__name__ == "InputLayer":
        return f"{x.title}, a layer. Its tensor is what Input(...) returns"
    if is_layer(x):
        return f"{x.title}, a layer that was not called. Call it on a tensor: {type(x).__name__}(...)(x)"
    if isinstance(x, SymbolicTensor):
        made = "" if x.node is None or not x.node.inputs else f", which {title_of(x.node.operation)} returned"
        return f"the tensor {x.name!r}{made}"
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"an array of shape {tuple(x.shape)}"
    if isinstance(x, (list, tuple, dict, set)):
        return f"a {type(x).__name__} of {len(x)}"
    return "None" if x is None else f"{x!r}" if isinstance(x, (str, int, float, bool)) else f"a {type(x).__name__}"


def no_tensors(nest: Any) -> list[Any]:
    """What stands among tensors and is none: layers and classes of layers."""
    return [leaf for leaf in jax.tree.leaves(nest) if is_layer(leaf) or is_layer_class(leaf)]


def retold(error: Exception, who: str) -> Exception:
    """An error of JAX's about values that compiled code has not got, in the words of a user of layers."""
    if isinstance(error, ValueError) and "truth value of an array with more than one" in str(error):
        what = "asks a tensor of many values whether it is true, by if, while, and, or, not"
        return _noted(f"{who} {what}. {_CHOOSE}", error)
    if not isinstance(error, (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError)):
        return error
    if isinstance(error, jax.errors.TracerArrayConversionError):
        what = "hands a tensor to NumPy"
        way_out = "Use keryx.ops, or jax.numpy, in NumPy's place: keryx.ops.mean(x), not np.mean(x)."
    elif isinstance(error, jax.errors.TracerBoolConversionError):
        what = "asks a tensor whether it is true, by if, while, and, or, not, assert"
        way_out = _CHOOSE
    elif isinstance(error, jax.errors.NonConcreteBooleanIndexError):
        what = "takes the part of a tensor that a mask is true for"
        way_out = "How large that is depends on values: use keryx.ops.where(mask, x, 0)."
    else:
        what = "asks a tensor for a Python number, by float(), int(), .item() or range()"
        way_out = "Go on with the tensor itself; for another dtype, keryx.ops.cast(x, 'int32')."
    return _noted(f"{who} {what}; it has no values while the code is compiled. {way_out}", error)


def _noted(text: str, error: Exception) -> Exception:
    told = SymbolicError(text)
    told.__notes__ = [note for note in getattr(error, "__notes__", []) if "In layer" in note]
    return told.with_traceback(error.__traceback__)
