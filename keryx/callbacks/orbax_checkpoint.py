"""OrbaxCheckpoint: save with Orbax, in the background, from many hosts."""

import importlib
import os
from typing import Any

from keryx.callbacks.checkpoint import Checkpoint
from keryx.errors import ConfigError


class OrbaxCheckpoint(Checkpoint):
    """Save the state of training with Orbax, in numbered folders, while training goes on.

    It is the one for arrays that are spread over devices and hosts. On one machine `ModelCheckpoint` and
    `BackupAndRestore` need no further package. `model.load_weights(directory)` takes the weights of the newest.

    Args:
        directory: The folder.
        monitor: The name of the number in the logs that tells which is best.
        verbose: 1 to say what is saved.
        save_best_only: Whether it saves only what is better than anything before.
        mode: `min` or `max`: where better lies; `auto` sees it from the name.
        save_freq: `"epoch"`: after each, numbered by epochs; or a number of batches, numbered by batches.
        initial_value_threshold: A number that has to be beaten from the start.
        max_to_keep: The most checkpoints that are kept, the newest; None keeps all.
        save_on_background: Whether training goes on while the files are written.
        save_weights_only: Whether the optimizer, the metrics and the model's config are left out.

    Raises:
        ConfigError: Where orbax-checkpoint is not installed.
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
        max_to_keep: int | None = 1,
        save_on_background: bool = True,
        save_weights_only: bool = False,
    ):
        super().__init__(monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold)
        if max_to_keep is not None and (not isinstance(max_to_keep, int) or max_to_keep < 1):
            raise ConfigError(f"OrbaxCheckpoint: max_to_keep is a number above 0, or None; got {max_to_keep!r}.")
        self.directory, self.max_to_keep = os.path.abspath(directory), max_to_keep
        self.save_on_background, self.save_weights_only = save_on_background, save_weights_only
        self._orbax: Any = importlib.import_module("keryx.saving.orbax")
        self._checkpointer = self._orbax.checkpointer(self.directory, max_to_keep)

    def write(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> str:
        """Save, and say where."""
        step = epoch if batch is None else int(self.model.session.clock["step"])
        if self._checkpointer is None:
            self._checkpointer = self._orbax.checkpointer(self.directory, self.max_to_keep)
        payload = self._orbax.payload(self.model, self.save_weights_only)
        if self.save_on_background:
            self._checkpointer.save_checkpointables_async(step, payload)
        else:
            self._checkpointer.save_checkpointables(step, payload)
        return f"{self.directory}/{step}"

    def wait_until_finished(self) -> None:
        """Wait until what is being saved is on the disk."""
        if self._checkpointer is not None:
            self._checkpointer.wait()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Wait until what is being saved is on the disk."""
        if self._checkpointer is not None:
            self._checkpointer.close()
            self._checkpointer = None
