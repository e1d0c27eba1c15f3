"""What a model is made of: its layers, and where its graph begins and ends."""

from typing import Any

import jax

from keryx.core import graph
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError, ConfigError, UndefinedError, did_you_mean, listing
from keryx.layers.layer import Layer


class Structure(Layer):
    """A layer that computes a graph of others, or that has them as attributes."""

    _graph: graph.Graph | None = None

    @property
    def layers(self) -> list[Layer]:
        """Its layers: of a graph from the inputs to the outputs, of a subclass in the order in which they were set."""
        return self.children()

    @property
    def has_graph(self) -> bool:
        """Whether there is a graph that it computes; a subclass with a call of its own has none."""
        return self._graph is not None

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic tensors that come in, as a flat list."""
        return self._own_graph("inputs").flat_inputs

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbolic tensors that come out, as a flat list."""
        return self._own_graph("outputs").flat_outputs

    @property
    def input(self) -> Any:
        """The symbolic tensors that come in, in the nest that they were given in."""
        return self._own_graph("input").inputs

    @property
    def output(self) -> Any:
        """The symbolic tensors that come out, in the nest that they were given in."""
        return self._own_graph("output").outputs

    @property
    def input_shape(self) -> Any:
        """The shapes of the inputs."""
        return jax.tree.map(lambda s: s.shape, self.input)

    @property
    def output_shape(self) -> Any:
        """The shapes of the outputs."""
        return jax.tree.map(lambda s: s.shape, self.output)

    def _own_graph(self, what: str) -> graph.Graph:
        if self._graph is None:
            raise UndefinedError(
                f"{self.title} has no graph, so it has no .{what}: it is not built yet, or a subclass with a call."
            )
        return self._graph

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs, by which a dict of data finds them."""
        return [symbol.name for symbol in self.inputs] if self.has_graph else []

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that the outputs come from, by which losses and targets find them."""
        return [symbol.node.operation.name for symbol in (self.outputs if self.has_graph else []) if symbol.node]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name, its path into nested models such as `"inner/dense"`, or its index.

        Raises:
            ArgumentError: With the names that there are.
        """
        if (index is None) == (name is None):
            raise ArgumentError(f"get_layer() wants a name or an index; got name={name!r} and index={index!r}.")
        if index is not None and not -len(self.layers) <= index < len(self.layers):
            raise ArgumentError(f"{self.title} has {len(self.layers)} layers; got index={index}.")
        if index is not None:
            return self.layers[index]
        assert name is not None
        found = next((layer for layer in self.layers if layer.name == name), None)
        head, _, rest = name.partition("/")
        if found is None and rest:
            inner: Any = next((layer for layer in self.layers if layer.name == head), None)
            inner = getattr(inner, "layer", inner)  # into the layer of a wrapper
            if hasattr(inner, "get_layer"):
                return inner.get_layer(rest)
        if found is None:
            names = [layer.name for layer in self.layers]
            raise ConfigError(
                f"{self.title} has no layer {name!r}.{did_you_mean(name, names)} It has {listing(names)}."
            )
        return found
