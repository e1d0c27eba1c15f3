"""Tensors from inside a nested model, made part of the graph that calls that model."""

from collections.abc import Sequence
from typing import Any

import jax

from keryx.core.graph import Graph, Node
from keryx.core.symbol import SymbolicTensor
from keryx.errors import DataError


def reachable(inputs: Sequence[SymbolicTensor], outputs: Any) -> Any:
    """`outputs`, each that lives inside a nested model replaced by the same tensor of the graph around it.

    An inner layer's output belongs to the inner model's graph, from the inner model's own inputs. Where those are not
    among `inputs`, the call of the inner model that can be reached from `inputs` is found, and its nodes up to that
    output are called again on the call's arguments. The layers, and so the weights, are the same.
    """

    def replace(tensor: Any) -> Any:
        if not isinstance(tensor, SymbolicTensor) or _leads_to(inputs, tensor):
            return tensor
        calls = [(model, call) for model in _around(tensor) for call in model.nodes if _all_lead(inputs, call)]
        if not calls:
            return tensor  # Graph says what is missing
        if len(calls) > 1:
            name = tensor.node.operation.name if tensor.node else tensor.name
            raise DataError(
                f"The output of {name!r} lies inside {calls[0][0].name!r}, which these inputs reach by {len(calls)} "
                "calls. Build the graph from the call that you mean."
            )
        model, call = calls[0]
        return _called_again(model, call, tensor)

    return jax.tree.map(replace, outputs)


def _called_again(model: Any, call: Node, tensor: SymbolicTensor) -> SymbolicTensor:
    inner = Graph(model.input, tensor)
    counts = {id(node.operation): len(getattr(node.operation, "nodes", ())) for node in inner.nodes}
    result = inner.run(model._arguments(call.args[0]))
    for node in inner.nodes:  # a layer's .output stays the one that the user knows
        del getattr(node.operation, "nodes", [])[counts[id(node.operation)] :]
    return result


def _around(tensor: SymbolicTensor) -> list[Any]:
    """The models whose graphs hold this tensor."""
    return list(tensor.node.models) if tensor.node else []


def _leads_to(inputs: Sequence[SymbolicTensor], tensor: SymbolicTensor) -> bool:
    try:
        Graph(list(inputs), tensor)
    except DataError:
        return False
    return True


def _all_lead(inputs: Sequence[SymbolicTensor], call: Node) -> bool:
    return all(_leads_to(inputs, tensor) for tensor in call.inputs)
