"""What a picture of a model shows: its boxes, the arrows between them, and what stands within a box."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from keryx.core import graph
from keryx.core.matching import match
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ConfigError, did_you_mean, listing
from keryx.layers.input import InputLayer
from keryx.models.structure import Structure


@dataclass(frozen=True)
class Arrow:
    """A tensor that leads from one box to another.

    Attributes:
        tail: The number of the box that it comes from; None where it comes in from outside, as input `tail_port`.
        head: The number of the box that takes it; None where it goes out, as output `head_port`.
        shape: The tensor's shape.
        dtype: The tensor's dtype.
        tail_port: Which of the tail's results it is.
        head_port: Which of the head's arguments it is.
        tail_call: Which of the tail's calls gave it, counted from 1; 0 where there is one.
        head_call: Which of the head's calls takes it, likewise.
        times: How often that call takes it.
    """

    tail: int | None
    head: int | None
    shape: tuple[int | None, ...]
    dtype: Any
    tail_port: int = 0
    head_port: int = 0
    tail_call: int = 0
    head_call: int = 0
    times: int = 1


@dataclass
class Box:
    """An input, a layer, a model or an op; one that is called several times is one box.

    Attributes:
        key: Its place, unique in the whole picture: `0`, `2.0`.
        name: Its name.
        kind: Its class; the name of an op's function.
        role: `input`, `layer`, `model` or `op`.
        thing: The layer or the op.
        inside: What is within: the graph, or the layers, of a model, or of the model that a wrapper applies.
    """

    key: str
    name: str
    kind: str
    role: str
    thing: Any
    inside: "Picture | None" = None


@dataclass
class Picture:
    """A model's boxes and arrows.

    Attributes:
        title: The model's name.
        kind: Its class.
        thing: The model.
        boxes: In the order in which they run.
        arrows: The tensors between them, with those that come in and go out.
        inputs: How many tensors come in.
        outputs: How many go out.
        in_order: Whether the boxes are only listed: a model with a `call` of its own has no graph.
    """

    title: str
    kind: str
    thing: Any
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    inputs: int = 0
    outputs: int = 0
    in_order: bool = False

    def walk(self) -> Iterator[Box]:
        """All boxes, those within boxes too."""
        for box in self.boxes:
            yield box
            if box.inside is not None:
                yield from box.inside.walk()


_MOST_WRAPPERS = 8  # one around another; what is called `layer` need not end


def of(model: Any, layer_range: Sequence[str] | None = None) -> Picture:
    """The picture of a model.

    Args:
        model: The model, or a layer that holds others.
        layer_range: The names, or regular expressions for them, of the first and the last layer to show.

    >>> import keryx
    >>> x = keryx.Input((3,), name="x")
    >>> shared = keryx.layers.Dense(3, name="shared")
    >>> picture = of(keryx.Model(x, shared(shared(x)), name="twice"))
    >>> [box.name for box in picture.boxes]
    ['x', 'shared']
    >>> [(a.tail, a.head, a.head_call) for a in picture.arrows]
    [(None, 0, 0), (0, 1, 1), (1, 1, 2), (1, None, 0)]
    """
    picture = _read(model, "", ())
    if layer_range is not None:
        _narrow(picture, layer_range)
    return picture


def _read(model: Any, key: str, within: tuple[Any, ...]) -> Picture:
    closed = getattr(model, "_graph", None)
    if closed is not None:
        return _Reader(model, closed, key, (*within, model)).picture
    layers = [layer for layer in model.layers if layer not in within]
    boxes = [_box(layer, f"{key}{i}", (*within, model)) for i, layer in enumerate(layers)]
    return Picture(model.name, type(model).__name__, model, boxes, in_order=True)


def _box(thing: Any, key: str, within: tuple[Any, ...]) -> Box:
    if isinstance(thing, graph.Op):
        return Box(key, thing.name, thing.op_name, "op", thing)
    inner = model_within(thing)
    inside = _read(inner, f"{key}.", within) if inner is not None and inner not in within else None
    role = "input" if isinstance(thing, InputLayer) else "layer" if inner is None else "model"
    return Box(key, thing.name, type(thing).__name__, role, thing, inside if inside and inside.boxes else None)


def model_within(thing: Any) -> Any:
    """The model that a layer is, or that a wrapper applies; None for other layers.

    >>> import keryx
    >>> inner = keryx.Sequential([keryx.Input((2,)), keryx.layers.Dense(1)])
    >>> model_within(keryx.layers.TimeDistributed(inner)) is inner
    True
    """
    for _ in range(_MOST_WRAPPERS):
        if isinstance(thing, Structure):
            return thing
        thing = getattr(thing, "layer", None)
    return None


class _Reader:
    """What reads a graph: who gave each tensor, and which call of an operation each node is."""

    def __init__(self, model: Any, closed: graph.Graph, key: str, within: tuple[Any, ...]):
        self.picture = Picture(model.name, type(model).__name__, model)
        self.picture.inputs = len(closed.flat_inputs)
        self.givers: dict[SymbolicTensor, tuple[int | None, int, int]] = {}  # box, result, call
        self.numbers: dict[Any, int] = {}
        self.found: Counter[Arrow] = Counter()
        for port, symbol in enumerate(closed.flat_inputs):
            self._take_in(port, symbol, key)
        calls = Counter(node.operation for node in closed.nodes)
        done: Counter[Any] = Counter()
        for node in closed.nodes:
            if node.operation not in self.numbers:
                self.numbers[node.operation] = len(self.picture.boxes)
                self.picture.boxes.append(_box(node.operation, f"{key}{len(self.picture.boxes)}", within))
            done[node.operation] += 1
            self._call(node, done[node.operation] if calls[node.operation] > 1 else 0)
        for port, symbol in enumerate([*closed.flat_outputs, *closed.losses]):
            self._add(symbol, None, port)
        self.picture.outputs = len(closed.flat_outputs) + len(closed.losses)
        self.picture.arrows = [replace(arrow, times=times) for arrow, times in self.found.items()]

    def _take_in(self, port: int, symbol: SymbolicTensor, key: str) -> None:
        number = len(self.picture.boxes)
        thing = symbol.node.operation if symbol.node is not None and not symbol.node.inputs else None
        self.picture.boxes.append(Box(f"{key}{number}", symbol.name, "InputLayer", "input", thing or symbol))
        self.givers[symbol] = number, 0, 0
        self.found[Arrow(None, number, symbol.shape, symbol.dtype, port)] += 1

    def _call(self, node: graph.Node, call: int) -> None:
        number, ports = self.numbers[node.operation], _ports(node)
        for symbol in node.inputs:
            self._add(symbol, number, ports[symbol].pop(0) if ports.get(symbol) else 0, call)
        for index, symbol in enumerate(_results(node)):
            self.givers[symbol] = number, index, call

    def _add(self, symbol: SymbolicTensor, head: int | None, port: int, call: int = 0) -> None:
        tail, result, tail_call = self.givers[symbol]
        self.found[Arrow(tail, head, symbol.shape, symbol.dtype, result, port, tail_call, call)] += 1


def _results(node: graph.Node) -> list[SymbolicTensor]:
    return graph.symbols_in(node.outputs)


def _ports(node: graph.Node) -> dict[SymbolicTensor, list[int]]:
    """Which inputs of the model that is called each symbol is; of other operations nothing is known."""
    inner = model_within(node.operation)
    if inner is None or not getattr(inner, "has_graph", False) or not node.args:
        return {}
    try:
        given = match(node.args[0], inner.input_names, inner.input)
    except Exception:  # a call that the model itself understands otherwise
        return {}
    ports: dict[SymbolicTensor, list[int]] = {}
    for port, symbol in enumerate(given):
        if isinstance(symbol, SymbolicTensor):
            ports.setdefault(symbol, []).append(port)
    return ports


def _narrow(picture: Picture, layer_range: Sequence[str]) -> None:
    """Leave the boxes between two layers, and the arrows between them."""
    if isinstance(layer_range, str) or len(layer_range) != 2:
        raise ConfigError(f"layer_range is the names of the first and the last layer; got {layer_range!r}.")
    names, places = [box.name for box in picture.boxes], []
    for pattern in layer_range:
        found = [i for i, name in enumerate(names) if re.match(pattern, name)]
        if not found:
            raise ConfigError(
                f"layer_range names {pattern!r}.{did_you_mean(pattern, names)} The model has {listing(names)}."
            )
        places += [found[0], found[-1]]
    begin, end = min(places), max(places)
    picture.boxes = picture.boxes[begin : end + 1]
    picture.arrows = [
        replace(arrow, tail=arrow.tail - begin, head=arrow.head - begin)
        for arrow in picture.arrows
        if arrow.tail is not None and arrow.head is not None
        if begin <= arrow.tail <= end and begin <= arrow.head <= end
    ]
    picture.inputs = picture.outputs = 0
