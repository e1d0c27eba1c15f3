"""A model's forward pass as compiled programs."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax

from keryx.core import scope, seeds
from keryx.core.lending import begin_reading, end_reading, reading
from keryx.core.variable import Variable
from keryx.errors import StateError
from keryx.layers.layer import Layer
from keryx.runtime import memory, process
from keryx.training.blocks import shapes
from keryx.training.keras_steps import adapted_predict_step
from keryx.training.prediction import run_batches
from keryx.training.session import abstract_outputs
from keryx.training.trainer import Trainer

_NOTHING = nullcontext()


@dataclass
class _Program:
    run: Callable  # (values, key, inputs) -> (outputs, masks), updates, losses
    variables: list[Variable]
    only_reads: bool = False  # known once it has run: no update, no added loss
    compiled: set[Any] = field(default_factory=set)  # the shapes of inputs that it has run on


class CompiledCall:
    """The programs that a model runs as outside of training, each made when it is first wanted.

    Args:
        model: The model.
        forward: `(x, training) -> outputs`; the model's call by default.

    Attributes:
        predict: The programs that `predict` runs: these, or those of a predict_step of the user's own.
    """

    def __init__(self, model: Any, forward: Callable | None = None):
        self.model = model
        self.forward = forward or partial(Layer.__call__, model)
        own = forward is None and type(model).predict_step is not Trainer.predict_step
        self.predict = CompiledCall(model, adapted_predict_step(model)) if own else self
        self.programs: dict[Any, _Program] = {}
        self.many: dict[int, Callable] = {}
        self.level = memory.Level()
        self.making = threading.RLock()

    def clear(self) -> None:
        """Forget the programs: the model computes something else now."""
        self.programs.clear()
        self.many.clear()
        self.level = memory.Level()
        if self.predict is not self:
            self.predict.clear()

    def __call__(self, x: Any, training: bool = False) -> Any:
        """The outputs for inputs that are as the model wants them; updates and losses go to the model's own objects."""
        program = self._program(x, training)
        with self._prepared(program, shapes(x)):
            values = begin_reading(program.variables)  # not `with reading`: predict of one row passes here
            try:
                (outputs, masks), updates, losses = program.run(values, seeds.next_key(), x)
            finally:
                end_reading(values)
        self.model._call_losses, program.only_reads = losses, not updates and not losses
        for place, value in updates.items():
            if isinstance(value, jax.core.Tracer):
                raise StateError(
                    f"{self.model.title} was called with training=True inside a function that JAX traces; its update "
                    f"of {program.variables[place].path!r} cannot leave it. Use model.stateless_call there."
                )
            program.variables[place].store(value)
        for output, mask in zip(jax.tree.leaves(outputs), masks, strict=True):
            if mask is not None:
                scope.set_mask(output, mask)
        return outputs

    @property
    def only_reads(self) -> bool:
        """Whether the model, as it last ran outside of training, left neither an update nor a loss behind."""
        return False in self.programs and self.programs[False].only_reads

    def batches(self, x: Any, count: Any, size: int) -> Any:
        """The outputs of the first `count` batches of `size` rows in `x`, in one call; rows after those are zeros."""
        program = self._program(x, False)
        if size not in self.many:

            def forward(values, key, batch):
                (outputs, _), _, _ = program.run(values, key, batch)
                return outputs

            self.many[size] = jax.jit(lambda values, key, x, count: run_batches(forward, values, key, x, count, size))
        with self._prepared(program, (size, *shapes(x))), reading(program.variables) as values:
            return self.many[size](values, seeds.next_key(), x, count)

    def has_run(self, x: Any, size: int | None = None) -> bool:
        """Whether it is compiled for inputs of these shapes, run as one batch or in batches of `size` rows."""
        program = self.programs.get(False)
        form = shapes(x) if size is None else (size, *shapes(x))
        return program is not None and form in program.compiled

    def forward_program(self, x: Any) -> Any:
        """What predict runs on inputs like these: `(values of model.variables, key, inputs)`, compiled by JAX."""
        return self.predict._program(x, False).run

    def _prepared(self, program: _Program, shapes: Any) -> AbstractContextManager:
        """A block in which a program runs on inputs of these shapes; it is compiled for them on the first time."""
        process.ready()
        if shapes in program.compiled:
            return _NOTHING
        program.compiled.add(shapes)
        return process.compiling()

    def _program(self, x: Any, training: bool) -> _Program:
        model = self.model
        # In training, a frozen BatchNormalization computes something else than one that is trained.
        key = (True, *map(id, model.trainable_variables)) if training else False
        found = self.programs.get(key)
        if found is not None and (model._graph is not None or found.variables == model.variables):
            return found
        with self.making:
            return self._make(x, training, key)

    def _make(self, x: Any, training: bool, key: Any) -> _Program:
        model = self.model
        if model._graph is None:  # a subclass: its weights are made when it runs, and may become more
            self.clear()
            abstract_outputs(model, x)

        def run(x):
            outputs = self.forward(x, training=training)
            return outputs, [scope.mask_of(output) for output in jax.tree.leaves(outputs)]

        variables = model.variables
        program = _Program(jax.jit(scope.pure(run, variables, training)), variables)
        self.programs[key] = program
        return program
