"""The steps of an epoch, run block by block: the way of a batch through fit and evaluate."""

import operator
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from keryx.runtime import memory
from keryx.training import interrupts
from keryx.training.data.source import Arrays, Source, capacity
from keryx.training.step import Batch, Program

# A call into the compiled loop takes about this long, in seconds: short enough for progress to move and for Ctrl-C
# to be heard, long enough for the way there and back not to count.
BLOCK_SECONDS = 0.1


class Blocks:
    """Runs a program over the epochs of a source.

    Args:
        program: What is run.
        source: Where the batches come from.
        lend: Gives the state that a call takes over.
        take: Is given the state that the call has made of it.
        fixed: What the program reads beside the state.
        hooks: Called as `(batch number)` before and `(batch number, logs)` after each block.
        next_batch: Given the batches of the epoch that are done, the one after which a block has to end, or None.
        every_batch: Whether each block is one batch, for hooks that want every batch.
        compiling: Called before a block that has to be compiled.
        signals: Asked between blocks, when all state is whole; it may raise.

    Attributes:
        culprit: The batch whose loss was not finite, and its number in the epoch; None as long as all is well.
        done: The batches of the epoch that are done.
    """

    def __init__(
        self,
        program: Program,
        source: Source,
        lend: Callable[[], Any],
        take: Callable[[Any], None],
        fixed: Any = (),
        hooks: tuple[Callable, Callable] = (lambda n: None, lambda n, logs: None),
        every_batch: bool = False,
        next_batch: Callable[[int], int | None] = lambda done: None,
        compiling: Callable[[], None] = lambda: None,
        signals: interrupts.deferred | None = None,
    ):
        self.program, self.source, self.lend, self.take, self.fixed = program, source, lend, take, fixed
        (self.before, self.after), self.every_batch = hooks, every_batch
        self.next_batch = next_batch
        self.compiling, self.signals = compiling, signals or interrupts.deferred()
        self.culprit: tuple[Batch, int] | None = None
        self.done = 0
        self.pace = 1  # steps in the next block

    def epoch(self, key: Any, epoch: int, start: int = 0) -> Iterator[tuple[int, dict[str, float]]]:
        """Run an epoch from batch `start` on.

        Yields:
            After each block, how many steps are done and what is logged so far.
        """
        self.culprit, self.done = None, start
        if isinstance(self.source, Arrays) and self.source.resident:
            yield from self._rows(self.source, key, epoch)
        if self.culprit is None:
            yield from self._batches(key, epoch)

    def _rows(self, source: Arrays, key: Any, epoch: int) -> Iterator[tuple[int, dict[str, float]]]:
        """Blocks of many steps, which pick their rows out of arrays on the device; a smaller last batch is left."""
        size = source.batch_size
        whole = source.end // size
        if self.done >= whole:
            return
        order = source.order(key, epoch)
        data, on_device = source.data(), jax.device_put(np.resize(order, capacity(len(order), order.itemsize)))
        while self.done < whole and self.culprit is None:
            first = self.program.is_new(("rows", size, shapes((data, on_device))))
            if first:
                self._begin_compiling()
            stop = min(self.done + (1 if first or self.every_batch else self.pace), whole, self._end_of_block())
            self.before(self.done)
            begin = time.perf_counter()
            state, logs = self.program.rows(self.lend(), self.fixed, data, on_device, np.int32(stop), size=size)
            self.take(state)
            logs = floats(logs)  # waits until the block is done
            seconds = time.perf_counter() - begin
            bad = int(state.bad_step) >= 0
            reached = int(state.position) if bad else stop
            self.program.level.after_call(seconds)
            if not first:
                self._learn(reached - self.done, seconds)
            self.done = reached
            if bad:
                self.culprit = source.take(order[(self.done - 1) * size : self.done * size]), self.done - 1
            self.after(self.done - 1, logs)
            self.signals.check()
            yield self.done, logs

    def _begin_compiling(self) -> None:
        """Say that the next call is slow; the program gets the memory that making the weights and slots left free."""
        self.compiling()
        memory.give_back()

    def _end_of_block(self) -> int:
        """The batch after which a callback wants to be called, or one that never comes."""
        wanted = self.next_batch(self.done)
        return 2**62 if wanted is None else max(wanted, self.done + 1)

    def _learn(self, steps: int, seconds: float) -> None:
        """Fit the next block to the time a block should take; it grows tenfold at most, for first calls are slow."""
        fitting = int(BLOCK_SECONDS * steps / max(seconds, 1e-6))
        self.pace = max(1, min(fitting, 10 * steps))

    def _batches(self, key: Any, epoch: int) -> Iterator[tuple[int, dict[str, float]]]:
        """Single steps, as batches come; they run on while the host makes the next batch."""
        shown, first_step, start = time.perf_counter(), 0, self.done
        end = self._end_of_block()
        recent: list[Batch] = []  # since the host last looked at the state
        for batch in self.source.batches(key, epoch, start, waiting=self.signals.allowed):
            if self.program.is_new(("batch", shapes(batch))):
                self._begin_compiling()
            self.before(self.done)
            state = self.lend()
            if self.done == start:
                first_step = int(getattr(state, "step", 0)) - start
            state, logs = self.program.batch(state, self.fixed, batch)
            self.take(state)
            recent.append(batch)
            self.done += 1
            if self.every_batch or self.done >= end or time.perf_counter() - shown > BLOCK_SECONDS:
                yield self.done, self._look(state, logs, recent, first_step)
                if self.culprit:
                    return
                shown, end = time.perf_counter(), self._end_of_block()
            self.signals.check()
        if recent:
            yield self.done, self._look(state, logs, recent, first_step)

    def _look(self, state: Any, logs: dict, recent: list[Batch], first_step: int) -> dict[str, float]:
        """Wait for the steps to be done, and see whether one of the `recent` batches stopped them.

        Args:
            first_step: The step that the epoch began with.
        """
        logs, bad = floats(logs), int(state.bad_step)
        if bad >= 0:
            number = bad - first_step
            self.culprit = recent[number - self.done], number
        recent.clear()
        self.after(self.done - 1, logs)
        return logs


_kind = operator.attrgetter("shape", "dtype")


def shapes(arrays: Any) -> Any:
    """What a compiled program depends on: the nest, and each array's shape and dtype."""
    leaves, nest = jax.tree.flatten(arrays)
    return nest, *map(_kind, leaves)


def floats(logs: dict[str, Any]) -> dict[str, Any]:
    """The logs as Python numbers; waits for the device."""
    return {name: float(value) if np.ndim(value) == 0 else np.asarray(value) for name, value in logs.items()}
