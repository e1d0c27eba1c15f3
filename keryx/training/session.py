"""A model under training: its weights lent to a TrainState and taken back, and its compiled programs."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import jax
import numpy as np

from keryx.core import scope, seeds
from keryx.core.copying import Copyable
from keryx.core.lending import Cell, Loan, put, reading
from keryx.core.names import is_own
from keryx.core.variable import Variable, is_variable
from keryx.errors import StateError, listing, warn
from keryx.layers.layer import Layer
from keryx.metrics import Mean
from keryx.training import keras_steps
from keryx.training.asked import Asked
from keryx.training.data.checks import Checks
from keryx.training.objective import Objective
from keryx.training.protocol import TrainedModel
from keryx.training.state import CLOCK, Arrays, TestState, TrainState, fresh_clock
from keryx.training.step import Batch, Program, noting_logs, stop_at_nan, test_step


class Session(Copyable):
    """What `compile` makes: the model's objective and optimizer, and what they need to run.

    Variables, metrics and the optimizer own their arrays between calls into compiled code. `lend` gathers them into
    a TrainState, whose buffers a call may take over; `take` gives each owner its new arrays as soon as the call is
    back. So the weights are whole whenever Python code runs; that of other threads waits for the call to come back.
    """

    _made_again = "_preparing", "_training", "_fits", "programs", "_checks"

    def __init__(self, model: TrainedModel, optimizer: Any, asked: Asked):
        self.model, self.optimizer, self.asked = model, optimizer, asked
        self.objective = Objective()
        self._clock = Cell()
        self._clock.put(fresh_clock())
        self._make_again()
        self.trainable: dict[str, Variable] = {}  # by path
        self.non_trainable: dict[str, Variable] = {}
        self.outputs: list[jax.ShapeDtypeStruct] = []
        self.example: Any = None  # the shapes and dtypes of a batch
        if model.has_graph:
            self._resolve(model.output, model.outputs, model.output_names)

    def _make_again(self) -> None:
        """Begin with what copies begin without."""
        self._preparing, self._training = threading.RLock(), threading.RLock()
        self._fits: dict[object, int] = {}  # that are running, one within another's callbacks, and in which thread
        self.programs: dict[Any, Program] = {}
        self._checks: Checks | None = None  # of the outputs that it has

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._make_again()

    # -- before the first batch ----------------------------------------------------------------------------------

    def _resolve(self, structure: Any, outputs: Any, layers: Any = ()) -> None:
        self._checks = None
        self.outputs = [jax.ShapeDtypeStruct([n or 1 for n in o.shape], o.dtype) for o in outputs]
        self.objective = self.asked.with_losses(self.objective, structure, layers)

    def prepare(self, x: Any, y: Any = None) -> None:
        """Build a model that has no graph, and learn its outputs, from some rows of its inputs."""
        with self._preparing:
            if self.objective.names:
                return
            if self._steps_see_to_all():
                outputs = jax.tree.map(lambda array: jax.ShapeDtypeStruct(np.shape(array), np.float32), y)
                outputs = jax.ShapeDtypeStruct((1,), np.float32) if y is None else outputs
            else:
                outputs = abstract_outputs(self.model, Checks(None, None).inputs(x))
            if self.model.has_graph:  # a Sequential has a graph now
                self._resolve(self.model.output, self.model.outputs, self.model.output_names)
            else:
                self._resolve(outputs, jax.tree.leaves(outputs))

    def _steps_see_to_all(self) -> bool:
        """Whether nobody asks what the model's outputs are: it is built, has steps of its own, and nothing to compare.

        Such a model is never called as a whole, and may have no call: a pair of networks, one against the other.
        """
        model: Any = self.model
        steps = model.has_own_step and model.steps_by_keras and self.asked == Asked()
        return steps and model.built and all(layer.built for layer in model.objects_of(Layer))

    def _can_test(self) -> bool:
        """Whether there is something to test: outputs, or a test_step of the user's own."""
        return self.model.has_call or not is_own(type(self.model).test_step)  # type: ignore[attr-defined]

    def graph_has_changed(self) -> None:
        """Learn the outputs anew: the model has another graph now."""
        self.programs.clear()
        self.objective = Objective(total=self.objective.total)
        if self.model.has_graph:
            self._resolve(self.model.output, self.model.outputs, self.model.output_names)

    def begin(self, batch: Batch, tests: bool = True) -> None:
        """Make metrics and the optimizer's state, now that the shapes of the data are known.

        Without `tests` nothing is measured yet: a test_step that does not work is the error of who calls for it.
        """
        with self._preparing:
            if not self.objective.resolved:
                self.objective = self.asked.with_metrics(self.objective, batch.y, self.outputs)
            held = tuple(m for m in self.model.metrics if m not in self.objective.metrics)
            if held:
                self.objective = replace(self.objective, held=(*self.objective.held, *held))
            self.example = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), batch)
            trained, named = set(self.model.trainable_variables), self.model.named_variables
            trainable = {path: v for path, v in named.items() if v in trained}
            non_trainable = {path: v for path, v in named.items() if v not in trained}
            if (trainable, non_trainable) != (self.trainable, self.non_trainable):
                self.trainable, self.non_trainable = trainable, non_trainable
                self.programs.clear()
            if self.model.steps_by_keras and self._can_test() and False not in self.objective.step_logs:
                with self.reading() as weights, suppress(*([] if tests else [Exception])):
                    state = TestState.begin(self.fresh_metrics())
                    self._log_by_step(False, keras_steps.adapted_test_step(self.model), state, weights)

    def begin_training(self) -> None:
        """Give the optimizer a state for the weights that are trained now."""
        if self.optimizer is None:
            raise StateError(
                "The model was compiled without an optimizer. Compile it with one: compile('rmsprop', loss)."
            )
        clock = self.clock
        if not seeds.is_set() and not clock["step"]:  # Python's random decides as training begins, not as compile() did
            self.clock = clock | {"key": fresh_clock()["key"]}
        if not self.trainable:
            warn(f"{self.model.title} has no weight that is trained: all its layers are frozen.")
        if not self.optimizer.built or [*self.optimizer.owners.values()] != [*self.trainable.values()]:
            self.optimizer.build(self.trainable)
        elif self.optimizer.owners.keys() != self.trainable.keys():
            self.optimizer.rename(self.trainable)
        if self.model.steps_by_keras:
            if True not in self.objective.step_logs:
                with self.reading_state() as state:
                    self._log_by_step(True, keras_steps.adapted_train_step(self.model), state)
        elif self.model.has_own_step and not self.objective.extra:
            with self.reading_state() as state:
                self.keep_logs(state)

    def keep_logs(self, state: TrainState) -> None:
        """Make what averages the logs of a train_step of the user's own; of the state the shapes are enough."""
        _, logs = jax.eval_shape(self.model.train_step, state, self.example)
        if "loss" not in logs:
            raise StateError(f"{self.model.title}.train_step has to log 'loss'; it logs {listing(logs)}.")
        extra = tuple(Mean(name=name) for name in logs if name not in self.objective.logged)
        self.objective = replace(self.objective, extra=extra)

    def _log_by_step(self, training: bool, step: Callable, *given: Any) -> None:
        """Make what keeps the logs of a step by Keras's contract."""
        logs = {**self.objective.step_logs, training: keras_steps.trackers(self.model, step, *given, self.example)}
        self.objective = replace(self.objective, step_logs=logs)

    def finish(self, loan: Loan) -> None:
        """Training has ended: where the optimizer keeps an average of the weights, it takes their place."""
        if not self.optimizer.built:  # its state was lost
            return
        state = self.lend(loan, taken_over=False)
        self.take(loan, state._replace(trainable=self.optimizer.finalize(state.optimizer, state.trainable)))

    def check_validation(self, batch: Batch) -> None:
        """Raise now, before the first step, what a batch of another shape than the training's would raise later."""

        def shape(array):
            return (*array.shape[1:], array.dtype)

        if jax.tree.map(shape, batch) == jax.tree.map(shape, self.example):
            return  # the first step of training will see
        run = keras_steps.adapted_test_step(self.model) if self.model.steps_by_keras else partial(test_step, self.model)
        with self.reading() as values:
            try:
                jax.eval_shape(run, TestState.begin(self.fresh_metrics()), values, batch)
            except Exception as error:
                error.add_note("(In the validation data of fit().)")
                raise

    def checks(self) -> Checks:
        """What the model wants of its data."""
        if self._checks is not None:
            return self._checks
        ranges = self.objective.label_ranges(self.outputs)
        names = [head.losses[0][0].name if head.losses else "" for head in self.objective.heads]
        labels = [(name, *r) if r else None for name, r in zip(names, ranges, strict=True)]
        self._checks = Checks.of(self.model, self.objective, labels)
        return self._checks

    def admit(self, x: Any, y: Any = None, weight: Any = None) -> Batch:
        """A checked batch of what a user gives; the first one builds a model that has no graph."""
        self.prepare(x, y)
        return self.checks().batch(x, y, weight)

    # -- lending and taking back ---------------------------------------------------------------------------------

    def loan(self) -> Loan:
        """What lends all that training changes. It is to be closed."""
        return Loan(self.cells)

    @property
    def cells(self) -> list[Any]:
        """All that training changes; the clock is the last."""
        weights = [*self.trainable.values(), *self.non_trainable.values()]
        return [*weights, *self.optimizer.variables, *self.objective.variables.values(), self._clock]

    @property
    def cell_names(self) -> list[str]:
        """What each cell but the clock is: a variable's path, or its place in the optimizer or the metrics."""
        places = jax.tree_util.tree_leaves_with_path(self.optimizer.nest, is_leaf=is_variable)
        state = [jax.tree_util.keystr(place, simple=True, separator="/") for place, _ in places]
        metrics = [f"/metrics/{path}" for path in self.objective.variables]
        return [*self.trainable, *self.non_trainable, *(f"/optimizer/{place}" for place in state), *metrics]

    def lend(self, loan: Loan, taken_over: bool = True) -> TrainState:
        """All that training changes, as one pytree; the owners' arrays are the state's from here on."""
        return self._state_of(loan.begin(taken_over))

    def _state_of(self, values: list[Any]) -> TrainState:
        rest = iter(values)
        trainable, non_trainable = by_path(self.trainable, rest), by_path(self.non_trainable, rest)
        optimizer = jax.tree.unflatten(self.optimizer.structure, islice(rest, self.optimizer.structure.num_leaves))
        metrics = by_path(self.objective.variables, rest)
        return TrainState(trainable, non_trainable, optimizer, metrics, **values[-1])

    def take(self, loan: Loan, state: TrainState) -> None:
        """Give every owner its array of the new state."""
        groups = (self.trainable, state.trainable), (self.non_trainable, state.non_trainable)
        groups = *groups, (self.objective.variables, state.metrics)
        if any(variables.keys() != arrays.keys() for variables, arrays in groups):
            raise StateError(f"{self.model.title}.train_step has to return the same weights and metrics, by path.")
        trainable, non_trainable, metrics = ([arrays[path] for path in variables] for variables, arrays in groups)
        clock = {name: getattr(state, name) for name in CLOCK}
        loan.end([*trainable, *non_trainable, *jax.tree.leaves(state.optimizer), *metrics, clock])

    @contextmanager
    def training(self, fit: bool = False) -> Iterator[None]:
        """A block that trains: one thread at a time. Who takes single steps waits; beside a `fit` it is an error."""
        if any(thread != threading.get_ident() for thread in self._fits.values()):
            raise StateError(
                f"{self.model.title} is being trained by fit() in another thread. Wait until it is done, or train a "
                "copy: keryx.models.clone_model(model)."
            )
        with self._training:
            own = object()
            try:
                if fit:
                    with self._preparing:
                        self._fits[own] = threading.get_ident()
                yield
            finally:
                self._fits.pop(own, None)

    @property
    def in_fit(self) -> bool:
        """Whether a fit is running."""
        return bool(self._fits)

    def fresh_metrics(self) -> Arrays:
        """The metrics' accumulators before the first batch; the metrics themselves stay as they are."""
        variables = self.objective.variables
        with reading(list(variables.values())) as values:
            arrays = dict(zip(variables, values, strict=True))
            _, updates, _ = scope.pure(self.reset_metrics, variables)(arrays, None)
        return scope.updated(arrays, updates)

    def show_metrics(self, values: Arrays, within_fit: bool = False) -> None:
        """Let the metrics show what an evaluation has counted, unless a fit that it is no part of counts in them."""
        with self._preparing:
            if within_fit or not self.in_fit:
                variables = self.objective.variables
                put(list(variables.values()), [values[path] for path in variables], shared=True)

    def reset_metrics(self) -> None:
        """Let the metrics forget what they have seen."""
        for metric in self.objective.metrics:
            metric.reset_state()

    @contextmanager
    def reading(self) -> Iterator[tuple[Arrays, Arrays]]:
        """A block that is given the values of the variables by path, those that are trained and the others."""
        with reading([*self.trainable.values(), *self.non_trainable.values()]) as values:
            rest = iter(values)
            yield by_path(self.trainable, rest), by_path(self.non_trainable, rest)

    @contextmanager
    def reading_state(self) -> Iterator[TrainState]:
        """A block that is given all that training changes, to look at."""
        with reading(self.cells) as values:
            yield self._state_of(values)

    @property
    def clock(self) -> dict[str, Any]:
        """The fields of the state that count."""
        with reading([self._clock]) as (clock,):
            return clock

    @clock.setter
    def clock(self, value: dict[str, Any]) -> None:
        self._clock.put(value)

    def set_clock(self, **fields: int) -> None:
        """Set counters of the clock, such as the epoch."""
        self._clock.put(self.clock | {name: np.int32(value) for name, value in fields.items()})

    @property
    def order_key(self) -> tuple[int, ...]:
        """What the order of the rows in an epoch is a function of, beside the epoch's number."""
        clock = self.clock
        return *map(int, clock["key"]), int(clock["begun"])

    # -- programs ------------------------------------------------------------------------------------------------

    def train_program(self, guard: bool) -> Program:
        """The model's train_step, compiled; with `guard` it stops at the first loss that is not finite."""

        model = self.model
        if model.steps_by_keras:
            train_step = keras_steps.adapted_train_step(model)
        else:
            train_step = noting_logs(model) if model.has_own_step else model.train_step

        def step(state, fixed, batch):
            return train_step(state, batch)

        run = stop_at_nan(step) if guard else lambda state, fixed, batch: step(state, fixed, batch)[0]
        return self._program(("train", guard, self.optimizer.schedules), run)  # a schedule is compiled in

    def test_program(self) -> Program:
        """The model's test_step, compiled."""

        run = keras_steps.adapted_test_step(self.model) if self.model.steps_by_keras else partial(test_step, self.model)

        def step(state: TestState, fixed, batch):
            return run(state, fixed, batch)[0]

        return self._program("test", step)

    def _program(self, key: Any, step: Callable) -> Program:
        if key not in self.programs:
            results = scope.pure(lambda: self.objective.results(key != "test"), self.objective.variables)
            self.programs[key] = Program(step, lambda metrics: results(metrics, None)[0], takes_over=key != "test")
        return self.programs[key]


def by_path(paths: Iterable[str], values: Iterator[Any]) -> Arrays:
    """As many of the next values as there are paths, by path."""
    return dict(zip(paths, values, strict=False))


def abstract_outputs(model: Any, x: Any) -> Any:
    """The shapes and dtypes of a model's outputs for these inputs; its weights are made on the way."""

    def run(key, x):
        with scope.run(scope.Scope({}, key)):
            return model(x)

    return jax.eval_shape(run, jax.ShapeDtypeStruct((2,), np.uint32), x)
