"""A model written as an ONNX file."""

import os
from typing import Any

import jax

from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError, ExportError
from keryx.export.onnx import layers_attention as _  # noqa: F401  # each module enters its rows
from keryx.export.onnx import layers_convolution as _  # noqa: F401, F811
from keryx.export.onnx import layers_core as _  # noqa: F401, F811
from keryx.export.onnx import layers_normalization as _  # noqa: F401, F811
from keryx.export.onnx import layers_recurrent as _  # noqa: F401, F811
from keryx.export.onnx import layers_reshaping as _  # noqa: F401, F811
from keryx.export.onnx import ops_math as _  # noqa: F401, F811
from keryx.export.onnx import ops_nn as _  # noqa: F401, F811
from keryx.export.onnx import ops_shape as _  # noqa: F401, F811
from keryx.export.onnx.builder import OPSET, exported_dtype
from keryx.export.onnx.exporter import Exporter
from keryx.export.onnx.value import Value
from keryx.saving import atomic

_MOST_BYTES = 2**31 - 2**20  # of one protocol buffer, less what is no weight


def to_onnx(model: Any, path: str | os.PathLike, input_signature: Any = None, opset_version: int | None = None) -> None:
    """Write a model as ONNX."""
    data = made(model, input_signature, opset_version).SerializeToString()
    with atomic.writing(path) as file:
        file.write(data)


def made(model: Any, input_signature: Any = None, opset_version: int | None = None) -> Any:
    """A model as onnx.ModelProto.

    Raises:
        ExportError: Naming each layer and op that ONNX has no counterpart for, and what to do.
    """
    if opset_version not in (None, OPSET):
        raise ExportError(
            f"What is written is of opset {OPSET}; got opset_version={opset_version}. Newer runtimes read it; "
            "onnx.version_converter.convert_version(model, target) makes another of it."
        )
    size = sum(variable.size * 4 for variable in model.variables)
    if size > _MOST_BYTES:
        raise ExportError(
            f"{model.title} has {size:,} bytes of weights; one ONNX file holds 2 GiB. Export to format='stablehlo'."
        )
    g = Exporter(model.named_variables)
    symbols = signature(model, input_signature)
    inputs = [Value(g, s.name, g.type(exported_dtype(s.dtype), _sizes(s))) for s in symbols]
    g._taken |= {symbol.name for symbol in symbols}
    outputs = g.leaves(g.call_model(model, inputs))
    if g.refused:
        reasons = "\n".join(f"  - {reason}" for reason in dict.fromkeys(g.refused))
        raise ExportError(f"{model.title} cannot be written as ONNX:\n{reasons}")
    names = output_names(model, len(outputs), {symbol.name for symbol in symbols})
    return g.model(inputs, dict(zip(names, outputs, strict=True)), model.name)


def _sizes(symbol: SymbolicTensor) -> list[Any]:
    """The sizes of an input; one that is not known has a name."""
    return [
        n if n is not None else "batch" if axis == 0 else f"{symbol.name}_{axis}" for axis, n in enumerate(symbol.shape)
    ]


def signature(model: Any, input_signature: Any = None) -> list[SymbolicTensor]:
    """The inputs of an exported model: the model's own, or as the signature narrows them."""
    if not model.has_graph and input_signature is None:
        raise ExportError(
            f"{model.title} has no graph, so it does not know its inputs: give input_signature=, such as "
            "[keryx.Input((10,))]."
        )
    own = model.inputs if model.has_graph else None
    if input_signature is None:
        return own
    is_spec = lambda x: hasattr(x, "shape")  # noqa: E731
    given = [x for x in jax.tree.leaves(input_signature, is_leaf=is_spec)]
    if not all(map(is_spec, given)) or (own is not None and len(given) != len(own)):
        raise ArgumentError(
            f"input_signature= is what has a shape and a dtype for each input of {model.title}, such as "
            f"[keryx.Input((10,))]; got {input_signature!r}."
        )
    names = [symbol.name for symbol in own] if own else [getattr(x, "name", None) or f"input_{i}" for i, x in enumerate(given)]
    return [SymbolicTensor(x.shape, x.dtype or "float32", name) for x, name in zip(given, names, strict=True)]


def output_names(model: Any, count: int, taken: set[str]) -> list[str]:
    """The names of the outputs: of the layers that they come from, each once."""
    names: list[str] = []
    wanted = model.output_names if len(model.output_names) == count else [f"output_{i}" for i in range(count)]
    for name in wanted:
        unique = next(n for n in (name, *(f"{name}_{i}" for i in range(1, 2 + count + len(taken)))) if n not in {*taken, *names})
        names.append(unique)
    return names
