"""History: what fit returns."""

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
