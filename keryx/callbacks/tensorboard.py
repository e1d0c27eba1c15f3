"""TensorBoard: event files of the numbers, the weights and the graph of a model."""

import os
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from keryx.callbacks.callback import Callback
from keryx.callbacks.checkpoint import Pace, Paced
from keryx.callbacks.event_file import EventFile, require
from keryx.errors import ConfigError, warn


class TensorBoard(Paced, Callback):
    """Write event files that TensorBoard shows: `tensorboard --logdir logs`. Wants `pip install 'keryx[tensorboard]'`.

    `train` and `validation` in the folder hold `epoch_loss` and the like by epoch, with the learning rate;
    `evaluation_loss_vs_iterations` and the like by step.

    Args:
        log_dir: The folder.
        histogram_freq: The number of epochs between histograms of the weights; 0 for none.
        write_graph: Whether the model's config is written, which the tab of graphs draws.
        write_images: Whether weights are drawn as pictures beside each histogram.
        write_steps_per_second: Whether the pace of training is written.
        update_freq: `"epoch"`, or a number of batches after each of which `batch_loss` and the like are written;
            `"batch"` is 1. Between them batches run in blocks.
        profile_batch: A batch, or a pair of the first and the last batch, that `jax.profiler` traces, counted from 1
            over all epochs; 0 for none.
        embeddings_freq: The number of epochs between tables of the Embedding layers for the projector; 0 for none.
        embeddings_metadata: A file of the names of an Embedding layer's rows, or a dict of such files by layer.

    Raises:
        ConfigError: Where the package `tensorboard` is not installed, or a setting means nothing.
    """

    remembers = ("seen", "train_batches")

    def __init__(
        self,
        log_dir: str | os.PathLike = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: str | dict[str, str] | None = None,
    ):
        require()
        update_freq = 1 if update_freq == "batch" else update_freq
        if update_freq != "epoch" and not (isinstance(update_freq, int) and update_freq > 0):
            raise ConfigError(f"TensorBoard: update_freq is 'epoch', 'batch' or a number above 0; got {update_freq!r}.")
        self.log_dir, self.histogram_freq, self.write_graph = str(log_dir), histogram_freq, write_graph
        self.write_images, self.write_steps_per_second = write_images, write_steps_per_second
        self.update_freq, self.profile_batch = update_freq, profile_batch
        self.embeddings_freq, self.embeddings_metadata = embeddings_freq, embeddings_metadata
        self._traced = _pair(profile_batch)
        self.needs_every_batch = self._traced != (0, 0)
        self._pace, self._tracing = Pace("TensorBoard", update_freq), False
        self.train_batches = self._before = 0  # so far, and before this epoch
        self._files = {name: EventFile(os.path.join(self.log_dir, name)) for name in ("train", "validation")}

    def __getstate__(self) -> dict[str, Any]:
        # A copy writes files of its own.
        return vars(self) | {"_files": {name: EventFile(file.folder) for name, file in self._files.items()}}

    def set_model(self, model: Any) -> None:
        """Told before training which model it is about; its graph is written."""
        super().set_model(model)
        if self.write_graph and getattr(model, "has_graph", False):
            try:
                text = model.to_json()
            except ConfigError as error:
                warn(f"TensorBoard: the graph is not written. {error}")
            else:
                self._files["train"].keras_graph("keras", text, 0)
        if self.embeddings_freq:
            self._configure_projector()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin to count."""
        self.train_batches = self._before = self.seen = 0

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the files."""
        if self._tracing:
            self._stop_trace()
        for file in self._files.values():
            file.close()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the time."""
        self._before, self._began = self.train_batches, time.perf_counter()
        self._batch_began = self._began, self.train_batches

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin to trace, if it is the batch to begin with."""
        first, last = self._traced
        if last and not self._tracing and first <= self._before + batch + 1 <= last:
            jax.profiler.start_trace(self._files["train"].folder)
            self._tracing = True

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the numbers so far, if so many batches are done."""
        self.train_batches = step = self._before + batch + 1
        if self._tracing and step >= self._traced[1]:
            self._stop_trace()
        if not self._pace.is_due(batch):
            return
        numbers = {f"batch_{name}": value for name, value in (logs or {}).items()}
        if self.write_steps_per_second:
            began, done = self._batch_began
            numbers["batch_steps_per_second"] = (step - done) / max(time.perf_counter() - began, 1e-9)
        self._write("train", numbers, step)
        self._batch_began = time.perf_counter(), step

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Write the numbers of an evaluation, by the step of training."""
        optimizer = self.model.optimizer
        if optimizer is not None and logs:
            numbers = {f"evaluation_{name}_vs_iterations": value for name, value in logs.items()}
            self._write("validation", numbers, optimizer.iterations)
            self._files["validation"].flush()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the numbers of the epoch, and what else is due."""
        logs = dict(logs or {})
        held_out = {name: logs.pop(name) for name in list(logs) if name.startswith("val_")}
        logs |= {name: float(one.learning_rate) for name, one in self.model.optimizer.rated.items()}
        if self.write_steps_per_second:
            steps = self.train_batches - self._before
            logs["steps_per_second"] = steps / max(time.perf_counter() - self._began, 1e-9)
        self._write("train", {f"epoch_{name}": value for name, value in logs.items()}, epoch)
        self._write("validation", {f"epoch_{name[4:]}": value for name, value in held_out.items()}, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            for layer, path in self._embeddings():
                np.savetxt(path, layer.get_weights()[0], delimiter="\t")
        for file in self._files.values():
            file.flush()

    def _write(self, name: str, numbers: dict[str, Any], step: int) -> None:
        for tag, value in numbers.items():
            if np.ndim(value) == 0:
                self._files[name].scalar(tag, value, step)

    def _write_weights(self, epoch: int) -> None:
        for variable in self.model.weights:
            values = variable.numpy()
            self._files["train"].histogram(f"{variable.path}/histogram", values, epoch)
            pictures = _pictures(values) if self.write_images else None
            if pictures is not None:
                self._files["train"].image(f"{variable.path}/image", pictures, epoch)

    def _stop_trace(self) -> None:
        jax.profiler.stop_trace()
        self._tracing = False

    # The projector

    def _embeddings(self) -> list[tuple[Any, str]]:
        """The layers with a table of embeddings, and the file of each."""
        layers = [layer for layer in self.model.layers if hasattr(layer, "embeddings")]
        return [(layer, os.path.join(self.log_dir, f"{layer.name}.tsv")) for layer in layers]

    def _configure_projector(self) -> None:
        named = self.embeddings_metadata or {}
        tables = self._embeddings()
        if isinstance(named, str):
            named = {layer.name: named for layer, _ in tables}
        strangers = set(named) - {layer.name for layer, _ in tables}
        if strangers:
            raise ConfigError(
                f"TensorBoard: embeddings_metadata names {sorted(strangers)}, which are no Embedding layers."
            )
        text = []
        for layer, path in tables:
            rows = [("tensor_name", layer.name), ("tensor_path", os.path.basename(path))]
            rows += [("metadata_path", str(named[layer.name]))] if layer.name in named else []
            text += ["embeddings {", *(f'  {key}: "{value}"' for key, value in rows), "}"]
        os.makedirs(self.log_dir, exist_ok=True)
        Path(self.log_dir, "projector_config.pbtxt").write_text("\n".join([*text, ""]))


def _pair(profile_batch: Any) -> tuple[int, int]:
    """The first and the last batch to trace; 0, 0 for none."""
    wanted: Any = profile_batch.split(",") if isinstance(profile_batch, str) else profile_batch
    try:
        pair = (int(wanted), int(wanted)) if np.ndim(wanted) == 0 else tuple(int(n) for n in wanted)
        pair = pair * 2 if len(pair) == 1 else pair
    except (TypeError, ValueError):
        pair = ()
    if len(pair) != 2 or pair[0] < 0 or pair[1] < pair[0]:
        raise ConfigError(
            f"TensorBoard: profile_batch is a batch, or a pair of the first and the last one; got {profile_batch!r}."
        )
    return pair[0], pair[1]


def _pictures(values: np.ndarray) -> np.ndarray | None:
    """A weight as grey pictures, uint8 (pictures, height, width), from its lowest value to its highest; or None."""
    values = np.squeeze(values).astype(np.float64)
    if values.ndim == 1:
        values = values[None]
    if values.ndim == 2:
        values = (values.T if values.shape[0] > values.shape[1] else values)[None]
    elif values.ndim == 3:
        values = values.transpose(2, 0, 1)  # each kernel by itself
    if values.ndim != 3 or not values.size or not np.isfinite(values).all():
        return None
    low, high = values.min(), values.max()
    return np.round((values - low) / (high - low or 1.0) * 255).astype(np.uint8)
