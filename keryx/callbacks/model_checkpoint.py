"""ModelCheckpoint: save the model as it trains."""

import os
from pathlib import Path
from typing import Any

from keryx.callbacks.monitor import Monitor
from keryx.callbacks.pace import Pace
from keryx.errors import ConfigError, did_you_mean, listing

_WHOLE, _WEIGHTS = (".keras", ".h5"), (".weights.h5", ".weights.json", ".safetensors", ".npz")


class ModelCheckpoint(Monitor):
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

    remembers = ("best", "seen")
    needs_every_batch = False

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
        super().__init__(monitor, mode, min_delta=0)
        self.filepath, self.verbose, self.save_freq = os.fspath(filepath), verbose, save_freq
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.best = initial_value_threshold
        self._pace, self._epoch = Pace("ModelCheckpoint", save_freq), 0
        endings = _WEIGHTS if save_weights_only else _WHOLE
        of_weights = self.filepath.endswith(_WEIGHTS)
        if not self.filepath.endswith(endings) or of_weights != save_weights_only:
            way = " Weights alone are saved with save_weights_only=True." if of_weights else ""
            raise ConfigError(f"ModelCheckpoint: filepath ends in {listing(endings)}; got {self.filepath!r}.{way}")

    @property
    def seen(self) -> int:
        """The batches since it last saved."""
        return self._pace.seen

    @seen.setter
    def seen(self, value: int) -> None:
        self._pace.seen = value

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """See where better lies before an epoch is spent; what was best stays so."""
        if self.save_best_only:
            _ = self.higher_is_better

    def next_batch(self, done: int) -> int | None:
        """The batch of the epoch after which it wants to be called."""
        return self._pace.next(done)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note which epoch it is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, if so many batches are done."""
        if self._pace.is_due(batch):
            self._save(self._epoch, batch, logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, if that is to be after each epoch."""
        if self.save_freq == "epoch":
            self._save(epoch, None, logs or {})

    def _save(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> None:
        better = ""
        if self.save_best_only:
            number = self.current(logs)
            if number is None:
                return
            if not self.is_better(number, self.best):
                self._say(epoch, f"{self.monitor} is {number:.5f}, and was {self.best:.5f}: not saved.")
                return
            was = "" if self.best is None else f", and was {self.best:.5f}"
            self.best, better = number, f"{self.monitor} is {number:.5f}{was}: "
        path = self._path(epoch, batch, logs)
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        self._say(epoch, f"{better}saved to {path}.")

    def _path(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> Path:
        """The path with values in place of names."""
        values = {"epoch": epoch + 1, **({} if batch is None else {"batch": batch + 1}), **logs}
        try:
            return Path(self.filepath.format(**values))
        except (KeyError, IndexError, ValueError) as error:
            word = str(error.args[0]) if isinstance(error, KeyError) else ""
            raise ConfigError(
                f"ModelCheckpoint cannot fill in {self.filepath!r}: {error}.{did_you_mean(word, values)} "
                f"It can name {listing(values)}."
            ) from None

    def _say(self, epoch: int, what: str) -> None:
        if self.verbose:
            print(f"Epoch {epoch + 1}: {what}")
