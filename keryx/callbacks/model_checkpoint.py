"""ModelCheckpoint: save the model as it trains."""

import os
from pathlib import Path
from typing import Any

from keryx.callbacks.checkpoint import Checkpoint
from keryx.errors import ConfigError, did_you_mean, listing

_WHOLE, _WEIGHTS = (".keras", ".h5"), (".weights.h5", ".weights.json", ".safetensors", ".npz")


class ModelCheckpoint(Checkpoint):
    """Save the model, or its weights, after each epoch or every so many batches.

    A file takes the place of the one before when it is whole, so that there always is a whole one.

    Args:
        filepath: Where to; `{epoch}`, `{batch}` and the names in the logs stand for their values, as in
            `"{epoch:02d}-{val_loss:.2f}.keras"`. Folders are made.
        monitor: The name of the number in the logs that tells which is best.
        verbose: 1 to say what is saved.
        save_best_only: Whether it saves only what is better than anything before. What is best is known in further
            calls of `fit` too, and to a run that `BackupAndRestore` goes on with.
        save_weights_only: Whether only the weights are saved: the name ends in `.weights.h5`, or another ending that
            `save_weights` knows.
        mode: `min` or `max`: where better lies; `auto` sees it from the name.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: A number that has to be beaten from the start.

    Raises:
        ConfigError: Where the name ends in nothing that can be saved, or names what `fit` does not log.

    >>> ModelCheckpoint("best.keras", monitor="val_accuracy", save_best_only=True).mode
    'auto'
    """

    def __init__(
        self,
        filepath: str | os.PathLike,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold)
        self.filepath, self.save_weights_only = os.fspath(filepath), save_weights_only
        endings = _WEIGHTS if save_weights_only else _WHOLE
        of_weights = self.filepath.endswith(_WEIGHTS)
        if not self.filepath.endswith(endings) or of_weights != save_weights_only:
            way = " Weights alone are saved with save_weights_only=True." if of_weights else ""
            raise ConfigError(f"ModelCheckpoint: filepath ends in {listing(endings)}; got {self.filepath!r}.{way}")

    def write(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> str:
        """Save, and say where."""
        path = self._get_file_path(epoch, batch, logs)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        return path

    def _get_file_path(self, epoch: int, batch: int | None, logs: dict[str, Any] | None) -> str:
        """The path with values in place of names."""
        values = {"epoch": epoch + 1, **({} if batch is None else {"batch": batch + 1}), **(logs or {})}
        try:
            return self.filepath.format(**values)
        except (KeyError, IndexError, ValueError) as error:
            word = str(error.args[0]) if isinstance(error, KeyError) else ""
            raise ConfigError(
                f"ModelCheckpoint cannot fill in {self.filepath!r}: {error}.{did_you_mean(word, values)} "
                f"It can name {listing(values)}."
            ) from None
