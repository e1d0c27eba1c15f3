"""What is done to a graph before it is written: transposes that undo each other go, and so does what is not used.

A pass takes and gives ONNX's nodes, in an order in which they can run.
"""

from collections.abc import Iterable
from typing import Any


def tidy(nodes: list[Any], outputs: list[str]) -> list[Any]:
    """The nodes that lead to `outputs`, with each run of transposes as one, or as none."""
    return without_unused(with_joined_transposes(nodes), outputs)


def with_joined_transposes(nodes: list[Any]) -> list[Any]:
    """A transpose of a transpose takes what the first took; where both do nothing together, what follows does."""
    made_by: dict[str, Any] = {}
    instead: dict[str, str] = {}
    kept = []
    for node in nodes:
        for i, name in enumerate(node.input):
            node.input[i] = instead.get(name, name)
        if node.op_type == "Transpose":
            axes = list(node.attribute[0].ints)
            before = made_by.get(node.input[0])
            if before is not None and before.op_type == "Transpose":
                axes = [before.attribute[0].ints[axis] for axis in axes]
                node.input[0] = before.input[0]
                node.attribute[0].ints[:] = axes
            if axes == sorted(axes):
                instead[node.output[0]] = node.input[0]
                continue
        kept.append(node)
        made_by.update(dict.fromkeys(node.output, node))
    for node in kept:  # a loop may read what is around it
        for body in _bodies(node):
            _rename(body, instead)
    return kept


def without_unused(nodes: list[Any], outputs: Iterable[str]) -> list[Any]:
    """The nodes that lead to `outputs`."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted |= names_used([node])
    return kept[::-1]


def names_used(nodes: Iterable[Any]) -> set[str]:
    """What the nodes read, loops in them included."""
    used = set()
    for node in nodes:
        used.update(node.input)
        for body in _bodies(node):
            used |= names_used(body.node) | {output.name for output in body.output}
    return used


def _bodies(node: Any) -> list[Any]:
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def _rename(body: Any, instead: dict[str, str]) -> None:
    for node in body.node:
        for i, name in enumerate(node.input):
            node.input[i] = instead.get(name, name)
        for inner in _bodies(node):
            _rename(inner, instead)
