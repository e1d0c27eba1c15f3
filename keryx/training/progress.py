"""What people see of fit, evaluate and predict: a bar in a terminal, a line an epoch elsewhere."""

import logging
import os
import shutil
import sys
import time
from typing import Any, TextIO

import numpy as np

from keryx import switches
from keryx.errors import ConfigError

_BOLD, _GREEN, _GREY, _PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


class Progress:
    """The progress of a run.

    Args:
        verbose: 0 shows nothing, 1 a bar, 2 a line an epoch; `auto` is 1. Where the output is neither a
            terminal nor a notebook, 1 is a line an epoch as well; where interactive logging is disabled, that line
            goes to the logger `keryx`.
        epochs: The number of epochs; None for evaluate and predict, which have none.
        stream: Where it is written, by default `sys.stdout`.
        width: The bar's width in characters.
        interval: Seconds between two drawings, at least.
        unit: What is counted.

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
        interval: float = 0.05,
        unit: str = "step",
    ):
        if verbose not in (0, 1, 2, "auto"):
            raise ConfigError(f"verbose is 0, 1, 2 or 'auto'; got {verbose!r}.")
        self.epochs, self.width, self.interval, self.unit = epochs, width, interval, unit
        self.stream: Any = sys.stdout if stream is None else stream
        if stream is None and not switches.is_interactive_logging_enabled():
            self.stream = _Logged()
        self.shown = verbose != 0 and self.stream is not None
        self.bar = self.shown and verbose != 2 and _redraws(self.stream)
        self._drawn = 0  # the width of the line that stands there unfinished
        self._next_draw = 0.0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.leave()

    def begin(self, epoch: int, steps: int | None) -> None:
        """An epoch begins, counted from 0; `steps` is None where nobody knows how many."""
        self.epoch, self.steps = epoch, steps
        self._start = self._last_time = time.perf_counter()
        self._first: tuple[int, float] | None = None
        self._last_step = 0
        self._next_draw = 0.0
        if self.bar and self.epochs is not None:
            self._write(f"Epoch {epoch + 1}/{self.epochs}\n")

    def compiling(self) -> None:
        """The first step is being compiled."""
        if self.bar:
            self._draw(self._head(0), " compiling...")

    def update(self, step: int, logs: dict[str, float]) -> None:
        """So many steps are done, with these means so far. Cheap: it draws at most twenty times a second."""
        now = self._last_time = time.perf_counter()
        self._last_step = step
        if self._first is None:
            self._first = step, now
        if not self.bar or now < self._next_draw:
            return
        self._next_draw = now + self.interval
        pace = self._seconds_a_step(step)
        left = _clock(pace * (self.steps - step)) if self.steps else f"{now - self._start:.0f}s"
        self._draw(self._head(step), f" {left} {_pace(pace, self.unit)}{_metrics(logs)}", bold=len(left) + 1)

    def end(self, step: int, logs: dict[str, float]) -> None:
        """The epoch is over after so many steps, with these numbers, validation included."""
        if not self.shown:
            return
        now = time.perf_counter()
        if self._last_step != step:
            self._last_step, self._last_time = step, now
        took, pace = f"{now - self._start:.0f}s", _pace(self._seconds_a_step(step), self.unit)
        if self.bar:
            self.steps = self.steps or step
            self._draw(self._head(step), f" {took} {pace}{_metrics(logs)}", bold=len(took) + 1, whole=True)
            self._write("\n")
            self._drawn = 0
        else:
            epoch = "" if self.epochs is None else f"Epoch {self.epoch + 1}/{self.epochs} - "
            self._write(f"{epoch}{took} {pace} - {step} {self.unit}{'s' * (step != 1)}{_metrics(logs)}\n")

    def leave(self) -> None:
        """Finish a line that stands there half done, so that an error message begins on its own."""
        if self._drawn:
            self._write("\n")
            self._drawn = 0

    def _seconds_a_step(self, step: int) -> float:
        """The mean, without the first call, most of which is compilation, and without validation."""
        if self._first is not None and step > self._first[0]:
            return (self._last_time - self._first[1]) / (step - self._first[0])
        return (self._last_time - self._start) / max(step, 1)

    def _head(self, step: int) -> list[tuple[str, str]]:
        """The count of steps and the bar, as pieces of style and text."""
        if not self.steps:
            return [(_BOLD, f"{step}/Unknown")]
        done = min(self.width * step // self.steps, self.width)
        return [
            (_BOLD, f"{step:{len(str(self.steps))}d}/{self.steps}"),
            ("", " "),
            (_GREEN, "━" * done),
            (_GREY, "━" * (self.width - done)),
        ]

    def _draw(self, head: list[tuple[str, str]], rest: str, bold: int = 0, whole: bool = False) -> None:
        """Write over the line that stands there; one that is not `whole` is cut to the terminal's width."""
        width = sum(len(text) for _, text in head)
        if not whole:
            room = max(shutil.get_terminal_size().columns - 1 - width, 0)
            rest = rest if len(rest) <= room else rest[: max(room - 1, 0)] + "…"
        pieces = [*head, (_BOLD, rest[:bold]), ("", rest[bold:])]
        width += len(rest)
        blank = " " * max(self._drawn - width, 0)
        self._write("\r" + "".join(self._styled(*piece) for piece in pieces) + blank)
        self._drawn = width

    def _styled(self, style: str, text: str) -> str:
        return f"{style}{text}{_PLAIN}" if style and text and not os.environ.get("NO_COLOR") else text

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
        except UnicodeEncodeError:  # a terminal that does not speak Unicode
            text = text.replace("━", "=").replace("…", "~")
            encoding = self.stream.encoding or "ascii"
            self.stream.write(text.encode(encoding, "replace").decode(encoding))
        self.stream.flush()


class _Logged:
    """A stream whose lines go to a logger."""

    def write(self, text: str) -> None:
        logging.getLogger("keryx").info(text.rstrip("\n"))

    def flush(self) -> None:
        pass


def _redraws(stream: Any) -> bool:
    """Whether a line can be written over: in a terminal, and in a notebook."""
    isatty = getattr(stream, "isatty", None)
    return type(stream).__module__.startswith("ipykernel") or (isatty is not None and isatty())


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
