"""What the callbacks that watch one number share: finding it in the logs, and telling better from worse."""

import math
import re
from typing import Any

from keryx.callbacks.callback import Callback
from keryx.core.names import snake_case
from keryx.errors import ConfigError, did_you_mean, listing

_HIGHER = "acc|accuracy|auc|precision|recall|sensitivity|specificity|f1|fbeta|score|iou|io_u|r2|similarity|correlation"
_LOWER = (
    "loss|error|mse|mae|mape|msle|rmse|mean_squared|mean_absolute|crossentropy|hinge|divergence|kld|poisson"
    "|log_?cosh|perplexity"
)


def monitored(logs: dict[str, Any] | None, name: str, who: str) -> float:
    """The number of this name in the logs of an epoch.

    One that is not there raises, at the end of the first epoch: a callback that only warned would never act.
    The weights are whole then, and training can go on from them.

    Args:
        logs: The logs of an epoch.
        name: What is monitored, such as `"val_loss"`.
        who: The callback that asks.

    Raises:
        ConfigError: With the names that are logged.

    >>> monitored({"accuracy": 0.5, "loss": 1.0}, "acc", "EarlyStopping")
    Traceback (most recent call last):
    keryx.errors.ConfigError: EarlyStopping monitors 'acc', which fit does not log. Did you mean 'accuracy'...
    """
    logs = logs or {}
    if name in logs:
        return float(logs[name])
    spelled_out = re.sub(r"(^|_)acc$", r"\1accuracy", name)  # Keras 2.2 and before logged 'acc'
    if spelled_out in logs:
        way_out = f" Did you mean {spelled_out!r}?"
    elif name.startswith("val_") and not _has_validation(logs):
        way_out = " There is no validation: give fit validation_data= or validation_split=."
    else:
        way_out = did_you_mean(name, logs)
    raise ConfigError(f"{who} monitors {name!r}, which fit does not log.{way_out} Logged: {listing(logs)}.")


def _has_validation(logs: dict[str, Any]) -> bool:
    return any(name.startswith("val_") for name in logs)


class Monitor(Callback):
    """A callback that watches one number: the base of EarlyStopping, ReduceLROnPlateau and their like.

    Args:
        monitor: The name of the number in the logs.
        mode: `min` or `max`: where better lies; `auto` sees it from the metric's name or class.
        min_delta: By how much a number has to be better to count as better.

    Raises:
        ConfigError: For another mode, or, when training begins, where `auto` cannot tell.
    """

    remembers: tuple[str, ...] = ("best",)

    def __init__(self, monitor: str, mode: str, min_delta: float):
        if mode not in ("auto", "min", "max"):
            raise ConfigError(f"{type(self).__name__}: mode is 'auto', 'min' or 'max'; got {mode!r}.")
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)
        self.best: float | None = None

    def current(self, logs: dict[str, Any] | None) -> float | None:
        """The number at the end of this epoch; None where `validation_freq` lets this epoch go without."""
        every_so_often = (self.params or {}).get("validation_freq") not in (None, 1)
        if every_so_often and self.monitor.startswith("val_") and not _has_validation(logs or {}):
            return None
        return monitored(logs, self.monitor, type(self).__name__)

    def is_better(self, number: float, than: float | None) -> bool:
        """Whether a number beats another by more than `min_delta`; any beats none, and NaN."""
        if than is None or math.isnan(than):
            return True
        return number - self.min_delta > than if self.higher_is_better else number + self.min_delta < than

    @property
    def higher_is_better(self) -> bool:
        """Where better lies."""
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        metrics = getattr(self.model, "metrics", None) or []
        kinds = [snake_case(type(metric).__name__) for metric in metrics if getattr(metric, "name", None) == name]
        for words in (name, *kinds):
            if re.search(rf"(^|_)({_LOWER})(_|\d|$)", words):
                return False
            if re.search(rf"(^|_)({_HIGHER})(_|\d|$)", words):
                return True
        raise ConfigError(
            f"{type(self).__name__} cannot tell from the name {self.monitor!r} whether lower or higher is "
            "better: give it mode='min' or mode='max'."
        )

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forget the best number, and see where better lies before an epoch is spent."""
        self.best = None
        _ = self.higher_is_better
