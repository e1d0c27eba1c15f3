"""Sequential: layers one after another."""

from contextlib import nullcontext
from typing import Any

import jax

from keryx.core import scope
from keryx.core.codec import deserialize, reads, serialize
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError
from keryx.layers.input import Input, InputLayer
from keryx.layers.layer import Layer, registry
from keryx.models.model import Model


class Sequential(Model):
    """Layers one after another: the output of each is the input of the next.

    Args:
        layers: The layers, in order; an `Input`, or `input_shape=` on the first layer, tells the shape that comes in.
            Without either, the model is built when it is first called, and goes on to take other sizes of the axes
            that its layers leave open, such as those of images; a nest of inputs then goes to the first layer as it is.
        trainable: Whether its weights are trained.
        name: The model's name.

    >>> import keryx
    >>> model = keryx.Sequential([keryx.Input((4,)), keryx.layers.Dense(2)])
    >>> model.add(keryx.layers.Dense(1))
    >>> model.output_shape
    (None, 1)
    """

    def __init__(self, layers: list[Any] | None = None, trainable: bool = True, name: str | None = None, **kwargs):
        super().__init__(name=name, **kwargs)
        self._stack: list[Layer] = []
        self._symbols: list[
            Any
        ] = []  # the input, or a nest of them, then the output of each layer, once shapes are known
        for layer in layers or []:
            self.add(layer)
        if not trainable:
            self.trainable = False

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer at the end."""
        if isinstance(layer, SymbolicTensor) and layer.node and isinstance(layer.node.operation, InputLayer):
            layer = layer.node.operation
        if isinstance(layer, InputLayer):
            if self._symbols or self._stack:
                raise ArgumentError(f"{self.title}: an Input stands before the layers, once.")
            self._symbols = [layer.nodes[0].outputs]
            return
        if not isinstance(layer, Layer):
            from keryx.core import mistaken

            way_out = ""
            if isinstance(layer, SymbolicTensor):
                way_out = " Give the layer itself: it is called on the output of the one before."
            elif isinstance(layer, (list, tuple, dict)):
                way_out = " For branches, call layers on tensors and close the graph: Model(inputs, outputs)."
            raise ArgumentError(f"Sequential.add wants a layer; got {mistaken.described(layer)}.{way_out}")
        if any(layer.name == other.name for other in self._stack):
            raise ArgumentError(f"{self.title} already has a layer named {layer.name!r}. Give each a name of its own.")
        if not self._symbols and not self._stack:
            first = _declared(layer)
            if first is not None:
                self._symbols = [first]
        if self._symbols:
            with scope.named(self.name):
                self._symbols.append(layer(self._symbols[-1]))
        self._stack.append(layer)
        if self._symbols and self._graph is None:
            self._close(self._symbols[0], self._symbols[-1])
            return
        if self._graph is not None:
            self._graph.append(self._symbols[-1])
        self._graph_has_changed()

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer off, and return it."""
        if not self._stack:
            raise ArgumentError(f"{self.title} has no layer to take off.")
        layer = self._stack.pop()
        if self._symbols:
            layer.nodes.pop()
            self._symbols.pop()
        if self._symbols and self._stack:
            self._close(self._symbols[0], self._symbols[-1])
        else:
            self._graph, self._layers, self.built = None, [], False
            self._graph_has_changed()
        return layer

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this shape, batch axis included."""
        if not self._stack:
            raise ArgumentError(f"{self.title} has no layers yet: add one.")
        if self._graph is not None or not isinstance(input_shape, (tuple, list)):
            return
        if any(isinstance(size, (tuple, list, dict)) for size in input_shape):
            return  # the first layer takes a nest, of which there is no single input
        symbols = [Input(batch_shape=(None, *input_shape[1:]), dtype=self._stack[0].declared_dtype)]
        symbols[0].sizes_are_open = True
        with nullcontext() if scope.names()[-1:] == (self.name,) else scope.named(self.name):
            for layer in self._stack:
                symbols.append(layer(symbols[-1]))
        self._symbols = symbols
        self._close(symbols[0], symbols[-1])

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Run the inputs through the layers."""
        if self._graph is not None:
            return super().call(inputs, training=training, mask=mask)
        if mask is not None:
            scope.set_masks(inputs, mask)
        for layer in self._stack:
            inputs = layer(inputs)
        return inputs

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the Input."""
        return list(self._stack)

    def _places(self) -> list[Any]:
        """The attributes: the layers in order."""
        return [vars(self).values()]

    @property
    def output_names(self) -> list[str]:
        """The name of the last layer."""
        return [self._stack[-1].name] if self._stack else []

    def get_config(self) -> dict[str, Any]:
        """The layers as plain data in Keras's words."""
        first = self._symbols[0] if self._symbols else None
        if not isinstance(first, SymbolicTensor):  # a nest of inputs, which the first layer declares
            first = None
        layers = [first.node.operation] if first is not None and first.node and not first.sizes_are_open else []
        config = {"name": self.name, "trainable": self.trainable, "dtype": serialize(self.dtype_policy)}
        config["layers"] = [serialize(layer) for layer in [*layers, *self._stack]]
        if first is not None:
            config["build_input_shape"] = first.shape
        return config

    def get_build_config(self) -> dict[str, Any] | None:
        """The shape that it was built for."""
        return super().get_build_config() if self._graph is None else {"input_shape": self.inputs[0].shape}

    @reads
    def from_config(cls, config: dict[str, Any]):
        """A model made anew from what `get_config` gave."""
        layers = [deserialize(layer, registry) for layer in config["layers"]]
        model = cls(layers, trainable=config.get("trainable", True), name=config.get("name"))
        if layers:
            model.build(config.get("build_input_shape"))
        return model


registry.table |= dict.fromkeys(("Sequential", "sequential"), Sequential)


def _declared(layer: Layer) -> Any:
    """The input that the first layer declares: by `input_shape=`, or as a model that has one, or a nest of them."""
    if isinstance(layer, Model) and layer.has_graph:
        return jax.tree.map(lambda symbol: Input(batch_shape=symbol.shape, dtype=symbol.dtype), layer.input)
    inner: Any = layer
    while inner is not None:
        shape = inner._declared_shape
        if shape is not None:
            return Input(batch_shape=shape, dtype=inner.declared_dtype)
        inner = getattr(inner, "layer", None)
    return None
