"""A model written as an ONNX file."""

import os
from typing import Any

import jax

from keryx.core.names import is_own
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ExportError
from keryx.export import signature
from keryx.export.onnx import (  # noqa: F401  # each enters its rows
    layers_attention,
    layers_convolution,
    layers_core,
    layers_normalization,
    layers_recurrent,
    layers_reshaping,
    ops_math,
    ops_nn,
    ops_shape,
)
from keryx.export.onnx.builder import OPSET, exported_dtype
from keryx.export.onnx.exporter import Exporter
from keryx.export.onnx.value import Value
from keryx.saving import atomic

_MOST_BYTES = 2**31 - 2**20  # of one protocol buffer, less what is no weight


def to_onnx(model: Any, path: str | os.PathLike, inputs: Any, opset_version: int | None = None) -> Any:
    """Write a model as ONNX; what was written, an onnx.ModelProto, is returned."""
    proto = made(model, inputs, opset_version)
    data = proto.SerializeToString()
    with atomic.writing(path) as file:
        file.write(data)
    return proto


def made(model: Any, inputs: Any, opset_version: int | None = None) -> Any:
    """A model as onnx.ModelProto.

    Args:
        model: The model.
        inputs: Its inputs, a nest of symbols.
        opset_version: The one that is written, or None.

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
    symbols, nest = jax.tree.flatten(inputs)
    names = [symbol.name for symbol in symbols]
    values = [Value(g, g.unique(s.name), g.type(exported_dtype(s.dtype), _sizes(s))) for s in symbols]
    try:
        whole = model.has_graph and is_own(type(model).call)
        outputs = g.call_model(model, values) if whole else g.call(model, jax.tree.unflatten(nest, values))
    except ExportError as error:
        g.refused.append(str(error))
    if g.refused:
        reasons = "\n".join(f"  - {reason}" for reason in dict.fromkeys(g.refused))
        raise ExportError(f"{model.title} cannot be written as ONNX:\n{reasons}")
    outputs = g.leaves(outputs)
    ends = signature.output_names(model, len(outputs), set(names))
    return g.model(values, dict(zip(ends, outputs, strict=True)), model.name)


def _sizes(symbol: SymbolicTensor) -> list[Any]:
    """The sizes of an input; one that is not known has a name."""
    return [
        n if n is not None else "batch" if axis == 0 else f"{symbol.name}_{axis}" for axis, n in enumerate(symbol.shape)
    ]
