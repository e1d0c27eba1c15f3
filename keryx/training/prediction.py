"""predict: the outputs for all rows, batch by batch."""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.callbacks import CallbackList
from keryx.errors import DataError
from keryx.training import interrupts
from keryx.training.blocks import BLOCK_SECONDS
from keryx.training.checks import Checks, count_rows
from keryx.training.feed import ArrayFeed, Feed, feed_of
from keryx.training.progress import Progress
from keryx.training.state import folded
from keryx.training.stream import Waiting, is_stream

ONE_BATCH = 32  # rows
# Where a batch takes less than this, in seconds, the way to the device and back counts, and many go in one call.
SHORT_BATCH = 5e-3
CHUNK_BATCHES, CHUNK_BYTES = 64, 2**23


def predict(model: Any, x: Any, *, batch_size: int | None, verbose: Any, steps: int | None, callbacks: Any) -> Any:
    """The outputs for all of `x`, as NumPy arrays; `Model.predict` says what the arguments are."""
    checks = Checks(model.inputs, model.input_structure, model.input_ranges(), host=model.halves.feeding)
    with jax.disable_jit() if model.run_eagerly else nullcontext():
        if callbacks is None and steps is None and batch_size is None and x is not None and not is_stream(x):
            x = checks.inputs(x)
            if count_rows(x) <= ONE_BATCH:  # the short way
                return jax.tree.map(on_host, model.compiled_call(x))
        feed = feed_of(x, checks=checks, batch_size=batch_size, steps=steps, who="predict()")
        hooks = CallbackList(callbacks, model=model, steps=feed.steps)
        with interrupts.deferred() as signals, Progress(verbose, None) as progress:
            hooks.on_predict_begin()
            progress.begin(0, feed.steps)
            progress.compiling()
            parts, count = list[Any](), 0
            for outputs, count in _batch_by_batch(model, feed, hooks, signals.allowed):
                parts.append(outputs)
                progress.update(count, {})
                signals.check()
            if not parts:
                raise DataError("predict() was given empty data: no batch came.")
            progress.end(count, {})
            hooks.on_predict_end()
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)


def _batch_by_batch(model: Any, feed: Feed, hooks: CallbackList, waiting: Waiting) -> Iterator[tuple[Any, int]]:
    """The outputs of each batch, and how many batches are done; many at once where nothing can tell the difference."""
    unwatched = not model.run_eagerly and not hooks.wants_batches("predict")
    for number, batch in enumerate(feed.batches(None, 0, waiting=waiting)):
        hooks.on_predict_batch_begin(number)
        begin = time.perf_counter()
        # Copies, so that no small array of the device's lies where the next call's memory could lie in one piece.
        outputs = jax.tree.map(on_host, model.compiled_call(batch.x))
        seconds = time.perf_counter() - begin
        hooks.on_predict_batch_end(number, {"outputs": outputs})
        yield outputs, number + 1
        alike = unwatched and model.compiled_call.only_reads and _by_row(outputs, batch.x)
        model.compiled_call.level.after_call(seconds)
        if isinstance(feed, ArrayFeed) and alike and seconds < SHORT_BATCH:
            yield from _chunks(model, feed, (number + 1) * feed.batch_size)
            return


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
        begin = time.perf_counter()
        chunk = _padded(feed.host.x, position, count * size, capacity * size)
        outputs = jax.tree.map(_as_numpy, model.compiled_call.batches(chunk, np.int32(count), size))
        position += count * size
        yield jax.tree.map(lambda output, rows=count * size: output[:rows], outputs), position // size
        pace = max(1, min(int(BLOCK_SECONDS * count / (time.perf_counter() - begin)), 10 * count))
    if position < feed.end:
        rest = jax.tree.map(lambda array: array[position : feed.end], feed.host.x)
        yield jax.tree.map(_as_numpy, model.compiled_call(rest)), feed.steps


def run_batches(run: Any, values: Any, key: Any, x: Any, count: Any, size: int) -> Any:
    """The outputs of the first `count` batches of `size` rows in `x`, zeros for the others; pure, `count` traced."""

    def batch_at(i):
        return jax.tree.map(lambda array: jax.lax.dynamic_slice_in_dim(array, i * size, size), x)

    def put(i, buffers):
        outputs = run(values, folded(key, i), batch_at(i))
        return jax.tree.map(lambda b, o: jax.lax.dynamic_update_slice_in_dim(b, o, i * size, 0), buffers, outputs)

    rows = jax.tree.leaves(x)[0].shape[0]
    shapes = jax.eval_shape(run, values, key, batch_at(0))
    buffers = jax.tree.map(lambda s: jnp.zeros((rows, *s.shape[1:]), s.dtype), shapes)
    return jax.lax.fori_loop(0, count, put, buffers)


def on_host(output: jax.Array) -> np.ndarray:
    """An output as a NumPy array that its owner may write to: float32 where the device computed in a smaller float."""
    return np.array(_as_numpy(output))


def _as_numpy(output: jax.Array) -> np.ndarray:
    """The same, which may be a view of the device's memory, to be read."""
    array = np.asarray(output)
    small = array.dtype.itemsize < 4 and jnp.issubdtype(array.dtype, jnp.floating)
    return array.astype(np.float32) if small else array


def _padded(arrays: Any, first: int, rows: int, capacity: int) -> Any:
    """`rows` rows of the arrays, filled up with zeros to `capacity` rows, so that all chunks have one shape."""

    def pad(array):
        return np.pad(array[first : first + rows], ((0, capacity - rows), *((0, 0) for _ in array.shape[1:])))

    return jax.tree.map(pad, arrays)


def _by_row(outputs: Any, x: Any) -> bool:
    """Whether the outputs of a batch have a row for each of its rows."""
    rows = count_rows(x)
    return all(output.ndim and len(output) == rows for output in jax.tree.leaves(outputs))
