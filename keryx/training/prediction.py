"""predict: the outputs for all rows, batch by batch."""

import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.callbacks import CallbackList
from keryx.errors import DataError
from keryx.training import interrupts
from keryx.training.blocks import BLOCK_SECONDS
from keryx.training.checks import Checks
from keryx.training.feed import ArrayFeed, feed_of
from keryx.training.progress import Progress
from keryx.training.stream import is_stream

# Where a batch takes less than this, in seconds, the way to the device and back counts, and many go in one call.
SHORT_BATCH = 5e-3
CHUNK_BATCHES, CHUNK_BYTES = 64, 2**23


def predict(model: Any, x: Any, *, batch_size: int | None, verbose: Any, steps: int | None, callbacks: Any) -> Any:
    """The outputs for all of `x`, as NumPy arrays; `Model.predict` says what the arguments are."""
    checks = Checks(model.inputs, model.input_structure, model.input_ranges())
    if callbacks is None and steps is None and batch_size is None and not is_stream(x):
        arrays = checks.inputs(x)
        leaves = jax.tree.leaves(arrays)
        if leaves and all(leaf.ndim and 0 < leaf.shape[0] <= 32 for leaf in leaves):  # one batch: the short way
            return jax.tree.map(on_host, model.compiled_call(arrays))
        x = arrays
    feed = feed_of(x, checks=checks, batch_size=batch_size, steps=steps, who="predict()")
    hooks = CallbackList(callbacks, model=model, steps=feed.steps)
    progress = Progress(verbose, None)
    with interrupts.deferred() as signals, progress:
        hooks.on_predict_begin()
        progress.begin(0, feed.steps)
        progress.compiling()
        done: list[Any] = []
        count, rows, seconds = 0, 0, 1.0
        for batch in feed.batches(None, 0, waiting=signals.allowed):
            hooks.on_predict_batch_begin(count)
            begin = time.perf_counter()
            outputs = jax.tree.map(on_host, model.compiled_call(batch.x))
            seconds = time.perf_counter() - begin
            done.append(outputs)
            size = jax.tree.leaves(batch.x)[0].shape[0]
            by_row = all(output.ndim and len(output) == size for output in jax.tree.leaves(outputs))
            count, rows = count + 1, rows + size
            hooks.on_predict_batch_end(count - 1, {"outputs": outputs})
            progress.update(count, {})
            signals.check()
            if isinstance(feed, ArrayFeed) and by_row and seconds < SHORT_BATCH and not hooks.wants_batches("predict"):
                break  # the rest goes many batches a call
        if isinstance(feed, ArrayFeed) and rows < feed.end:
            for outputs, count in _chunks(model, feed, rows):
                done.append(outputs)
                progress.update(count, {})
                signals.check()
        if not done:
            raise DataError("predict() was given empty data: no batch came.")
        progress.end(count, {})
        hooks.on_predict_end()
    return jax.tree.map(lambda *parts: np.concatenate(parts), *done)


def _chunks(model: Any, feed: ArrayFeed, position: int) -> Iterator[tuple[Any, int]]:
    """The outputs of the rows from `position` on, many batches a call, each call as long as a block should take.

    Yields:
        The outputs of some rows, and the number of batches that are done.
    """
    size = feed.batch_size
    row_bytes = sum(leaf.nbytes // len(leaf) for leaf in jax.tree.leaves(feed.host.x))
    capacity = max(1, min(CHUNK_BATCHES, CHUNK_BYTES // max(row_bytes * size, 1)))
    whole = feed.end // size * size
    pace = 1
    while position < whole:
        count = min(pace, capacity, (whole - position) // size)
        first, last = position, position + count * size

        def padded(array, first=first, last=last):
            filler = ((0, capacity * size - (last - first)), *((0, 0) for _ in array.shape[1:]))
            return np.pad(array[first:last], filler)

        begin = time.perf_counter()
        chunk = jax.tree.map(padded, feed.host.x)
        outputs = jax.tree.map(on_host, model.compiled_call.batches(chunk, np.int32(count), size))
        yield jax.tree.map(lambda o, n=last - first: o[:n], outputs), last // size
        position = last
        pace = max(1, min(int(BLOCK_SECONDS * count / (time.perf_counter() - begin)), 10 * count))
    if position < feed.end:
        rest = jax.tree.map(lambda array: array[position : feed.end], feed.host.x)
        yield jax.tree.map(on_host, model.compiled_call(rest)), feed.steps


def run_batches(run: Any, values: Any, x: Any, count: Any, size: int) -> Any:
    """The outputs of the first `count` batches of `size` rows in `x`, zeros for the others; pure, `count` traced."""

    def batch_at(i):
        return jax.tree.map(lambda array: jax.lax.dynamic_slice_in_dim(array, i * size, size), x)

    def put(i, buffers):
        outputs = run(values, batch_at(i))
        return jax.tree.map(lambda b, o: jax.lax.dynamic_update_slice_in_dim(b, o, i * size, 0), buffers, outputs)

    rows = jax.tree.leaves(x)[0].shape[0]
    shapes = jax.eval_shape(run, values, batch_at(0))
    buffers = jax.tree.map(lambda s: jnp.zeros((rows, *s.shape[1:]), s.dtype), shapes)
    return jax.lax.fori_loop(0, count, put, buffers)


def on_host(output: jax.Array) -> np.ndarray:
    """An output as NumPy: float32 where the device computed in a smaller float."""
    array = np.asarray(output)
    small = array.dtype.itemsize < 4 and jnp.issubdtype(array.dtype, jnp.floating)
    return array.astype(np.float32) if small else array
