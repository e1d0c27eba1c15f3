"""Functions of TensorFlow in the graphs of tf.keras 2.4 and later: their public names and arguments, as ops of today.

Each function is a row of a table: the op, and what its arguments are called there, in TensorFlow's order; those that
have no counterpart have none in the row, and are refused unless they say nothing unusual.
"""

from collections.abc import Callable
from typing import Any

from keryx.errors import ConfigError, did_you_mean
from keryx.saving.old.tf_arguments import argument, special


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
_DEFAULTS: dict[str, dict[str, Any]] = {
    "concatenate": {"axis": 0},
    "cast": {"dtype": "float32"},
    "softmax": {"axis": -1},
    "take": {"axis": 0},
}


def of_function(name: str, function: str) -> tuple[str, Callable]:
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
    made: dict[str, Any] = {**_DEFAULTS.get(op, {})}
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
            made[words[word]] = argument(words[word], value)
    if op == "where" and "x1" not in made:
        raise ConfigError(f"The layer {name!r} of the model is tf.where of a condition alone: its size is not known.")
    if op == "split":
        made["indices_or_sections"] = _sections(made["indices_or_sections"])
    if op == "matmul":
        for word in ("transpose_a", "transpose_b"):
            if given.get(word):
                raise ConfigError(f"The layer {name!r} of the model is tf.matmul with {word}, which is not translated.")
    if op == "pad":
        made["mode"] = str(made.get("mode", "constant")).lower()
    return made


def _is_usual(word: str, value: Any) -> bool:
    return value in (None, False, 0, "") or (word, value) in {
        ("epsilon", 1e-12), ("data_format", "NHWC"), ("on_value", 1), ("output_type", "int64"), ("output_type", 3),
    }  # fmt: skip


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


def of_slice(args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """`x[...]`: each index a number, a slice in the form of a dict, None or the ellipsis."""
    spec = kwargs.get("slice_spec")
    if spec is None:
        raise ConfigError("A slice of the graph does not say what it takes: damaged.")
    parts = spec if isinstance(spec, (list, tuple)) else [spec]
    return {"args": (args[0], tuple(_index(part) for part in parts)), "kwargs": {}}


def _index(part: Any) -> Any:
    if isinstance(part, dict) and {"start", "stop", "step"} <= part.keys():
        return special("slice", {key: part[key] for key in ("start", "stop", "step")})
    if part == "..." or (isinstance(part, dict) and part.get("class_name") == "__ellipsis__"):
        return special("ellipsis", {})
    if part is None or isinstance(part, (int, dict)):
        return part
    raise ConfigError(f"A slice of the graph by {part!r:.80} is not translated.")
