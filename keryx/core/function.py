"""Operation and Function: nodes of a graph that are no layers."""

from typing import Any

import jax

from keryx.core import graph
from keryx.core.codec import Configurable
from keryx.core.names import is_name, snake_case
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError, UndefinedError, listing


class Operation(Configurable):
    """A function without weights as a node of a graph: write `call`.

    Called on symbolic tensors, it writes the call down; the shapes of the results come from tracing `call`, or from
    `compute_output_spec(*args, **kwargs)` where the class has one, which returns KerasTensors.

    Args:
        name: Its name; by default the class's, in snake_case, made unique.

    >>> import keryx
    >>> class Double(Operation):
    ...     def call(self, x):
    ...         return 2 * x
    >>> Double()(keryx.Input((3,))).shape
    (None, 3)
    """

    nodes: list[graph.Node]

    def __init__(self, name: str | None = None):
        self.name = name or graph.unique_name(snake_case(type(self).__name__))
        if not is_name(self.name):
            raise ArgumentError(f"The name of an operation is a string without '/'; got {name!r}.")
        self.nodes = []

    @property
    def op_name(self) -> str:
        """What it is called in errors."""
        return snake_case(type(self).__name__)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The maths."""
        raise NotImplementedError(f"{type(self).__name__} wants a method call().")

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The results of a call on symbols, as symbols that no call made."""
        return graph.trace(self, args, kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Write a call on symbols down."""
        return graph.record(self, args, kwargs, self.compute_output_spec(*args, **kwargs))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, nest = jax.tree.flatten((args, kwargs))
        if any(isinstance(leaf, SymbolicTensor) for leaf in leaves):
            return self.symbolic_call(*args, **kwargs)
        args, kwargs = jax.tree.unflatten(nest, leaves)  # a variable is its array there
        return self.call(*args, **kwargs)

    @property
    def input(self) -> Any:
        """The symbolic tensors of its first call."""
        return graph.first_call(self, repr(self.name), "input").args[0]

    @property
    def output(self) -> Any:
        """The symbolic tensors that came out of its first call."""
        return graph.first_call(self, repr(self.name), "output").outputs

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name!r}>"


class Function(Operation):
    """The graph between some symbolic tensors and others, as a function: a Model without weights of its own.

    Args:
        inputs: Symbolic tensors, in any nest.
        outputs: Symbolic tensors that follow from them.
        name: Its name.

    Raises:
        ArgumentError: Where there are no inputs or no outputs.
        DataError: Where an output needs a tensor that is not among the inputs.

    >>> x = SymbolicTensor((None, 3), "float32")
    >>> double = Function(x, 2 * x)
    >>> double(jax.numpy.ones((1, 3))).tolist()
    [[2.0, 2.0, 2.0]]
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None):
        super().__init__(name)
        for what, given in (("inputs", inputs), ("outputs", outputs)):
            if not jax.tree.leaves(given):
                raise ArgumentError(f"Function() wants {what}: symbolic tensors; got {given!r}.")
        self._graph = graph.Graph(inputs, outputs)

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic tensors that go in, as a flat list."""
        return list(self._graph.flat_inputs)

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbolic tensors that come out, as a flat list."""
        return list(self._graph.flat_outputs)

    @property
    def operations(self) -> list[Any]:
        """The layers, ops and models in it, each once, in an order in which they can run."""
        return list(dict.fromkeys(node.operation for node in self._graph.nodes))

    def call(self, inputs: Any) -> Any:
        """The outputs at these values of the inputs."""
        given = jax.tree.leaves(inputs)
        if len(given) != len(self._graph.flat_inputs):
            names = listing([symbol.name for symbol in self._graph.flat_inputs])
            raise ArgumentError(f"{self.name!r} takes {names}; got {len(given)} arrays.")
        return self._graph.run([jax.numpy.asarray(x) for x in given])

    def get_config(self) -> dict[str, Any]:
        raise UndefinedError(f"{self.name!r} is a graph of calls and has no config: make it a Model to save it.")
