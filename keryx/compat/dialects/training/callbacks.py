"""Callbacks in the words of Keras 1 and 2."""

import os
from pathlib import Path
from typing import Any

from keryx import callbacks
from keryx.compat.dialects.training import files
from keryx.compat.dialects.training.methods import word_of_log
from keryx.errors import ConfigError


class ModelCheckpoint(callbacks.ModelCheckpoint):
    """Save the model, or its weights, every `period` epochs, to a file of any name.

    A name that says nothing is HDF5, as it was.

    Args:
        filepath: Where to, as in `keryx.callbacks.ModelCheckpoint`.
        monitor: The number in the logs that tells which is best.
        verbose: 1 to say what is saved.
        save_best_only: Whether it saves only what is better than anything before.
        save_weights_only: Whether only the weights are saved.
        mode: `min`, `max` or `auto`.
        period: The number of epochs from one to the next.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: A number that has to be beaten from the start.

    >>> ModelCheckpoint("weights.{epoch:02d}.hdf5", period=5).period
    5
    """

    def __init__(
        self,
        filepath: str | os.PathLike,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        period: int = 1,
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ):
        monitor = word_of_log(monitor)
        stand_in = "file.weights.h5" if save_weights_only else "file.h5"
        super().__init__(
            stand_in, monitor, verbose, save_best_only, save_weights_only, mode, save_freq, initial_value_threshold
        )
        if not isinstance(period, int) or period < 1:
            raise ConfigError(f"ModelCheckpoint: period is a number of epochs from 1; got {period!r}.")
        self.filepath, self.period, self._since = os.fspath(filepath), period, 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, if so many epochs have passed."""
        self._since += 1
        if self._since >= self.period:
            self._since = 0
            super().on_epoch_end(epoch, logs)

    def write(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> str:
        """Save, and say where."""
        path = Path(self._get_file_path(epoch, batch, logs))
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(self.model.save_weights if self.save_weights_only else self.model.save, {"filepath": path})
        return str(path)


class BaseLogger(callbacks.Callback):
    """The means of an epoch, which fit works out by itself: it does nothing.

    Args:
        stateful_metrics: Ignored.
    """

    def __init__(self, stateful_metrics: Any = None):
        self.stateful_metrics = stateful_metrics
