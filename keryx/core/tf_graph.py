"""Calls within graphs of TensorFlow's, such as `dataset.map(layer)`: they run in Python, on each batch's arrays."""

import sys
from typing import Any

import jax
import numpy as np

from keryx.core import host
from keryx.core.symbol import SymbolicTensor
from keryx.errors import DataError


def is_within(leaves: list[Any]) -> bool:
    """Whether a call is given tensors of a graph of TensorFlow's, which have no values yet."""
    return any(type(x).__module__.startswith("tensorflow") and _is_symbolic(x) for x in leaves)


def _is_symbolic(x: Any) -> bool:
    return isinstance(x, sys.modules["tensorflow"].Tensor) and not hasattr(x, "numpy")


def call(operation: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """The call of an operation on such tensors, as a part of their graph.

    Raises:
        DataError: Where the number of axes of one is not known.
    """
    tf = sys.modules["tensorflow"]
    leaves, nest = jax.tree.flatten((args, kwargs))
    tensors = [i for i, x in enumerate(leaves) if isinstance(x, tf.Tensor)]

    def filled(values: list[Any]) -> Any:
        found = dict(zip(tensors, values, strict=True))
        return jax.tree.unflatten(nest, [found.get(i, x) for i, x in enumerate(leaves)])

    def run(*arrays: np.ndarray) -> list[np.ndarray]:
        positional, named = filled(list(arrays))
        outputs = jax.tree.leaves(operation(*positional, **named))
        return [np.asarray(x, None if kind == "string" else kind) for x, kind in zip(outputs, kinds, strict=True)]

    positional, named = filled([_symbol(leaves[i]) for i in tensors])
    symbols = operation.symbolic_outputs(positional, named)
    wide = host.runs_here(operation, (positional, named))
    kinds = ["int64" if wide and symbol.dtype == "int32" else symbol.dtype for symbol in jax.tree.leaves(symbols)]
    results = tf.numpy_function(run, [leaves[i] for i in tensors], list(map(tf.as_dtype, kinds)), stateful=False)
    for result, symbol in zip(results, jax.tree.leaves(symbols), strict=True):
        result.set_shape(symbol.shape)
    return jax.tree.unflatten(jax.tree.structure(symbols), results)


def _symbol(tensor: Any) -> SymbolicTensor:
    if tensor.shape.rank is None:
        raise DataError(f"{tensor} has no known number of axes: give it one, tensor.set_shape(...), or batch the data.")
    return SymbolicTensor(tuple(tensor.shape), tensor.dtype.name, name="tensor")
