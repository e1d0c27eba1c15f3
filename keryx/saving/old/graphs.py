"""How the layers of an old model were called: lists of `[layer, call, result]`, and what became of them."""

from collections.abc import Callable
from typing import Any

import jax

from keryx.errors import ConfigError

CONSTANT = "_CONSTANT_VALUE"  # stands where a layer's name stands, before a value that is no tensor


def is_history(value: Any) -> bool:
    """Whether this says where a tensor comes from: a layer, the number of its call, and which of the results."""
    return (
        isinstance(value, (list, tuple))
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and isinstance(value[1], int)
        and (isinstance(value[2], int) or value[0] == CONSTANT)
        and (len(value) == 3 or isinstance(value[3], dict))
    )


def rewired(config: dict[str, Any], layers: list[dict[str, Any]]) -> dict[str, Any]:
    """The layers of a graph with their calls as today's configs have them, and the graph's ends.

    Args:
        config: The old config.
        layers: Its layers, translated but for `inbound_nodes`.

    Returns:
        `layers`, `input_layers` and `output_layers`.
    """
    wiring = _Wiring(config)
    made = []
    for layer in layers:
        name = layer.get("name") or layer["config"].get("name")
        nodes = [wiring.call(node, layer.pop("as_written", False)) for node in layer.get("inbound_nodes", [])]
        rewrite: Callable | None = layer.pop("rewrite", None)
        nodes = nodes if rewrite is None else [rewrite(**node) for node in nodes]
        made.append(layer | {"name": name, "inbound_nodes": nodes})
    classes = {layer["name"]: layer["class_name"] for layer in made}
    ends = {key: wiring.ends(config[key], classes) for key in ("input_layers", "output_layers")}
    return {"layers": made, **ends}


class _Wiring:
    """The references of one graph.

    A model had one call before others called it, its own, and its later calls were counted from 1: every call of a
    graph is used, so that the lowest number in use is the first call.
    """

    def __init__(self, config: dict[str, Any]):
        self.names = {layer.get("name") or layer.get("config", {}).get("name") for layer in config["layers"]}
        self.first: dict[str, int] = {}
        for name, call, *_ in self._histories(config):
            self.first[name] = min(call, self.first.get(name, call))

    def _histories(self, value: Any) -> list[Any]:
        found, waiting = [], [[layer.get("inbound_nodes", []) for layer in value["layers"]]]
        waiting += [value["input_layers"], value["output_layers"]]
        while waiting:
            one = waiting.pop()
            if is_history(one):
                if one[0] in self.names:
                    found.append(one)
                waiting += one[3:]
            elif isinstance(one, (list, tuple)):
                waiting += one
            elif isinstance(one, dict):
                waiting += one.values()
        return found

    def tensor(self, history: Any) -> Any:
        """A tensor as today's configs have it, or the constant that stands in its place."""
        name, call, index, *_ = history
        if name == CONSTANT:
            return index
        if name not in self.names:
            raise ConfigError(f"The config's graph speaks of a layer {name!r}; there is none.")
        return _written([name, call - self.first[name], index])

    def call(self, node: Any, as_written: bool) -> dict[str, Any]:
        """One call: the first argument is a tensor or a nest of them, the others go by name, beside each tensor."""
        if isinstance(node, dict) and "args" in node:  # already today's
            return node
        named: dict[str, Any] = {}

        def tensor(history: Any) -> Any:
            named.update(history[3] if len(history) == 4 else {})
            return self.tensor(history)

        if is_history(node):
            first = tensor(node)
        else:
            parts = jax.tree.map(tensor, node, is_leaf=is_history)
            alone = isinstance(parts, list) and len(parts) == 1 and not as_written
            first = parts[0] if alone else parts
        return {"args": (first,), "kwargs": {key: self.argument(value) for key, value in named.items()}}

    def argument(self, value: Any) -> Any:
        """An argument that goes by name."""
        if is_history(value) and (value[0] in self.names or value[0] == CONSTANT):
            return self.tensor(value)
        if isinstance(value, (list, tuple)):
            return type(value)(self.argument(v) for v in value)
        if isinstance(value, dict):
            return {key: self.argument(v) for key, v in value.items()}
        return value

    def ends(self, value: Any, classes: dict[str, str]) -> Any:
        """Where the graph begins or ends; a model counts its own call there today too."""
        if isinstance(value, list) and len(value) == 1 and is_history(value[0]):
            value = value[0]
        if is_history(value):
            name, call, index, *_ = value
            if name not in self.names:
                raise ConfigError(f"The config's graph speaks of a layer {name!r}; there is none.")
            return [name, call - self.first[name] + (classes.get(name) == "Functional"), index]
        if isinstance(value, dict):
            return {key: self.ends(v, classes) for key, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.ends(v, classes) for v in value]
        raise ConfigError(f"The ends of a graph are named by layers; got {value!r:.80}.")


def _written(history: list[Any]) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": history}}


def of_merged(layers: list[Any], translate: Callable, rest: dict[str, Any]) -> dict[str, Any]:
    """A Sequential of Keras 1 whose first layer merged other models: as the graph that it was."""
    merge, *behind = layers
    branches = [translate(branch) for branch in merge["config"].get("layers", [])]
    merge = translate({"class_name": "Merge", "config": {k: v for k, v in merge["config"].items() if k != "layers"}})
    made: list[dict[str, Any]] = []
    inputs: list[Any] = []

    def add(entry: dict[str, Any], name: str, sources: Any) -> list[Any]:
        entry["config"]["name"] = entry["config"].get("name") or name
        calls = [] if sources is None else [{"args": (sources,), "kwargs": {}}]
        made.append(entry | {"name": entry["config"]["name"], "inbound_nodes": calls})
        return [entry["config"]["name"], 0, 0]

    ends = []
    for i, branch in enumerate(branches):
        first = branch["config"]["layers"][0]["config"] if branch["class_name"] == "Sequential" else {}
        shape = first.get("batch_input_shape") or first.get("batch_shape")
        if shape is None:
            raise ConfigError("A Sequential that merges models wants each to declare its input shape.")
        dtype = "int32" if branch["config"]["layers"][0]["class_name"] == "Embedding" else "float32"
        entry = {"class_name": "InputLayer", "config": {"batch_shape": shape, "dtype": dtype}}
        inputs.append(add(entry, f"input_{i + 1}", None))
        ends.append(_written(add(branch, f"branch_{i + 1}", _written(inputs[-1]))))
    last = add(merge, "merge", ends)
    for i, layer in enumerate(behind):
        last = add(translate(layer), f"layer_{i + 1}", _written(last))
    config = rest | {"layers": made, "input_layers": inputs, "output_layers": last}
    return {"class_name": "Functional", "config": config}
