"""BackupAndRestore: a run that was interrupted goes on where it stood."""

import importlib
import os
from pathlib import Path
from typing import Any

from keryx.callbacks.callback import Callback
from keryx.callbacks.checkpoint import Pace, Paced
from keryx.errors import ConfigError


class BackupAndRestore(Paced, Callback):
    """Keep the state of the run in a folder, so that the same call of `fit` goes on with it after an interruption.

    The state is all that training changes: weights, optimizer, metrics, random keys, the place in the epoch, and what
    the other callbacks remember. A run that was killed and goes on ends with the same bits as one that never was.

    Each backup is written whole beside the one before. Where the newest is damaged, the one before is taken, with a
    warning.

    Args:
        backup_dir: The folder, of this run alone.
        save_freq: `"epoch"`, or a number of batches; False never saves.
        double_checkpoint: Whether the backup before the newest is kept too.
        delete_checkpoint: Whether the backups are deleted when `fit` is done.

    Raises:
        FileError: When training begins, where the backup is that of another model or of other data.

    >>> BackupAndRestore("backup", save_freq=500).save_freq
    500
    """

    remembers = ("seen",)

    def __init__(
        self,
        backup_dir: str | os.PathLike,
        save_freq: Any = "epoch",
        double_checkpoint: bool = True,
        delete_checkpoint: bool = True,
    ):
        if not os.fspath(backup_dir):
            raise ConfigError("BackupAndRestore: backup_dir is the path of a folder; got an empty one.")
        self.backup_dir, self.save_freq = Path(backup_dir), save_freq
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self._pace = Pace("BackupAndRestore", "epoch" if save_freq is False else save_freq)
        self._is_due = False

    def resume(self) -> bool:
        """Put the newest backup back, where there is one."""
        self._is_due = False
        return _backups().restore(self.backup_dir, self.model, self.together, self.params or {})

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """See whether so many batches are done."""
        self._is_due |= self._pace.is_due(batch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """See whether it is to save after each epoch."""
        self._is_due |= self.save_freq == "epoch"

    def on_boundary(self, epoch_is_over: bool) -> None:
        """Save, if that is due, now that every callback knows what has happened."""
        at_the_end = self._pace.done == (self.params or {}).get("steps")
        if self._is_due and (epoch_is_over or not at_the_end):  # else when the epoch's validation is done, soon
            self._is_due = False
            kept = 2 if self.double_checkpoint else 1
            _backups().write(self.backup_dir, self.model, self.together, self.params or {}, kept)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Delete the backups."""
        if self.delete_checkpoint:
            _backups().delete(self.backup_dir)


def _backups() -> Any:
    """The module that writes and reads them, which stands above callbacks."""
    return importlib.import_module("keryx.saving.backup")
