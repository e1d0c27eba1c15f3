"""LearningRateScheduler and ReduceLROnPlateau: another learning rate from epoch to epoch."""

import inspect
import math
from collections.abc import Callable
from typing import Any

from keryx.callbacks.callback import Callback
from keryx.callbacks.monitor import Monitor
from keryx.errors import ConfigError
from keryx.screens import tell


class LearningRateScheduler(Callback):
    """Set the learning rate before each epoch; the logs then tell it as `learning_rate`.

    In a MultiOptimizer each of the optimizers within has a rate of its own, `learning_rate_sgd` and the like.

    Args:
        schedule: A function `(epoch, learning_rate) -> learning_rate`, or `(epoch) -> learning_rate`.
        verbose: 1 to say so.

    Raises:
        ConfigError: Where the schedule returns no number.

    >>> def halve_late(epoch, rate):
    ...     return rate if epoch < 10 else rate / 2
    >>> scheduler = LearningRateScheduler(halve_late)
    """

    def __init__(self, schedule: Callable, verbose: int = 0):
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the rate."""
        for optimizer in _rated(self.model).values():
            self._set(optimizer, epoch)

    def _set(self, optimizer: Any, epoch: int) -> None:
        rate = float(optimizer.learning_rate)
        new = self.schedule(epoch, rate) if _takes_two(self.schedule) else self.schedule(epoch)
        try:
            rate = float(new)
        except (TypeError, ValueError):
            rate = math.nan
        if not 0 <= rate < math.inf:
            raise ConfigError(
                f"LearningRateScheduler: the schedule returned {new!r} for epoch {epoch}; it has to return "
                "a learning rate of at least 0."
            )
        optimizer.learning_rate = rate
        if self.verbose:
            tell(f"Epoch {epoch + 1}: learning rate {rate:g}.")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the rate."""
        if logs is not None:
            logs |= _rates_of(self.model)


class ReduceLROnPlateau(Monitor):
    """Lower the learning rate when a number has not got better for `patience` epochs.

    `learning_rate = max(learning_rate * factor, min_lr)`; the logs tell it as `learning_rate`.

    Args:
        monitor: The name of the number in the logs.
        factor: What the rate is multiplied by, below 1.
        patience: The number of epochs without a better one after which the rate is lowered.
        verbose: 1 to say so.
        mode: `min` or `max`: where better lies; `auto` sees it from the name.
        min_delta: By how much the number has to be better to count as better.
        cooldown: The number of epochs after a reduction that are not counted.
        min_lr: The lowest rate.

    Raises:
        ConfigError: At the end of the first epoch, where `fit` does not log the number.

    >>> ReduceLROnPlateau(factor=0.2, patience=5, min_lr=1e-4).factor
    0.2
    """

    remembers = ("best", "cooldown_counter", "wait")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ):
        super().__init__(monitor, mode, min_delta)
        if not 0 <= factor < 1:
            raise ConfigError(f"ReduceLROnPlateau: factor lowers the rate, so it lies below 1; got {factor}.")
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin anew."""
        super().on_train_begin(logs)
        self.wait = self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the epochs since the best, and lower the rate when patience runs out."""
        rates = _rates_of(self.model)
        if logs is not None:
            logs |= rates
        number = self.current(logs)
        if number is None:
            return
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(number, self.best):
            self.best, self.wait = number, 0
        elif not self.cooldown_counter:
            self.wait += 1
            if self.wait >= self.patience:
                self._lower({name: rate for name, rate in rates.items() if rate > self.min_lr}, epoch)

    def in_cooldown(self) -> bool:
        """Whether epochs are not counted for now: a reduction has just been."""
        return self.cooldown_counter > 0

    def _lower(self, rates: dict[str, float], epoch: int) -> None:
        for name, rate in rates.items():
            rate = max(rate * self.factor, self.min_lr)
            _rated(self.model)[name].learning_rate = rate
            self.cooldown_counter, self.wait = self.cooldown, 0
            if self.verbose:
                tell(f"Epoch {epoch + 1}: {self.monitor} has not got better, {name.replace('_', ' ')} {rate:g}.")


def _rates_of(model: Any) -> dict[str, float]:
    return {name: float(optimizer.learning_rate) for name, optimizer in _rated(model).items()}


def _rated(model: Any) -> dict[str, Any]:
    """The optimizers whose rate it is, by the rate's name in the logs."""
    return getattr(model.optimizer, "rated", None) or {"learning_rate": model.optimizer}


def _takes_two(schedule: Callable) -> bool:
    try:
        inspect.signature(schedule).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # a built-in that does not tell its signature
        return True
    return True
