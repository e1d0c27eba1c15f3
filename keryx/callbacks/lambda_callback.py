"""LambdaCallback: functions as a callback."""

from collections.abc import Callable

from keryx.callbacks.callback import HOOKS, Callback
from keryx.errors import ArgumentError, did_you_mean, listing


class LambdaCallback(Callback):
    """Functions as a callback, each under the name of the method that it stands for.

    One for batches is called at every batch, which costs speed; one for epochs does not.

    Args:
        on_epoch_begin: A function `(epoch, logs)`.
        on_epoch_end: A function `(epoch, logs)`.
        on_train_begin: A function `(logs)`.
        on_train_end: A function `(logs)`.
        on_train_batch_begin: A function `(batch, logs)`.
        on_train_batch_end: A function `(batch, logs)`.
        **kwargs: Likewise for the other methods of Callback.

    Raises:
        ArgumentError: For a method that Callback does not have.

    >>> LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs)).on_epoch_end(0, {"loss": 0.5})
    0 {'loss': 0.5}
    """

    def __init__(
        self,
        on_epoch_begin: Callable | None = None,
        on_epoch_end: Callable | None = None,
        on_train_begin: Callable | None = None,
        on_train_end: Callable | None = None,
        on_train_batch_begin: Callable | None = None,
        on_train_batch_end: Callable | None = None,
        **kwargs: Callable | None,
    ):
        given = kwargs | {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        for hook, function in given.items():
            if hook not in HOOKS:
                raise ArgumentError(f"A callback has no {hook!r}.{did_you_mean(hook, HOOKS)} It has {listing(HOOKS)}.")
            if function is not None:
                setattr(self, hook, function)
