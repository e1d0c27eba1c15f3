"""predict: the outputs for all rows, batch by batch."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.callbacks import CallbackList
from keryx.errors import DataError
from keryx.training import interrupts
from keryx.training.checks import Checks
from keryx.training.feed import feed_of, is_stream
from keryx.training.progress import Progress


def predict(model: Any, x: Any, *, batch_size: int | None, verbose: Any, steps: int | None, callbacks: Any) -> Any:
    """The outputs for all of `x`, as NumPy arrays; `Model.predict` says what the arguments are."""
    checks = Checks(model.inputs, model.input_structure, model.input_ranges())
    if callbacks is None and steps is None and batch_size is None and not is_stream(x):
        arrays = checks.inputs(x)
        leaves = jax.tree.leaves(arrays)
        if leaves and all(leaf.ndim and 0 < leaf.shape[0] <= 32 for leaf in leaves):  # one batch: the short way
            return jax.tree.map(on_host, model.run_compiled(arrays))
    feed = feed_of(x, checks=checks, batch_size=batch_size, steps=steps, who="predict()")
    hooks = CallbackList(callbacks, model=model, steps=feed.steps)
    progress = Progress(verbose, None)
    done: list[Any] = []
    with interrupts.deferred() as signals:
        hooks.on_predict_begin()
        progress.begin(0, feed.steps)
        progress.compiling()
        running: list[Any] = []  # the device works on while the host copies what is ready
        for number, batch in enumerate(feed.batches(None, 0)):
            hooks.on_predict_batch_begin(number)
            running.append(model.run_compiled(batch.x))
            if len(running) > 2:
                done.append(jax.tree.map(on_host, running.pop(0)))
            hooks.on_predict_batch_end(number, {})
            progress.update(number + 1, {})
            signals.check()
        done += [jax.tree.map(on_host, outputs) for outputs in running]
        if not done:
            raise DataError("predict() was given empty data: no batch came.")
        progress.end(len(done), {})
        hooks.on_predict_end()
    return jax.tree.map(lambda *rows: np.concatenate(rows), *done)


def on_host(output: jax.Array) -> np.ndarray:
    """An output as NumPy: float32 where the device computed in a smaller float."""
    array = np.asarray(output)
    small = array.dtype.itemsize < 4 and jnp.issubdtype(array.dtype, jnp.floating)
    return array.astype(np.float32) if small else array
