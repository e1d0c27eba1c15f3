"""A graph in two parts: what runs on the host, on NumPy arrays, and what is compiled for the device."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from keryx.core import host
from keryx.core.graph import Graph, Node
from keryx.core.matching import fit_shape, match
from keryx.core.symbol import SymbolicTensor
from keryx.errors import DataError


class Fed(NamedTuple):
    """What the device part of a model is given: the results of its host part, and the inputs that skip it."""

    values: list[Any]


class Halves(NamedTuple):
    """Both parts of a graph.

    Attributes:
        host: From the inputs to what the device part is given; None where all runs on the device.
        device: From there to the outputs; the graph itself where all runs on the device.
    """

    host: Graph | None
    device: Any

    @property
    def feeding(self) -> Callable[[Any], Fed] | None:
        """`feed` where there is a host part."""
        return None if self.host is None else self.feed

    def feed(self, inputs: Any) -> Fed:
        """What the device part is given for these inputs: the host part runs on them, as NumPy arrays."""
        assert self.host is not None
        flat = self._matched(inputs)
        return Fed(self.host.run([self._on_host(x, s) for x, s in zip(flat, self.host.flat_inputs, strict=True)]))

    def symbolic(self, inputs: Any) -> Fed:
        """What the device part is given for symbolic inputs, as symbols."""
        self._matched(inputs)
        return Fed(self.device.flat_inputs)

    def _matched(self, inputs: Any) -> list[Any]:
        assert self.host is not None
        return match(inputs, [symbol.name for symbol in self.host.flat_inputs], self.host.inputs)

    def _on_host(self, x: Any, symbol: SymbolicTensor) -> np.ndarray:
        what = f"input {symbol.name!r}"
        array = host.as_text(x, what) if symbol.dtype == "string" else host.as_array(x, what)
        return array.reshape(fit_shape(array.shape, symbol, self.host.flat_inputs, batch=False))  # type: ignore


def halves(graph: Graph | None) -> Halves:
    """The host part and the device part of a graph, if there is one.

    A nested model that has both is one call in each.

    Raises:
        DataError: Where text would have to be on the device.
    """
    if graph is None:
        return Halves(None, None)
    on_host, on_device = list[Node](), list[Node]()
    at_hand = set(graph.flat_inputs)  # what the host part knows
    for node in graph.nodes:
        inner = getattr(node.operation, "halves", None)
        if not getattr(node.operation, "on_host", False) and (inner is None or inner.host is None):
            on_device.append(node)
            continue
        if inner is None or inner.host is None:
            on_host.append(node)
        else:
            feeding = Node(inner.feed, node.args, {})
            feeding.outputs = Fed([SymbolicTensor(s.shape, s.dtype, s.name) for s in inner.device.flat_inputs])
            on_host.append(feeding)
            computing = Node(node.operation, (feeding.outputs,), node.kwargs)
            computing.outputs = node.outputs
            on_device.append(computing)
        at_hand.update(jax.tree.leaves(on_host[-1].outputs))
    for node in on_device:
        host.refuse_text(node.operation, node.inputs)
    if not on_host and not any(symbol.dtype == "string" for symbol in graph.flat_inputs):
        return Halves(None, graph)
    wanted = [*(symbol for node in on_device for symbol in node.inputs), *graph.flat_outputs, *graph.losses]
    cut = [symbol for symbol in dict.fromkeys(wanted) if symbol in at_hand]
    for symbol in graph.flat_outputs:
        if symbol.dtype == "string":
            raise DataError(f"An output of a model is numbers, on the device; {symbol!r} is text.")
    return Halves(
        Graph(graph.inputs, cut, nodes=on_host),
        Graph(Fed(cut), graph.outputs, graph.losses, nodes=on_device),
    )
