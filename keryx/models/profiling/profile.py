"""`model.profile(x, y)`: where the operations, the time and the memory of a step go."""

from dataclasses import asdict, dataclass, fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.core.lending import reading
from keryx.errors import ArgumentError, StateError
from keryx.models.profiling.calls import Call, seen
from keryx.models.profiling.measured import Measured, Stopwatch, both_of, forward_of
from keryx.models.profiling.tables import Shown, amount, duration, table
from keryx.models.summary import readable_size
from keryx.runtime import process
from keryx.training.step import Seen, measure


@dataclass(frozen=True)
class Row:
    """What a layer costs in a step, or what is no layer's.

    Attributes:
        name: Its path in the model, such as `encoder/dense`.
        kind: The class of the layer, or the name of the op; empty for the rest.
        calls: How often it is called in a step.
        flops: Floating-point operations forward; a multiply-add is 2.
        flops_backward: Those of the way back.
        bytes: Bytes that a call reads and writes at least, forward: its inputs, weights and outputs.
        memory: Bytes that its own program holds while it runs, in training with the way back.
        forward: Seconds forward, of its calls compiled and run alone, in a loop on the device.
        backward: Seconds of the way back.
    """

    name: str
    kind: str
    calls: int
    flops: float
    flops_backward: float
    bytes: float
    memory: int
    forward: float
    backward: float

    @property
    def seconds(self) -> float:
        """Seconds forward and back."""
        return self.forward + self.backward


@dataclass(frozen=True, repr=False)
class Profile(Shown):
    """What a step costs, by layer.

    Attributes:
        model: The model's name.
        batch_size: The rows of the step.
        training: Whether it is a step of training; else one of `predict`.
        rows: The layers and ops, in the order in which they are called first.
        others: What is no layer's: in training the loss, the metrics and the optimizer; in predict the call of a
            compiled program by itself; and the rest: the difference between all that and the step as a whole. Its
            seconds are below zero where the whole is faster than its parts, for XLA computes neighbours together and
            independent ones at once.
        flops: The floating-point operations of the step.
        seconds: The time of the step as a whole: one of many in a loop on the device, as `fit` runs them from arrays.
        memory: Bytes that the step holds while it runs.
    """

    model: str
    batch_size: int
    training: bool
    rows: list[Row]
    others: list[Row]
    flops: float
    seconds: float
    memory: int

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return asdict(self)

    @property
    def coverage(self) -> float:
        """The seconds of all that was measured alone, as a share of the step as a whole."""
        return sum(row.seconds for row in [*self.rows, *self.others[:-1]]) / max(self.seconds, 1e-12)

    def __rich__(self) -> Any:
        step = "training" if self.training else "predict"
        head = f"A step of {step} of {self.model!r} on {self.batch_size} rows"
        back = ["FLOPs back", "Time back"] if self.training else []
        columns = ["Layer (type)", "FLOPs", *back[:1], "Bytes", "Memory", "Time", *back[1:], "Share"]
        lines = [self._cells(row) for row in self.rows]
        rest = [self._cells(row) for row in self.others]
        whole = ["the step", amount(self.flops), *[""] * bool(back), "", readable_size(self.memory)]
        whole += [duration(self.seconds), *[""] * bool(back), "100 %"]
        return table(head, columns, [lines, rest, [whole]])

    def _cells(self, row: Row) -> list[str]:
        times = f" ×{row.calls}" if row.calls > 1 else ""
        name = f"{row.name} ({row.kind}){times}" if row.kind else row.name
        back = [amount(row.flops_backward), duration(row.backward)] if self.training else []
        sizes = [readable_size(row.bytes) if row.bytes else "", readable_size(row.memory) if row.memory else ""]
        share = f"{100 * row.seconds / max(self.seconds, 1e-12):.0f} %"
        return [name, amount(row.flops), *back[:1], *sizes, duration(row.forward), *back[1:], share]


def profile(model: Any, x: Any, y: Any, training: bool | None, repeats: int) -> Profile:
    """What a step of a model costs, by layer; `Model.profile` says of what."""
    if not isinstance(repeats, (int, np.integer)) or repeats < 1:
        raise ArgumentError(f"profile() wants repeats= as an integer of at least 1; got {repeats!r}.")
    training = y is not None if training is None else training
    if training and not model.compiled:
        raise StateError(
            f"{model.title} is not compiled, so it has no step of training to profile: call compile(optimizer, loss) "
            "first, or leave y out to profile predict."
        )
    with process.compiling():
        return (_of_training if training else _of_predict)(model, x, y, Stopwatch(repeats))


def _of_predict(model: Any, x: Any, _: Any, watch: Stopwatch) -> Profile:
    inputs = jax.tree.map(jnp.asarray, model.input_checks.batch(x).x)
    if not model.has_graph:
        model.compiled_call.predict(inputs)  # makes the weights
    variables, key = model.variables, jnp.zeros(2, jnp.uint32)
    with reading(variables) as values:
        program = model.compiled_call.forward_program(inputs)
        whole = watch.of(program, values, key, inputs)
        calls = seen(model, inputs, False, values, variables)
        parts = _parts(calls, dict(zip(variables, values, strict=True)), False, watch)
        watch.run(whole)
    return _result(model, inputs, parts, None, whole)


def _of_training(model: Any, x: Any, y: Any, watch: Stopwatch) -> Profile:
    session = model.session
    batch = session.admit(x, y)
    session.begin(batch)
    batch = jax.tree.map(jnp.asarray, batch)
    with session.training():
        session.begin_training()
        with session.reading_state() as state:
            values = state.trainable | state.non_trainable
            program = session.train_program(guard=False).single
            whole = watch.of(lambda state, batch: program(state, (), batch)[0], state, batch, carries=True)
            calls = seen(model, batch.x, True, values, model.named_variables)
            parts = _parts(calls, {v: values[path] for path, v in model.named_variables.items()}, True, watch)
            others = [
                _loss(session, batch, watch),
                _metrics(model, state.metrics, batch, watch),
                _optimizer(session, state, watch),
            ]
            watch.run(whole)
    return _result(model, batch.x, parts, others, whole)


@dataclass(frozen=True)
class _Part:
    """A part of a step, measured forward alone, and with the way back."""

    name: str
    kind: str
    bytes: float
    ahead: Measured | None
    both: Measured

    @property
    def row(self) -> Row:
        flops, seconds = (self.ahead.flops, self.ahead.seconds) if self.ahead else (0.0, 0.0)
        back = max(self.both.flops - flops, 0.0), max(self.both.seconds - seconds, 0.0)
        return Row(self.name, self.kind, 1, flops, back[0], self.bytes, self.both.memory, seconds, back[1])


def _parts(calls: list[Call], values: dict[Any, Any], training: bool, watch: Stopwatch) -> list[_Part]:
    """The calls, each ready to be measured."""
    parts, key = [], jnp.zeros(2, jnp.uint32)
    for call in calls:
        own = [values[variable] for variable in call.variables]
        forward, given = forward_of(call, own, key)
        ahead = watch.of(forward, *given)
        both = both_of(call, own, key) if training else None
        moved = sum(x.nbytes for x in (*call.arrays, *own, *jax.tree.leaves(call.outputs)))
        whole = watch.of(both[0], *both[1]) if both else ahead
        parts.append(_Part("/".join(call.path), call.kind, moved, ahead, whole))
    return parts


def _loss(session: Any, batch: Any, watch: Stopwatch) -> _Part:
    """The losses, forward and back to the outputs."""

    def loss(outputs: Any, y: Any, weight: Any) -> Any:
        return session.objective.loss_of(y, outputs, weight)[0]

    given = _outputs(session, batch), batch.y, batch.weight
    return _Part("loss", "", 0, watch.of(loss, *given), watch.of(jax.value_and_grad(loss), *given))


def _metrics(model: Any, metrics: Any, batch: Any, watch: Stopwatch) -> _Part:
    """What the metrics add up."""
    outputs, parts = (
        _outputs(model.session, batch),
        [jnp.zeros(()) for head in model.objective.heads for _ in head.losses],
    )

    def update(metrics: Any, outputs: Any, parts: Any, batch: Any) -> Any:
        seen = Seen(outputs, [None] * len(outputs), parts, {})
        return measure(model, metrics, jnp.zeros(()), seen, batch)

    found = watch.of(update, metrics, outputs, parts, batch)
    return _Part("metrics", "", 0, found, found)


def _outputs(session: Any, batch: Any) -> list[Any]:
    """Arrays like the outputs for a batch."""
    return [jnp.zeros((n_rows(batch.x), *spec.shape[1:]), spec.dtype) for spec in session.outputs]


def _optimizer(session: Any, state: Any, watch: Stopwatch) -> _Part:
    """The update of the weights, which are the gradients here as well: as large as these."""

    def update(kept: Any, gradients: Any) -> Any:
        return session.optimizer.take_step(gradients, kept[1], kept[0])

    found = watch.of(update, (state.trainable, state.optimizer), state.trainable, carries=True)
    return _Part("optimizer", type(session.optimizer).__name__, 0, None, found)


def _result(model: Any, x: Any, parts: list[_Part], others: list[_Part] | None, whole: Measured) -> Profile:
    """What was measured, with what is left; without others it is a step of predict, which is a call for itself."""
    rows: dict[tuple[str, str], Row] = {}
    for row in (part.row for part in parts):
        place = row.name, row.kind
        rows[place] = _sum(rows[place], row) if place in rows else row
    more = [part.row for part in others or []]
    whole_seconds = whole.seconds
    if others is None:
        more.append(Row("call", "", 1, 0.0, 0.0, 0, 0, whole.idle_seconds, 0.0))
        whole_seconds += whole.idle_seconds
    measured = [*rows.values(), *more]
    flops = whole.flops - sum(row.flops + row.flops_backward for row in measured)
    seconds = whole_seconds - sum(row.seconds for row in measured)
    more.append(Row("rest", "", 1, flops, 0.0, 0, 0, seconds, 0.0))
    made = list(rows.values()), more
    return Profile(model.name, n_rows(x), others is not None, *made, whole.flops, whole_seconds, whole.memory)


def _sum(a: Row, b: Row) -> Row:
    """Two calls of the same layer."""
    summed = {f.name: getattr(a, f.name) + getattr(b, f.name) for f in fields(Row) if f.name not in ("name", "kind")}
    return Row(a.name, a.kind, **(summed | {"memory": max(a.memory, b.memory)}))


def n_rows(x: Any) -> int:
    """The rows of a batch of inputs."""
    return int(jax.tree.leaves(x)[0].shape[0])
