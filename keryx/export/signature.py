"""What comes into an exported function and what comes out of it: nests of names, shapes and dtypes."""

from typing import Any

import jax

from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError, ExportError, FileError

_DEEPEST = 30
_DTYPES = frozenset(
    [
        "bool",
        "int4",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint4",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "bfloat16",
        "float32",
        "float64",
        "complex64",
        "complex128",
        "float8_e4m3fn",
        "float8_e5m2",
    ]
)


def of_model(model: Any, input_signature: Any = None) -> Any:
    """The inputs of an exported model, in its nest: its own, or as the signature narrows them.

    Args:
        model: The model.
        input_signature: What has a shape and a dtype for each input, in any nest, such as `[keryx.Input((10,))]`; a
            model without a graph cannot do without.
    """
    if not model.has_graph:
        if input_signature is None:
            raise ExportError(
                f"{model.title} has no graph, so it does not know its inputs: give input_signature=, such as "
                "[keryx.Input((10,))]."
            )
        (inputs, *more) = input_signature if isinstance(input_signature, (list, tuple)) else [input_signature]
        return of_arguments([inputs, *more])[0] if not more else list(of_arguments([inputs, *more]))
    if model.halves.host is not None:
        raise ExportError(
            f"{model.title} has layers that run on the host, on text or on NumPy arrays; what is exported is compiled. "
            "Export the model that begins after them."
        )
    if input_signature is None:
        return model.input
    given = jax.tree.leaves(input_signature, is_leaf=_has_shape)
    if len(given) != len(model.inputs) or not all(map(_has_shape, given)):
        raise ArgumentError(
            f"input_signature= has a shape and a dtype for each of the {len(model.inputs)} inputs of {model.title}, "
            f"such as [keryx.Input((10,))]; got {input_signature!r}."
        )
    symbols = [
        SymbolicTensor(spec.shape, spec.dtype or own.dtype, name=own.name)
        for spec, own in zip(given, model.inputs, strict=True)
    ]
    return jax.tree.unflatten(jax.tree.structure(model.input), symbols)


def of_arguments(input_signature: Any) -> tuple[Any, ...]:
    """The arguments of an exported function, each a nest: one an entry of the signature."""
    if not isinstance(input_signature, (list, tuple)):
        input_signature = [input_signature]
    leaves, nest = jax.tree.flatten(list(input_signature), is_leaf=_has_shape)
    if not leaves or not all(map(_has_shape, leaves)):
        raise ArgumentError(
            "input_signature= is a list with what has a shape and a dtype, such as keryx.Input((10,)), for each "
            f"argument; got {input_signature!r}."
        )
    symbols = [
        SymbolicTensor(x.shape, x.dtype or "float32", name=getattr(x, "name", None) or f"input_{i}")
        for i, x in enumerate(leaves)
    ]
    return tuple(jax.tree.unflatten(nest, symbols))


def _has_shape(x: Any) -> bool:
    return hasattr(x, "shape") and hasattr(x, "dtype")


def output_names(model: Any, count: int, taken: set[str]) -> list[str]:
    """The names of the outputs: of the layers that they come from, each once."""
    names: list[str] = []
    wanted = model.output_names if len(model.output_names) == count else [f"output_{i}" for i in range(count)]
    for name in wanted:
        others = (f"{name}_{i}" for i in range(1, 2 + count + len(taken)))
        names.append(next(n for n in (name, *others) if n not in taken and n not in names))
    return names


def write(nest: Any) -> Any:
    """A nest of symbols as plain data.

    >>> import keryx
    >>> write([keryx.Input((3,), name="x")])
    {'list': [{'tensor': {'name': 'x', 'shape': [None, 3], 'dtype': 'float32'}}]}
    """
    if isinstance(nest, dict):
        return {"dict": {str(key): write(value) for key, value in nest.items()}}
    if isinstance(nest, (list, tuple)):
        return {"list": [write(value) for value in nest]}
    return {"tensor": {"name": nest.name, "shape": list(nest.shape), "dtype": str(nest.dtype)}}


def read(data: Any, depth: int = 0) -> Any:
    """The nest that `write` wrote down.

    Raises:
        FileError: Where it is none.
    """
    if depth > _DEEPEST or not isinstance(data, dict) or len(data) != 1:
        raise FileError(f"The signature of the file is no nest of tensors: {data!r:.80}.")
    ((kind, value),) = data.items()
    if kind == "dict" and isinstance(value, dict):
        return {key: read(inner, depth + 1) for key, inner in value.items()}
    if kind == "list" and isinstance(value, list):
        return [read(inner, depth + 1) for inner in value]
    if kind == "tensor" and isinstance(value, dict) and isinstance(value.get("name"), str):
        return SymbolicTensor(*array_spec(value, unknown=True), name=value["name"])
    raise FileError(f"The signature of the file is no nest of tensors: {data!r:.80}.")


def array_spec(data: dict[str, Any], unknown: bool = False) -> tuple[tuple[Any, ...], str]:
    """A shape and a dtype that a file states.

    Raises:
        FileError: Where they are none.
    """
    shape, dtype = data.get("shape"), data.get("dtype")
    sizes: list[Any] = shape if isinstance(shape, list) else [shape]
    fine = sizes is shape and len(sizes) <= 32 and isinstance(dtype, str) and dtype in _DTYPES
    if not fine or not all((n is None and unknown) or (type(n) is int and 0 <= n < 2**48) for n in sizes):
        raise FileError(f"The file states a tensor of shape {shape!r:.80} and dtype {dtype!r:.40}.")
    return tuple(sizes), str(dtype)
