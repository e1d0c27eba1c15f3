"""Configs of Keras 1, Keras 2 and tf.keras in the words of today's: plain data in, plain data out.

Nothing is built here. An argument is renamed by the tables of `words` and of `keryx.old_words`; what today's class does
not have is left aside where it was off, and refused by name where it was on.
"""

from collections.abc import Callable
from typing import Any

from keryx import old_words
from keryx.core import codec, registered
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
    if isinstance(config, dict) and "class_name" not in config and "name" in config and "inbound_nodes" in config:
        config = {"class_name": "Functional", "config": config}
    return config if is_today(version) else _value(config, "")


def is_today(version: str | None) -> bool:
    """Whether configs of this version are in today's words."""
    return str(version or "1").partition(".")[0] not in ("0", "1", "2")


def _value(value: Any, word: str) -> Any:
    """A value of an argument, in a config of any depth."""
    if isinstance(value, dict):
        if "class_name" in value and "items" in value:  # a tuple, as the JSON of tf.keras has it
            return tuple(_value(v, word) for v in value["items"])
        if value.get("class_name") == "TensorShape":
            return value.get("items")
        if "class_name" in value and ("config" in value or not isinstance(value["class_name"], str)):
            return _object(value)
        if isinstance(value.get("name"), str) and value["name"] in words.CLASSES and word.endswith(_NAMED_WITHIN):
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
    old = old.removeprefix("Custom>") if old.removeprefix("Custom>").lower() in _OPTIMIZERS.table else old
    name = words.CLASSES.get(old, old)
    cls = class_named(name)
    if cls is None:  # the codec says what there is
        return {**entry, "config": _value(config, "")}
    rest = {key: value for key, value in entry.items() if key not in ("module", "registered_name", "class_name")}
    return {"class_name": name, **rest, "config": arguments(old, cls, config)}


def class_named(name: str) -> Any:
    """The class of Keryx's that goes by this name, or None."""
    for module in _MODULES:
        found = codec.registry_of(module).table.get(name)
        if isinstance(found, type) and is_own(found):
            return found
    return None


_MODULES = [f"keras.{room}" for room in "layers initializers regularizers constraints optimizers losses metrics".split()]
_MODULES += ["keras.optimizers.schedules"] * ("keras.optimizers.schedules" in codec._registries)
_OPTIMIZERS = codec.registry_of("keras.optimizers")


def arguments(old: str, cls: type, config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of an object of an old class in the words of the class that stands for it today.

    >>> from keryx.layers import Conv2D
    >>> arguments("Convolution2D", Conv2D, {"nb_filter": 8, "nb_row": 3, "nb_col": 5, "dim_ordering": "th"})
    {'filters': 8, 'kernel_size': (3, 5), 'data_format': 'channels_first'}
    """
    known = set(init_arguments(cls)) | {"name", "trainable", "dtype"} | ({"lr", "decay"} if _trains(cls) else set())
    made: dict[str, Any] = {}
    renamed = words.ARGUMENTS.get(cls.__name__, {})
    for word, value in config.items():
        if word == "nb_row":
            made["kernel_size"] = (value, config.get("nb_col", value))
            continue
        if word in words.ASIDE and word not in known:
            continue
        new = renamed.get(word) or next((n for n in (word, *old_words.LAYERS.get(word, ())) if n in known), None)
        if word in renamed.values() and word in config and word in made:
            continue
        if new is None and word not in old_words.DECLARED and word != "nb_col":
            if _is_off(word, value, config):
                continue
            raise ConfigError(
                f"{config.get('name') or 'A config'!r} is a {old} with {word}={value!r}, and {cls.__name__} has no such "
                f"argument today. {_WAY_OUT}"
            )
        if new is None and word == "nb_col":
            continue
        value = _value(value, new or word)
        value = words.VALUES.get(new or word, {}).get(value, value) if isinstance(value, (str, int)) else value
        if not (new == "data_format" and value is None):
            made[new or word] = value
    if isinstance(made.get("axis"), (list, tuple)) and len(made["axis"]) == 1 and "renorm" in config:
        made["axis"] = made["axis"][0]
    return words.DEFAULTS.get(old, {}) | made if old in words.DEFAULTS and "reset_after" not in made else made


_WAY_OUT = (
    "Load the model in the Keras that wrote it, and save what it computes; or hand over a class of your own for it "
    "with custom_objects=."
)


def _trains(cls: type) -> bool:
    return any(base.__name__ == "Optimizer" for base in cls.__mro__)


def _is_off(word: str, value: Any, config: dict[str, Any]) -> bool:
    """Whether an argument asks for nothing."""
    if word == "dtype" or value is None or value is False or value in (0, "", [], {}):
        return True
    return (word, value) in (("mode", 0), ("momentum", 0.0))


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
    layers = []
    for layer in config["layers"]:
        if not isinstance(layer, dict):
            raise ConfigError(f"A layer of the config is a dict; got {type(layer).__name__}.")
        made = tf_ops.as_op(layer) if layer.get("class_name") in tf_ops.CLASSES else _named(layer)
        layers.append(made)
    config = {"name": config.get("name"), "trainable": config.get("trainable", True)} | graphs.rewired(config, layers)
    return {"class_name": "Functional", "config": config}


def _named(layer: dict[str, Any]) -> dict[str, Any]:
    try:
        made = _object(layer)
    except KeryxError as error:
        name = layer.get("name") or layer.get("config", {}).get("name")
        error.add_note(f"In the layer {name!r} of the model.")
        raise
    return made | {key: layer[key] for key in ("name", "inbound_nodes") if key in layer}


def _sequential(entry: dict[str, Any]) -> dict[str, Any]:
    config = entry["config"]
    rest = {} if isinstance(config, list) else {k: config[k] for k in _KEPT_OF_SEQUENTIAL if config.get(k) is not None}
    layers = config if isinstance(config, list) else config["layers"]
    if layers and isinstance(layers[0], dict) and layers[0].get("class_name") == "Merge":
        return graphs.of_merged(layers, _named, rest)
    return {"class_name": "Sequential", "config": rest | {"layers": [_named(layer) for layer in layers]}}


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


def _metric(entry: dict[str, Any]) -> Any:
    """A metric around a function, which Keras 2 named in the config: as the function's name, which compile() knows."""
    config = entry["config"]
    function = config.get("fn", config.get("name"))
    name = _function(function) if isinstance(function, dict) else function
    return words.FUNCTIONS.get(name, name) if isinstance(name, str) else name


def _loss_of_function(entry: dict[str, Any]) -> Any:
    return _metric(entry)


def _normalization(entry: dict[str, Any]) -> dict[str, Any]:
    made, config = _of_today(entry), entry["config"]
    axis = made["config"].get("axis")
    if isinstance(axis, (list, tuple)) and len(axis) == 1:
        made["config"]["axis"] = axis[0]
    if config.get("mode"):
        raise ConfigError(f"{config.get('name')!r} is a BatchNormalization of mode {config['mode']}. {_WAY_OUT}")
    return made


def _activity(entry: dict[str, Any]) -> dict[str, Any]:
    """A regularizer; Keras 1 wrote its numbers beside its name."""
    made = _of_today(entry)
    made["config"] = {key: value for key, value in made["config"].items() if key != "name"}
    return made


_SPECIAL: dict[str, Callable] = {
    "Model": _functional,
    "Functional": _functional,
    "Sequential": _sequential,
    "Lambda": _lambda,
    "Merge": _merge,
    "MeanMetricWrapper": _metric,
    "SumOverBatchSizeMetricWrapper": _metric,
    "LossFunctionWrapper": _loss_of_function,
    **dict.fromkeys(("BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2"), _normalization),
}
