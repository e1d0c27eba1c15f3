"""Graphs as plain data, in Keras's words, and made again from it."""

import inspect
from collections import defaultdict
from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter
from typing import Any

import jax
import numpy as np

from keryx.core import graph, plain
from keryx.core.codec import deserialize, serialize
from keryx.core.function import Operation
from keryx.core.names import init_arguments
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ConfigError
from keryx.layers.input import InputLayer
from keryx.layers.layer import Layer, registry
from keryx.ops import names as ops


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
    given = set(closed.flat_inputs)
    midst = [s for s in closed.flat_inputs if s.node is None or s.node.inputs]  # inputs from the midst of a graph

    names = _names([*model.layers, *(operation for operation in calls if not isinstance(operation, Layer))])

    def history(symbol: SymbolicTensor) -> list[Any]:
        node = symbol.node
        if node is None or symbol in given:
            return [symbol.name, 0, 0]
        return [names[node.operation], calls[node.operation].index(node), symbol.index]

    def end(symbol: SymbolicTensor) -> list[Any]:
        name, call, index = history(symbol)
        return [name, call + _own_calls(symbol.node and symbol.node.operation), index]

    def written(value: Any) -> Any:
        if isinstance(value, SymbolicTensor):
            config = {"shape": value.shape, "dtype": value.dtype, "keras_history": history(value)}
            return {"class_name": "__keras_tensor__", "config": config}
        return serialize(value)

    def inbound(args: Any, kwargs: Any) -> dict[str, Any]:
        return {
            "args": jax.tree.map(written, args, is_leaf=_is_leaf),
            "kwargs": jax.tree.map(written, kwargs, is_leaf=_is_leaf),
        }

    def layer_entry(layer: Any) -> dict[str, Any]:
        nodes = [inbound(node.args, node.kwargs) for node in calls.get(layer, [])]
        return serialize(layer) | {"name": names[layer], "inbound_nodes": nodes}

    def op_entry(op: graph.Op) -> dict[str, Any]:
        (node,) = calls[op]
        name, options, args, kwargs = ops.write_call(op.op_name, _plain_arguments(node), node.kwargs)
        config = {"name": names[op]} | serialize(options)
        home = ops.module_name(op.op_name)
        plain = {"module": home, "class_name": name, "config": config, "registered_name": name}
        return plain | {"name": names[op], "inbound_nodes": [inbound(args, kwargs)]}

    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": [
            *map(_as_input, midst),
            *map(layer_entry, model.layers),
            *(
                (layer_entry if isinstance(operation, Operation) else op_entry)(operation)
                for operation in calls
                if not isinstance(operation, Layer)
            ),
        ],
        "input_layers": jax.tree.map(end, closed.inputs),
        "output_layers": jax.tree.map(end, closed.outputs),
    }


def _names(operations: list[Any]) -> dict[Any, str]:
    """A name for each operation of a graph: layers have theirs, and ops, which nobody named, make way."""
    names: dict[Any, str] = {}
    taken: set[str] = set()
    for operation in operations:  # layers come first
        name = operation.name
        if name in taken and isinstance(operation, Layer):
            raise ConfigError(f"Two layers of the model are named {name!r}: a config tells them apart by their names.")
        while name in taken:
            name = graph.unique_name(operation.op_name)
        names[operation] = name
        taken.add(name)
    return names


def _own_calls(operation: Any) -> int:
    """How many calls of its own a model has before others call it, as Keras counts the ends of a graph."""
    return int(getattr(operation, "config_class_name", None) == "Functional")


def _as_input(symbol: SymbolicTensor) -> dict[str, Any]:
    config = {"batch_shape": symbol.shape, "dtype": symbol.dtype, "name": symbol.name}
    plain = {"module": "keras.layers", "class_name": "InputLayer", "config": config, "registered_name": None}
    return plain | {"name": symbol.name, "inbound_nodes": []}


def _plain_arguments(node: graph.Node) -> tuple:
    """The arguments of a call; rows that a list picks become an array, for JSON cannot tell a list from a tuple."""
    if getattr(node.operation, "op_name", "") == "get_item" and isinstance(node.args[1], list):
        return (node.args[0], np.array(node.args[1]))
    return node.args


def _is_leaf(value: Any) -> bool:
    return value is None


def is_made_of_graphs(cls: type) -> bool:
    """Whether a class of models is made with the ends of a graph, as Model is, or hands on all that it is given."""
    parameters = list(inspect.signature(cls).parameters.values())
    kinds = {p.kind for p in parameters}
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    return {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} <= kinds or names[:2] == [
        "inputs",
        "outputs",
    ]


def make(cls: Any, config: dict[str, Any]) -> Any:
    """A model from its config: of a graph where it has layers and calls, else `cls(**config)`."""
    if {"layers", "input_layers", "output_layers"} <= config.keys():
        inputs, outputs = graph_of(config)
        more = {key: deserialize(value) for key, value in config.items() if key not in _GRAPH_KEYS}
        return cls(inputs=inputs, outputs=outputs, name=config.get("name"), **more)
    known = init_arguments(cls)
    return cls(**{name: deserialize(value) for name, value in config.items() if name in known})


_GRAPH_KEYS = ("name", "layers", "input_layers", "output_layers")


def graph_of(config: dict[str, Any]) -> tuple[Any, Any]:
    """The inputs and outputs of the graph that a config describes, its layers made anew."""
    made: dict[str, Any] = {}
    calls: dict[tuple[str, int], Any] = {}
    written: dict[tuple[str, int], Any] = {}
    for entry in config["layers"]:
        name = plain.check_name(entry.get("name", entry["config"].get("name")))
        if name in made:
            raise ConfigError(f"Two layers of the config are named {name!r}.")
        is_op = str(entry.get("module")).startswith("keras.src.ops")
        operation: Any = _op_of(name, entry) if is_op else deserialize(entry, registry)
        made[name] = operation
        if isinstance(operation, InputLayer):
            calls[name, 0] = operation.nodes[0].outputs
        written |= {(name, i): call for i, call in enumerate(entry.get("inbound_nodes", []))}

    def find(history: Any) -> SymbolicTensor:
        name, node, tensor = history
        leaves = jax.tree.leaves(calls.get((name, node)))
        if not isinstance(tensor, int) or not 0 <= tensor < len(leaves):
            raise ConfigError(
                f"The config's graph speaks of result {tensor} of call {node} of {name!r}; there is none."
            )
        return leaves[tensor]

    def end(history: Any) -> SymbolicTensor:
        name, node, tensor = history
        return find([name, node - _own_calls(made.get(name)), tensor])

    for place in _in_order(written):
        if place in calls:
            continue
        if place not in written:
            raise ConfigError(f"The config's graph lacks an input: it speaks of call {place[1]} of {place[0]!r}.")
        call = written[place]
        words = _meant(made[place[0]], _revived(call["kwargs"], find))
        calls[place] = made[place[0]](*_revived(call["args"], find), **words)
    inputs, outputs = (jax.tree.map(end, config[k], is_leaf=_is_history) for k in ("input_layers", "output_layers"))
    return inputs, outputs


def _meant(operation: Any, words: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call but for `training=False` where that is the default: Keras adds it unasked."""
    if words.get("training") is False and isinstance(operation, Layer):
        default = inspect.signature(operation.call).parameters.get("training")
        if default is not None and default.default is False:
            return {word: value for word, value in words.items() if word != "training"}
    return words


def _op_of(name: str, entry: dict[str, Any]) -> Callable:
    """The op of a config, which its calls name."""
    options = {key: deserialize(value) for key, value in entry["config"].items() if key != "name"}
    written = entry["class_name"]
    op = ops.read_call(written, options)

    def call(*args, **kwargs):
        if written == "GetItem" and isinstance(args[1], list):  # JSON knows no tuples
            args = (args[0], tuple(args[1]))
        outputs = op(*args, **kwargs)
        for symbol in jax.tree.leaves(outputs)[:1]:
            symbol.node.operation.name = name
        return outputs

    return call


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
