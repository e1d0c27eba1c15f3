"""The steps of training and testing as pure functions, and the compiled loops that run many of them in one call."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from keryx import kernels
from keryx.core import scope
from keryx.core.variable import Variable
from keryx.errors import StateError
from keryx.runtime import memory
from keryx.training.protocol import TrainedModel
from keryx.training.state import Arrays, TestState, TrainState, folded


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
        non_trainable: The new values of the variables that are not trained.
    """

    outputs: list[Any]
    masks: list[Any]
    parts: list[Any]
    non_trainable: Arrays


def loss_of(
    model: TrainedModel, trainable: Arrays, non_trainable: Arrays, batch: Batch, key: Any, training: bool
) -> tuple[jax.Array, Seen]:
    """The loss of a batch as a pure function of the weights: what is compiled, plus regularization and added losses."""

    def forward():
        outputs = jax.tree.leaves(model(batch.x, training=training))
        masks = [scope.mask_of(output) for output in outputs]
        loss, parts = model.objective.loss_of(batch.y, outputs, batch.weight)
        penalties = model.regularization()
        terms.extend([*parts, *penalties])
        return loss + sum(penalties), outputs, masks, parts

    terms: list[Any] = []
    run = scope.pure(forward, model.named_variables, training)
    (loss, outputs, masks, parts), updates, added = run(trainable | non_trainable, key)
    if training and not terms and not added:
        raise StateError(
            "There is no loss to lower: the model was compiled without one. Give it, such as "
            "compile('adam', loss='mse'), or add one with add_loss."
        )
    return loss + sum(added), Seen(outputs, masks, parts, scope.updated(non_trainable, updates))


def measure(model: TrainedModel, metrics: Arrays, loss: jax.Array, seen: Seen, batch: Batch) -> Arrays:
    """The metrics' accumulators after they have seen this batch."""
    objective = model.objective

    def update():
        size = jax.tree.leaves(batch.x)[0].shape[0]
        objective.update_metrics(loss, seen.parts, batch.y, seen.outputs, batch.weight, seen.masks, size)

    _, updates, _ = scope.pure(update, objective.variables)(metrics, None)
    return scope.updated(metrics, updates)


def train_step(model: TrainedModel, state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, jax.Array]]:
    """One step of gradient descent: `(state, batch) -> (new state, logs)`, a pure function."""
    key, variables = folded(state.key, state.step), model.named_variables
    loss_at = partial(loss_of, model, non_trainable=state.non_trainable, batch=batch, key=key, training=True)
    loss, pull_back, seen = jax.vjp(loss_at, state.trainable, has_aux=True)
    (gradients,) = pull_back(jnp.asarray(model.optimizer.loss_scale(state.optimizer), loss.dtype))

    def learn():
        weights, optimizer = model.optimizer.take_step(gradients, state.optimizer, state.trainable)
        weights = {path: constrained(variables[path], w) for path, w in weights.items()}
        return state._replace(
            trainable=weights, non_trainable=seen.non_trainable, optimizer=optimizer, step=state.step + 1
        )

    fine = jnp.isfinite(loss) & (state.bad_step < 0)
    metrics = measure(model, state.metrics, loss, seen, batch)  # a step that is left out shows in the logs
    return lax.cond(fine, learn, lambda: state)._replace(metrics=metrics), {"loss": loss}


def constrained(variable: Variable, value: jax.Array) -> jax.Array:
    """The value of a variable after its constraint, if it has one."""
    return value if variable.constraint is None else variable.constraint(value)


def test_step(
    model: TrainedModel, state: TestState, fixed: tuple[Arrays, Arrays], batch: Batch
) -> tuple[TestState, dict[str, jax.Array]]:
    """Measure one batch, without learning from it: `fixed` are the variables, those that are trained first."""
    loss, seen = loss_of(model, *fixed, batch, folded(state.key, state.position), False)
    return state._replace(metrics=measure(model, state.metrics, loss, seen, batch)), {"loss": loss}


def noting_logs(model: TrainedModel) -> Callable:
    """A train_step of the user's own, with what it logs beside the metrics averaged over the epoch."""
    objective = model.objective

    def noting(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, jax.Array]]:
        new, logs = model.train_step(state, batch)
        rows = jax.tree.leaves(batch.x)[0].shape[0]
        measured = any(new.metrics[path] is not value for path, value in state.metrics.items())
        trackers = [*objective.extra, *([] if measured else [objective.total])]

        def note():
            for tracker in trackers:
                tracker.update_state(logs[tracker.name], sample_weight=rows)

        _, updates, _ = scope.pure(note, objective.variables)(new.metrics, None)
        return new._replace(metrics=scope.updated(new.metrics, updates)), logs

    return noting


def is_finite(logs: dict[str, jax.Array]) -> jax.Array:
    """Whether the loss that a step logs is finite: `loss`, or all whose names end so, where a step has several.

    >>> is_finite({"d_loss": jnp.nan, "g_loss": 1.0}).item(), is_finite({"accuracy": jnp.nan}).item()
    (False, True)
    """
    losses = [logs["loss"]] if "loss" in logs else [value for name, value in logs.items() if name.endswith("loss")]
    return jnp.all(jnp.array([jnp.isfinite(jnp.mean(loss)) for loss in losses], bool))


def stop_at_nan(step: Callable) -> Callable:
    """A step that notes the first step whose loss is not finite, after which no step learns."""

    def guarded(state: TrainState, fixed: Any, batch: Batch) -> TrainState:
        new, logs = step(state, fixed, batch)
        fine = is_finite(logs) | (state.bad_step >= 0)
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
