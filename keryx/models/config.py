"""Graphs as plain data, in Keras's words, and made again from it."""

from collections import defaultdict
from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter
from typing import Any

import jax
import numpy as np

from keryx.core import graph
from keryx.core.serialization import custom_object_scope, deserialize, init_arguments, serialize, snake_case
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ConfigError
from keryx.layers.layer import Layer
from keryx.ops.names import by_name


def layers_in_order(closed: graph.Graph) -> list[Layer]:
    """The layers of a graph in Keras's order, which is that of its weights: the farthest from the outputs first.

    Layers at the same distance stand in the order in which a walk from the outputs first meets them.
    """
    nodes = [*(s.node for s in closed.flat_inputs if s.node and not s.node.inputs), *closed.nodes]
    met, given = _order_of_meeting(closed), set(closed.flat_inputs)
    depth: dict[Any, int] = defaultdict(int)
    node_depth: dict[graph.Node, int] = defaultdict(int)
    for node in reversed(nodes):
        depth[node.operation] = node_depth[node] = max(node_depth[node], depth[node.operation])
        for symbol in node.inputs:
            if symbol.node is not None and symbol not in given:
                node_depth[symbol.node] = max(node_depth[symbol.node], node_depth[node] + 1)
    for symbol in closed.flat_inputs:  # an input stands as far out as its farthest use
        if symbol.node and not symbol.node.inputs:
            used = [node_depth[n] + 1 for n in closed.nodes if symbol in set(n.inputs)]
            depth[symbol.node.operation] = max(used, default=0)
    operations = list(dict.fromkeys(node.operation for node in nodes))
    operations.sort(key=lambda operation: (-depth[operation], met.get(operation, -1)))
    return [operation for operation in operations if isinstance(operation, Layer)]


def _order_of_meeting(closed: graph.Graph) -> dict[Any, int]:
    """When a walk back from the outputs, each node's arguments in turn, first meets each operation."""
    met: dict[Any, int] = {}
    seen: set[graph.Node] = set()
    inside = set(closed.nodes)
    waiting = [s.node for s in reversed(closed.flat_outputs) if s.node]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        met.setdefault(node.operation, len(met))
        if node in inside:
            waiting.extend(s.node for s in reversed(node.inputs) if s.node)
    return met


def of_graph(model: Any, closed: graph.Graph) -> dict[str, Any]:
    """The config of a model with a graph: its layers, and how each was called on the results of which."""
    calls: dict[Any, list[graph.Node]] = defaultdict(list)
    for node in closed.nodes:
        calls[node.operation].append(node)
    ops = [operation for operation in calls if not isinstance(operation, Layer)]
    given = set(closed.flat_inputs)
    midst = [s for s in closed.flat_inputs if s.node is None or s.node.inputs]  # inputs from the midst of a graph

    def history(symbol: SymbolicTensor) -> list[Any]:
        node = symbol.node
        if node is None or symbol in given:
            return [symbol.name, 0, 0]
        return [node.operation.name, calls[node.operation].index(node), symbol.index]

    def written(value: Any) -> Any:
        if isinstance(value, SymbolicTensor):
            config = {"shape": value.shape, "dtype": value.dtype, "keras_history": history(value)}
            return {"class_name": "__keras_tensor__", "config": config}
        return serialize(value)

    def entry(operation: Any) -> dict[str, Any]:
        inbound = [
            {
                "args": jax.tree.map(written, _plain_arguments(node), is_leaf=_is_leaf),
                "kwargs": jax.tree.map(written, node.kwargs, is_leaf=_is_leaf),
            }
            for node in calls.get(operation, [])
        ]
        plain = serialize(operation) if isinstance(operation, Layer) else _of_op(operation)
        return plain | {"name": operation.name, "inbound_nodes": inbound}

    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": [*map(_as_input, midst), *(entry(operation) for operation in [*model.layers, *ops])],
        "input_layers": jax.tree.map(history, closed.inputs),
        "output_layers": jax.tree.map(history, closed.outputs),
    }


def _as_input(symbol: SymbolicTensor) -> dict[str, Any]:
    config = {"batch_shape": symbol.shape, "dtype": symbol.dtype, "name": symbol.name}
    plain = {"module": "keras.layers", "class_name": "InputLayer", "config": config, "registered_name": None}
    return plain | {"name": symbol.name, "inbound_nodes": []}


def _of_op(op: graph.Op) -> dict[str, Any]:
    """Ops are written as Keras's classes of the same name: get_item as GetItem."""
    by_name(op.op_name)
    camel = "".join(part[:1].upper() + part[1:] for part in op.op_name.split("_"))
    name = camel if snake_case(camel) == op.op_name else op.op_name
    return {"module": "keras.src.ops", "class_name": name, "config": {"name": op.name}, "registered_name": name}


def _op_of(entry: dict[str, Any]) -> Callable:
    """The op of a config, with the options that Keras keeps in it."""
    name = str(entry["class_name"])
    op = by_name(name if "." in name else snake_case(name))
    options = {key: deserialize(value) for key, value in entry["config"].items() if key not in ("name", "dtype")}

    def call(*args, **kwargs):
        if op is by_name("get_item") and isinstance(args[1], list):  # JSON knows no tuples
            args = (args[0], tuple(args[1]))
        outputs = op(*args, **options, **kwargs)
        for symbol in jax.tree.leaves(outputs)[:1]:
            symbol.node.operation.name = entry["name"]
        return outputs

    return call


def _plain_arguments(node: graph.Node) -> tuple:
    """The arguments of a call; rows that a list picks become an array, for JSON cannot tell a list from a tuple."""
    if getattr(node.operation, "op_name", "") == "get_item" and isinstance(node.args[1], list):
        return (node.args[0], np.array(node.args[1]))
    return node.args


def _is_leaf(value: Any) -> bool:
    return value is None


def make(cls: type, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """A model from its config: of a graph where it has layers and calls, else `cls(**config)`."""
    with custom_object_scope(custom_objects):
        if {"layers", "input_layers", "output_layers"} <= config.keys():
            inputs, outputs = graph_of(config)
            return cls(inputs=inputs, outputs=outputs, name=config.get("name"), trainable=config.get("trainable", True))
        known = init_arguments(cls)
        return cls(**{name: deserialize(value) for name, value in config.items() if name in known})


def graph_of(config: dict[str, Any]) -> tuple[Any, Any]:
    """The inputs and outputs of the graph that a config describes, its layers made anew."""
    made: dict[str, Any] = {}
    calls: dict[tuple[str, int], Any] = {}
    written: dict[tuple[str, int], Any] = {}
    for entry in config["layers"]:
        is_op = str(entry.get("module")).startswith("keras.src.ops")
        operation: Any = _op_of(entry) if is_op else deserialize(entry)
        made[entry["name"]] = operation
        if hasattr(operation, "batch_shape"):
            calls[entry["name"], 0] = operation.nodes[0].outputs
        written |= {(entry["name"], i): call for i, call in enumerate(entry["inbound_nodes"])}

    def find(history: Any) -> SymbolicTensor:
        name, node, tensor = history
        return jax.tree.leaves(calls[name, node])[tensor]

    for place in _in_order(written):
        if place in calls:
            continue
        if place not in written:
            raise ConfigError(f"The config's graph lacks an input: it speaks of call {place[1]} of {place[0]!r}.")
        call = written[place]
        calls[place] = made[place[0]](*_revived(call["args"], find), **_revived(call["kwargs"], find))
    inputs, outputs = (jax.tree.map(find, config[k], is_leaf=_is_history) for k in ("input_layers", "output_layers"))
    return inputs, outputs


def _in_order(written: dict[tuple[str, int], Any]) -> list[tuple[str, int]]:
    """The calls of a config and all that they speak of, each after those whose results it takes."""
    needs = {place: [tuple(history[:2]) for history in _histories(call)] for place, call in written.items()}
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        path = " -> ".join(repr(name) for name, _ in error.args[1])
        raise ConfigError(f"The config's graph has a loop: {path}.") from None


def _is_history(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 3 and isinstance(value[0], str)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"


def _histories(value: Any) -> list[Any]:
    found = jax.tree.leaves(value, is_leaf=_is_tensor)
    return [leaf["config"]["keras_history"] for leaf in found if _is_tensor(leaf)]


def _revived(value: Any, find: Any) -> Any:
    if _is_tensor(value):
        return find(value["config"]["keras_history"])
    if isinstance(value, (list, tuple)):
        return type(value)(_revived(v, find) for v in value)
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _revived(v, find) for key, v in value.items()}
    return deserialize(value)
