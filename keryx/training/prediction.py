"""predict: the outputs for all rows, batch by batch."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.callbacks import CallbackList
from keryx.errors import DataError
from keryx.training import interrupts
from keryx.training.blocks import BLOCK_SECONDS
from keryx.training.data.arrays import count_rows
from keryx.training.data.door import source_of
from keryx.training.data.source import Arrays, Source, Waiting
from keryx.training.options import RunOptions
from keryx.training.progress import Progress
from keryx.training.state import folded

_NOTHING = nullcontext()
# Where a batch takes less than this, in seconds, the way to the device and back counts, and many go in one call.
SHORT_BATCH = 5e-3
CHUNK_BATCHES, CHUNK_BYTES = 64, 2**23
LONG_BATCH = 2**19  # bytes that take as long to copy into a chunk as a call takes to begin


def predict(model: Any, x: Any, options: RunOptions) -> Any:
    """The outputs for all of `x`, as NumPy arrays; `Model.predict` says what the options are."""
    admit = model.input_checks.batch
    source = source_of(x, None, None, admit, who=options.who, batch_size=options.batch_size, steps=options.steps)
    with jax.disable_jit() if model.run_eagerly else _NOTHING, source:
        if options.callbacks is None and isinstance(source, Arrays) and source.rows <= source.batch_size:
            return jax.tree.map(on_host, model.compiled_call.predict(source.arrays.x))  # the short way
        hooks = CallbackList(options.callbacks, model=model, steps=source.steps)
        with interrupts.deferred() as signals, Progress(options.verbose, None) as progress:
            model.stop_predicting = False
            hooks.on_predict_begin()
            progress.begin(0, source.steps)
            parts, count = list[Any](), 0
            for outputs, count in _batch_by_batch(model, source, hooks, signals.allowed, progress.compiling):
                parts.append(outputs)
                progress.update(count, {})
                signals.check()
                if model.stop_predicting:
                    break
            if not parts:
                raise DataError("predict() was given empty data: no batch came.")
            progress.end(count, {})
            hooks.on_predict_end()
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)


def _batch_by_batch(
    model: Any, source: Source, hooks: CallbackList, waiting: Waiting, compiling: Callable[[], None]
) -> Iterator[tuple[Any, int]]:
    """The outputs of each batch, and how many batches are done; many at once where nothing can tell the difference."""
    unwatched = not model.run_eagerly and not hooks.wants_batches("predict")
    for number, batch in enumerate(source.batches(None, 0, waiting=waiting)):
        hooks.on_predict_batch_begin(number)
        if not model.compiled_call.predict.has_run(batch.x):
            compiling()
        begin = time.perf_counter()
        # Copies, so that no small array of the device's lies where the next call's memory could lie in one piece.
        outputs = jax.tree.map(on_host, model.compiled_call.predict(batch.x))
        seconds = time.perf_counter() - begin
        hooks.on_predict_batch_end(number, {"outputs": outputs})
        yield outputs, number + 1
        alike = unwatched and model.compiled_call.predict.only_reads and _by_row(outputs, batch.x)
        model.compiled_call.predict.level.after_call(seconds)
        if isinstance(source, Arrays) and alike and seconds < SHORT_BATCH and _bytes(batch.x) < LONG_BATCH:
            yield from _chunks(model, source, (number + 1) * source.batch_size, compiling)
            return


def _chunks(model: Any, source: Arrays, position: int, compiling: Callable[[], None]) -> Iterator[tuple[Any, int]]:
    """The outputs of the rows from `position` on, many batches a call, each call as long as a block should take.

    Yields:
        The outputs of some rows, and the number of batches that are done.
    """
    x, size = source.arrays.x, source.batch_size
    capacity = min(CHUNK_BATCHES, CHUNK_BYTES // max(_bytes(x) * size // source.rows, 1))
    whole = source.end // size * size
    pace = 1
    while position < whole:
        count = min(pace, capacity, (whole - position) // size)
        begin = time.perf_counter()
        chunk = _padded(x, position, count * size, capacity * size)
        if not model.compiled_call.predict.has_run(chunk, size):
            compiling()
        outputs = jax.tree.map(_as_numpy, model.compiled_call.predict.batches(chunk, np.int32(count), size))
        position += count * size
        yield jax.tree.map(lambda output, rows=count * size: output[:rows], outputs), position // size
        pace = max(1, min(int(BLOCK_SECONDS * count / (time.perf_counter() - begin)), 10 * count))
    if position < source.end:
        rest = jax.tree.map(lambda array: array[position : source.end], x)
        if not model.compiled_call.predict.has_run(rest):
            compiling()
        yield jax.tree.map(_as_numpy, model.compiled_call.predict(rest)), source.steps


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


def _bytes(arrays: Any) -> int:
    return sum(array.nbytes for array in jax.tree.leaves(arrays))


def _padded(arrays: Any, first: int, rows: int, capacity: int) -> Any:
    """`rows` rows of the arrays, filled up with zeros to `capacity` rows, so that all chunks have one shape."""

    def pad(array):
        return np.pad(array[first : first + rows], ((0, capacity - rows), *((0, 0) for _ in array.shape[1:])))

    return jax.tree.map(pad, arrays)


def _by_row(outputs: Any, x: Any) -> bool:
    """Whether the outputs of a batch have a row for each of its rows."""
    rows = count_rows(x)
    return all(output.ndim and len(output) == rows for output in jax.tree.leaves(outputs))
