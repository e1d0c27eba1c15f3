"""A model exported, by the name of a format."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from keryx.errors import ArgumentError, ExportError, did_you_mean, listing
from keryx.export import signature
from keryx.export.archive import SERVE, ExportArchive
from keryx.export.program import PLATFORMS
from keryx.screens import put


def export_model(
    model: Any,
    filepath: str | os.PathLike,
    format: str = "tf_saved_model",
    verbose: bool | None = None,
    input_signature: Any = None,
    **kwargs: Any,
) -> None:
    """Write a model as a file that runs without its code; `Model.export` says how."""
    if format in _ELSEWHERE:
        raise ExportError(f"The format {format!r} is not written here. {_ELSEWHERE[format]}")
    if format not in _FORMATS:
        raise ArgumentError(
            f"The formats of export() are {listing(_FORMATS)}; got {format!r}.{did_you_mean(format, _FORMATS)}"
        )
    if not model.built:
        raise ExportError(f"{model.title} is not built, so it has no weights yet: call it, or build(shape), first.")
    write, takes = _FORMATS[format]
    for word in kwargs:
        if word not in takes:
            raise ArgumentError(
                f"export(format={format!r}) has no argument {word!r}; it has {listing(takes)}."
                f"{did_you_mean(word, takes)}"
            )
    write(model, filepath, verbose is not False, input_signature, **kwargs)


def _onnx(model: Any, filepath: Any, verbose: bool, input_signature: Any, opset_version: int | None = None) -> None:
    from keryx.export.onnx.write import to_onnx

    inputs = signature.of_model(model, input_signature)
    proto = to_onnx(model, filepath, inputs, opset_version)
    if verbose:
        put(f"{os.fspath(filepath)} holds {model.name}({_infos(proto.graph.input)}) -> {_infos(proto.graph.output)}.")


def _infos(infos: Any) -> str:
    """Names and shapes, as ONNX has them."""
    shapes = [[d.dim_param or d.dim_value or "?" for d in info.type.tensor_type.shape.dim] for info in infos]
    return ", ".join(f"{info.name} ({', '.join(map(str, shape))})" for info, shape in zip(infos, shapes, strict=True))


def _stablehlo(
    model: Any, filepath: Any, verbose: bool, input_signature: Any, platforms: Sequence[str] = PLATFORMS
) -> None:
    archive = ExportArchive(platforms=platforms)
    archive.add_endpoint(SERVE, model, input_signature)
    archive.write_out(filepath, verbose=verbose)


def _tf_saved_model(model: Any, filepath: Any, verbose: bool, input_signature: Any, **kwargs: Any) -> None:
    from keryx.export.saved_model import to_saved_model

    to_saved_model(model, filepath, signature.of_model(model, input_signature), **kwargs)
    if verbose:
        put(f"{os.fspath(filepath)} holds {model.name} as a SavedModel with the function 'serve'.")


# Each format with the arguments of its own.
_FORMATS: dict[str, tuple[Callable, tuple[str, ...]]] = {
    "onnx": (_onnx, ("opset_version",)),
    "stablehlo": (_stablehlo, ("platforms",)),
    "tf_saved_model": (_tf_saved_model, ("is_static", "jax2tf_kwargs")),
}
_ELSEWHERE = {
    "openvino": "Export to format='onnx', which OpenVINO reads: openvino.convert_model('model.onnx').",
    "litert": "Export to format='tf_saved_model', which needs TensorFlow, and convert it with "
    "tf.lite.TFLiteConverter.from_saved_model.",
    "torch": "Export to format='onnx', and read it with the package onnx2torch.",
}
