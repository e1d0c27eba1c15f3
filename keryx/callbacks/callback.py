"""Callback, whose methods training calls as it goes, and the list that calls them in order."""

from collections.abc import Iterator
from typing import Any

from keryx.errors import ArgumentError

Logs = dict[str, Any] | None


class Callback:
    """What happens beside training: override the methods for the moments that matter.

    `logs` is a dict of numbers by name; what one callback adds to it at the end of an epoch, the later ones
    and the history see. Batches run in blocks of many steps, each block one compiled call, unless a callback
    overrides a batch method: it is then called at every batch, and each batch is a call of its own.

    Attributes:
        model: The model that is being trained.
        params: What `fit` was asked for: epochs, steps, verbose.
        handles_nan: Whether it sees to a loss that is not finite; without such a callback `fit` raises.
        needs_every_batch: Whether its batch methods have to be called at every batch. Where it is False they
            are called once a block, with the last batch of it, and training keeps its speed.

    >>> class Say(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    >>> CallbackList([Say()]).on_epoch_end(0, {"loss": 0.5})
    0 0.5
    """

    model: Any = None
    params: dict[str, Any] | None = None
    handles_nan = False
    needs_every_batch = True

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


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
BATCH_HOOKS = {
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


class CallbackList(Callback):
    """Callbacks, called in order.

    Args:
        callbacks: Callbacks, in lists at any depth; None is none.
        add_history: Whether a History is appended where there is none yet.
        add_progbar: Taken for Keras's sake: `fit` draws its progress itself.
        model: The model, told to each.
        **params: Told to each as `params`.

    Raises:
        ArgumentError: Where one of them is no callback.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ):
        from keryx.callbacks.history import History

        self.callbacks: list[Callback] = list(_flat(callbacks))
        if add_history and not any(isinstance(callback, History) for callback in self.callbacks):
            self.callbacks.append(History())
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    def append(self, callback: Callback) -> None:
        """Put a callback at the end."""
        self.callbacks.extend(_flat(callback))

    def set_model(self, model: Any) -> None:
        """Tell each which model it is about."""
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        """Tell each what was asked of `fit`."""
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def wants_batches(self, mode: str) -> bool:
        """Whether one of them has to be called at every batch of this mode: `train`, `test` or `predict`."""
        return any(
            getattr(callback, "needs_every_batch", True) and _overrides(callback, hook)
            for callback in self.callbacks
            for hook in BATCH_HOOKS[mode]
        )

    def __iter__(self) -> Iterator[Callback]:
        return iter(self.callbacks)

    @property
    def handles_nan(self) -> bool:  # type: ignore[override]
        """Whether one of them sees to a loss that is not finite."""
        return any(getattr(callback, "handles_nan", False) for callback in self.callbacks)


def _relay(hook: str):
    """The method of CallbackList that calls this one of each."""

    def call_counted(self, index, logs=None):
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            getattr(callback, hook)(index, logs)

    def call(self, logs=None):
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            getattr(callback, hook)(logs)

    return call_counted if "batch" in hook or "epoch" in hook else call


for _hook in HOOKS:
    setattr(CallbackList, _hook, _relay(_hook))


def _flat(callbacks: Any) -> Iterator[Callback]:
    if isinstance(callbacks, CallbackList):
        callbacks = callbacks.callbacks
    if isinstance(callbacks, (list, tuple)):
        for item in callbacks:
            yield from _flat(item)
    elif isinstance(callbacks, type) and issubclass(callbacks, Callback):
        raise ArgumentError(
            f"{callbacks.__name__} is a class of callbacks; make one: {callbacks.__name__}()."
        )
    elif callbacks is not None:
        if not hasattr(callbacks, "set_model") or not hasattr(callbacks, "on_epoch_end"):
            raise ArgumentError(
                f"callbacks= wants Callback objects; got {type(callbacks).__name__}. "
                "LambdaCallback(on_epoch_end=function) makes one of a function."
            )
        yield callbacks


def _overrides(callback: Any, hook: str) -> bool:
    return hook in vars(callback) or getattr(type(callback), hook, None) is not getattr(Callback, hook)
