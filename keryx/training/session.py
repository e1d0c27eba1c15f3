"""A model under training: its weights lent to a TrainState and taken back, and its compiled programs."""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.core import scope
from keryx.core.variable import Variable
from keryx.errors import StateError, listing
from keryx.metrics import Mean
from keryx.training.checks import Checks
from keryx.training.objective import Objective
from keryx.training.state import TestState, TrainState, fresh_clock
from keryx.training.step import Batch, Program, noting_logs, stop_at_nan, test_step


class Session:
    """What `compile` makes: the model's objective and optimizer, and what they need to run.

    Variables, metrics and the optimizer own their arrays between calls into compiled code. `lend` gathers them into
    a TrainState, whose buffers a call may take over; `take` gives each owner its new arrays as soon as the call is
    back. So the weights are whole whenever Python code runs.
    """

    def __init__(self, model: Any, optimizer: Any, objective: Objective):
        self.model, self.optimizer, self.objective = model, optimizer, objective
        self.clock = fresh_clock()
        self.programs: dict[Any, Program] = {}
        self.trained: list[Variable] = []
        self.rest: list[Variable] = []
        self.outputs: list[jax.ShapeDtypeStruct] = []
        self.example: Any = None  # the shapes and dtypes of a batch
        if model.outputs:
            self._resolve(model.output, model.outputs, model.output_names)

    # -- before the first batch ----------------------------------------------------------------------------------

    def _resolve(self, structure: Any, outputs: Any, layers: Any = ()) -> None:
        self.outputs = [jax.ShapeDtypeStruct([n or 1 for n in o.shape], o.dtype) for o in outputs]
        self.objective.resolve_losses(structure, layers)

    def prepare(self, x: Any) -> None:
        """Build a model that has no graph, and learn its outputs, from some rows of its inputs."""
        if self.objective.names:
            return
        outputs = abstract_outputs(self.model, x)
        if self.model.outputs:  # a Sequential has a graph now
            self._resolve(self.model.output, self.model.outputs, self.model.output_names)
        else:
            self._resolve(outputs, jax.tree.leaves(outputs))

    def graph_has_changed(self) -> None:
        """Learn the outputs anew: the model has another graph now."""
        self.programs.clear()
        self.objective.forget()
        if self.model.outputs:
            self._resolve(self.model.output, self.model.outputs, self.model.output_names)

    def begin(self, batch: Batch) -> None:
        """Make metrics and the optimizer's state, now that the shapes of the data are known."""
        if not self.objective.resolved:
            self.objective.resolve_metrics(batch.y, self.outputs)
        self.example = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), batch)
        trained, rest = self.model.trainable_variables, self.model.non_trainable_variables
        if trained != self.trained or rest != self.rest:
            self.trained, self.rest = trained, rest
            self.programs.clear()

    def begin_training(self) -> None:
        """Give the optimizer a state for the weights that are trained now."""
        if self.optimizer is None:
            raise StateError(
                "The model was compiled without an optimizer. Compile it with one: compile('rmsprop', loss)."
            )
        if not self.trained:
            warnings.warn(f"{self.model.title} has no weight that is trained: all its layers are frozen.", stacklevel=5)
        if self.optimizer.state is None or self.optimizer.owners != self.trained:
            self.optimizer.build(self.trained)
        if self.model.has_own_step and not self.objective.extra:
            _, logs = jax.eval_shape(self.model.train_step, self.lend(), self.example)
            if "loss" not in logs:
                raise StateError(f"{self.model.title}.train_step has to log 'loss'; it logs {listing(logs)}.")
            self.objective.extra = [Mean(name=name) for name in logs if name not in self.objective.logged]

    def finish(self) -> None:
        """Training has ended: where the optimizer keeps an average of the weights, it takes their place."""
        averaged = self.optimizer.finalize(self.optimizer.state, [v._value for v in self.trained])
        for variable, value in zip(self.trained, averaged, strict=True):
            variable._value = value

    def start_afresh(self) -> None:
        """Forget the optimizer's state and the metrics, whose arrays were lost with those of the weights."""
        self.optimizer.build(self.trained)
        for metric in self.objective.metrics:
            for variable in metric.variables:
                variable._value = jnp.zeros(variable.shape, variable.dtype)
            metric.reset_state()

    def checks(self) -> Checks:
        """What the model wants of its data."""
        ranges = self.objective.label_ranges(self.outputs)
        names = [head.losses[0][0].name if head.losses else "" for head in self.objective.heads]
        labels = [(name, *r) if r else None for name, r in zip(names, ranges, strict=True)]
        return Checks(self.model.inputs, self.model.input_structure, self.model.input_ranges(), self.objective, labels)

    # -- lending and taking back ---------------------------------------------------------------------------------

    def lend(self) -> TrainState:
        """All that training changes, as one pytree; the owners' arrays are the state's from here on."""
        return TrainState(
            weights=[v._value for v in self.trained],
            rest=[v._value for v in self.rest],
            slots=self.optimizer.resume(),
            metrics=self.lend_metrics(),
            **self.clock,
        )

    def take(self, state: TrainState) -> None:
        """Give every owner its array of the new state."""
        for variable, value in zip([*self.trained, *self.rest], [*state.weights, *state.rest], strict=True):
            variable._value = value
        self.optimizer.state = state.slots
        self.take_metrics(state.metrics)
        self.clock = {name: getattr(state, name) for name in self.clock}

    def lend_metrics(self) -> list[jax.Array]:
        """The metrics' accumulators."""
        return [v._value for v in self.objective.variables]

    def take_metrics(self, values: list[jax.Array]) -> None:
        """Give the metrics their accumulators."""
        for variable, value in zip(self.objective.variables, values, strict=True):
            variable._value = value

    def reset_metrics(self) -> None:
        """Let the metrics forget what they have seen."""
        for metric in self.objective.metrics:
            metric.reset_state()

    def values(self) -> tuple[list[jax.Array], list[jax.Array]]:
        """The trained weights and the other variables, to be read."""
        return [v._value for v in self.trained], [v._value for v in self.rest]

    def set_clock(self, **fields: int) -> None:
        """Set counters of the clock, such as the epoch."""
        self.clock = self.clock | {name: np.int32(value) for name, value in fields.items()}

    @property
    def order_key(self) -> tuple[int, ...]:
        """What the order of the rows in an epoch is a function of, beside the epoch's number."""
        return *map(int, self.clock["key"]), int(self.clock["begun"])

    # -- programs ------------------------------------------------------------------------------------------------

    def train_program(self, guard: bool) -> Program:
        """The model's train_step, compiled; with `guard` it stops at the first loss that is not finite."""

        train_step = noting_logs(self.model) if self.model.has_own_step else self.model.train_step

        def step(state, fixed, batch):
            return train_step(state, batch)

        run = stop_at_nan(step) if guard else lambda state, fixed, batch: step(state, fixed, batch)[0]
        return self._program(("train", guard, self.optimizer.schedule), run)  # a schedule is compiled in

    def test_program(self) -> Program:
        """The model's test_step, compiled."""

        def step(state: TestState, fixed, batch):
            return test_step(self.model, state, fixed, batch)[0]

        return self._program("test", step)

    def _program(self, key: Any, step: Callable) -> Program:
        if key not in self.programs:
            results = scope.pure(lambda: self.objective.results(key != "test"), self.objective.variables)
            self.programs[key] = Program(step, lambda metrics: results(metrics, None)[0])
        return self.programs[key]


def abstract_outputs(model: Any, x: Any) -> Any:
    """The shapes and dtypes of a model's outputs for these inputs; its weights are made on the way."""

    def run(key, x):
        with scope.run(scope.Scope({}, key)):
            return model(x)

    return jax.eval_shape(run, jax.ShapeDtypeStruct((2,), np.uint32), x)
