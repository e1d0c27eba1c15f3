"""The steps of training and testing as pure functions, and the compiled loops that run many of them in one call."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from keryx import kernels
from keryx.core import scope
from keryx.runtime import memory
from keryx.training.state import TestState, TrainState, folded


class Batch(NamedTuple):
    """What a step is given.

    Args:
        x: The inputs, in the model's own nest.
        y: The target of each output, in flat order; None where there is none.
        weight: The sample weights of each output, likewise.
    """

    x: Any
    y: list[Any]
    weight: list[Any]


class Seen(NamedTuple):
    """What a forward pass saw on its way to the loss.

    Args:
        outputs: The outputs, in flat order.
        masks: The mask of each output, or None.
        parts: Each single loss.
        rest: The new values of the non-trainable variables.
    """

    outputs: list[Any]
    masks: list[Any]
    parts: list[Any]
    rest: list[Any]


def loss_of(model: Any, weights: list, rest: list, batch: Batch, key: Any, training: bool) -> tuple[jax.Array, Seen]:
    """The loss of a batch as a pure function of the weights: what is compiled, plus regularization and added losses."""
    trained, others = model.trainable_variables, model.non_trainable_variables

    def forward():
        outputs = jax.tree.leaves(model(batch.x, training=training))
        masks = [scope.mask_of(output) for output in outputs]
        loss, parts = model.objective.loss_of(batch.y, outputs, batch.weight)
        return loss + sum(model.regularization()), outputs, masks, parts

    run = scope.pure(forward, [*trained, *others], training)
    (loss, outputs, masks, parts), updates, added = run([*weights, *rest], key)
    rest = [updates.get(len(trained) + i, value) for i, value in enumerate(rest)]
    return loss + sum(added), Seen(outputs, masks, parts, rest)


def measure(model: Any, metrics: list, loss: jax.Array, seen: Seen, batch: Batch) -> list[jax.Array]:
    """The metrics' accumulators after they have seen this batch."""

    def update():
        size = jax.tree.leaves(batch.x)[0].shape[0]
        model.objective.update_metrics(loss, seen.parts, batch.y, seen.outputs, batch.weight, seen.masks, size)

    _, updates, _ = scope.pure(update, model.objective.variables)(metrics, None)
    return [updates.get(i, value) for i, value in enumerate(metrics)]


def train_step(model: Any, state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, jax.Array]]:
    """One step of gradient descent: `(state, batch) -> (new state, logs)`, a pure function."""
    key = folded(state.key, state.step)
    loss_at = partial(loss_of, model, rest=state.rest, batch=batch, key=key, training=True)
    loss, pull_back, seen = jax.vjp(loss_at, state.weights, has_aux=True)
    (gradients,) = pull_back(jnp.asarray(model.optimizer.loss_scale(state.slots), loss.dtype))

    def learn():
        weights, slots = model.optimizer.update(gradients, state.slots, state.weights)
        owners = zip(model.trainable_variables, weights, strict=True)
        weights = [v.constraint(w) if v.constraint else w for v, w in owners]
        return state._replace(weights=weights, rest=seen.rest, slots=slots, step=state.step + 1)

    fine = jnp.isfinite(loss) & (state.bad_step < 0)
    metrics = measure(model, state.metrics, loss, seen, batch)  # a step that is left out shows in the logs
    return lax.cond(fine, learn, lambda: state)._replace(metrics=metrics), {"loss": loss}


def test_step(
    model: Any, state: TestState, fixed: tuple[list, list], batch: Batch
) -> tuple[TestState, dict[str, jax.Array]]:
    """Measure one batch, without learning from it."""
    weights, rest = fixed
    loss, seen = loss_of(model, weights, rest, batch, folded(state.key, state.position), False)
    return state._replace(metrics=measure(model, state.metrics, loss, seen, batch)), {"loss": loss}


def noting_logs(model: Any) -> Callable:
    """A train_step of the user's own, with what it logs beside the metrics averaged over the epoch."""
    objective = model.objective

    def noting(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, jax.Array]]:
        new, logs = model.train_step(state, batch)
        rows = jax.tree.leaves(batch.x)[0].shape[0]
        measured = any(n is not o for n, o in zip(new.metrics, state.metrics, strict=True))
        trackers = [*objective.extra, *([] if measured else [objective.total])]

        def note():
            for tracker in trackers:
                tracker.update_state(logs[tracker.name], sample_weight=rows)

        _, updates, _ = scope.pure(note, objective.variables)(new.metrics, None)
        return new._replace(metrics=[updates.get(i, value) for i, value in enumerate(new.metrics)]), logs

    return noting


def stop_at_nan(step: Callable) -> Callable:
    """A step that notes the first step whose loss is not finite, after which no step learns."""

    def guarded(state: TrainState, fixed: Any, batch: Batch) -> TrainState:
        new, logs = step(state, fixed, batch)
        fine = jnp.isfinite(logs["loss"]) | (state.bad_step >= 0)
        return new._replace(bad_step=jnp.where(fine, state.bad_step, state.step))

    return guarded


class Program:
    """A step, compiled: `rows` runs many over arrays on the device, `batch` and `single` take one batch.

    Args:
        step: `(state, fixed, batch) -> state`, pure; `fixed` is only read.
        results: `(metrics) -> logs`, pure.
        takes_over: Whether `rows` and `batch` take the state's buffers over.
    """

    def __init__(self, step: Callable, results: Callable, takes_over: bool = True):
        donated = (0,) if takes_over else ()

        @partial(jax.jit, donate_argnums=donated, static_argnames="size")
        def rows(state, fixed, data, order, stop, size):
            def unfinished(carried):
                state = carried[0]
                return (state.position < stop) & (state.bad_step < 0)

            def next_step(carried):
                state, fixed, data, order = carried
                chosen = lax.dynamic_slice(order, (state.position * size,), (size,))
                batch = jax.tree.map(lambda array: kernels.pick_rows(array, chosen), data)
                return step(state, fixed, batch)._replace(position=state.position + 1), fixed, data, order

            # All is carried, nothing is captured: JAX keeps what a body had captured if its tracing fails.
            state, *_ = lax.while_loop(unfinished, next_step, (state, fixed, data, order))
            return state, results(state.metrics)

        def batch(state, fixed, batch):
            state = step(state, fixed, batch)
            return state._replace(position=state.position + 1), results(state.metrics)

        self.rows, self.batch = rows, jax.jit(batch, donate_argnums=donated)
        self.single = jax.jit(batch)  # leaves the arrays that it is given to whoever holds them
        self.compiled: set[Any] = set()
        self.level = memory.Level()

    def is_new(self, shapes: Any) -> bool:
        """Whether no call has had these shapes yet, so that it will be compiled."""
        new = shapes not in self.compiled
        self.compiled.add(shapes)
        return new
