"""`model.estimate(batch_size)`: the memory and the time of a step, before anything runs."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import jax
import numpy as np

from keryx.errors import ArgumentError
from keryx.models.profiling.machine import ceilings, free_memory
from keryx.models.profiling.measured import held
from keryx.models.profiling.operations import Program
from keryx.models.profiling.steps import batch_of, inputs_of, predict_step, train_step
from keryx.models.profiling.tables import Shown, amount, duration, table
from keryx.models.summary import readable_size
from keryx.runtime import process


@dataclass(frozen=True)
class Step:
    """What a step is estimated to cost.

    Attributes:
        weights: Bytes of the weights, and of the other variables of the model.
        optimizer: Bytes of what the optimizer keeps.
        data: Bytes of the batch.
        activations: Bytes of what the step computes on its way and drops again: activations, gradients, and what the
            compiled program needs to compute them, as XLA has laid them out.
        peak: The most bytes that are held at once.
        flops: Floating-point operations; a multiply-add is 2.
        bytes: Bytes that operations read and write.
        seconds: The least time, by the machine's measured ceilings.
        fits: Whether the peak fits into the memory that is free; None where that is not known.
        largest_batch: The rows of the largest batch that would fit; 0 where not even one row does, None where the
            memory is not known.
    """

    weights: int
    optimizer: int
    data: int
    activations: int
    peak: int
    flops: float
    bytes: float
    seconds: float
    fits: bool | None
    largest_batch: int | None


@dataclass(frozen=True, repr=False)
class Estimate(Shown):
    """What steps of a model are estimated to cost.

    Attributes:
        model: The model's name.
        batch_size: The rows of a step.
        device: What it runs on.
        memory: The bytes that are free there for the model; None where that is not known.
        predict: A step of `predict`.
        train: A step of `fit`; None where the model is not compiled.
    """

    model: str
    batch_size: int
    device: str
    memory: int | None
    predict: Step
    train: Step | None

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return asdict(self)

    def __rich__(self) -> Any:
        free = "" if self.memory is None else f", {readable_size(self.memory)} free"
        head = f"Estimate for {self.model!r}, {self.batch_size} rows a step, on {self.device}{free}"
        steps = {"predict": self.predict, **({"train": self.train} if self.train else {})}
        sizes = ("weights", "optimizer", "data", "activations", "peak")
        memory = [[name, *(readable_size(getattr(step, name)) for step in steps.values())] for name in sizes]
        fits = {True: "yes", False: "no", None: "not known"}
        room = [
            ["fits", *(fits[step.fits] for step in steps.values())],
            ["largest batch", *(str(step.largest_batch or "none") for step in steps.values())],
        ]
        time = [
            ["FLOPs", *(amount(step.flops) for step in steps.values())],
            ["bytes moved", *(readable_size(step.bytes) for step in steps.values())],
            ["time, at least", *(duration(step.seconds) for step in steps.values())],
        ]
        return table(head, ["", *steps], [memory, room, time])


def estimate(model: Any, batch_size: int, x: Any, y: Any) -> Estimate:
    """What steps of a model cost, before they run; `Model.estimate` says what is what."""
    if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise ArgumentError(f"estimate() wants batch_size= as an integer of at least 1; got {batch_size!r}.")

    batch_size = int(batch_size)

    def predict(rows: int, look: Callable) -> Any:
        return look(*predict_step(model, inputs_of(model, x, rows)))

    def train(rows: int, look: Callable) -> Any:
        with train_step(model, batch_of(model, x, y, rows)) as (program, given):
            return look(program, given)

    if x is not None and not model.has_graph:
        model.compiled_call.predict(x)  # makes the weights
    with process.compiling():
        predicted = predict(batch_size, _Looked)
        trained = train(batch_size, _Looked) if model.compiled else None
        free = free_memory()
        if free is not None:
            free += predicted.weights + (trained.optimizer if trained and model.session.optimizer.built else 0)
        steps = [
            _step(looked, _doubled(model, batch_size, run), batch_size, free)
            for looked, run in ((predicted, predict), (trained, train))
            if looked is not None
        ]
    kind = jax.devices()[0].device_kind
    return Estimate(model.name, batch_size, kind, free, steps[0], steps[1] if trained else None)


class _Looked:
    """What a compiled step says of itself."""

    def __init__(self, program: Any, given: tuple):
        self.counted, self.compiled = Program(program, *given), program.lower(*given).compile()
        state, _, batch = given
        learned = hasattr(state, "trainable")
        self.weights = _bytes((state.trainable, state.non_trainable) if learned else state)
        self.optimizer = _bytes(state.optimizer) if learned else 0
        self.data, self.peak = _bytes(batch), held(self.compiled)


def _doubled(model: Any, rows: int, run: Callable) -> int | None:
    """The peak at twice the rows; None where the model takes one number of rows only."""
    if model.has_graph and any(symbol.shape[:1] != (None,) for symbol in model.inputs):
        return None
    return int(run(2 * rows, lambda program, given: held(program.lower(*given).compile())))


def _step(looked: _Looked, doubled: int | None, rows: int, free: int | None) -> Step:
    """An estimate; the peak is taken to be a line from these rows to twice as many."""
    seconds = looked.counted.seconds(ceilings())
    memory = looked.compiled.memory_analysis()
    temporary = 0 if memory is None else int(memory.temp_size_in_bytes)
    fits = None if free is None else looked.peak <= free
    if free is None or doubled is None:
        largest = None if free is None else rows * (looked.peak <= free)
    else:
        a_row = max((doubled - looked.peak) / rows, 1.0)
        largest = max(int((free - looked.peak) // a_row) + rows, 0)
    sizes = looked.weights, looked.optimizer, looked.data, temporary, looked.peak
    return Step(*sizes, looked.counted.flops, looked.counted.bytes, seconds, fits, largest)


def _bytes(tree: Any) -> int:
    leaves = jax.tree.leaves(tree)
    return int(sum(leaf.size * leaf.dtype.itemsize for leaf in leaves))
