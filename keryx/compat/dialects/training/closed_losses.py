"""Losses that speak of tensors of the model beside the targets and outputs, as those of autoencoders did.

Such a function closes over symbols: `def loss(y, y_pred): return xent(y, y_pred) + kl(mean, log_variance)`. It is
called once on symbols, and what it comes to is a graph of its own. The values that the model's symbols have in a step
are caught where they pass, by an added loss of 0, and handed to that graph when the loss is computed.
"""

import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from keryx.core.graph import Graph, lift
from keryx.core.symbol import SymbolicTensor
from keryx.layers.input import Input


def opened(model: Any, loss: Any) -> Any:
    """What compile() is given for a loss: a function that closes over the model's tensors as one that can be run."""
    if isinstance(loss, dict):
        outputs = dict(zip(model.output_names, model.outputs, strict=True)) if model.has_graph else {}
        return {name: _opened(model, one, outputs.get(name)) for name, one in loss.items()}
    if isinstance(loss, (list, tuple)):
        ends = model.outputs if model.has_graph else [None] * len(loss)
        return [_opened(model, one, output) for one, output in zip(loss, ends, strict=False)]
    return _opened(model, loss, model.outputs[0] if model.has_graph else None)


def _opened(model: Any, loss: Any, output: SymbolicTensor | None) -> Any:
    if output is None or not isinstance(loss, types.FunctionType) or not closes_over_symbols(loss):
        return loss
    target = Input(batch_shape=(None, *output.shape[1:]))
    result = loss(target, output)
    if not isinstance(result, SymbolicTensor):
        return loss
    known = {symbol for node in model._graph.nodes for symbol in jax.tree.leaves(node.outputs)}
    known |= set(model._graph.flat_inputs)
    caught = [symbol for symbol in _met(result, known) if symbol is not output]
    if not caught:
        return loss
    return _Caught(model, caught, Graph([target, output, *caught], result)).as_loss(loss.__name__)


class _Caught:
    """Values of a model's tensors within a step, and the graph of the loss that wants them."""

    def __init__(self, model: Any, symbols: list[SymbolicTensor], graph: Graph):
        self.graph, self.values = graph, list[Any]()
        model.add_loss(lift(self._catch, "caught")(symbols))

    def _catch(self, values: list[Any]) -> jax.Array:
        self.values = values
        return jnp.zeros(())

    def as_loss(self, name: str) -> Callable:
        """The loss as a function of targets and outputs."""

        def loss(y_true: Any, y_pred: Any) -> Any:
            values, self.values = self.values, []
            return self.graph.run([y_true, y_pred, *values])

        loss.__name__ = name
        return loss


def _met(result: SymbolicTensor, known: set[SymbolicTensor]) -> list[SymbolicTensor]:
    """The symbols among `known` that a walk from the result towards the inputs meets first."""
    found, waiting, seen = list[SymbolicTensor](), [result], set[Any]()
    while waiting:
        symbol = waiting.pop()
        if symbol in seen:
            continue
        seen.add(symbol)
        if symbol in known:
            found.append(symbol)
        elif symbol.node is not None:
            waiting += symbol.node.inputs
    return found


def closes_over_symbols(function: Any, depth: int = 3) -> bool:
    """Whether a function, or one that it calls by name, speaks of symbolic tensors of the place where it was written.

    >>> x = Input((2,))
    >>> closes_over_symbols(lambda y, p: x), closes_over_symbols(lambda y, p: y)
    (True, False)
    """
    if not isinstance(function, types.FunctionType) or depth == 0:
        return False
    cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    named = [function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__]
    reached = [*cells, *named]
    if any(isinstance(thing, SymbolicTensor) for thing in jax.tree.leaves(reached)):
        return True
    return any(closes_over_symbols(thing, depth - 1) for thing in reached)


def _names(code: types.CodeType) -> set[str]:
    within = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*map(_names, within))


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
