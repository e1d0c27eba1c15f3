"""What the callbacks that save share: when they are due, and whether what there is to save is the best so far."""

from typing import Any

import numpy as np

from keryx.callbacks.monitor import Monitor
from keryx.errors import ConfigError
from keryx.screens import tell


class Pace:
    """Counts batches over the epochs, and says after which the callback is due.

    Args:
        who: The callback.
        save_freq: `"epoch"`, or a number of batches.

    Raises:
        ConfigError: Where it is neither.

    >>> pace = Pace("ModelCheckpoint", 4)
    >>> pace.next(0), pace.is_due(3), pace.next(4), pace.is_due(5)
    (4, True, 8, False)
    """

    def __init__(self, who: str, save_freq: Any):
        whole = isinstance(save_freq, (int, np.integer)) and not isinstance(save_freq, bool)
        if save_freq != "epoch" and not (whole and save_freq > 0):
            raise ConfigError(f"{who}: save_freq is 'epoch' or a number of batches above 0; got {save_freq!r}.")
        self.freq = None if save_freq == "epoch" else int(save_freq)
        self.seen = self.done = 0  # batches since it was last due, and in this epoch

    def next(self, done: int) -> int | None:
        """The batch of the epoch after which it is due, where `done` batches of the epoch are done; None for none."""
        self.done = done
        return None if self.freq is None else done + self.freq - self.seen

    def is_due(self, batch: int) -> bool:
        """Whether it is due after this batch, counted from 0 in the epoch."""
        if self.freq is None:
            return False
        if batch < self.done:  # of the next epoch
            self.done = 0
        self.seen += batch + 1 - self.done
        self.done = batch + 1
        if self.seen < self.freq:
            return False
        self.seen = 0
        return True


class Paced:
    """What a callback that works after every so many batches adds to itself.

    Attributes:
        seen: The batches since it was last due; it is remembered.
    """

    needs_every_batch = False
    _pace: Pace

    @property
    def seen(self) -> int:
        """The batches since it was last due."""
        return self._pace.seen

    @seen.setter
    def seen(self, value: int) -> None:
        self._pace.seen = value

    def next_batch(self, done: int) -> int | None:
        """The batch of the epoch after which it wants to be called."""
        return self._pace.next(done)


class Checkpoint(Paced, Monitor):
    """A callback that saves after each epoch or every so many batches: the base of ModelCheckpoint and OrbaxCheckpoint.

    Args:
        monitor: The name of the number in the logs that tells which is best.
        verbose: 1 to say what is saved.
        save_best_only: Whether it saves only what is better than anything before.
        mode: `min` or `max`: where better lies; `auto` sees it from the name.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: A number that has to be beaten from the start.
    """

    remembers = ("best", "seen")

    def __init__(
        self,
        monitor: str,
        verbose: int,
        save_best_only: bool,
        mode: str,
        save_freq: Any,
        initial_value_threshold: float | None,
    ):
        super().__init__(monitor, mode, min_delta=0)
        self.verbose, self.save_best_only, self.save_freq = verbose, save_best_only, save_freq
        self.best = initial_value_threshold
        self._pace, self._current_epoch = Pace(type(self).__name__, save_freq), 0

    def write(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> str:
        """Save, and say where."""
        raise NotImplementedError

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """See where better lies before an epoch is spent; what was best stays so."""
        if self.save_best_only:
            _ = self.higher_is_better

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note which epoch it is."""
        self._current_epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, if so many batches are done."""
        if self._should_save_on_batch(batch):
            self._save_model(self._current_epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, if that is to be after each epoch."""
        if self.save_freq == "epoch":
            self._save_model(epoch, None, logs)

    # Subclasses that tools bring, as Weights & Biases does, call these by the names that they have in Keras.

    def _should_save_on_batch(self, batch: int) -> bool:
        return self._pace.is_due(batch)

    def _save_model(self, epoch: int, batch: int | None, logs: dict[str, Any] | None) -> None:
        logs, better = logs or {}, ""
        if self.save_best_only:
            number = self.current(logs)
            if number is None:
                return
            if not self.is_better(number, self.best):
                self._say(epoch, f"{self.monitor} is {number:.5f}, and was {self.best:.5f}: not saved.")
                return
            was = "" if self.best is None else f", and was {self.best:.5f}"
            better = f"{self.monitor} is {number:.5f}{was}: "
            self.best = number
        self._say(epoch, f"{better}saved to {self.write(epoch, batch, logs)}.")

    def _say(self, epoch: int, what: str) -> None:
        if self.verbose:
            tell(f"Epoch {epoch + 1}: {what}")
