"""Pace: when a callback that acts every so many batches is due."""

from typing import Any

import numpy as np

from keryx.errors import ConfigError


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
