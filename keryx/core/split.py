"""A graph in two parts: what runs on the host, on NumPy arrays, and what is compiled for the device."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from keryx.core import host
from keryx.core.dtypes import narrowed
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

    @property
    def host_only(self) -> set[SymbolicTensor]:
        """The inputs that the device part is not given, so that their integers may be greater than a device's."""
        return set() if self.host is None else {*self.host.flat_inputs} - {*self.device.flat_inputs}

    @property
    def fed_names(self) -> list[str]:
        """What the device part is given, in words: the outputs of layers of the host part, and inputs."""
        symbols = [] if self.host is None else self.device.flat_inputs
        return [
            f"output of {s.node.operation.name!r}" if s.node and s.node.inputs else f"input {s.name!r}" for s in symbols
        ]

    def feed(self, inputs: Any) -> Fed:
        """What the device part is given for these inputs: the host part runs on them, as NumPy arrays."""
        assert self.host is not None
        symbols = self.host.flat_inputs
        flat = match(inputs, [symbol.name for symbol in symbols], self.host.inputs)
        only = self.host_only
        inputs = [_on_host(x, symbol, symbols, symbol in only) for x, symbol in zip(flat, symbols, strict=True)]
        results = self.host.run(inputs)
        return Fed([narrowed(value, "output of the host part") for value in results])

    def fed(self, args: tuple) -> tuple:
        """The arguments of a call of the model, fed where there is a host part."""
        if self.host is None or not args or isinstance(args[0], Fed):
            return args
        return self.feed(args[0]), *args[1:]

    def symbolic(self, model: Any, args: tuple) -> tuple:
        """The arguments of a call of the model on symbols, as the device part takes them."""
        if self.host is None:
            return args
        host.refuse_device(model, args)
        match(args[0], [symbol.name for symbol in self.host.flat_inputs], self.host.inputs)
        return Fed(self.device.flat_inputs), *args[1:]


def _on_host(x: Any, symbol: SymbolicTensor, symbols: list[SymbolicTensor], stays: bool) -> np.ndarray:
    what = f"input {symbol.name!r}"
    if symbol.dtype == "string":
        array = host.as_text(x, what)
    else:
        array = host.as_array(x, what)
        wide = stays and array.dtype.kind in "iu" and np.issubdtype(symbol.dtype, np.integer)
        array = array.astype(np.int64) if wide else narrowed(array, what).astype(symbol.dtype, copy=False)
    return array.reshape(fit_shape(array.shape, symbol, symbols, batch=False))


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
        inner, runs_here = getattr(node.operation, "halves", None), getattr(node.operation, "on_host", False)
        if runs_here is None:  # it runs where its inputs are
            runs_here = at_hand.issuperset(node.inputs)
        if not runs_here and (inner is None or inner.host is None):
            on_device.append(node)
            continue
        if inner is None or inner.host is None:
            on_host.append(node)
        else:
            feeding = Node(inner.feed, node.args, {})
            feeding.outputs = Fed([SymbolicTensor(s.shape, s.dtype, name=s.name) for s in inner.device.flat_inputs])
            on_host.append(feeding)
            computing = Node(node.operation, (feeding.outputs,), node.kwargs)
            computing.outputs = node.outputs
            on_device.append(computing)
        at_hand.update(jax.tree.leaves(on_host[-1].outputs))
    _hand_over_numbers(on_host, on_device)
    for node in on_device:
        host.refuse_text(node.operation, node.inputs)
    if not on_host and not any(symbol.dtype == "string" for symbol in graph.flat_inputs):
        return Halves(None, graph)
    at_hand = {*graph.flat_inputs, *(symbol for node in on_host for symbol in jax.tree.leaves(node.outputs))}
    wanted = [*(symbol for node in on_device for symbol in node.inputs), *graph.flat_outputs, *graph.losses]
    cut = [symbol for symbol in dict.fromkeys(wanted) if symbol in at_hand]
    for symbol in graph.flat_outputs:
        if symbol.dtype == "string":
            raise DataError(f"An output of a model is numbers, on the device; {symbol!r} is text.")
    return Halves(
        Graph(graph.inputs, cut, nodes=on_host),
        Graph(Fed(cut), graph.outputs, graph.losses, nodes=on_device),
    )


class Half:
    """The part of a layer that runs on the host, or the one that is compiled.

    Args:
        layer: The layer.
        function: Its method for this part.
        on_host: Which of the two it is.
    """

    def __init__(self, layer: Any, function: Callable, on_host: bool):
        self.name, self.function, self.on_host = layer.name, function, on_host

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def _hand_over_numbers(on_host: list[Node], on_device: list[Node]) -> None:
    """Divide layers that make long vectors of a few numbers: the numbers are handed over, the vectors made behind.

    A layer says so by `halves_of_call`: the functions before and behind; None where it gives the numbers themselves.
    """
    used, behind_them = {symbol for node in on_host for symbol in node.inputs}, list[Node]()
    for i, node in enumerate(on_host):
        functions = getattr(node.operation, "halves_of_call", None)
        if functions is None or not used.isdisjoint(jax.tree.leaves(node.outputs)):
            continue
        before, behind = (Half(node.operation, f, f is functions[0]) for f in functions)
        tried = host.trial(before, node.args, node.kwargs)
        made = Node(before, node.args, node.kwargs)
        shape = tuple(n or None for n in tried.shape)  # of no words, 0
        made.outputs = SymbolicTensor(shape, tried.dtype, name=f"numbers of {node.operation.name}")
        rest = Node(behind, (made.outputs,), {})
        rest.outputs = node.outputs
        on_host[i] = made
        behind_them.append(rest)
    on_device[:0] = behind_them
