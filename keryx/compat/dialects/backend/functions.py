"""`keras.backend`: functions of a graph, gradients in a graph, and loops."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.compat.dialects.backend.state import LearningPhase
from keryx.compat.dialects.backend.words import function, is_variable
from keryx.core import scope
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError
from keryx.layers.layer import Layer
from keryx.models.model import Model


class Function:
    """What `K.function` returns: called on a list of values, it gives a list of arrays.

    Args:
        inputs: Symbolic tensors, and the learning phase.
        outputs: Symbolic tensors that follow from them, variables or arrays.
        updates: Pairs of a variable and what it becomes, and what `optimizer.get_updates` gave.
    """

    def __init__(self, inputs: Sequence[Any], outputs: Any, updates: Sequence[Any] = ()):
        self.alone = not isinstance(outputs, (list, tuple))
        self.outputs = [outputs] if self.alone else list(outputs)
        self.inputs = list(inputs)
        self.pairs = [pair for pair in updates if isinstance(pair, tuple)]
        self.steps = [step for step in updates if not isinstance(step, tuple) and hasattr(step, "take")]
        wanted = [*self.outputs, *(new for _, new in self.pairs)]
        self.symbols = [x for x in wanted if isinstance(x, SymbolicTensor)]
        self.fed = [x for x in self.inputs if isinstance(x, SymbolicTensor)]
        self.model = Model(self.fed, self.symbols) if self.symbols and self.fed else None

    def __call__(self, inputs: Sequence[Any] = ()) -> Any:
        """The outputs at these values, as NumPy arrays."""
        values = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        if len(values) != len(self.inputs):
            raise ArgumentError(f"The function takes {len(self.inputs)} values in a list; got {len(values)}.")
        fed = [
            np.asarray(value, symbol.dtype)
            for symbol, value in zip(self.inputs, values, strict=True)
            if isinstance(symbol, SymbolicTensor)
        ]
        phases = [v for x, v in zip(self.inputs, values, strict=True) if isinstance(x, LearningPhase)]
        training = bool(phases and phases[0]) or bool(self.steps)
        found = iter([] if self.model is None else jax.tree.leaves(self.model(fed, training=training)))
        results = [next(found) if isinstance(x, SymbolicTensor) else x for x in self.outputs]
        results = [np.asarray(x.numpy() if is_variable(x) else x) for x in results]
        for variable, new in self.pairs:
            variable.assign(next(found) if isinstance(new, SymbolicTensor) else new)
        for step in self.steps:
            step.take(self.fed, fed)
        return results[0] if self.alone else results


@function("function", symbolic=False)
def function_(inputs: Any, outputs: Any, updates: Any = (), **kwargs: Any) -> Function:
    """A function of values, from symbols to symbols."""
    return Function(inputs, outputs, updates or ())


# -- gradients ---------------------------------------------------------------------------------------------------------


class _GradientOfSymbols(Layer):
    """The gradients of the sum of a graph's output with respect to some of its inputs."""

    def __init__(self, graph: Model, count: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.graph, self.count = graph, count

    def call(self, inputs: Any) -> Any:
        """As many gradients as there are inputs to differentiate by."""
        at, rest = list(inputs[: self.count]), list(inputs[self.count :])
        return jax.grad(lambda at: jnp.sum(self.graph([*at, *rest])))(at)


class _GradientOfVariables(Layer):
    """The gradients of the sum of a graph's output with respect to variables."""

    def __init__(self, graph: Model, of: list[Any], **kwargs: Any):
        super().__init__(**kwargs)
        self.graph, self.of = graph, of

    def call(self, inputs: Any) -> Any:
        """A gradient for each variable."""
        outer = scope.current() or scope.Scope()

        def total(values: list[Any]) -> Any:
            lent = {**(outer.values or {}), **dict(zip(self.of, values, strict=True))}
            with scope.run(scope.Scope(lent, outer.key, outer.training)):
                return jnp.sum(self.graph(list(inputs)))

        return jax.grad(total)([variable.value for variable in self.of])


@function(symbolic=False)
def gradients(loss: Any, variables: Any) -> list[Any]:
    """The gradients of a symbolic loss, as symbols.

    Args:
        loss: A symbolic tensor; its sum is differentiated.
        variables: Symbolic tensors, or variables: one, or a list.

    Raises:
        ArgumentError: Where the loss is no symbol.
    """
    wanted = list(variables) if isinstance(variables, (list, tuple)) else [variables]
    if not isinstance(loss, SymbolicTensor):
        raise ArgumentError(
            "K.gradients() differentiates a symbolic loss; of arrays, jax.grad(function)(x) is the way."
        )
    if all(is_variable(x) for x in wanted):
        sources = _sources(loss, [])
        made = _GradientOfVariables(Model(sources, loss), wanted)(sources)
    else:
        sources = [*wanted, *_sources(loss, wanted)]
        made = _GradientOfSymbols(Model(sources, loss), len(wanted))(sources)
    return list(made) if isinstance(made, (list, tuple)) else [made]


def _sources(result: SymbolicTensor, cut: list[Any]) -> list[SymbolicTensor]:
    """The inputs that a symbol follows from beside those at which the graph is cut."""
    found, waiting, seen = list[SymbolicTensor](), [result], set[Any]()
    while waiting:
        symbol = waiting.pop()
        if symbol in seen or any(symbol is one for one in cut):
            continue
        seen.add(symbol)
        if symbol.node is None or not symbol.node.inputs:
            found.append(symbol)
        else:
            waiting += symbol.node.inputs
    return found[::-1]


class Step:
    """One step of an optimizer, as `K.function(updates=)` takes it.

    Args:
        optimizer: The optimizer.
        loss: The symbolic loss.
        variables: What is trained.
    """

    def __init__(self, optimizer: Any, loss: SymbolicTensor, variables: Sequence[Any]):
        self.optimizer, self.variables = optimizer, list(variables)
        self.sources = _sources(loss, [])
        self.gradients = Function(self.sources, gradients(loss, self.variables))

    def take(self, symbols: Sequence[Any], values: Sequence[Any]) -> None:
        """Take the step at these values of the inputs."""
        given = dict(zip(symbols, values, strict=True))
        self.optimizer.apply(self.gradients([given[symbol] for symbol in self.sources]), self.variables)


def get_updates(optimizer: Any, *args: Any, **kwargs: Any) -> list[Any]:
    """`optimizer.get_updates(loss, params)`; in Keras 1 `(params, constraints, loss)`: a step for `K.function`."""
    words = ["params", "constraints", "loss"] if len(args) == 3 else ["loss", "params"]
    given = dict(zip(words, args, strict=False)) | kwargs
    return [Step(optimizer, given["loss"], given["params"])]


# -- loops -------------------------------------------------------------------------------------------------------------


@function()
def map_fn(fn: Callable, elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """`fn` of each element along the first axis."""
    return jax.lax.map(fn, elems)


@function()
def foldl(fn: Callable, elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """`fn(so_far, element)`, from the first element to the last."""
    elems = jnp.asarray(elems)
    first, rest = (elems[0], elems[1:]) if initializer is None else (initializer, elems)
    return jax.lax.fori_loop(0, rest.shape[0], lambda i, so_far: fn(so_far, rest[i]), first)


@function()
def foldr(fn: Callable, elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """`fn(so_far, element)`, from the last element to the first."""
    return foldl(fn, jnp.flip(elems, 0), initializer)


@function()
def rnn(
    step_function: Callable,
    inputs: Any,
    initial_states: Any,
    go_backwards: bool = False,
    mask: Any = None,
    constants: Any = None,
    unroll: bool = False,
    input_length: int | None = None,
) -> tuple[Any, Any, Any]:
    """`step_function(input, states) -> (output, states)` over time: the last output, all of them, the last states.

    Where the mask is off, the output and the states of the step before go on.
    """
    steps = jnp.swapaxes(inputs, 0, 1)  # (time, batch, ...)
    valid = None if mask is None else jnp.swapaxes(jnp.asarray(mask, bool).reshape(mask.shape[:2]), 0, 1)
    if go_backwards:
        steps = jnp.flip(steps, 0)
        valid = None if valid is None else jnp.flip(valid, 0)
    kept, more = list(initial_states), list(constants or [])
    first, _ = step_function(steps[0], kept + more)

    def step(carried: Any, given: Any) -> Any:
        before, states = carried
        x, here = given
        output, new = step_function(x, states + more)
        if here is not None:
            output, *new = (_where(here, a, b) for a, b in zip((output, *new), (before, *states), strict=True))
        return (output, list(new)), output

    (last, states), outputs = jax.lax.scan(step, (jnp.zeros_like(first), kept), (steps, valid))
    return last, jnp.swapaxes(outputs, 0, 1), states


def _where(here: Any, new: Any, old: Any) -> Any:
    return jnp.where(here.reshape(here.shape + (1,) * (new.ndim - 1)), new, old)
