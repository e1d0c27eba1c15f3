"""A function of variables and arrays as a StableHLO program."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, pairwise
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
_Names = dict[tuple[int, int], str]  # of the unknown sizes, by input and axis
KEY = jax.ShapeDtypeStruct((2,), np.uint32)


class Program(NamedTuple):
    """A function that was traced.

    Attributes:
        serialized: The bytes of jax.export.
        inputs: The arguments, nests of symbols.
        outputs: What it returns, a nest of symbols.
        variables: The paths of the variables that it reads, in the order in which it takes them.
        least: What a size that is not known is at least, but for the batch's.
    """

    serialized: bytes
    inputs: tuple[Any, ...]
    outputs: Any
    variables: list[str]
    least: int


def check_flatbuffers() -> None:
    """Raise ExportError where the package is missing in whose form JAX writes programs down."""
    if importlib.util.find_spec("flatbuffers") is None:
        raise ExportError(
            "JAX writes StableHLO programs with the package 'flatbuffers', which is not installed: pip install "
            "'keryx[stablehlo]'."
        )


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
    check_flatbuffers()
    symbols, nest = jax.tree.flatten(inputs)
    seen: list[Any] = []

    def run(key: Any, values: list[Any], *arrays: Any) -> list[Any]:
        pure = scope.pure(function, variables)
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

    def attempt(names: _Names, least: int) -> Any:
        specs = _specs(symbols, names, least)
        try:
            return export.export(jax.jit(run), platforms=list(platforms))(KEY, values, *specs)
        except ExportError:
            raise
        except Exception as error:
            errors.append(error)
            return None

    exported, least = _most_general(attempt, symbols)
    if exported is None:
        open_ones = ", ".join(f"{symbol.name} {symbol.shape}" for symbol in symbols if None in symbol.shape)
        where = f"for {', '.join(platforms)}" + (f" and for all sizes of {open_ones}" if open_ones else "")
        sizes = "Give all sizes: input_signature=[keryx.Input(batch_shape=(32, 10))]."
        reason = str(errors[0]).partition("\n")[0]
        raise ExportError(
            f"{what} cannot be compiled {where}: {reason} {sizes if open_ones else 'Give other platforms=.'}"
        ) from errors[0]
    avals = [known(aval) for aval in exported.out_avals]
    outputs = [SymbolicTensor(shape, dtype, name=f"output_{i}") for i, (shape, dtype) in enumerate(avals)]
    outputs = jax.tree.unflatten(jax.tree.structure(seen[0]), outputs)
    return Program(bytes(exported.serialize()), inputs, outputs, list(variables), least)


def _most_general(attempt: Callable[[_Names, int], Any], symbols: list[SymbolicTensor]) -> tuple[Any, int]:
    """The program for the most sizes that can be had, and the least of those sizes; None where there is none.

    Each unknown size is one by itself, then one with those of the same axis, as most often they are, then one with all
    but the batch's. It is any size, then one that is large enough for windows that do not fit into the smallest.
    """
    unknown = [(i, axis) for i, s in enumerate(symbols) for axis, n in enumerate(s.shape) if n is None]
    ways = [
        {(i, axis): "batch" if axis == 0 else name.format(i=i, axis=axis) for i, axis in unknown}
        for name in ("size_{i}_{axis}", "size_{axis}", "size")
    ]
    sizes = (1, 2, 8, 32, 128) if any(axis for _, axis in unknown) else (1,)
    for below, least in pairwise((0, *sizes)):
        for names, _ in groupby(ways):
            found = attempt(names, least)
            if found is None:
                continue
            while least - below > 1:
                middle = (below + least) // 2
                better = attempt(names, middle)
                below, least, found = (below, middle, better) if better is not None else (middle, least, found)
            return found, least
    return None, 0


def _specs(symbols: list[SymbolicTensor], names: _Names, least: int) -> list[Any]:
    """The shapes of symbols, with a symbolic size of this name in place of each that is not known."""
    every = sorted(set(names.values()))
    constraints = [f"{name} >= {least}" for name in every if name != "batch"]
    sizes = export.symbolic_shape(", ".join(every), constraints=constraints) if every else ()
    by_name = dict(zip(every, sizes, strict=True))
    return [
        jax.ShapeDtypeStruct(
            tuple(by_name[names[i, axis]] if n is None else n for axis, n in enumerate(symbol.shape)), symbol.dtype
        )
        for i, symbol in enumerate(symbols)
    ]


def known(aval: Any) -> tuple[tuple[int | None, ...], str]:
    """The shape of an array of a program, with None for a size that is open, and its dtype."""
    return tuple(n if isinstance(n, int) else None for n in aval.shape), str(aval.dtype)
