"""What people see of fit, evaluate and predict: a bar in a terminal or notebook, a line an epoch elsewhere."""

import time
from typing import Any, TextIO

import numpy as np

from keryx.errors import ConfigError
from keryx.screens import BOLD, GREEN, GREY, screen

BEAT = 60.0  # seconds after which a log is told how far a long epoch has come


class Progress:
    """The progress of a run.

    Args:
        verbose: 0 shows nothing, 1 a bar, 2 a line an epoch; `auto` is 1. Where the output is neither a terminal nor a
            notebook, 1 is a line an epoch, and of an epoch that takes long a line a minute; where interactive logging
            is disabled, these lines go to the logger `keryx`.
        epochs: The number of epochs; None for evaluate and predict, which have none.
        stream: Where it is written, by default `sys.stdout`.
        width: The bar's width in characters.
        interval: Seconds between two drawings, at least.
        unit: What is counted.

    >>> import sys
    >>> progress = Progress(1, epochs=10, stream=sys.stdout)
    >>> progress.begin(0, steps=200)
    >>> progress.end(200, {"accuracy": 0.9312, "loss": 2.5e-5})
    Epoch 1/10 - 0s ...us/step - 200 steps - accuracy: 0.9312 - loss: 2.5000e-05
    """

    def __init__(
        self,
        verbose: int | str,
        epochs: int | None,
        stream: TextIO | None = None,
        width: int = 20,
        interval: float = 0.1,
        unit: str = "step",
    ):
        if verbose not in (0, 1, 2, "auto"):
            raise ConfigError(f"verbose is 0, 1, 2 or 'auto'; got {verbose!r}.")
        self.epochs, self.width, self.interval, self.unit = epochs, width, interval, unit
        self.screen = None if verbose == 0 else screen(stream)
        self.bar = self.screen is not None and self.screen.moves and verbose != 2
        self.beats = self.screen is not None and not self.screen.moves and verbose != 2
        self._next_draw = 0.0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.leave()

    def begin(self, epoch: int, steps: int | None) -> None:
        """An epoch begins, counted from 0; `steps` is None where nobody knows how many."""
        self.epoch, self.steps = epoch, steps
        self._start = self._last_time = time.perf_counter()
        self._last_step = self._counted = 0
        self._spent = 0.0  # on the steps that are counted, those that tell how long a step takes
        self._first, self._compiles, self._compiled = True, False, False
        self._next_draw = 0.0 if self.bar else self._start + BEAT
        if self.screen is not None and self.bar and self.epochs is not None:
            self.screen.line(f"Epoch {epoch + 1}/{self.epochs}")

    def compiling(self) -> None:
        """The next step has to be compiled first."""
        self._compiles = self._compiled = True
        if self.screen is not None and self.bar:
            self.screen.draw([*self._head(self._last_step), ("", " compiling...")], stays=True)

    def update(self, step: int, logs: dict[str, float]) -> None:
        """So many steps are done, with these means so far. Cheap: it draws at most ten times a second."""
        now = time.perf_counter()
        self._count(step, now)
        if self.screen is None or now < self._next_draw or not (self.bar or self.beats):
            return
        elapsed, pace = f"{now - self._start:.0f}s", self._seconds_a_step(step)
        known = bool(self._counted) or not self._compiled  # else the time is that of the compilation
        left = _clock(pace * (self.steps - step)) if self.steps and known else None
        rest = f"{f' {_pace(pace, self.unit)}' if known else ''}{_metrics(logs)}"
        if self.bar:
            self._next_draw = now + self.interval
            self.screen.draw([*self._head(step), (BOLD, f" {left or elapsed}"), ("", rest)])
        elif self._last_step != self.steps:
            self._next_draw = now + BEAT
            count = f"{step}/{self.steps or 'Unknown'}"
            self.screen.line(f"{self._name()}{count} - {f'{left} left' if left else elapsed}{rest}")

    def end(self, step: int, logs: dict[str, float]) -> None:
        """The epoch is over after so many steps, with these numbers, validation included."""
        if self.screen is None:
            return
        now = time.perf_counter()
        if self._last_step != step:
            self._count(step, now)
        took, pace = f"{now - self._start:.0f}s", _pace(self._seconds_a_step(step), self.unit)
        if self.bar:
            self.steps = self.steps or step
            pieces = [*self._head(step), (BOLD, f" {took}"), ("", f" {pace}{_metrics(logs)}")]
            self.screen.draw(pieces, whole=True)
            self.screen.stand(last=self.epochs is None or self.epoch + 1 == self.epochs)
        else:
            self.screen.line(f"{self._name()}{took} {pace} - {step} {self.unit}{'s' * (step != 1)}{_metrics(logs)}")

    def leave(self) -> None:
        """Finish a line that stands there half done, so that an error message begins on its own."""
        if self.screen is not None:
            self.screen.leave()

    def _name(self) -> str:
        return "" if self.epochs is None else f"Epoch {self.epoch + 1}/{self.epochs} - "

    def _count(self, step: int, now: float) -> None:
        """Count the steps since the last time, unless they were compiled, or are the first, which come slowly."""
        if not self._first and not self._compiles:
            self._spent += now - self._last_time
            self._counted += step - self._last_step
        self._first = self._compiles = False
        self._last_step, self._last_time = step, now

    def _seconds_a_step(self, step: int) -> float:
        """The mean of the steps that are counted, or of all where none is; validation has no part in it."""
        if self._counted:
            return self._spent / self._counted
        return (self._last_time - self._start) / max(step, 1)

    def _head(self, step: int) -> list[tuple[str, str]]:
        """The count of steps and the bar, as pieces of style and text."""
        if not self.steps:
            return [(BOLD, f"{step}/Unknown")]
        done = min(self.width * step // self.steps, self.width)
        return [
            (BOLD, f"{step:{len(str(self.steps))}d}/{self.steps}"),
            ("", " "),
            (GREEN, "━" * done),
            (GREY, "━" * (self.width - done)),
        ]


def _metrics(logs: dict[str, float]) -> str:
    return "".join(f" - {name}: {_number(value)}" for name, value in logs.items())


def _number(value: Any) -> str:
    """Four decimals, or an exponent where they would say little; a metric that gives a vector, in brackets.

    >>> _number(0.93124), _number(2.5e-5), _number(0.0), _number(3.2e9)
    ('0.9312', '2.5000e-05', '0.0000', '3.2000e+09')
    >>> _number(np.array([0.1, 0.2]))
    '[0.1, 0.2]'
    """
    if np.ndim(value):
        return f"[{', '.join(f'{number:.4g}' for number in np.ravel(value))}]"
    size = abs(value)
    return f"{value:.4e}" if 0 < size < 1e-3 or size >= 1e7 else f"{value:.4f}"


def _pace(seconds: float, unit: str = "step") -> str:
    """The time of a step.

    >>> _pace(2.0), _pace(0.0031), _pace(42e-6)
    ('2s/step', '3ms/step', '42us/step')
    """
    if seconds >= 0.9995:
        return f"{seconds:.0f}s/{unit}"
    return f"{seconds * 1e3:.0f}ms/{unit}" if seconds >= 0.9995e-3 else f"{seconds * 1e6:.0f}us/{unit}"


def _clock(seconds: float) -> str:
    """A time that is left.

    >>> _clock(12), _clock(75), _clock(4000)
    ('12s', '1:15', '1:06:40')
    """
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{left:02d}"
    return f"{minutes}:{left:02d}" if minutes else f"{left}s"
