"""How long compiled programs take, and how much memory they have."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from keryx.models.profiling.calls import Call
from keryx.models.profiling.operations import Program

_TURN = 1e-3  # seconds that the calls of a short program take together in a round, about
_MOST_CALLS = 100


class Measured:
    """What a program costs.

    Attributes:
        flops: Its floating-point operations.
        memory: The most bytes that it holds.
        seconds: The median time of a call, known when the stopwatch has run.
        idle_seconds: That of a call which is given the same and computes nothing.
    """

    def __init__(self, function: Callable, given: tuple, counted: Program):
        self.given, self.flops, self.seconds, self.idle_seconds = given, counted.flops, 0.0, 0.0
        self.program = (function if hasattr(function, "lower") else jax.jit(function)).lower(*given).compile()
        self.memory = held(self.program)
        self.idle = jax.jit(lambda *_: jnp.zeros(()), keep_unused=True).lower(*given).compile()

    @property
    def own_seconds(self) -> float:
        """The time without the way there and back."""
        return max(self.seconds - self.idle_seconds, 0.0)


class Stopwatch:
    """Measures programs, all of them in turn, so that what else the machine does falls upon all alike.

    Args:
        repeats: The rounds, of which the median counts.
    """

    def __init__(self, repeats: int):
        self.repeats = repeats
        self._known: dict[str, Measured] = {}

    def of(self, function: Callable, *given: Any) -> Measured:
        """The cost of a function of arrays, compiled; a program that is known already is not measured again."""
        counted = Program(function, *given)
        key = str(counted.jaxpr)
        if key not in self._known:
            self._known[key] = Measured(function, given, counted)
        return self._known[key]

    def run(self) -> None:
        """Measure the time of all programs."""
        known = list(self._known.values())
        counts = [min(_MOST_CALLS, 1 + int(_TURN / _seconds(one.program, one.given, 2))) for one in known]
        taken: list[list[tuple[float, float]]] = [[] for _ in known]
        for _ in range(self.repeats):
            for one, count, times in zip(known, counts, taken, strict=True):
                _seconds(one.program, one.given, 1)  # the caches are its own again
                times.append((_seconds(one.program, one.given, count), _seconds(one.idle, one.given, count)))
        for one, times in zip(known, taken, strict=True):
            one.seconds, one.idle_seconds = map(statistics.median, zip(*times, strict=True))


def _seconds(program: Callable, given: tuple, count: int) -> float:
    """The mean time of so many calls."""
    begin = time.perf_counter()
    for _ in range(count):
        jax.block_until_ready(program(*given))
    return (time.perf_counter() - begin) / count


def held(program: Any) -> int:
    """The bytes that a compiled program holds while it runs: what it is given, what it gives, and its own."""
    memory = program.memory_analysis()
    if memory is None:
        return 0
    own = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return int(own + memory.temp_size_in_bytes)


def forward_of(call: Call, values: Sequence[Any], key: Any) -> tuple[Callable, tuple]:
    """A call as a function of arrays, and the arrays."""
    return call.function(), (list(values), key, call.arrays)


def both_of(call: Call, values: Sequence[Any], key: Any) -> tuple[Callable, tuple] | None:
    """A call and its way back, likewise; None where no gradient comes by.

    The gradients are those that a step wants: of the weights that are trained, and of inputs that depend on such.
    """
    function, arrays = call.function(), call.arrays
    count = len(getattr(call.operation, "trainable_variables", []))
    moving = [i for i, moves in enumerate(call.moving) if moves and jnp.issubdtype(arrays[i].dtype, jnp.inexact)]
    outputs = jax.eval_shape(function, list(values), key, arrays)[0]
    kept = [i for i, out in enumerate(outputs) if jnp.issubdtype(out.dtype, jnp.inexact)]
    if not kept or not (count or moving):
        return None

    def both(trained: Any, rest: Any, key: Any, moved: Any, arrays: Any, directions: Any) -> Any:
        def at(trained: Any, moved: Any) -> Any:
            filled = list(arrays)
            for place, array in zip(moving, moved, strict=True):
                filled[place] = array
            outputs, others = function([*trained, *rest], key, filled)
            return [outputs[i] for i in kept], (outputs, others)

        _, pull_back, seen = jax.vjp(at, trained, moved, has_aux=True)
        return seen, pull_back(directions)

    directions = [jnp.ones(outputs[i].shape, outputs[i].dtype) for i in kept]
    moved = [arrays[i] for i in moving]
    return both, (list(values[:count]), list(values[count:]), key, moved, arrays, directions)
