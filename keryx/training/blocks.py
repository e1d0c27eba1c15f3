"""The steps of an epoch, run block by block: the way of a batch through fit and evaluate."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from keryx.runtime import memory
from keryx.training import interrupts
from keryx.training.feed import ArrayFeed, Feed
from keryx.training.step import Batch, Program

# A call into the compiled loop takes about this long, in seconds: short enough for progress to move and for Ctrl-C
# to be heard, long enough for the way there and back not to count.
BLOCK_SECONDS = 0.1


class Blocks:
    """Runs a program over the epochs of a feed.

    Args:
        program: What is run.
        feed: Where the batches come from.
        lend: Gives the state that a call takes over.
        take: Is given the state that the call has made of it.
        fixed: What the program reads beside the state.
        hooks: Called as `(batch number)` before and `(batch number, logs)` after each block.
        every_batch: Whether each block is one batch, for hooks that want every batch.
        compiling: Called before a block that has to be compiled.
        signals: Asked between blocks, when all state is whole; it may raise.

    Attributes:
        culprit: The batch whose loss was not finite, and its number in the epoch; None as long as all is well.
    """

    def __init__(
        self,
        program: Program,
        feed: Feed,
        lend: Callable[[], Any],
        take: Callable[[Any], None],
        fixed: Any = (),
        hooks: tuple[Callable, Callable] = (lambda n: None, lambda n, logs: None),
        every_batch: bool = False,
        compiling: Callable[[], None] = lambda: None,
        signals: interrupts.deferred | None = None,
    ):
        self.program, self.feed, self.lend, self.take, self.fixed = program, feed, lend, take, fixed
        (self.before, self.after), self.every_batch = hooks, every_batch
        self.compiling, self.signals = compiling, signals or interrupts.deferred()
        self.culprit: tuple[Batch, int] | None = None
        self.pace = 1  # steps in the next block

    def epoch(self, key: Any, epoch: int) -> Iterator[tuple[int, dict[str, float]]]:
        """Run an epoch from where the state stands.

        Yields:
            After each block, how many steps are done and what is logged so far.
        """
        self.culprit = None
        if isinstance(self.feed, ArrayFeed) and self.feed.resident:
            return self._rows(self.feed, key, epoch)
        return self._batches(self.feed, key, epoch)

    def _rows(self, feed: ArrayFeed, key: Any, epoch: int) -> Iterator[tuple[int, dict[str, float]]]:
        """Blocks of many steps, which pick their rows out of arrays on the device."""
        order = feed.order(key, epoch)
        data, on_device, steps, position, bad = feed.data(), jax.device_put(order), 0, 0, -1
        whole = feed.end // feed.batch_size * feed.batch_size  # the last, smaller batch runs as a block of its own
        while position < feed.end and bad < 0:
            size = feed.batch_size if position < whole else feed.end - position
            first = self.program.is_new(("rows", size, shapes(data), len(order)))
            if first:
                self._begin_compiling()
            count = 1 if first or self.every_batch or position >= whole else self.pace
            stop = min(position + count * size, whole if position < whole else feed.end)
            self.before(steps)
            begin = time.perf_counter()
            state, logs = self.program.rows(self.lend(), self.fixed, data, on_device, np.int32(stop), size=size)
            self.take(state)
            logs = floats(logs)  # waits until the block is done
            seconds = time.perf_counter() - begin
            bad, reached = int(state.bad_step), int(state.position)
            self.program.level.after_call(seconds)
            if not first:
                self._learn((reached - position) // size, seconds)
            steps, position = steps + (reached - position) // size, reached
            if bad >= 0:
                self.culprit = feed.take(order[reached - size : reached]), steps - 1
            self.after(steps - 1, logs)
            self.signals.check()
            yield steps, logs

    def _begin_compiling(self) -> None:
        """Say that the next call is slow; the program gets the memory that making the weights and slots left free."""
        self.compiling()
        memory.give_back()

    def _learn(self, steps: int, seconds: float) -> None:
        """Fit the next block to the time a block should take; it grows tenfold at most, for first calls are slow."""
        fitting = int(BLOCK_SECONDS * steps / max(seconds, 1e-6))
        self.pace = max(1, min(fitting, 10 * steps))

    def _batches(self, feed: Feed, key: Any, epoch: int) -> Iterator[tuple[int, dict[str, float]]]:
        """Single steps, as batches come; they run on while the host makes the next batch."""
        steps, shown = 0, time.perf_counter()
        recent: list[Batch] = []  # since the host last looked at the state
        for batch in feed.batches(key, epoch, waiting=self.signals.allowed):
            if self.program.is_new(("batch", shapes(batch))):
                self._begin_compiling()
            self.before(steps)
            state = self.lend()
            if steps == 0:
                first_step = int(getattr(state, "step", 0))
            state, logs = self.program.batch(state, self.fixed, batch)
            self.take(state)
            recent.append(batch)
            steps += 1
            if self.every_batch or time.perf_counter() - shown > BLOCK_SECONDS:
                yield steps, self._look(steps, state, logs, recent, first_step)
                if self.culprit:
                    return
                shown = time.perf_counter()
            self.signals.check()
        if recent:
            yield steps, self._look(steps, state, logs, recent, first_step)

    def _look(self, steps: int, state: Any, logs: dict, recent: list[Batch], first_step: int) -> dict[str, float]:
        """Wait for the steps to be done, and see whether one of the `recent` batches stopped them."""
        logs, bad = floats(logs), int(state.bad_step)
        if bad >= 0:
            number = bad - first_step
            self.culprit = recent[number - steps], number
        recent.clear()
        self.after(steps - 1, logs)
        return logs


def shapes(arrays: Any) -> Any:
    """What a compiled program depends on: the nest, and each array's shape and dtype."""
    leaves, nest = jax.tree.flatten(arrays)
    return nest, *[(leaf.shape, leaf.dtype) for leaf in leaves]


def floats(logs: dict[str, Any]) -> dict[str, Any]:
    """The logs as Python numbers; waits for the device."""
    return {name: float(value) if np.ndim(value) == 0 else np.asarray(value) for name, value in logs.items()}
