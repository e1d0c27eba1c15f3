"""Callback, whose methods training calls as it goes."""

import copy
from typing import Any

from keryx.errors import ConfigError, listing

Logs = dict[str, Any] | None


class Callback:
    """What happens beside training: override the methods for the moments that matter.

    `logs` is a dict of numbers by name; what one callback adds to it at the end of an epoch, the later ones
    and the history see. Batches run in blocks of many steps, each block one compiled call, unless a callback
    overrides a batch method: it is then called at every batch, and each batch is a call of its own.

    Attributes:
        model: The model that is being trained.
        together: The CallbackList that it is called in.
        params: What `fit` was asked for: epochs, steps, verbose.
        handles_nan: Whether it sees to a loss that is not finite; without such a callback `fit` raises.
        needs_every_batch: Whether its batch methods have to be called at every batch. Where it is False they
            are called once a block, with the last batch of it, and training keeps its speed.
        remembers: The names of the attributes that `get_state` gives.

    >>> class Say(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    >>> Say().on_epoch_end(0, {"loss": 0.5})
    0 0.5
    """

    model: Any = None
    together: Any = None
    params: dict[str, Any] | None = None
    handles_nan = False
    needs_every_batch = True

    remembers: tuple[str, ...] = ()

    def get_state(self) -> dict[str, Any]:
        """What it remembers from epoch to epoch, as plain data and arrays, so that a run can be gone on with later.

        By default the attributes that `remembers` names.
        """
        return {name: copy.deepcopy(getattr(self, name)) for name in self.remembers}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` gave; to be called after `on_train_begin`, which begins anew.

        Raises:
            ConfigError: Where the state is that of another kind of callback.
        """
        if state.keys() != set(self.remembers):
            raise ConfigError(
                f"{type(self).__name__} remembers {listing(self.remembers)}; got a state of {listing(state)}."
            )
        for name, value in state.items():
            setattr(self, name, copy.deepcopy(value))

    def next_batch(self, done: int) -> int | None:
        """After which batch of the epoch it wants to be called next, where it does not need every batch; None for none.

        Args:
            done: The number of batches of the epoch that are done.
        """

    def resume(self) -> bool:
        """After `on_train_begin` of all callbacks: put training back to where an earlier run stood, and say whether."""
        return False

    def on_boundary(self, epoch_is_over: bool) -> None:
        """After all callbacks have been told of the end of a batch or an epoch: the whole run has one state now."""

    def on_leave(self) -> None:
        """`fit` is over, also where it raises: let go of what is held, such as a terminal."""

    def set_params(self, params: dict[str, Any]) -> None:
        """Told before training what was asked of `fit`."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Told before training which model it is about."""
        self.model = model

    def on_train_begin(self, logs: Logs = None) -> None:
        """Before the first epoch of `fit`."""

    def on_train_end(self, logs: Logs = None) -> None:
        """After the last epoch of `fit`, with the logs of that epoch. Not called where `fit` raises."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """After an epoch and its validation, with the loss and metrics of both: `loss`, `val_loss`, ..."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of `fit`, counted from 0 in each epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of `fit`, with the means over the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """The older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """The older name of `on_train_batch_end`."""

    def on_test_begin(self, logs: Logs = None) -> None:
        """Before `evaluate`, and before the validation of an epoch."""

    def on_test_end(self, logs: Logs = None) -> None:
        """After `evaluate`, and after the validation of an epoch, with its loss and metrics."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of `evaluate` or validation."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of `evaluate` or validation, with the means so far."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Before `predict`."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """After `predict`."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of `predict`, with its `outputs`."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_") and name not in ("on_boundary", "on_leave"))
