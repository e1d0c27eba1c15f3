"""What fit, evaluate and predict are told beside the data, checked once."""

from collections.abc import Container
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from keryx.errors import ArgumentError


@dataclass(frozen=True)
class FitOptions:
    """The options of `Model.fit`, under its names.

    Raises:
        ArgumentError: Where a number means nothing.
    """

    batch_size: int | None = None
    epochs: int = 1
    verbose: Any = "auto"
    callbacks: Any = None
    validation_split: float = 0.0
    validation_data: Any = None
    shuffle: bool = True
    class_weight: Any = None
    initial_epoch: int = 0
    steps_per_epoch: int | None = None
    validation_steps: int | None = None
    validation_batch_size: int | None = None
    validation_freq: Any = 1
    on_nan: str = "raise"

    def __post_init__(self):
        if self.on_nan not in ("raise", "continue"):
            raise ArgumentError(f"on_nan is 'raise' or 'continue'; got {self.on_nan!r}.")
        for name in ("batch_size", "epochs", "steps_per_epoch", "validation_steps", "validation_batch_size"):
            check_count(getattr(self, name), "fit()", name)
        after = self.validation_freq
        if isinstance(after, (int, float, np.number)):
            check_count(after, "fit()", "validation_freq")
        elif isinstance(after, str) or not isinstance(after, Container):
            raise ArgumentError(f"validation_freq is a number of epochs, or a list of such epochs; got {after!r}.")
        initial, share = self.initial_epoch, self.validation_split
        if isinstance(initial, bool) or not isinstance(initial, (int, np.integer)) or initial < 0:
            raise ArgumentError(f"fit() wants a whole initial_epoch from 0, the epochs that are done; got {initial!r}.")
        number = isinstance(share, (int, float, np.number)) and not isinstance(share, bool)
        if share is not None and not (number and 0 <= share < 1):
            raise ArgumentError(f"validation_split lies between 0 and 1; got {share!r}.")

    def validates_after(self, epoch: int) -> bool:
        """Whether there is a validation at the end of this epoch."""
        often = isinstance(self.validation_freq, (int, np.integer))
        return (epoch + 1) % self.validation_freq == 0 if often else epoch + 1 in self.validation_freq


@dataclass(frozen=True)
class RunOptions:
    """The options that `Model.evaluate` and `Model.predict` share, under their names."""

    who: str
    batch_size: int | None = None
    verbose: Any = "auto"
    steps: int | None = None
    callbacks: Any = None

    def __post_init__(self):
        for name in ("batch_size", "steps"):
            if getattr(self, name) is not None:
                check_count(getattr(self, name), self.who, name)


def names_of(options: Any) -> list[str]:
    """The names of the options in a class of them."""
    return [field.name for field in fields(options)]


def check_count(value: Any, who: str, name: str) -> None:
    """Raise ArgumentError unless `value` is an integer above 0, or None."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if value is not None and not (whole and value > 0):
        whole = isinstance(value, (float, np.floating)) and value > 0
        quotient = "rows / batch_size" if "steps" in name else repr(value)
        way_out = f" Divide with //, or round: math.ceil({quotient})." if whole else ""
        raise ArgumentError(f"{who} wants a whole {name} above 0; got {value!r}.{way_out}")
