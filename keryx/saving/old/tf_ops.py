"""Functions of TensorFlow in the graphs of tf.keras 2 as the ops that a graph here knows.

TensorFlow 2.4 and later wrote a function's public name and its arguments (TFOpLambda, SlicingOpLambda), earlier ones
the node of TensorFlow's own graph with its constants (TensorFlowOpLayer). Each function is a row of a table: the op of
today, and what its arguments are called there, in TensorFlow's order. Nothing is looked up in TensorFlow.
"""

import json
from collections.abc import Callable
from typing import Any

from keryx.core import plain
from keryx.errors import ConfigError, did_you_mean
from keryx.ops import names as ops
from keryx.saving.old.graphs import CONSTANT

CLASSES = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")

_ONE = "x"  # what TensorFlow calls the tensor of a function of one; ours is always x
_AXIS = {"axis": "axis"}


def _rows(functions: str, **arguments: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Rows of functions with the same arguments: `name` or `name=op`."""
    pairs = [word.partition("=") for word in functions.split()]
    return {name: (op or name.rpartition(".")[2], arguments) for name, _, op in pairs}


_FUNCTIONS: dict[str, tuple[str, dict[str, str]]] = {
    **_rows(
        """math.abs math.exp math.expm1 math.log math.log1p math.sqrt math.rsqrt math.square math.negative math.sign
        math.floor math.ceil math.sin math.cos math.tan math.sinh math.cosh math.tanh math.sigmoid math.reciprocal
        math.erf math.round math.asin=arcsin math.acos=arccos math.atan=arctan math.is_nan=isnan math.is_inf=isinf
        math.is_finite=isfinite math.logical_not math.log_sigmoid __operators__.abs=abs __operators__.neg=negative
        __operators__.invert=logical_not""",
        x="x",
    ),
    **_rows(
        """math.add math.subtract math.multiply math.divide math.truediv=true_divide math.maximum math.minimum
        math.pow=power math.floordiv=floor_divide math.floormod=mod math.mod=mod math.atan2=arctan2
        math.divide_no_nan math.logical_and math.logical_or math.logical_xor math.equal math.not_equal math.greater
        math.greater_equal math.less math.less_equal __operators__.add=add __operators__.sub=subtract
        __operators__.mul=multiply __operators__.truediv=true_divide __operators__.pow=power
        __operators__.floordiv=floor_divide __operators__.mod=mod __operators__.eq=equal __operators__.ne=not_equal
        __operators__.ge=greater_equal __operators__.gt=greater __operators__.le=less_equal __operators__.lt=less
        __operators__.logical_and=logical_and __operators__.logical_or=logical_or""",
        x="x1", y="x2",
    ),
    **_rows(
        """math.reduce_mean=mean math.reduce_sum=sum math.reduce_max=max math.reduce_min=min math.reduce_prod=prod
        math.reduce_any=any math.reduce_all=all math.reduce_std=std math.reduce_variance=var
        math.reduce_logsumexp=logsumexp""",
        input_tensor="x", axis="axis", keepdims="keepdims",
    ),
    **_rows("nn.relu nn.relu6 nn.elu nn.selu nn.softplus nn.softsign nn.silu nn.swish=silu", features="x"),
    **_rows("nn.leaky_relu", features="x", alpha="negative_slope"),
    **_rows("nn.gelu", features="x", approximate="approximate"),
    **_rows("nn.sigmoid nn.tanh", x="x"),
    **_rows("nn.softmax nn.log_softmax", logits="x", axis="axis"),
    **_rows("math.l2_normalize=normalize nn.l2_normalize=normalize", x="x", axis="axis", epsilon="", dim="axis"),
    **_rows("nn.bias_add=add", value="x1", bias="x2", data_format=""),
    **_rows("linalg.matmul=matmul", a="x1", b="x2", transpose_a="", transpose_b=""),
    **_rows("tensordot", a="x1", b="x2", axes="axes"),
    **_rows("concat=concatenate", values="xs", axis="axis"),
    **_rows("stack", values="x", axis="axis"),
    **_rows("unstack", value="x", num="num", axis="axis"),
    **_rows("split", value="x", num_or_size_splits="indices_or_sections", axis="axis"),
    **_rows("reshape", tensor="x", shape="newshape"),
    **_rows("transpose compat.v1.transpose=transpose", a="x", perm="axes", conjugate=""),
    **_rows("expand_dims", input="x", axis="axis"),
    **_rows("squeeze compat.v1.squeeze=squeeze", input="x", axis="axis", squeeze_dims="axis"),
    **_rows("tile", input="x", multiples="repeats"),
    **_rows("repeat", input="x", repeats="repeats", axis="axis"),
    **_rows("broadcast_to", input="x", shape="shape"),
    **_rows("reverse=flip", tensor="x", axis="axis"),
    **_rows("roll", input="x", shift="shift", axis="axis"),
    **_rows("pad", tensor="x", paddings="pad_width", mode="mode", constant_values="constant_values"),
    **_rows("cast compat.v1.to_float=cast", x="x", dtype="dtype"),
    **_rows("clip_by_value=clip", t="x", clip_value_min="x_min", clip_value_max="x_max"),
    **_rows("where compat.v1.where=where", condition="condition", x="x1", y="x2"),
    **_rows("gather compat.v1.gather=take", params="x", indices="indices", axis="axis", batch_dims="",
            validate_indices=""),
    **_rows("one_hot", indices="x", depth="num_classes", axis="axis", dtype="dtype", on_value="", off_value=""),
    **_rows("math.argmax=argmax math.argmin=argmin", input="x", axis="axis", output_type=""),
    **_rows("math.cumsum=cumsum math.cumprod=cumprod", x="x", axis="axis", exclusive="", reverse=""),
    **_rows("zeros_like ones_like", input="x", dtype="dtype"),
    **_rows("identity=convert_to_tensor convert_to_tensor", input="x", value="x", dtype="dtype"),
    **_rows("stop_gradient", input="variable"),
    **_rows("math.top_k=top_k", input="x", k="k", sorted="sorted"),
    **_rows("linalg.norm=norm norm", tensor="x", ord="ord", axis="axis", keepdims="keepdims"),
}  # fmt: skip
_FUNCTIONS["gather"] = ("take", _FUNCTIONS["gather"][1])
_DEFAULTS = {"concat": {"axis": 0}, "cast": {"dtype": "float32"}, "softmax": {"axis": -1}, "take": {"axis": 0}}


def as_op(layer: dict[str, Any]) -> dict[str, Any]:
    """An entry of a graph that is a function of TensorFlow's, as an op; its calls are rewritten once they are known.

    Raises:
        ConfigError: For a function that has no row, by its name and the layer's.
    """
    config = layer["config"]
    name = layer.get("name") or config.get("name")
    if layer["class_name"] == "TensorFlowOpLayer":
        op, rewrite = _of_node(name, config)
    else:
        function = config.get("function")
        function = function if isinstance(function, str) else str(function)
        sliced = layer["class_name"] == "SlicingOpLambda" or function == "__operators__.getitem"
        op, rewrite = ("get_item", _slice) if sliced else _of_function(name, function)
    made = {"module": "keras.src.ops", "class_name": ops.class_name(op), "config": {"name": name}, "name": name}
    return made | {"inbound_nodes": layer["inbound_nodes"], "as_written": True, "rewrite": rewrite}


def _of_function(name: str, function: str) -> tuple[str, Callable]:
    short = _SHORT.get(function, function)
    if short not in _FUNCTIONS:
        raise ConfigError(
            f"The layer {name!r} of the model is TensorFlow's function tf.{function[:80]}, which is none of those that "
            f"are translated.{did_you_mean(short, _FUNCTIONS)} Build the model in code with keryx.ops, and load the "
            "weights alone: model.load_weights(path, by_name=True)."
        )
    op, words = _FUNCTIONS[short]

    def rewrite(args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        given = dict(zip(words, args, strict=False)) | {word: v for word, v in kwargs.items() if word != "name"}
        return {"args": (), "kwargs": _in_our_words(name, function, op, words, given)}

    return op, rewrite


# Names that TensorFlow writes without their room.
_SHORT = {
    short: name
    for name in _FUNCTIONS
    for short in [name.rpartition(".")[2]]
    if short not in _FUNCTIONS and not name.startswith(("__", "compat"))
}


def _in_our_words(name: str, function: str, op: str, words: dict[str, str], given: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = dict(_DEFAULTS.get(op, {}) if op != "concatenate" else {"axis": 0})
    for word, value in given.items():
        if word in words and not words[word] and _is_usual(word, value):
            continue
        if word not in words and (value is None or value is False):
            continue
        if not words.get(word) and not (op == "matmul" and word.startswith("transpose_")):
            raise ConfigError(
                f"The layer {name!r} of the model is tf.{function} with {word}={value!r:.80}, which is not translated. "
                "Build the model in code with keryx.ops, and load the weights alone."
            )
        if words[word] and not (value is None and words[word] != "axis"):
            made[words[word]] = _argument(words[word], value)
    if op == "where" and "x1" not in made:
        raise ConfigError(f"The layer {name!r} of the model is tf.where of a condition alone: its size is not known.")
    if op == "split":
        made["indices_or_sections"] = _sections(made["indices_or_sections"])
    if op == "matmul":
        for side, word in (("x1", "transpose_a"), ("x2", "transpose_b")):
            if given.get(word):
                raise ConfigError(f"The layer {name!r} of the model is tf.matmul with {word}, which is not translated.")
    if op == "pad":
        made["mode"] = str(made.get("mode", "constant")).lower()
    return made


def _is_usual(word: str, value: Any) -> bool:
    return value in (None, False, 0, "") or (word, value) in {
        ("epsilon", 1e-12), ("data_format", "NHWC"), ("on_value", 1), ("output_type", "int64"), ("output_type", 3),
    }  # fmt: skip


def _argument(word: str, value: Any) -> Any:
    """A constant as it stands in a call: lists of numbers for a tensor as an array, others as tuples."""
    if word == "dtype":
        return value if isinstance(value, str) else None
    if not isinstance(value, (list, tuple)) or _holds_tensors(value):
        return value
    if word in ("x", "x1", "x2", "xs", "condition", "indices", "values"):
        flat = value
        while flat and isinstance(flat[0], (list, tuple)):
            flat = flat[0]
        kind = {bool: "bool", int: "int32"}.get(type(flat[0]) if flat else float, "float32")
        return {"class_name": "__numpy__", "config": {"value": value, "dtype": kind}}
    return _tuples(value)


def _holds_tensors(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get("class_name") == "__keras_tensor__"
    return isinstance(value, (list, tuple)) and any(_holds_tensors(v) for v in value)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value


def _sections(value: Any) -> Any:
    """TensorFlow is told sizes, NumPy where to cut."""
    if isinstance(value, int):
        return value
    cuts, at = [], 0
    for size in list(value)[:-1]:
        if not isinstance(size, int) or size < 0:
            raise ConfigError(f"tf.split into sizes that are not known, {value!r:.80}, is not translated.")
        at += size
        cuts.append(at)
    return tuple(cuts)


def _slice(args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """`x[...]`: each index a number, a slice in the form of a dict, None or the ellipsis."""
    spec = kwargs.get("slice_spec")
    if spec is None:
        raise ConfigError("A slice of the graph does not say what it takes: damaged.")
    parts = spec if isinstance(spec, (list, tuple)) else [spec]
    return {"args": (args[0], tuple(_index(part) for part in parts)), "kwargs": {}}


def _index(part: Any) -> Any:
    if isinstance(part, dict) and {"start", "stop", "step"} <= part.keys():
        return _special("slice", {key: part[key] for key in ("start", "stop", "step")})
    if part == "..." or (isinstance(part, dict) and part.get("class_name") == "__ellipsis__"):
        return _special("ellipsis", {})
    if part is None or isinstance(part, int) or isinstance(part, dict):
        return part
    raise ConfigError(f"A slice of the graph by {part!r:.80} is not translated.")


def _special(name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": f"__{name}__", "config": config}


# -- nodes of TensorFlow's own graph -------------------------------------------------------------------------------

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


def _of_node(name: str, config: dict[str, Any]) -> tuple[str, Callable]:
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
        given = {word: _argument(word, value) for word, value in given.items()}
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
    if refused or kind == "Cumsum" and (_attribute(attributes, "exclusive") or _attribute(attributes, "reverse")):
        raise ConfigError(f"A node {kind} of TensorFlow's with {refused or 'exclusive or reverse'} is not translated.")
    return {}


def _strided(given: dict[str, Any], attributes: dict[str, Any]) -> tuple:
    """The index of a strided slice, whose masks have a bit for each axis."""
    masks = {word: _attribute(attributes, f"{word}_mask", 0) for word in _MASKS}
    found: list[Any] = []
    for i, (begin, end, step) in enumerate(zip(given["begin"], given["end"], given["strides"], strict=True)):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            found.append(_special("ellipsis", {}))
        elif masks["new_axis"] & bit:
            found.append(None)
        elif masks["shrink_axis"] & bit:
            found.append(int(begin))
        else:
            start = None if masks["begin"] & bit else begin
            stop = None if masks["end"] & bit else end
            found.append(_special("slice", {"start": start, "stop": stop, "step": step}))
    return tuple(found)


_MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
