"""What a program computes, operation by operation: floating-point operations and bytes, read off its jaxpr.

The conventions: a multiply-add is 2 operations. Products and convolutions count every element of the window, padding
included; other arithmetic on floats counts 1 an element, whatever it is (an addition, an exponential); comparisons,
copies, casts and integers count nothing. A loop counts its body times its length, where that is known; of branches the
dearest counts. A kernel of ours counts as its definition, whichever way serves it, so that the numbers are those of the
maths: XLA's own analysis knows nothing of native code, and counts the body of a loop once.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.interpreters import partial_eval

from keryx.kernels.kernel import KERNELS

_ARITHMETIC = {
    *("add", "add_any", "sub", "mul", "div", "rem", "max", "min", "neg", "abs", "sign", "pow", "integer_pow", "square"),
    *("exp", "exp2", "expm1", "log", "log1p", "sqrt", "rsqrt", "cbrt", "logistic", "tanh", "erf", "erfc", "erf_inv"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh", "floor", "ceil"),
    *("round", "clamp", "lgamma", "digamma", "cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"),
}
_REDUCTIONS = {"reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "argmax", "argmin"}
# What XLA computes together with its neighbours, so that nothing in between goes to memory.
_FUSED = _ARITHMETIC | {
    *("broadcast_in_dim", "convert_element_type", "pad", "select_n", "iota", "copy"),
    *("eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "xor", "is_finite", "stop_gradient", "slice", "rev"),
    *("shift_left", "shift_right_logical", "shift_right_arithmetic", "bitcast_convert_type", "random_wrap"),
}

_VIEWS = {"reshape", "squeeze", "expand_dims"}  # the same bytes by another name
_PICKS = {"gather", "dynamic_slice", "keryx_take_rows"}  # read no more of the first array than they give


class Operation(NamedTuple):
    """An operation of a program.

    Args:
        name: The primitive.
        flops: Its floating-point operations, of one run.
        reads: What it is given: the number of each array, and its bytes.
        writes: What it gives, likewise.
        times: How often it runs.
    """

    name: str
    flops: float
    reads: dict[int, int]
    writes: dict[int, int]
    times: float

    @property
    def is_fused(self) -> bool:
        """Whether it is computed together with its neighbours."""
        return self.name in _FUSED


class Program:
    """The operations of a function at some arguments.

    Args:
        function: A function that JAX can trace.
        *given: Its arguments: arrays, or what has a shape and a dtype.

    >>> x = jax.ShapeDtypeStruct((4, 8), "float32")
    >>> Program(lambda x: (x @ x.T).sum(), x).flops  # 2 * 4 * 8 * 4 for the product, 16 for the sum
    272.0
    """

    def __init__(self, function: Callable, *given: Any):
        self._numbers = itertools.count()
        self.operations: list[Operation] = []
        self.whole = True  # whether the length of every loop is known
        closed = _needed(jax.make_jaxpr(function)(*given))
        self.jaxpr = closed.jaxpr
        inputs = [next(self._numbers) for _ in closed.jaxpr.invars]
        self.results = set(self._walk(closed.jaxpr, inputs, 1.0))

    @property
    def flops(self) -> float:
        """The floating-point operations of a run."""
        return float(sum(operation.flops * operation.times for operation in self.operations))

    @property
    def bytes(self) -> float:
        """The bytes of memory that a run reads and writes, where neighbours are fused."""
        return sum(size * operation.times for operation, size in self.traffic())

    def seconds(self, machine: Any) -> float:
        """The least time of a run, by the `Ceilings` of a machine: a roofline for each operation.

        An operation takes as long as its arithmetic or its memory, whichever is longer, and a moment for itself where
        it is not fused with others; the call takes its own time.
        """
        total = machine.call
        for operation, size in self.traffic():
            speed = machine.near_bytes if size <= machine.near else machine.bytes
            busy = max(operation.flops / machine.flops, size / speed)
            total += operation.times * (busy + machine.operation * (size > 0))
        return float(total)

    def traffic(self) -> Iterator[tuple[Operation, int]]:
        """Each operation with the bytes that one run of it moves; within a group that is fused nothing is moved."""
        fused = {number for operation in self.operations if operation.is_fused for number in operation.writes}
        wanted = {n for operation in self.operations if not operation.is_fused for n in operation.reads} | self.results
        for operation in self.operations:
            if operation.is_fused:
                read = sum(size for number, size in operation.reads.items() if number not in fused)
                yield operation, read + sum(size for number, size in operation.writes.items() if number in wanted)
            else:
                yield operation, sum(operation.reads.values()) + sum(operation.writes.values())

    def _walk(self, jaxpr: Any, inputs: Sequence[int], times: float) -> list[int]:
        """Add the operations of a jaxpr; its inputs and its results go by numbers."""
        numbers: dict[Any, int] = dict(zip(jaxpr.invars, inputs, strict=True))
        numbers |= {constant: next(self._numbers) for constant in jaxpr.constvars}

        def number(atom: Any) -> int:
            return next(self._numbers) if hasattr(atom, "val") else numbers[atom]

        for equation in jaxpr.eqns:
            given = [number(atom) for atom in equation.invars]
            results = self._results_of(equation, given, times)
            numbers |= dict(zip(equation.outvars, results, strict=True))
        return [number(atom) for atom in jaxpr.outvars]

    def _results_of(self, equation: Any, given: list[int], times: float) -> list[int]:
        name, params = equation.primitive.name, equation.params
        if name == "scan":
            body, constants = params["jaxpr"].jaxpr, _constants_of_scan(equation)
            fresh = [next(self._numbers) for _ in given[constants:]]
            self._walk(body, [*given[:constants], *fresh], times * params["length"])
        elif name == "while":
            self.whole = False
            split = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
            self._walk(params["body_jaxpr"].jaxpr, given[split[0] :], times)
        elif name == "cond":
            self._walk_dearest(params["branches"], given[1:], times)
        elif (inner := _called(params)) is not None and len(inner.invars) == len(given):
            return self._walk(inner, given, times)
        elif name in _VIEWS:
            return given[:1]
        else:
            written = [next(self._numbers) for _ in equation.outvars]
            atoms = zip(given, equation.invars, strict=True)
            reads = {n: _bytes(atom.aval) for n, atom in atoms if not hasattr(atom, "val")}  # else a number in the code
            writes = {n: _bytes(atom.aval) for n, atom in zip(written, equation.outvars, strict=True)}
            if name in _PICKS:
                reads |= {given[0]: min(reads[given[0]], sum(writes.values()))}
            self.operations.append(Operation(name, _flops(equation), reads, writes, times))
            return written
        return [next(self._numbers) for _ in equation.outvars]

    def _walk_dearest(self, branches: Sequence[Any], given: list[int], times: float) -> None:
        before, found = self.operations, list[list[Operation]]()
        for branch in branches:
            self.operations = []
            self._walk(branch.jaxpr, given, times)
            found.append(self.operations)
        dearest = max(found, key=lambda operations: sum(one.flops * one.times for one in operations))
        self.operations = before + dearest


def _constants_of_scan(equation: Any) -> int:
    """How many inputs of a scan are the same in each of its steps; JAX has named the number in several ways.

    A step has the whole of these and of what is carried on, and a slice of the rest; likewise of the outputs.
    """
    body = equation.params["jaxpr"].jaxpr

    def whole(outside: Sequence[Any], within: Sequence[Any]) -> int:
        pairs = zip(outside, within, strict=True)
        return sum(a.aval.shape == b.aval.shape for a, b in pairs)

    return whole(equation.invars, body.invars) - whole(equation.outvars, body.outvars)


def _needed(closed: Any) -> Any:
    """The program without what no result needs: XLA leaves it out as well."""
    jaxpr, _ = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars), True)
    return closed.replace(jaxpr=jaxpr)


def _called(params: dict[str, Any]) -> Any:
    """The jaxpr that an equation calls as a function, if it does."""
    inner = next((params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in params), None)
    return getattr(inner, "jaxpr", inner)


def _bytes(aval: Any) -> int:
    if not hasattr(aval, "shape") or not hasattr(aval.dtype, "itemsize"):
        return 0
    return math.prod(aval.shape) * aval.dtype.itemsize


def _flops(equation: Any) -> float:
    """The floating-point operations of an equation that calls nothing."""
    name, params = equation.primitive.name, equation.params
    avals = [atom.aval for atom in equation.invars]
    if name.startswith("keryx_"):
        return _of_kernel(equation.primitive, tuple(avals), params)
    out = equation.outvars[0].aval
    if not hasattr(out, "shape") or not jax.dtypes.issubdtype(avals[0].dtype if avals else out.dtype, np.inexact):
        return 0.0
    size = math.prod(out.shape)
    if name in ("dot_general", "ragged_dot"):
        (contracted, _), _ = params.get("dimension_numbers") or (((1,), (0,)), ((), ()))
        return 2.0 * size * math.prod(avals[0].shape[axis] for axis in contracted)
    if name == "conv_general_dilated":
        return _of_convolution(size, avals, params)
    if name in _ARITHMETIC:
        return float(size)
    if name in _REDUCTIONS or name.startswith(("scatter", "select_and")):
        return float(math.prod(avals[-1 if name.startswith("scatter") else 0].shape))
    if name.startswith("reduce_window"):
        return float(size * math.prod(params.get("window_dimensions", ())))
    return 0.0


def _of_convolution(size: int, avals: Sequence[Any], params: dict[str, Any]) -> float:
    numbers, kernel = params["dimension_numbers"], avals[1].shape
    window = math.prod(kernel[axis] for axis in numbers.rhs_spec[2:])
    spread = math.prod(params["lhs_dilation"])  # that many elements but one are zeros between those of the input
    return 2.0 * size * window * kernel[numbers.rhs_spec[1]] / spread


def _of_kernel(primitive: Any, avals: tuple, params: dict[str, Any]) -> float:
    """Of a kernel of ours: those of its definition."""
    name = primitive.name.removeprefix("keryx_")
    plain = KERNELS[name].plain if name in KERNELS else primitive.impl
    given = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals]
    return Program(partial(plain, **params), *given).flops
