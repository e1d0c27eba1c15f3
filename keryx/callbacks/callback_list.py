"""CallbackList, which calls its callbacks in order."""

from collections.abc import Iterator
from typing import Any

from keryx.callbacks.callback import HOOKS, Callback
from keryx.callbacks.history import History
from keryx.core.names import snake_case
from keryx.errors import ArgumentError, ConfigError, listing

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
        add_progbar: Ignored; `fit` draws its progress itself.
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
        self.callbacks: list[Callback] = list(_flat(callbacks))
        if add_history and not any(isinstance(callback, History) for callback in self.callbacks):
            self.callbacks.append(History())
        for callback in self.callbacks:
            if isinstance(callback, Callback):
                callback.together = self
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    def append(self, callback: Callback) -> None:
        """Put a callback at the end."""
        self.callbacks.extend(_flat(callback))

    def get_state(self) -> dict[str, Any]:
        """What each of them remembers, by its index and class."""
        return {name: callback.get_state() for name, callback in self._with_state().items()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Let each of them go on from what `get_state` gave for it.

        Raises:
            ConfigError: Where the callbacks are others than those; none of them is changed then.
        """
        callbacks = self._with_state()
        if state.keys() != callbacks.keys():
            raise ConfigError(f"The state is that of the callbacks {listing(state)}; there are {listing(callbacks)}.")
        for name, callback in callbacks.items():
            callback.set_state(state[name])

    def _with_state(self) -> dict[str, Callback]:
        named = {f"{i}_{snake_case(type(callback).__name__)}": callback for i, callback in enumerate(self.callbacks)}
        return {name: callback for name, callback in named.items() if hasattr(callback, "set_state")}

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

    def next_batch(self, done: int) -> int | None:
        """The first batch of the epoch after which one of them wants to be called."""
        wanted = [callback.next_batch(done) for callback in self.callbacks if isinstance(callback, Callback)]
        return min((batch for batch in wanted if batch is not None), default=None)

    def resume(self) -> bool:
        """Whether one of them has put training back to where an earlier run stood."""
        return any(callback.resume() for callback in self.callbacks if isinstance(callback, Callback))

    def on_boundary(self, epoch_is_over: bool) -> None:
        """Tell each that all have been told."""
        for callback in self.callbacks:
            if isinstance(callback, Callback):
                callback.on_boundary(epoch_is_over)

    def on_leave(self) -> None:
        """Tell each that `fit` is over."""
        for callback in self.callbacks:
            if isinstance(callback, Callback):
                callback.on_leave()

    def __enter__(self) -> "CallbackList":
        return self

    def __exit__(self, *error: object) -> None:
        self.on_leave()

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
        if hook in ("on_train_batch_end", "on_epoch_end"):
            self.on_boundary(hook == "on_epoch_end")

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
        raise ArgumentError(f"{callbacks.__name__} is a class of callbacks; make one: {callbacks.__name__}().")
    elif callbacks is not None:
        if not hasattr(callbacks, "set_model") or not hasattr(callbacks, "on_epoch_end"):
            raise ArgumentError(
                f"callbacks= wants Callback objects; got {type(callbacks).__name__}. "
                "LambdaCallback(on_epoch_end=function) makes one of a function."
            )
        yield callbacks


def _overrides(callback: Any, hook: str) -> bool:
    return hook in vars(callback) or getattr(type(callback), hook, None) is not getattr(Callback, hook)
