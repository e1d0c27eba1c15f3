"""EarlyStopping: end training when it no longer gets better."""

from typing import Any

import numpy as np

from keryx.callbacks.monitor import Monitor
from keryx.screens import tell


class EarlyStopping(Monitor):
    """End training when a number has not got better for `patience` epochs.

    Args:
        monitor: The name of the number in the logs.
        min_delta: By how much it has to be better to count as better.
        patience: The number of epochs without a better one after which training ends.
        verbose: 1 to say so.
        mode: `min` or `max`: where better lies; `auto` sees it from the name.
        baseline: A number that has to be beaten as well, or patience runs out.
        restore_best_weights: Whether training ends with the weights of the best epoch, kept on the host.
        start_from_epoch: The first epoch that counts.

    Raises:
        ConfigError: At the end of the first epoch, where `fit` does not log the number.

    >>> import keryx
    >>> keryx.callbacks.EarlyStopping(monitor="val_accuracy", patience=3, restore_best_weights=True).patience
    3
    """

    remembers = ("best", "best_epoch", "best_weights", "stopped_epoch", "wait")

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ):
        super().__init__(monitor, mode, min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best_weights: list[np.ndarray] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin anew."""
        super().on_train_begin(logs)
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best_weights = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the best, or count the epochs since."""
        number = self.current(logs)
        if number is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        better = self.is_better(number, self.best)
        if better:
            self.best, self.best_epoch = number, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            # The baseline only decides about patience: the best weights are kept either way.
            if self.baseline is None or self.is_better(number, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def get_monitor_value(self, logs: dict[str, Any] | None) -> float | None:
        """The number that is watched, from the logs of an epoch: what a subclass asks for by Keras's name."""
        return self.current(logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Put the best weights back, if asked."""
        if self.verbose and self.stopped_epoch:
            tell(f"Epoch {self.stopped_epoch + 1}: stopped early, {self.monitor} has not got better.")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                tell(f"Weights of the best epoch put back: epoch {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)
