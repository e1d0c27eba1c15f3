"""The steps of an epoch, run block by block: the way of a batch through fit and evaluate."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.training.feed import ArrayFeed, Feed
from keryx.training.step import Program

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
        check: Called between blocks, when all state is whole; it may raise.
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
        check: Callable[[], None] = lambda: None,
    ):
        self.program, self.feed, self.lend, self.take, self.fixed = program, feed, lend, take, fixed
        (self.before, self.after), self.every_batch = hooks, every_batch
        self.compiling, self.check = compiling, check
        self.pace = 1  # steps in the next block

    def epoch(self, key: Any, epoch: int) -> Iterator[tuple[int, dict[str, float]]]:
        """Run an epoch from where the state stands.

        Yields:
            After each block, how many steps are done and what is logged so far.
        """
        run = self._rows if isinstance(self.feed, ArrayFeed) and self.feed.resident else self._batches
        return run(self.feed, key, epoch)

    def _rows(self, feed: ArrayFeed, key: Any, epoch: int) -> Iterator[tuple[int, dict[str, float]]]:
        """Blocks of many steps, which pick their rows out of arrays on the device."""
        order = jnp.asarray(feed.order(key, epoch))
        data, steps, position, bad = feed.data(), 0, 0, -1
        whole = feed.end // feed.batch_size * feed.batch_size  # the last, smaller batch runs as a block of its own
        while position < feed.end and bad < 0:
            size = feed.batch_size if position < whole else feed.end - position
            first = self.program.is_new(("rows", size, feed.rows))
            if first:
                self.compiling()
            count = 1 if first or self.every_batch or position >= whole else self.pace
            stop = min(position + count * size, whole if position < whole else feed.end)
            self.before(steps)
            begin = time.perf_counter()
            state, logs = self.program.rows(self.lend(), self.fixed, data, order, np.int32(stop), size=size)
            self.take(state)
            logs = floats(logs)  # waits until the block is done
            if not first:
                self._learn(count, time.perf_counter() - begin)
            bad, reached = int(state.bad_step), int(state.position)
            steps, position = steps + (reached - position) // size, reached
            self.after(steps - 1, logs)
            self.check()
            yield steps, logs

    def _learn(self, steps: int, seconds: float) -> None:
        """Fit the next block to the time a block should take; it grows tenfold at most, for first calls are slow."""
        fitting = int(BLOCK_SECONDS * steps / max(seconds, 1e-6))
        self.pace = max(1, min(fitting, 10 * steps))

    def _batches(self, feed: Feed, key: Any, epoch: int) -> Iterator[tuple[int, dict[str, float]]]:
        """Single steps, as batches come; they run on while the host makes the next batch."""
        steps, shown, logs = 0, time.perf_counter(), {}
        for batch in feed.batches(key, epoch):
            if self.program.is_new(("batch", *(leaf.shape for leaf in jax.tree.leaves(batch)))):
                self.compiling()
            self.before(steps)
            state, logs = self.program.batch(self.lend(), self.fixed, batch)
            self.take(state)
            steps += 1
            if self.every_batch or time.perf_counter() - shown > BLOCK_SECONDS:
                logs = floats(logs)
                shown = time.perf_counter()
                self.after(steps - 1, logs)
                self.check()
                yield steps, logs
                if int(state.bad_step) >= 0:
                    return
            else:
                self.check()
        if steps and not self.every_batch:
            yield steps, floats(logs)


def floats(logs: dict[str, Any]) -> dict[str, float]:
    """The logs as Python numbers; waits for the device."""
    return {name: float(value) if np.ndim(value) == 0 else np.asarray(value) for name, value in logs.items()}

