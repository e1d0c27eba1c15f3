"""Nodes of TensorFlow's own graph, which tf.keras before 2.4 wrote into its models, as ops that a graph here knows."""

import json
from collections.abc import Callable
from typing import Any

from keryx.core import plain
from keryx.errors import ConfigError
from keryx.saving.old.tf_arguments import argument, special

# What the node's inputs are to the op; a number that many tensors come before is `*`.
_NODES: dict[str, tuple[str, tuple[str, ...]]] = {
    **{name: (op, ("x1", "x2")) for name, op in {
        "Add": "add", "AddV2": "add", "Sub": "subtract", "Mul": "multiply", "RealDiv": "divide", "Div": "divide",
        "Maximum": "maximum", "Minimum": "minimum", "Pow": "power", "MatMul": "matmul", "BatchMatMul": "matmul",
        "BatchMatMulV2": "matmul", "FloorDiv": "floor_divide", "FloorMod": "mod", "Greater": "greater",
        "GreaterEqual": "greater_equal", "Less": "less", "LessEqual": "less_equal", "Equal": "equal",
        "NotEqual": "not_equal", "LogicalAnd": "logical_and", "LogicalOr": "logical_or", "BiasAdd": "add",
        "DivNoNan": "divide_no_nan",
    }.items()},
    **{name: (op, ("x",)) for name, op in {
        "Relu": "relu", "Relu6": "relu6", "Elu": "elu", "Selu": "selu", "Softplus": "softplus", "Softsign": "softsign",
        "Sigmoid": "sigmoid", "Tanh": "tanh", "Softmax": "softmax", "LogSoftmax": "log_softmax", "Exp": "exp",
        "Log": "log", "Log1p": "log1p", "Sqrt": "sqrt", "Rsqrt": "rsqrt", "Square": "square", "Abs": "abs",
        "Neg": "negative", "Sign": "sign", "Floor": "floor", "Ceil": "ceil", "Sin": "sin", "Cos": "cos",
        "Identity": "convert_to_tensor", "Reciprocal": "reciprocal", "LogicalNot": "logical_not", "Erf": "erf",
    }.items()},
    **{name: (op, ("x", "axis")) for name, op in {
        "Mean": "mean", "Sum": "sum", "Max": "max", "Min": "min", "Prod": "prod", "Any": "any", "All": "all",
        "ExpandDims": "expand_dims", "ReverseV2": "flip", "Cumsum": "cumsum",
    }.items()},
    "Cast": ("cast", ("x",)), "Squeeze": ("squeeze", ("x",)), "Transpose": ("transpose", ("x", "axes")),
    "Reshape": ("reshape", ("x", "newshape")), "Tile": ("tile", ("x", "repeats")), "Pad": ("pad", ("x", "pad_width")),
    "ConcatV2": ("concatenate", ("*xs", "axis")), "Pack": ("stack", ("*x",)), "Split": ("split", ("axis", "x")),
    "Unpack": ("unstack", ("x",)), "SelectV2": ("where", ("condition", "x1", "x2")),
    "Select": ("where", ("condition", "x1", "x2")), "GatherV2": ("take", ("x", "indices", "axis")),
    "StridedSlice": ("get_item", ("x", "begin", "end", "strides")), "StopGradient": ("stop_gradient", ("variable",)),
    "ClipByValue": ("clip", ("x", "x_min", "x_max")),
}  # fmt: skip


def of_node(name: str, config: dict[str, Any]) -> tuple[str, Callable]:
    node = config.get("node_def")
    node = plain.loads(node, f"The layer {name!r}") if isinstance(node, str) and node.startswith("{") else node
    kind = node.get("op") if isinstance(node, dict) else _op_in_text(node)
    if kind not in _NODES or not isinstance(node, dict):
        raise ConfigError(
            f"The layer {name!r} of the model is TensorFlow's node {str(kind)[:80]!r}, which is none of those that are "
            f"translated. Build the model in code with keryx.ops, and load the weights alone."
        )
    op, words = _NODES[kind]
    constants = {int(place): value for place, value in (config.get("constants") or {}).items()}
    attributes = node.get("attr", {})

    def rewrite(args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        tensors = list(args[0]) if isinstance(args[0], (list, tuple)) else [args[0]]
        values = [constants[i] if i in constants else tensors.pop(0) for i in range(len(constants) + len(tensors))]
        if words[0].startswith("*"):
            count = len(values) - len(words) + 1
            values = [values[:count], *values[count:]]
        given = {word.lstrip("*"): value for word, value in zip(words, values, strict=True)}
        if op == "get_item":
            return {"args": (given["x"], _strided(given, attributes)), "kwargs": {}}
        given = {word: argument(word, value) for word, value in given.items()}
        return {"args": (), "kwargs": given | _options(kind, attributes)}

    return op, rewrite


def _op_in_text(node: Any) -> str:
    """The kind of a node that is written down as protobuf's text."""
    for line in str(node).splitlines():
        if line.strip().startswith("op:"):
            return line.split('"')[1] if line.count('"') > 1 else line
    return json.dumps(node, default=str)[:80]


def _attribute(attributes: dict[str, Any], word: str, default: Any = None) -> Any:
    """The value of an attribute of a node: `{"i": "3"}`, `{"b": true}`, `{"list": {"i": ["1"]}}`."""
    value = attributes.get(word) or {}
    if "i" in value:
        return int(value["i"])
    if "list" in value:
        return tuple(int(one) for one in value["list"].get("i", []))
    return value.get("b", value.get("type", default))


_DTYPES = {"DT_FLOAT": "float32", "DT_INT32": "int32", "DT_INT64": "int64", "DT_BOOL": "bool", "DT_HALF": "float16",
           "DT_DOUBLE": "float64"}  # fmt: skip


def _options(kind: str, attributes: dict[str, Any]) -> dict[str, Any]:
    if kind in ("Mean", "Sum", "Max", "Min", "Prod", "Any", "All"):
        return {"keepdims": bool(_attribute(attributes, "keep_dims", False))}
    if kind == "Cast":
        return {"dtype": _DTYPES.get(_attribute(attributes, "DstT"), "float32")}
    if kind == "Squeeze":
        return {"axis": _attribute(attributes, "squeeze_dims") or None}
    if kind in ("Pack", "Unpack"):
        return {"axis": _attribute(attributes, "axis", 0)}
    if kind == "Split":
        return {"indices_or_sections": _attribute(attributes, "num_split", 1)}
    refused = [word for word in ("transpose_a", "transpose_b", "adj_x", "adj_y") if _attribute(attributes, word)]
    if refused or (kind == "Cumsum" and (_attribute(attributes, "exclusive") or _attribute(attributes, "reverse"))):
        raise ConfigError(f"A node {kind} of TensorFlow's with {refused or 'exclusive or reverse'} is not translated.")
    return {}


def _strided(given: dict[str, Any], attributes: dict[str, Any]) -> tuple:
    """The index of a strided slice, whose masks have a bit for each axis."""
    masks = {word: _attribute(attributes, f"{word}_mask", 0) for word in _MASKS}
    found: list[Any] = []
    for i, (begin, end, step) in enumerate(zip(given["begin"], given["end"], given["strides"], strict=True)):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            found.append(special("ellipsis", {}))
        elif masks["new_axis"] & bit:
            found.append(None)
        elif masks["shrink_axis"] & bit:
            found.append(int(begin))
        else:
            start = None if masks["begin"] & bit else begin
            stop = None if masks["end"] & bit else end
            found.append(special("slice", {"start": start, "stop": stop, "step": step}))
    return tuple(found)


_MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
