"""History: what fit returns."""

import importlib
import os
from collections.abc import Sequence
from typing import Any

from keryx.callbacks.callback import Callback


class History(Callback):
    """The numbers of each epoch; `fit` returns one.

    Attributes:
        epoch: The epochs, counted from 0.
        history: The loss and each metric by name: a list with one number an epoch.

    >>> from keryx.callbacks import CallbackList
    >>> history = CallbackList([], add_history=True).callbacks[0]
    >>> history.on_train_begin()
    >>> history.on_epoch_end(0, {"loss": 0.5})
    >>> history.epoch, history.history
    ([0], {'loss': [0.5]})
    """

    remembers = ("epoch", "history")

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    def set_model(self, model: Any) -> None:
        """Become the model's `history`."""
        super().set_model(model)
        model.history = self

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Count the epochs of this `fit` anew; the numbers of earlier ones stay."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the numbers down."""
        self.epoch.append(epoch)
        for name, number in (logs or {}).items():
            self.history.setdefault(name, []).append(number)

    def plot(
        self,
        kind: str | None = None,
        to_file: str | os.PathLike | None = None,
        metrics: str | Sequence[str] | None = None,
        show: bool = False,
    ) -> Any:
        """Draw the numbers over the epochs: each metric with its validation twin, the best epoch marked.

        Args:
            kind: `figure`, by matplotlib (`pip install 'keryx[visualization]'`), or `text`, which prints it in
                characters; by default a figure where matplotlib is installed.
            to_file: A file to write: `.png`, `.svg`, `.pdf`, or `.txt` for characters.
            metrics: Which metric or metrics, by their names without `val_`; by default all.
            show: Whether a window shows the figure.

        Returns:
            The figure; None for text.

        Raises:
            ArgumentError: Where no epoch has ended yet, or there is no such metric.

        >>> history = History()
        >>> history.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.7})
        >>> history.on_epoch_end(1, {"loss": 0.3, "val_loss": 0.6})
        >>> len(history.plot("figure").axes)
        1
        """
        curves = importlib.import_module("keryx.visualization.curves")  # pictures stand above callbacks
        frequency = (self.params or {}).get("validation_freq", 1)
        made = curves.panels(self.history, metrics, frequency, self.model, self._epochs_before())
        return curves.plot(made, kind, to_file, show)

    def _epochs_before(self) -> int:
        """How many epochs went before the first one of these numbers, where `fit` began at a later one."""
        longest = max(map(len, self.history.values()), default=0)
        return max(self.epoch[-1] + 1 - longest, 0) if self.epoch else 0
