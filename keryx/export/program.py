"""A function of variables and arrays as a StableHLO program."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from keryx.core import scope
from keryx.core.lending import reading
from keryx.core.symbol import SymbolicTensor
from keryx.core.variable import Variable
from keryx.errors import ExportError

PLATFORMS = ("cpu", "cuda", "tpu")
KEY = jax.ShapeDtypeStruct((2,), np.uint32)


class Program(NamedTuple):
    """A function that was traced.

    Attributes:
        serialized: The bytes of jax.export.
        inputs: The arguments, nests of symbols.
        outputs: What it returns, a nest of symbols.
        variables: The paths of the variables that it reads, in the order in which it takes them.
    """

    serialized: bytes
    inputs: tuple[Any, ...]
    outputs: Any
    variables: list[str]


def traced(
    function: Callable, inputs: tuple[Any, ...], variables: Mapping[str, Variable], platforms: Sequence[str], what: str
) -> Program:
    """A function as a program `(key, values of the variables, *arrays) -> arrays`, for all sizes that are not known.

    Args:
        function: A function of nests of arrays.
        inputs: Its arguments, nests of symbols.
        variables: The variables that it may read, by path.
        platforms: Where the program is to run.
        what: What errors call it.

    Raises:
        ExportError: Where it cannot be traced for sizes that are not known, changes a variable, or has no form for
            one of the platforms.
    """
    symbols, nest = jax.tree.flatten(inputs)
    seen: list[Any] = []

    def run(key: Any, values: list[Any], *arrays: Any) -> list[Any]:
        pure = scope.pure(lambda *args: function(*args), variables)
        outputs, updates, _ = pure(
            dict(zip(variables, values, strict=True)), key, *jax.tree.unflatten(nest, list(arrays))
        )
        if updates:
            raise ExportError(
                f"{what} assigns {next(iter(updates))!r} when it runs, and an exported function only reads. Leave out "
                "what keeps a state, such as stateful=True."
            )
        seen[:] = [outputs]
        return [jnp.asarray(output) for output in jax.tree.leaves(outputs)]

    with reading(list(variables.values())) as values:
        values = [jax.ShapeDtypeStruct(value.shape, value.dtype) for value in values]
    errors: list[Exception] = []
    for specs in _attempts(symbols):
        try:
            exported = export.export(jax.jit(run), platforms=list(platforms))(KEY, values, *specs)
        except ExportError:
            raise
        except Exception as error:
            errors.append(error)
            continue
        avals = [_known(aval) for aval in exported.out_avals]
        outputs = [SymbolicTensor(shape, dtype, f"output_{i}") for i, (shape, dtype) in enumerate(avals)]
        outputs = jax.tree.unflatten(jax.tree.structure(seen[0]), outputs)
        return Program(bytes(exported.serialize()), inputs, outputs, list(variables))
    sizes = ", ".join(f"{symbol.name} {symbol.shape}" for symbol in symbols if None in symbol.shape)
    way_out = (
        "Give all sizes: input_signature=[keryx.Input(batch_shape=(32, 10))]." if sizes else "Give other platforms=."
    )
    first = str(errors[0]).partition("\n")[0]
    raise ExportError(
        f"{what} cannot be compiled for {', '.join(platforms)}"
        f"{' and for all sizes of ' + sizes if sizes else ''}: {first} {way_out}"
    ) from errors[0]


def _attempts(symbols: list[SymbolicTensor]) -> Any:
    """Shapes to trace at: each unknown size by itself, then one for all axes of a kind, as most often they are."""
    unknown = [(i, axis) for i, s in enumerate(symbols) for axis, n in enumerate(s.shape) if n is None]
    apart = {(i, axis): "batch" if axis == 0 else f"size_{i}_{axis}" for i, axis in unknown}
    alike = {(i, axis): "batch" if axis == 0 else f"size_{axis}" for i, axis in unknown}
    squares = {(i, axis): "batch" if axis == 0 else "size" for i, axis in unknown}
    for names, _ in itertools.groupby((apart, alike, squares)):
        known = sorted(set(names.values()))
        dimensions = dict(zip(known, export.symbolic_shape(", ".join(known)) if known else (), strict=True))
        yield [
            jax.ShapeDtypeStruct(
                tuple(dimensions[names[i, axis]] if n is None else n for axis, n in enumerate(symbol.shape)),
                symbol.dtype,
            )
            for i, symbol in enumerate(symbols)
        ]


def _known(aval: Any) -> tuple[tuple[int | None, ...], str]:
    return tuple(n if isinstance(n, int) else None for n in aval.shape), str(aval.dtype)
