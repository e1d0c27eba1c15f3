"""A step of a model as it would be compiled, for arrays of which there are only shapes and dtypes."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from keryx.core.split import Fed
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError, ShapeError, StateError
from keryx.training.session import Session
from keryx.training.state import TrainState, fresh_clock
from keryx.training.step import Batch

Spec = jax.ShapeDtypeStruct


def predict_step(model: Any, x: Any) -> tuple[Any, tuple]:
    """What predict compiles, and what it is given: `(program, specs)`."""
    values = [_spec(v) for v in model.variables]
    return model.compiled_call.forward_program(x), (values, Spec((2,), np.uint32), x)


@contextmanager
def train_step(model: Any, batch: Batch) -> Iterator[tuple[Any, tuple]]:
    """What fit compiles for a batch of these shapes, and what it is given; the model's training is left as it is.

    Raises:
        StateError: Where the step is one by Keras's contract, which keeps what it does to itself.
    """
    if model.steps_by_keras:
        raise StateError(
            f"{model.title} has a step of training by Keras's contract, which cannot be looked at before it runs: use "
            "model.profile(x, y)."
        )
    real = model.session
    optimizer = real.optimizer if real.optimizer.built else copy.deepcopy(real.optimizer)
    with real.training():
        made = Session(model, optimizer, copy.deepcopy(real.asked))
        before = {name: vars(model)[name] for name in ("_session", "optimizer")}
        vars(model).update(_session=made, optimizer=optimizer)
        try:
            made.outputs = real.outputs
            made.objective = made.asked.with_losses(made.objective, real.objective.structure, model.output_names)
            made.begin(batch)
            if not optimizer.built:
                optimizer.decide(made.trainable)
            if model.has_own_step:
                made.keep_logs(_state(made))
            yield made.train_program(guard=True).batch, (_state(made), (), batch)
        finally:
            vars(model).update(before)


def _state(session: Session) -> TrainState:
    """All that training changes, as specs."""
    groups = session.trainable, session.non_trainable, session.objective.variables
    trainable, rest, metrics = (dict[str, Any]((path, _spec(v)) for path, v in g.items()) for g in groups)
    optimizer = jax.eval_shape(session.optimizer.init, trainable)
    clock = {name: Spec(np.shape(value), np.asarray(value).dtype) for name, value in fresh_clock().items()}
    return TrainState(trainable, rest, optimizer, metrics, **clock)


def inputs_of(model: Any, x: Any, rows: int) -> Any:
    """Specs of a batch of so many rows: like an example, or else like the model's inputs.

    Raises:
        ArgumentError: Where only an example can tell.
    """
    if x is not None:
        return with_rows(model.input_checks.batch(x).x, rows)
    if not model.has_graph:
        raise ArgumentError(
            f"{model.title} has no graph that tells what it is called on: give estimate() an example, x=some_rows."
        )
    fed = model.halves.host is not None
    symbols = model.halves.device.flat_inputs if fed else model.input
    specs = jax.tree.map(lambda symbol: _of_symbol(model, symbol, rows), symbols)
    return Fed(specs) if fed else specs


def _of_symbol(model: Any, symbol: SymbolicTensor, rows: int) -> Spec:
    if symbol.shape[0] not in (None, rows):
        raise ShapeError(f"The input {symbol.name!r} of {model.title} wants {symbol.shape}; got batch_size={rows}.")
    if None in symbol.shape[1:]:
        raise ArgumentError(
            f"The input {symbol.name!r} of {model.title} is {symbol.shape}, of a size that is not known: give "
            "estimate() an example, x=some_rows."
        )
    return Spec((rows, *symbol.shape[1:]), symbol.dtype)


def batch_of(model: Any, x: Any, y: Any, rows: int) -> Batch:
    """Specs of a batch of training: like an example, or else with targets as the losses want them.

    Raises:
        ArgumentError: Where only an example can tell.
    """
    if y is not None and x is None:
        raise ArgumentError("estimate() was given y without x: give an example of both, or of neither.")
    if y is not None:
        return with_rows(model.session.admit(x, y), rows)
    inputs, session = inputs_of(model, x, rows), model.session
    if x is not None:
        session.prepare(x)
    targets = []
    ranges = session.objective.label_ranges(session.outputs)
    for head, output, labels in zip(session.objective.heads, session.outputs, ranges, strict=True):
        shape, dtype = (output.shape, output.dtype) if labels is None else (output.shape[:-1], np.int32)
        targets.append(Spec((rows, *shape[1:]), dtype) if head.losses else None)
    return Batch(inputs, targets, [None] * len(targets))


def with_rows(tree: Any, rows: int) -> Any:
    """Specs like some arrays, with so many rows."""
    return jax.tree.map(lambda array: Spec((rows, *array.shape[1:]), array.dtype), tree)


def _spec(variable: Any) -> Spec:
    return Spec(variable.shape, variable.dtype)
