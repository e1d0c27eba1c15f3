"""Configs of Keras 1, Keras 2 and tf.keras in the words of today's: plain data in, plain data out.

Nothing is built here. An argument is renamed by the tables of `words` and of `keryx.old_words`; what today's class does
not have is left aside where it was off, and refused by name where it was on.
"""

from collections.abc import Callable
from typing import Any

from keryx import constraints, initializers, layers, losses, metrics, old_words, optimizers, regularizers
from keryx.core import dtypes, plain, registered
from keryx.core.names import init_arguments, is_own
from keryx.errors import ConfigError, KeryxError
from keryx.saving.old import graphs, tf_ops, words


def to_today(config: Any, version: str | None = None) -> Any:
    """The config of a model, layer, loss, metric or optimizer of another age in today's words.

    Args:
        config: What Keras wrote: a dict with `class_name` and `config`, or any nest of such.
        version: The `keras_version` of the file; None is what Keras 1 wrote, which did not say.

    Raises:
        ConfigError: For Python code of a lambda, and for what is not offered today, by the layer's name.

    >>> old = {"class_name": "Dense", "config": {"output_dim": 3, "init": "normal", "bias": True, "name": "d"}}
    >>> to_today(old, "1.2.2")["config"]
    {'units': 3, 'kernel_initializer': 'normal', 'use_bias': True, 'name': 'd'}
    """
    if is_today(version):
        return _with_ops(config)
    with plain.reading(str(config.get("class_name", "object"))[:80] if isinstance(config, dict) else "object", config):
        made = _value(config, "")
        if isinstance(made, dict) and isinstance(config, dict) and "compile_config" in config:
            made = made | {"compile_config": _value(config["compile_config"], "")}
        return made


def is_today(version: str | None) -> bool:
    """Whether configs of this version are in today's words."""
    return str(version or "1").partition(".")[0] not in ("0", "1", "2")


def _with_ops(config: Any) -> Any:
    """A config of Keras 3 in which ops say that they are ops: in `.h5` files it leaves out the module of everything.

    What tells an op from a layer of the same name is that it says nothing of being trained.
    """
    inner = config.get("config") if isinstance(config, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("layers"), list):
        return config
    made = []
    for layer in inner["layers"]:
        layer = _with_ops(layer)
        if isinstance(layer, dict) and "module" not in layer and isinstance(layer.get("config"), dict):
            is_op = "inbound_nodes" in layer and not _OF_LAYERS & layer["config"].keys()
            layer = {"module": "keras.src.ops"} | layer if is_op else layer
        made.append(layer)
    return config | {"config": inner | {"layers": made}}


_OF_LAYERS = {"trainable", "dtype", "layers", "batch_shape"}


def _value(value: Any, word: str) -> Any:
    """A value of an argument, in a config of any depth."""
    if isinstance(value, dict):
        if "class_name" in value and "items" in value:  # a tuple, as the JSON of tf.keras has it
            return tuple(_value(v, word) for v in value["items"])
        if value.get("class_name") == "TensorShape":
            return value.get("items")
        if "class_name" in value and "config" in value:
            return _object(value)
        if word.endswith(_NAMED_WITHIN) and class_named(
            words.CLASSES.get(str(value.get("name")), str(value.get("name")))
        ):
            return _object({"class_name": value["name"], "config": {k: v for k, v in value.items() if k != "name"}})
        return {key: _value(v, key) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_value(v, word) for v in value)
    if isinstance(value, str) and word.endswith("activation"):
        return words.FUNCTIONS.get(value, value)
    return value


_NAMED_WITHIN = ("regularizer", "constraint")  # what Keras 1 named in the config of the object itself


def _object(entry: dict[str, Any]) -> Any:
    """An object by its class and config."""
    name, config = entry["class_name"], entry.get("config")
    if not isinstance(name, str) or name.startswith("__"):
        return entry
    if name == "function":
        return _function(entry)
    if not isinstance(config, (dict, list)):
        return entry
    if registered.find(entry.get("registered_name")) is None and registered.find(name) is None:
        special: Callable | None = _SPECIAL.get(name)
        if special is not None:
            return special(entry)
        entry = _of_today(entry)
    return entry


def _of_today(entry: dict[str, Any]) -> dict[str, Any]:
    old, config = entry["class_name"], entry["config"]
    old = old.removeprefix("Custom>") if old.removeprefix("Custom>").lower() in optimizers.registry.table else old
    name = words.CLASSES.get(old, old)
    cls = class_named(name)
    if cls is None:  # the codec says what there is
        return {**entry, "config": _value(config, "")}
    rest = {key: value for key, value in entry.items() if key not in _REWRITTEN}
    return {"class_name": name, **rest, "config": arguments(old, cls, config)}


# Numbers of shared objects began anew in each model, so that they tell nothing between models.
_REWRITTEN = ("module", "registered_name", "class_name", "config", "shared_object_id", "build_config")


def class_named(name: str) -> Any:
    """The class of Keryx's that goes by this name, or None."""
    for family in _FAMILIES:
        found = family.registry.table.get(name)
        if isinstance(found, type) and is_own(found):
            return found
    return None


_FAMILIES = (
    layers, initializers, regularizers, constraints, optimizers, optimizers.schedules, losses, metrics, dtypes,
)  # fmt: skip


def arguments(old: str, cls: type, config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of an object of an old class in the words of the class that stands for it today.

    >>> from keryx.layers import Conv2D
    >>> arguments("Convolution2D", Conv2D, {"nb_filter": 8, "nb_row": 3, "nb_col": 5, "dim_ordering": "th"})
    {'filters': 8, 'kernel_size': (3, 5), 'data_format': 'channels_first'}
    """
    known = set(init_arguments(cls)) | ({"lr", "decay"} if _trains(cls) else set())
    made: dict[str, Any] = {}
    renamed = words.ARGUMENTS.get(cls.__name__, {})
    aside = words.ASIDE | words.ASIDE_OF.get(cls.__name__, frozenset())
    for word, value in config.items():
        new = renamed.get(word) or next((n for n in (word, *old_words.LAYERS.get(word, ())) if n in known), None)
        if word in ("nb_row", "nb_col"):
            made["kernel_size"] = (config.get("nb_row"), config.get("nb_col"))
            continue
        if (word in aside and word not in known) or (new is None and _is_off(word, value)):
            continue
        if new is None and word not in old_words.DECLARED:
            raise ConfigError(
                f"{config.get('name') or 'A config'!r} is a {old} with {word}={value!r:.80}, and {cls.__name__} has no "
                f"such argument today. {_WAY_OUT}"
            )
        value = _value(value, new or word)
        value = words.VALUES.get(new or word, {}).get(value, value) if isinstance(value, (str, int)) else value
        if new == "padding" and cls.__name__ in words.SIDES:
            value = _sides(words.SIDES[cls.__name__], value)
        if not (new == "data_format" and value is None):
            made[new or word] = value
    return {**words.DEFAULTS.get(old, {}), **made}


def _sides(names: tuple[tuple[str, str], ...], padding: Any) -> Any:
    """A padding by the names of its sides, or with all sides in one row, in pairs.

    >>> _sides(words.SIDES["ZeroPadding2D"], {"top_pad": 1}), _sides(words.SIDES["ZeroPadding2D"], (1, 2, 0, 1))
    (((1, 0), (0, 0)), ((1, 2), (0, 1)))
    """
    known = [name for pair in names for name in pair]
    if isinstance(padding, dict) and padding.keys() <= set(known):
        padding = [padding.get(name, 0) for name in known]
    elif not (isinstance(padding, (list, tuple)) and len(padding) == 4 and len(names) == 2):
        return padding
    pairs = tuple(zip(padding[::2], padding[1::2], strict=True))
    return pairs if len(names) > 1 else pairs[0]


_WAY_OUT = (
    "Load the model in the Keras that wrote it, and save what it computes; or hand over a class of your own for it "
    "with custom_objects=."
)


def _trains(cls: type) -> bool:
    return any(base.__name__ == "Optimizer" for base in cls.__mro__)


def _is_off(word: str, value: Any) -> bool:
    """Whether an argument asks for nothing."""
    return word == "dtype" or value in (None, False, 0, "", [], {}) or words.USUAL.get(word) == value


def _function(entry: dict[str, Any]) -> Any:
    name = entry["config"]
    name = words.FUNCTIONS.get(name, name) if isinstance(name, str) else name
    if isinstance(name, str) and registered.find(name) is None and entry.get("registered_name") != entry["config"]:
        return name
    return {**entry, "config": name}


# -- classes that are translated in a way of their own -------------------------------------------------------------


def _functional(entry: dict[str, Any]) -> dict[str, Any]:
    config = entry["config"]
    if not isinstance(config, dict) or not {"layers", "input_layers", "output_layers"} <= config.keys():
        raise ConfigError("The model is a class of its own without a graph: hand over the class with custom_objects=.")
    made = []
    for layer in config["layers"]:
        if not isinstance(layer, dict):
            raise ConfigError(f"A layer of the config is a dict; got {type(layer).__name__}.")
        made.append(tf_ops.as_op(layer) if layer.get("class_name") in tf_ops.CLASSES else _named(layer))
    config = {"name": config.get("name"), "trainable": config.get("trainable", True)} | graphs.rewired(config, made)
    return {"class_name": "Functional", "config": config}


def _named(layer: dict[str, Any]) -> dict[str, Any]:
    try:
        made = _object(layer)
    except KeryxError as error:
        name = layer.get("name") or layer.get("config", {}).get("name")
        error.add_note(f"In the layer {name!r} of the model.")
        raise
    if made["class_name"] in _RECURRENT:
        made["rewrite"] = _with_states
    return made | {key: layer[key] for key in ("name", "inbound_nodes") if key in layer}


_RECURRENT = ("Bidirectional", "GRU", "LSTM", "RNN", "SimpleRNN")


def _with_states(args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """A call of a recurrent layer, which older Keras wrote with the states that it begins in beside the sequence."""
    if isinstance(args[0], list):
        sequence, *states = args[0]
        return {"args": (sequence,), "kwargs": kwargs | {"initial_state": states}}
    return {"args": args, "kwargs": kwargs}


def _sequential(entry: dict[str, Any]) -> dict[str, Any]:
    config = entry["config"]
    rest = {} if isinstance(config, list) else {k: config[k] for k in _KEPT_OF_SEQUENTIAL if config.get(k) is not None}
    stack = config if isinstance(config, list) else config["layers"]
    if stack and isinstance(stack[0], dict) and stack[0].get("class_name") == "Merge":
        return graphs.of_merged(stack, _named, rest)
    return {"class_name": "Sequential", "config": rest | {"layers": [_named(layer) for layer in stack]}}


_KEPT_OF_SEQUENTIAL = ("name", "trainable", "build_input_shape")


def _lambda(entry: dict[str, Any]) -> dict[str, Any]:
    config = entry["config"]
    function = config.get("function")
    if not isinstance(function, str) or config.get("function_type") == "lambda":
        raise ConfigError(
            f"The layer {config.get('name')!r} is a Lambda that holds Python code, which is never run. Build the model "
            "in code with that function, and load the weights alone: model.load_weights(path)."
        )
    named = {"module": "builtins", "class_name": "function", "config": function, "registered_name": function}
    kept = {key: config[key] for key in ("name", "trainable", "arguments") if config.get(key) is not None}
    return {"class_name": "Lambda", "config": kept | {"function": named}}


def _merge(entry: dict[str, Any]) -> dict[str, Any]:
    config = entry["config"]
    mode = config.get("mode")
    if config.get("mode_type") in ("lambda", "function") or mode not in words.MERGES:
        what = "holds Python code, which is never run" if config.get("mode_type") == "lambda" else "has no class today"
        raise ConfigError(f"{config.get('name')!r} is a Merge whose mode {str(mode)[:40]!r} {what}. {_WAY_OUT}")
    made = {"name": config.get("name")}
    if mode == "concat":
        made["axis"] = config.get("concat_axis", -1)
    if mode == "dot":
        made["axes"] = config.get("dot_axes", -1)
    return {"class_name": words.MERGES[mode], "config": made}


def _around(entry: dict[str, Any]) -> Any:
    """A loss or metric around a function: as the name that compile() was given, or the function's."""
    config = entry["config"]
    function = config.get("fn", config.get("name"))
    function = _value(function, "activation")
    name = str(config.get("name"))  # with the output's before it, where there are several
    known = next((word for word in (str(function), "accuracy", "acc") if name.endswith(word)), None)
    return function if known is None or entry["class_name"] == "LossFunctionWrapper" else known


def _normalization(entry: dict[str, Any]) -> dict[str, Any]:
    made = _of_today(entry)
    axis = made["config"].get("axis")
    if isinstance(axis, (list, tuple)) and len(axis) == 1:
        made["config"]["axis"] = axis[0]
    return made


_SPECIAL: dict[str, Callable] = {
    "Model": _functional,
    "Functional": _functional,
    "Sequential": _sequential,
    "Lambda": _lambda,
    "Merge": _merge,
    **dict.fromkeys(("MeanMetricWrapper", "SumOverBatchSizeMetricWrapper", "LossFunctionWrapper"), _around),
    **dict.fromkeys(("BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2"), _normalization),
}
