"""A model written as an ONNX file."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from keryx.core.names import is_own
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ExportError
from keryx.export import signature
from keryx.export.onnx import (  # noqa: F401  # each enters its rows
    layers_attention,
    layers_convolution,
    layers_core,
    layers_normalization,
    layers_preprocessing,
    layers_recurrent,
    layers_reshaping,
    ops_math,
    ops_nn,
    ops_shape,
)
from keryx.export.onnx.builder import OPSET, exported_dtype, import_onnx
from keryx.export.onnx.exporter import Exporter
from keryx.export.onnx.value import Value
from keryx.saving import atomic

_MOST_BYTES = 2**31 - 2**20  # of one protocol buffer, less what is no weight


def to_onnx(model: Any, path: str | os.PathLike, inputs: Any, opset_version: int | None = None) -> Any:
    """Write a model as ONNX.

    Returns:
        What was written, an onnx.ModelProto, without its constants.
    """
    proto, constants = made(model, inputs, opset_version)
    with atomic.writing(path) as file:
        for piece in encoded(proto, constants):
            file.write(piece)
    return proto


def made(model: Any, inputs: Any, opset_version: int | None = None) -> tuple[Any, dict[str, np.ndarray]]:
    """A model as onnx.ModelProto, and apart from it the constants by name.

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
    ends = signature.output_names(model, len(outputs), {symbol.name for symbol in symbols})
    return g.model(values, dict(zip(ends, outputs, strict=True)), model.name)


# -- the bytes -----------------------------------------------------------------------------------------------------
# A message of protocol buffers is its fields one after another, in any order; one field of several values may stand
# in several places. So the constants, each straight from its own memory, follow what the package onnx writes.

_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9  # fields of ModelProto, GraphProto and TensorProto


def encoded(proto: Any, constants: Mapping[str, np.ndarray]) -> Iterator[Any]:
    """The bytes of a model with its constants, piece by piece."""
    onnx = import_onnx()
    graph = onnx.GraphProto()
    graph.CopyFrom(proto.graph)
    rest = onnx.ModelProto()
    rest.CopyFrom(proto)
    rest.ClearField("graph")
    pieces: list[Any] = [graph.SerializeToString()]
    for name, array in constants.items():
        kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        head = onnx.TensorProto(name=name, data_type=kind, dims=array.shape).SerializeToString()
        data = memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
        pieces += _field(_INITIALIZER, [head, *_field(_RAW_DATA, [data])])
    yield rest.SerializeToString()
    yield from _field(_GRAPH, pieces)


def _field(number: int, pieces: list[Any]) -> list[Any]:
    """A field that is counted in bytes."""
    return [_varint(number << 3 | 2), _varint(sum(len(piece) for piece in pieces)), *pieces]


def _varint(n: int) -> bytes:
    """A number in groups of seven bits, the least first; all but the last are marked."""
    groups = [n >> shift & 0x7F for shift in range(0, max(n.bit_length(), 1), 7)]
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


def _sizes(symbol: SymbolicTensor) -> list[Any]:
    """The sizes of an input; one that is not known has a name."""
    return [
        n if n is not None else "batch" if axis == 0 else f"{symbol.name}_{axis}" for axis, n in enumerate(symbol.shape)
    ]
