"""A model as the rules look at it: its calls with nested models opened, its losses, and some rows of its data."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import numpy as np

from keryx.core.graph import Graph, Op
from keryx.core.matching import match
from keryx.core.symbol import SymbolicTensor
from keryx.errors import KeryxError
from keryx.layers.input import InputLayer
from keryx.training.data.arrays import arrays_in

ROWS = 1024  # of the data are looked at
_UNCHANGED = {"Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout", "GaussianDropout"}
_UNCHANGED |= {"Flatten", "Reshape", "Permute", "RepeatVector", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"}
_UNCHANGED |= {"ActivityRegularization", "GaussianNoise", "Identity", "Cropping1D", "Cropping2D"}
_LAYERS_OF = {"Softmax": "softmax", "ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "PReLU": "leaky_relu"}
_KERNELS = {"Dense", "EinsumDense", "Conv1D", "Conv2D", "Conv3D", "SeparableConv1D", "SeparableConv2D"}
_KERNELS |= {"DepthwiseConv1D", "DepthwiseConv2D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"}


@dataclass(eq=False)
class Call:
    """One call of a layer or an op.

    Attributes:
        layer: What is called.
        path: Its path from the model.
        sources: The calls that its arguments come from.
        uses: The calls that its results go to.
        shape: The shape of its first result.
    """

    layer: Any
    path: str
    sources: list["Call"]
    shape: tuple[int | None, ...]
    uses: list["Call"] = field(default_factory=list)

    @property
    def inner(self) -> Any:
        """The layer that computes: that in a TimeDistributed."""
        return self.layer.layer if self.kind_of(self.layer) == "TimeDistributed" else self.layer

    @staticmethod
    def kind_of(layer: Any) -> str:
        """The name of the class, or of the op."""
        return layer.op_name if isinstance(layer, Op) else type(layer).__name__

    @property
    def kind(self) -> str:
        """The class of the layer that computes, or the name of the op."""
        return self.kind_of(self.inner)

    @property
    def is_input(self) -> bool:
        """Whether it is where a tensor comes in."""
        return isinstance(self.layer, InputLayer)

    @property
    def keeps_values(self) -> bool:
        """Whether it only leaves values out, moves or scales them, so that what came before shows."""
        return self.kind in _UNCHANGED

    @property
    def has_kernel(self) -> bool:
        """Whether it multiplies by a matrix or convolves."""
        return self.kind in _KERNELS

    @property
    def activation(self) -> str | None:
        """The function that it applies last: `linear` for none, None where that is not known."""
        if self.kind in _LAYERS_OF:
            return _LAYERS_OF[self.kind]
        if isinstance(self.layer, Op):
            return self.kind if self.kind in ("softmax", "sigmoid", "relu", "tanh", "softplus") else None
        if not self.has_kernel and self.kind != "Activation":
            return None
        function = getattr(self.inner, "activation", None)
        return "linear" if function is None else getattr(function, "__name__", None)

    def before(self) -> "Call":
        """The last call, itself or before it, that does more than to move values."""
        call = self
        while call.keeps_values and len(call.sources) == 1:
            call = call.sources[0]
        return call

    def after(self) -> Iterator["Call"]:
        """The next calls that do more than to move values."""
        for use in self.uses:
            if use.keeps_values:
                yield from use.after()
            else:
                yield use

    def upstream(self) -> Iterator["Call"]:
        """All calls that lead to it, and itself."""
        seen, waiting = {self}, [self]
        while waiting:
            call = waiting.pop()
            yield call
            waiting += [source for source in call.sources if source not in seen]
            seen |= set(call.sources)


@dataclass(frozen=True)
class Output:
    """One output of a model.

    Attributes:
        name: Its name.
        call: What it comes from; None in a subclass, which has no graph.
        losses: What it is compared by.
        metrics: The names of its metrics.
        shape: Its shape.
        target: Some rows of what it is to be, or None.
    """

    name: str
    call: Call | None
    losses: tuple[Any, ...]
    metrics: tuple[str, ...]
    shape: tuple[int | None, ...]
    target: np.ndarray | None

    @property
    def activation(self) -> str | None:
        """The function that was applied last; None where that is not known."""
        return None if self.call is None else self.call.before().activation

    @property
    def where(self) -> str:
        """The path of the layer that it comes from."""
        return self.name if self.call is None else self.call.before().path


class View:
    """What the rules look at.

    Args:
        model: A model that is built.
        x: Its inputs, or None.
        y: Its targets, or None.
    """

    def __init__(self, model: Any, x: Any = None, y: Any = None):
        self.model, self.given = model, (x, y)
        sizes = {len(array) for array in jax.tree.leaves((x, y)) if getattr(array, "shape", ())}
        few = len(sizes) != 1 or max(sizes) <= ROWS  # where sizes differ, data_that_does_not_fit says so
        self.rows = None if few else np.linspace(0, max(sizes) - 1, ROWS).astype(int)
        self.x, self.y = _some(x, self.rows), _some(y, self.rows)
        self.calls: list[Call] = []
        self.ends: list[Call] = []
        if model.has_graph:
            inputs = {symbol: Call(_input_of(symbol), symbol.name, [], symbol.shape) for symbol in model.inputs}
            self.calls += inputs.values()
            self.ends = self._open(model._graph, inputs, "")

    def _open(self, graph: Graph, known: dict[SymbolicTensor, Call], prefix: str) -> list[Call]:
        """Enter the calls of a graph, those of nested models too: where its outputs come from."""
        for node in graph.nodes:
            sources = list(dict.fromkeys(known[symbol] for symbol in node.inputs if symbol in known))
            operation: Any = node.operation
            results = jax.tree.leaves(node.outputs)
            path = f"{prefix}{operation.name}"
            inner = getattr(operation, "_graph", None)
            if inner is not None and len(inner.flat_inputs) == len(node.inputs):
                begin = {s: known[symbol] for s, symbol in zip(inner.flat_inputs, node.inputs, strict=True)}
                known |= zip(results, self._open(inner, begin, f"{path}/"), strict=True)
                continue
            call = Call(operation, path, sources, results[0].shape)
            for source in sources:
                source.uses.append(call)
            self.calls.append(call)
            known |= dict.fromkeys(results, call)
        return [known[symbol] for symbol in graph.flat_outputs]

    @cached_property
    def kernels(self) -> list[Call]:
        """The calls that multiply by a matrix or convolve."""
        return [call for call in self.calls if call.has_kernel]

    @cached_property
    def session(self) -> Any:
        """The training session; None where the model is not compiled."""
        return self.model._session

    @cached_property
    def inputs(self) -> list[tuple[Call, np.ndarray]]:
        """The inputs with some rows of their data; none where there is no data."""
        if self.x is None or not self.model.has_graph:
            return []
        model = self.model
        try:
            given = arrays_in(self.x, [f"input {name!r}" for name in model.input_names])
            arrays = match(given, model.input_names, model.input)
        except KeryxError:
            return []  # data_that_does_not_fit says it
        calls = [call for call in self.calls if call.is_input]
        return [(call, np.asarray(array)) for call, array in zip(calls, arrays, strict=True)]

    @cached_property
    def outputs(self) -> list[Output]:
        """The outputs; of a subclass those that it was compiled for."""
        heads = self.session.objective.heads if self.session is not None else ()
        calls: list[Call | None] = [*self.ends] or [None] * len(heads)
        shapes = [symbol.shape for symbol in self.model.outputs] if self.model.has_graph else []
        targets = self._targets(len(calls))
        found = []
        for i, call in enumerate(calls):
            head = heads[i] if i < len(heads) else None
            losses = tuple(loss for loss, _, _ in head.losses) if head else ()
            name = head.name if head else call.layer.name if call else f"output_{i + 1}"
            shape = shapes[i] if shapes else ()
            found.append(Output(name, call, losses, self._metrics(name, i, len(calls)), shape, targets[i]))
        return found

    def _metrics(self, name: str, place: int, count: int) -> tuple[str, ...]:
        """The names of the metrics that compile() was given for an output."""
        asked = self.session.asked.metrics if self.session is not None else None
        if isinstance(asked, dict):
            asked = asked.get(name)
        elif isinstance(asked, (list, tuple)) and len(asked) == count and isinstance(asked[place], (list, tuple)):
            asked = asked[place]
        return tuple(str(getattr(metric, "name", metric)) for metric in jax.tree.leaves(asked))

    def _targets(self, count: int) -> list[np.ndarray | None]:
        if self.y is None:
            return [None] * count
        try:
            if self.session is not None and self.session.objective.names:
                given = arrays_in(self.y, [f"target {name!r}" for name in self.session.objective.names])
                targets = self.session.objective.match(given, "target")
            else:
                targets = [arrays_in(self.y, ["target"])] if count == 1 else [None] * count
        except KeryxError:
            return [None] * count  # data_that_does_not_fit says it
        return [None if target is None else np.asarray(target) for target in targets]

    def row(self, place: int) -> int:
        """The row of the data that stands at a place among those that are looked at."""
        return int(place if self.rows is None else self.rows[place])

    @cached_property
    def trainable(self) -> dict[str, Any]:
        """The weights that are trained, by path."""
        trained = set(self.model.trainable_variables)
        return {path: v for path, v in self.model.named_variables.items() if v in trained}


def _input_of(symbol: SymbolicTensor) -> Any:
    operation: Any = symbol.node.operation if symbol.node else None
    return operation if isinstance(operation, InputLayer) else InputLayer(batch_shape=symbol.shape, name=symbol.name)


def _some(data: Any, rows: np.ndarray | None) -> Any:
    """Some rows of the data; all of them where `rows` is None."""

    def taken(array: Any) -> Any:
        if rows is None or not getattr(array, "shape", ()):
            return array
        return array.iloc[rows] if hasattr(array, "iloc") else array[rows]

    return jax.tree.map(taken, data)
