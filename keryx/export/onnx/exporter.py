"""The walk over a model's graph: calls become nodes of ONNX, by a table of layers and one of ops.

A row of the table of layers is a function `(g, layer, *arguments of the layer's call)` that reads like it; `g` is the
graph in the making. What has no row is taken apart: a model into its graph, and a layer or function of the user's
into the ops and layers that it calls, which is found by calling it on symbols.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import jax
import numpy as np

from keryx import activations
from keryx.core import graph
from keryx.core.call_plan import plan_of
from keryx.core.matching import match
from keryx.core.names import is_own
from keryx.core.shapes import Spec
from keryx.core.symbol import SymbolicTensor
from keryx.core.variable import is_variable
from keryx.errors import ExportError
from keryx.export.onnx.builder import Builder
from keryx.export.onnx.value import Value
from keryx.layers.layer import Layer
from keryx.models import Model
from keryx.ops.names import by_name, in_own_words

_STABLEHLO = "Export to format='stablehlo', which holds any model."
LAYERS: dict[Any, Callable] = {}  # `(g, layer, *arguments of call) -> outputs`
MASKS: dict[Any, Callable] = {}  # `(g, layer, inputs, masks) -> masks of the outputs`, where a layer has its own rule
OPS: dict[str, Callable] = {}  # `(g, *arguments of the op) -> outputs`
ACTIVATIONS = {
    id(function): name for name, function in activations.registry.table.items() if hasattr(function, "__wrapped__")
}


def _entering(table: dict[Any, Callable], keys: tuple[Any, ...]) -> Callable:
    def enter(function: Callable) -> Callable:
        table.update(dict.fromkeys(keys, function))
        return function

    return enter


def layer(*classes: type) -> Callable:
    """A decorator that enters a row for layers of these classes, and of subclasses that compute the same."""
    return _entering(LAYERS, classes)


def masks_of(*classes: type) -> Callable:
    """A decorator that enters a rule for the masks of the outputs of these classes."""
    return _entering(MASKS, classes)


def op(*names: str) -> Callable:
    """A decorator that enters a row for ops of these names."""
    return _entering(OPS, names)


class Exporter(Builder):
    """An ONNX graph that layers, ops and models can be called in.

    Attributes:
        refused: What cannot be exported, in words, as far as it was found.
    """

    def __init__(self, variables: Mapping[str, Any]):
        super().__init__(variables)
        self.refused: list[str] = []
        self.calling: list[Layer] = []  # the layers that are called, the innermost last

    def leaves(self, nest: Any) -> list[Value]:
        """The tensors in a nest."""
        return jax.tree.leaves(nest, is_leaf=is_value)

    def map(self, function: Callable, nest: Any) -> Any:
        """A nest with the results of a function in place of the tensors."""
        return jax.tree.map(function, nest, is_leaf=is_value)

    # -- graphs --------------------------------------------------------------------------------------------------

    def run(self, of: graph.Graph, inputs: list[Value]) -> Any:
        """The outputs of a graph of calls, in its nest."""
        values = dict(zip(of.flat_inputs, inputs, strict=True))
        for node in of.nodes:
            results = self.leaves(self._node(node, values))
            values.update(zip(jax.tree.leaves(node.outputs), results, strict=True))
        return jax.tree.map(values.__getitem__, of.outputs)

    def _node(self, node: graph.Node, values: dict[SymbolicTensor, Value]) -> Any:
        def value(x: Any) -> Any:
            return values[x] if isinstance(x, SymbolicTensor) else self.weight(x) if is_variable(x) else x

        args, kwargs = jax.tree.map(value, (node.args, node.kwargs), is_leaf=is_variable)
        try:
            if isinstance(node.operation, Layer):
                return self.call(node.operation, *args, **kwargs)
            return self.call_op(node.operation, args, kwargs)
        except ExportError as error:
            self.refused.append(str(error))
            # What follows is looked at all the same, so that all that is in the way is told at once.
            return [Value(self, "refused", self.type(s.dtype, s.shape)) for s in jax.tree.leaves(node.outputs)]

    # -- layers --------------------------------------------------------------------------------------------------

    def call(self, of: Layer, *args: Any, **kwargs: Any) -> Any:
        """What a layer's call gives: casts, masks and names as when it runs."""
        self.path.append(of.name)
        self.calling.append(of)
        try:
            args, kwargs = self._without_training(of, args, kwargs)
            args, kwargs = jax.tree.map(lambda x: self._argument(of, x), (args, kwargs), is_leaf=is_value)
            self._fill_in_masks(of, args, kwargs)
            row = row_of(of)
            if row is not None:
                outputs = row(self, of, *args, **kwargs)
            elif isinstance(of, Model) and of.has_graph and is_own(type(of).call):
                outputs = self._model(of, *args)
            elif is_own(type(of)):
                self.refuse("the layer has no counterpart in ONNX", _STABLEHLO)
            else:
                outputs = self.take_apart(of.call, args, kwargs)
            self._set_masks(of, outputs, args, kwargs)
            return outputs
        finally:
            self.calling.pop()
            self.path.pop()

    def _without_training(self, of: Layer, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """The arguments of a call without `training`, which is never set in a file."""
        plan = plan_of(type(of).call)
        if plan.training is not None and plan.training < len(args):
            kwargs = kwargs | dict(zip(plan.names[plan.training :], args[plan.training :], strict=False))
            args = args[: plan.training]
        if kwargs.get("training"):
            self.refuse("the layer is called with training=True in the graph", "Leave it out: fit sets it.")
        return args, {name: value for name, value in kwargs.items() if name != "training"}

    def _argument(self, of: Layer, x: Any) -> Any:
        """An argument as a layer's call is given it."""
        if is_variable(x):
            x = self.weight(x)
        if isinstance(x, (jax.Array, np.ndarray, np.generic)):
            x = self.constant(x)
        floats = isinstance(x, Value) and x.dtype.startswith("float")
        return self.cast(x, of.compute_dtype) if floats and of.autocast else x

    def _fill_in_masks(self, of: Layer, args: tuple, kwargs: dict[str, Any]) -> None:
        """Hand the masks that travel beside the arguments to those that are called mask."""
        for position, name, mask_position, mask_name in plan_of(type(of).call).masks:
            if kwargs.get(mask_name) is None and len(args) <= mask_position:
                given = args[position] if position < len(args) else kwargs.get(name)
                masks = jax.tree.map(lambda x: getattr(x, "mask", None), given, is_leaf=is_value)
                if self.leaves(masks):
                    kwargs[mask_name] = masks

    def _set_masks(self, of: Layer, outputs: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        """Let the masks of the outputs travel beside them."""
        if not of.supports_masking or not args:
            return
        masks = kwargs.get("mask", self.map(lambda x: x.mask, args[0]))
        if type(of).compute_mask is not Layer.compute_mask:
            rule = _row(MASKS, of, "compute_mask")
            masks = rule(self, of, args[0], masks) if rule else self.take_apart(of.compute_mask, [args[0], masks], {})
        leaves = self.leaves(outputs)
        masks = masks if isinstance(masks, (list, tuple)) else [masks] * min(len(leaves), 1)
        for output, mask in zip(leaves, masks, strict=False):
            if mask is not None:
                output.mask = mask

    def _model(self, of: Model, inputs: Any) -> Any:
        return self.call_model(of, match(inputs, of.input_names, of.input))

    def call_model(self, of: Model, inputs: list[Value]) -> Any:
        """The outputs of a model that has a graph, at its inputs in order."""
        if of.halves.host is not None:
            self.refuse("the model has layers that run on the host", "Export the model that begins after them.")
        given = [self.cast(x, symbol.dtype) for x, symbol in zip(inputs, of.inputs, strict=True)]
        return self.run(graph.Graph(of.input, of.output), given)

    # -- functions -----------------------------------------------------------------------------------------------

    def call_op(self, of: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """What an op gives."""
        args, kwargs = jax.tree.map(
            lambda x: self.constant(x) if isinstance(x, (jax.Array, np.ndarray)) else x,
            (args, kwargs),
            is_leaf=is_value,
        )
        name, args, kwargs = in_own_words(of.op_name, args, kwargs)
        row = OPS.get(name)
        if row is None:
            self.refuse(f"the op {name!r} has no counterpart in ONNX", _STABLEHLO)
        function = of.function if name == of.op_name else by_name(name)
        bound = inspect.signature(function).bind(*args, **kwargs)
        given, takes = set(bound.arguments), inspect.signature(row).parameters
        bound.apply_defaults()
        for word, parameter in bound.signature.parameters.items():
            if word not in takes:
                value = bound.arguments.pop(word)
                if word in given and value is not parameter.default:
                    self.refuse(f"the op {name!r} with {word}= has no counterpart in ONNX", _STABLEHLO)
        self.path.append(name)
        try:
            return row(self, *bound.args, **bound.kwargs)
        finally:
            self.path.pop()

    def activate(self, function: Any, x: Value) -> Value:
        """What an activation gives."""
        name = ACTIVATIONS.get(id(function))
        if name is None:
            return self.take_apart(function, [x], {})
        if name not in OPS:
            self.refuse(f"the activation {name!r} has no counterpart in ONNX", _STABLEHLO)
        return OPS[name](self, x)

    def is_elementwise(self, function: Any) -> bool:
        """Whether an activation is one of Keryx's that does not look along an axis."""
        return ACTIVATIONS.get(id(function), "softmax") not in ("softmax", "log_softmax", "sparsemax", "glu")

    def op(self, name: str, *args: Any) -> Any:
        """What the op of this name gives."""
        return OPS[name](self, *args)

    def take_apart(self, function: Callable, args: Any, kwargs: dict[str, Any]) -> Any:
        """What a function of the user's gives, taken apart into ops and layers."""
        values: dict[SymbolicTensor, Value] = {}

        def symbol(x: Any) -> Any:
            if not isinstance(x, Value):
                return x
            new = SymbolicTensor(x.shape, x.dtype, name="traced")
            new.mask = None if x.mask is None else Spec(x.mask.shape, np.dtype(bool))
            values[new] = x
            return new

        args, kwargs = jax.tree.map(symbol, (list(args), kwargs), is_leaf=is_value)
        with graph.unnoticed():
            try:
                outputs = function(*args, **kwargs)
                if not jax.tree.leaves(outputs):  # no mask
                    return outputs
                inner = graph.Graph(list(values), outputs)
            except Exception as error:
                name = getattr(function, "__name__", repr(function))
                reason = f"{name} cannot be taken apart into ops and layers: {str(error).rstrip('.')}"
                self.refuse(reason, "Write it with keryx.ops and layers, or export to format='stablehlo'.")
        return self.run(inner, list(values.values()))

    def refuse(self, reason: str, way_out: str) -> NoReturn:
        """Say that something cannot be exported: in which layer, why, and what to do.

        Raises:
            ExportError: Always.
        """
        names = "/".join(self.path)
        where = f"{names} ({type(self.calling[-1]).__name__})" if self.calling else names or "In the graph"
        raise ExportError(f"{where}: {reason}. {way_out}")


def row_of(of: Layer) -> Callable | None:
    """The row that serves a layer: that of the first of its classes whose call is the layer's own."""
    return _row(LAYERS, of, "call")


def _row(table: dict[Any, Callable], of: Layer, method: str) -> Callable | None:
    own = getattr(type(of), method)
    return next((table[c] for c in type(of).__mro__ if c in table and getattr(c, method) is own), None)


def is_value(x: Any) -> bool:
    return isinstance(x, Value)
