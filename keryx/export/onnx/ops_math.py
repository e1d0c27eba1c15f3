"""Arithmetic, comparisons and reductions in ONNX."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keryx.export.onnx.exporter import Exporter, op
from keryx.export.onnx.value import Value


def _of_floats(operator: str) -> Callable:
    return lambda g, x: g.node(operator, g.floats(x))


def _of_one(operator: str) -> Callable:
    return lambda g, x: g.node(operator, g.value(x))


def _of_two(operator: str) -> Callable:
    return lambda g, x1, x2: g.elementwise(operator, x1, x2)


def _of_bools(operator: str) -> Callable:
    return lambda g, x1, x2: g.node(operator, g.value(x1, "bool"), g.value(x2, "bool"))


def _of_bits(operator: str) -> Callable:
    return lambda g, x, y: _bitwise(g, operator, x, y)


def _reduction(operator: str) -> Callable:
    return lambda g, x, axis=None, keepdims=False: _reduced(g, operator, x, axis, keepdims)


def _place(operator: str) -> Callable:
    return lambda g, x, axis=None, keepdims=False: _arg(g, operator, x, axis, keepdims)


# What ONNX has as it is: the kind of op, and ONNX's operator for each.
_TABLE: dict[Callable[[str], Callable], dict[str, str]] = {
    _of_floats: {
        "arccos": "Acos", "arccosh": "Acosh", "arcsin": "Asin", "arcsinh": "Asinh", "arctan": "Atan",
        "arctanh": "Atanh", "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh", "exp": "Exp", "floor": "Floor", "log": "Log",
        "reciprocal": "Reciprocal", "sin": "Sin", "sinh": "Sinh", "sqrt": "Sqrt", "tan": "Tan",
    },
    _of_one: {"abs": "Abs", "absolute": "Abs", "negative": "Neg", "sign": "Sign"},
    _of_two: {
        "add": "Add", "subtract": "Sub", "multiply": "Mul", "maximum": "Max", "minimum": "Min", "equal": "Equal",
        "greater": "Greater", "greater_equal": "GreaterOrEqual", "less": "Less", "less_equal": "LessOrEqual",
    },
    _of_bools: {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"},
    _of_bits: {"bitwise_and": "And", "bitwise_or": "Or", "bitwise_xor": "Xor"},
    _reduction: {"sum": "Sum", "prod": "Prod", "max": "Max", "amax": "Max", "min": "Min", "amin": "Min"},
    _place: {"argmax": "ArgMax", "argmin": "ArgMin"},
}  # fmt: skip
for _make, _operators in _TABLE.items():
    for _name, _operator in _operators.items():
        op(_name)(_make(_operator))


def _bitwise(g: Exporter, operator: str, x: Any, y: Any) -> Value:
    x, y = g.alike(x, y)
    return g.node(operator if x.dtype == "bool" else f"Bitwise{operator}", x, y)


def _reduced(g: Exporter, operator: str, x: Any, axis: Any, keepdims: bool) -> Value:
    x = g.value(x)
    if x.dtype == "bool":
        as_bool = operator in ("Max", "Min")
        y = g.reduce(operator, g.cast(x, "int32"), axis, keepdims)
        return g.cast(y, "bool") if as_bool else y
    return g.reduce(operator, x, axis, keepdims)


def _arg(g: Exporter, operator: str, x: Any, axis: int | None, keepdims: bool) -> Value:
    x = g.value(x)
    x = g.cast(x, "int32") if x.dtype == "bool" else x
    if axis is None:
        if keepdims:
            g.refuse("the place of an extremum over all axes has no kept axes in ONNX", "Give axis=.")
        x, axis = g.reshape(x, [-1]), 0
    return g.cast(g.node(operator, x, axis=axis % x.ndim, keepdims=int(keepdims)), "int32")


@op("bitwise_invert", "bitwise_not")
def bitwise_invert(g: Exporter, x: Any) -> Value:
    x = g.value(x)
    return g.node("Not" if x.dtype == "bool" else "BitwiseNot", x)


@op("logical_not")
def logical_not(g: Exporter, x: Any) -> Value:
    return ~g.value(x, "bool")


@op("not_equal")
def not_equal(g: Exporter, x1: Any, x2: Any) -> Value:
    return ~g.elementwise("Equal", x1, x2)


@op("isnan")
def isnan(g: Exporter, x: Any) -> Value:
    return g.node("IsNaN", g.floats(x))


@op("isinf")
def isinf(g: Exporter, x: Any) -> Value:
    return g.node("IsInf", g.floats(x))


@op("isfinite")
def isfinite(g: Exporter, x: Any) -> Value:
    return ~(isnan(g, x) | isinf(g, x))


@op("divide", "true_divide")
def divide(g: Exporter, x1: Any, x2: Any) -> Value:
    x1, x2 = g.alike(x1, x2)
    return g.floats(x1) / g.floats(x2)


@op("floor_divide")
def floor_divide(g: Exporter, x1: Any, x2: Any) -> Value:
    x1, x2 = g.alike(x1, x2)
    return g.node("Floor", x1 / x2) if x1.dtype.startswith("float") else (x1 - mod(g, x1, x2)) / x2


@op("mod")
def mod(g: Exporter, x1: Any, x2: Any) -> Value:
    x1, x2 = g.alike(x1, x2)
    return x1 - floor_divide(g, x1, x2) * x2 if x1.dtype.startswith("float") else g.node("Mod", x1, x2)


@op("divide_no_nan")
def divide_no_nan(g: Exporter, x1: Any, x2: Any) -> Value:
    x1, x2 = (g.floats(x) for x in g.alike(x1, x2))
    none = g.elementwise("Equal", x2, 0)
    return g.where(none, 0, x1 / g.where(none, 1, x2))


@op("power")
def power(g: Exporter, x1: Any, x2: Any) -> Value:
    return g.elementwise("Pow", x1, x2)


@op("square")
def square(g: Exporter, x: Any) -> Value:
    x = g.value(x)
    return x * x


@op("rsqrt")
def rsqrt(g: Exporter, x: Any) -> Value:
    return 1 / g.node("Sqrt", g.floats(x))


@op("log2", "log10")
def _log_of_base(g: Exporter, x: Any) -> Value:
    return g.node("Log", g.floats(x)) / np.log(2.0 if g.path[-1] == "log2" else 10.0)


@op("log1p")
def log1p(g: Exporter, x: Any) -> Value:
    return g.node("Log", 1 + g.floats(x))


@op("expm1")
def expm1(g: Exporter, x: Any) -> Value:
    return g.node("Exp", g.floats(x)) - 1


@op("exp2")
def exp2(g: Exporter, x: Any) -> Value:
    return g.node("Exp", g.floats(x) * np.log(2.0))


@op("round")
def round(g: Exporter, x: Any, decimals: int = 0) -> Value:
    x = g.floats(x)
    return g.node("Round", x * 10.0**decimals) / 10.0**decimals if decimals else g.node("Round", x)


@op("trunc")
def trunc(g: Exporter, x: Any) -> Value:
    x = g.floats(x)
    return g.node("Sign", x) * g.node("Floor", g.node("Abs", x))


@op("clip")
def clip(g: Exporter, x: Any, x_min: Any = None, x_max: Any = None) -> Value:
    return g.clip(g.value(x), x_min, x_max)


@op("where")
def where(g: Exporter, condition: Any, x1: Any = None, x2: Any = None) -> Value:
    if x1 is None and x2 is None:
        g.refuse("the places where a condition holds are of a number that is not known", "Give x1 and x2.")
    return g.where(g.value(condition), x1, x2)


@op("cast")
def cast(g: Exporter, x: Any, dtype: Any) -> Value:
    return g.cast(g.value(x), dtype)


@op("convert_to_tensor", "array")
def convert_to_tensor(g: Exporter, x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Value:
    return g.value(x, dtype)


# -- products ----------------------------------------------------------------------------------------------------


@op("matmul")
def matmul(g: Exporter, x1: Any, x2: Any) -> Value:
    x1, x2 = g.alike(x1, x2)
    return x1 @ x2


@op("dot")
def dot(g: Exporter, x1: Any, x2: Any) -> Value:
    x1, x2 = g.alike(x1, x2)
    if not x1.ndim or not x2.ndim:
        return x1 * x2
    if x2.ndim > 2:
        g.refuse("a dot product with more than two axes on the right has no counterpart in ONNX", "Use ops.einsum.")
    return x1 @ x2


@op("einsum")
def einsum(g: Exporter, subscripts: str, *operands: Any) -> Value:
    return g.node("Einsum", *g.alike(*operands), equation=subscripts)


@op("tensordot")
def tensordot(g: Exporter, x1: Any, x2: Any, axes: Any = 2) -> Value:
    x1, x2 = g.alike(x1, x2)
    if isinstance(axes, int):
        axes = [*range(x1.ndim - axes, x1.ndim)], [*range(axes)]
    letters = "abcdefghijklmnopqrstuvwxyz"
    left, right = list(letters[: x1.ndim]), list(letters[x1.ndim :][: x2.ndim])
    for i, j in zip(*(np.atleast_1d(a).tolist() for a in axes), strict=True):
        right[j] = left[i]
    kept = [x for x in left + right if (left + right).count(x) == 1]
    return g.node("Einsum", x1, x2, equation=f"{''.join(left)},{''.join(right)}->{''.join(kept)}")


# -- reductions --------------------------------------------------------------------------------------------------


@op("mean")
def mean(g: Exporter, x: Any, axis: Any = None, keepdims: bool = False) -> Value:
    return g.reduce("Mean", g.floats(x), axis, keepdims)


@op("var")
def var(g: Exporter, x: Any, axis: Any = None, keepdims: bool = False) -> Value:
    x = g.floats(x)
    x = x - g.reduce("Mean", x, axis, True)
    return g.reduce("Mean", x * x, axis, keepdims)


@op("std")
def std(g: Exporter, x: Any, axis: Any = None, keepdims: bool = False) -> Value:
    return g.node("Sqrt", var(g, x, axis, keepdims))


@op("any")
def any(g: Exporter, x: Any, axis: Any = None, keepdims: bool = False) -> Value:
    return g.cast(g.reduce("Max", g.cast(g.value(x, "bool"), "int32"), axis, keepdims), "bool")


@op("all")
def all(g: Exporter, x: Any, axis: Any = None, keepdims: bool = False) -> Value:
    return g.cast(g.reduce("Min", g.cast(g.value(x, "bool"), "int32"), axis, keepdims), "bool")


@op("logsumexp")
def logsumexp(g: Exporter, x: Any, axis: Any = None, keepdims: bool = False) -> Value:
    return g.reduce("LogSumExp", g.floats(x), axis, keepdims)


@op("norm")
def norm(g: Exporter, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Value:
    kinds = {None: "L2", 1: "L1", 2: "L2"}
    if ord not in kinds or (ord is not None and np.ndim(axis)):
        g.refuse("a norm of this kind has no counterpart in ONNX", "Write it with ops.sum and ops.power.")
    return g.reduce(kinds[ord], g.floats(x), axis, keepdims)


@op("cumsum")
def cumsum(g: Exporter, x: Any, axis: int | None = None, dtype: Any = None) -> Value:
    x = g.value(x, dtype)
    x, axis = (g.reshape(x, [-1]), 0) if axis is None else (x, axis)
    return g.node("CumSum", x, g.constant(np.int64(axis % x.ndim)))


@op("top_k")
def top_k(g: Exporter, x: Any, k: int, sorted: bool = True) -> list[Value]:
    x = g.value(x)
    values, places = g.nodes("TopK", x, g.shape([k]), outputs=2, axis=x.ndim - 1)
    return [values, g.cast(places, "int32")]


@op("sort")
def sort(g: Exporter, x: Any, axis: int = -1) -> Value:
    return _sorted(g, x, axis)[0]


@op("argsort")
def argsort(g: Exporter, x: Any, axis: int = -1) -> Value:
    return g.cast(_sorted(g, x, axis)[1], "int32")


def _sorted(g: Exporter, x: Any, axis: int) -> list[Value]:
    x = g.value(x)
    count = g.shape([g.size(x, axis)])
    return g.nodes("TopK", x, count, outputs=2, axis=axis % x.ndim, largest=0)
