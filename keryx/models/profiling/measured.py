"""How long compiled programs take, and how much memory they have."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from keryx.models.profiling.calls import Call
from keryx.models.profiling.operations import Program

# Seconds, about: of a call of a part; of a call of the whole, whose operations XLA hands to threads that first have to
# wake up; and of all calls of a program in a round.
_PART, _WHOLE, _TURN = 1e-3, 2e-2, 4e-3
_MOST_RUNS, _MOST_COPIES = 1000, 8
_PATIENCE = 10.0  # seconds of rounds
_CACHE = 2**26  # bytes, more than a cache holds


class Measured:
    """What a program costs: the runs of a loop on the device, as `fit` runs its steps, so that no call counts.

    Args:
        function: The program, a function of arrays.
        given: The arrays.
        counted: Its operations.
        carries: Whether a run gives what the next is given first, as a step of training does.

    Attributes:
        flops: Its floating-point operations.
        memory: The most bytes that it holds.
        seconds: The time of a run, known when the stopwatch has run.
        idle_seconds: That of a call which is given the same and computes nothing.
    """

    def __init__(self, function: Callable, given: tuple, counted: Program, carries: bool = False):
        self.given, self.flops, self.seconds, self.idle_seconds = given, counted.flops, 0.0, 0.0
        self.runs = 1  # of a call
        self.memory = held(jax.jit(function).lower(*given).compile())
        self._loop = jax.jit(_looped(function, carries)).lower(0, *given).compile()

    def time(self, runs: int, given: tuple | None = None) -> float:
        """The seconds of a call that makes so many runs."""
        begin = time.perf_counter()
        jax.block_until_ready(self._loop(runs, *(self.given if given is None else given)))
        return time.perf_counter() - begin

    def settle(self, is_whole: bool) -> None:
        """Find out how many runs make a call that can be measured."""
        seconds = _WHOLE if is_whole else _PART
        self.time(1)
        self.idle_seconds = statistics.median(self.time(0) for _ in range(5))
        a_run = min(self.time(1) for _ in range(2)) - self.idle_seconds
        if 4 * a_run < seconds:
            a_run = (self.time(50) - self.idle_seconds) / 50
        least = 3 if is_whole or self.memory > _CACHE else 1
        self.runs = max(least, min(_MOST_RUNS, math.ceil(seconds / max(a_run, 1e-9))))

    def turn(self, held: int) -> float:
        """The seconds of a run, measured for a while.

        Args:
            held: The bytes that the whole step holds. A program that is long enough for one run a call meets an array
                again only after others of that size, as in the step: the caches would make it too fast.
        """
        own, apart = sum(x.nbytes for x in jax.tree.leaves(self.given)), min(held, _CACHE)
        copies = [self.given]
        if self.runs == 1 and 0 < own < apart:
            count = min(_MOST_COPIES, math.ceil(apart / own))
            copies += [jax.tree.map(jnp.copy, self.given) for _ in range(count - 1)]
            jax.block_until_ready(copies)
        first = 1 if self.memory > _CACHE else 0  # a call's first run pays for new memory, where that is much
        taken: list[tuple[float, float]] = []
        while sum(map(sum, taken)) < _TURN:
            given = copies[len(taken) % len(copies)]
            taken.append((self.time(first, given), self.time(first + self.runs, given)))
        return max(statistics.mean(after - before for before, after in taken) / self.runs, 0.0)


class Stopwatch:
    """Measures programs, all of them in turn, so that what else the machine does falls upon all alike.

    Args:
        repeats: The rounds; where they take long, no more than three.
    """

    def __init__(self, repeats: int):
        self.repeats = repeats
        self._known: dict[str, Measured] = {}

    def of(self, function: Callable, *given: Any, carries: bool = False) -> Measured:
        """The cost of a function of arrays; a program that is known already is not measured again."""
        counted = Program(function, *given)
        key = str(counted.jaxpr)
        if key not in self._known:
            self._known[key] = Measured(function, given, counted, carries)
        return self._known[key]

    def run(self, whole: Measured) -> None:
        """Measure the time of all programs: the median of the rounds of one, the median share of it of the others.

        A processor that is slow for a while, as shared ones are, is so for all programs of a round, and leaves the
        shares as they are.

        Args:
            whole: The program that all others are parts of.
        """
        known = list(self._known.values())
        for one in known:
            one.settle(one is whole)
        rounds: list[dict[Measured, float]] = []
        begin = time.monotonic()
        while len(rounds) < self.repeats and (len(rounds) < 3 or time.monotonic() - begin < _PATIENCE):
            rounds.append({one: one.turn(0 if one is whole else whole.memory) for one in known})
        whole.seconds = statistics.median(turns[whole] for turns in rounds)
        for one in known:
            one.seconds = whole.seconds * statistics.median(turns[one] / max(turns[whole], 1e-9) for turns in rounds)


def _looped(function: Callable, carries: bool) -> Callable:
    """A program `(runs, *given)` that runs a function so often, to the results of the last run.

    XLA can neither leave a run out nor cut it short: each writes all its results where the loop ends with them.
    """

    def loop(runs: Any, *given: Any) -> Any:
        def run(carried: tuple) -> tuple:
            done, mine = lax.optimization_barrier((carried[0], given))
            return done + 1, function(carried[1], *mine[1:]) if carries else function(*mine)

        begin = given[0] if carries else jax.tree.map(_zeros, jax.eval_shape(function, *given))
        return lax.while_loop(lambda carried: carried[0] < runs, run, (0, begin))

    return loop


def _zeros(x: Any) -> Any:
    return jnp.zeros(x.shape, x.dtype)


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
