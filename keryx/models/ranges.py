"""Which integers the inputs of a graph may hold, so that data can be checked before it is cast."""

from typing import Any

from keryx.core.graph import Graph, Node
from keryx.core.matching import match
from keryx.core.split import Fed
from keryx.core.symbol import SymbolicTensor


def ranges_of(graph: Graph) -> list[tuple[str, int, int] | None]:
    """For each input that an Embedding looks up: the embedding, the lowest id and one past the highest; else None.

    Nested models and wrappers are looked into; the narrowest range counts.
    """
    found: dict[SymbolicTensor, tuple[str, int, int]] = {}
    for node in graph.nodes:
        inner: Any = node.operation
        while inner is not None and not getattr(inner, "input_range", None) and not getattr(inner, "inputs", None):
            inner = getattr(inner, "layer", None)
        if inner is None or (inner is node.operation and _reversed(node)):
            continue
        if getattr(inner, "input_range", None):
            ranges = [(f"{type(inner).__name__} {inner.name!r}", *inner.input_range)]
            symbols = node.inputs
        elif node.args and isinstance(node.args[0], Fed):  # the device part of a model
            ranges, symbols = inner.fed_ranges(), node.args[0].values
        else:
            ranges = inner.input_ranges()
            symbols = match(node.args[0], inner.input_names, inner.input) if node.args else []
        for symbol, allowed in zip(symbols, ranges, strict=False):
            if allowed and (symbol not in found or allowed[2] < found[symbol][2]):
                found[symbol] = allowed
    return [found.get(symbol) for symbol in graph.flat_inputs]


def _reversed(node: Node) -> bool:
    """Whether it is the call of a ReversibleEmbedding on vectors."""
    return node.kwargs.get("reverse", node.args[1] if len(node.args) > 1 else False) is True
