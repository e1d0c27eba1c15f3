"""LivePlot: the curves of a training while it runs."""

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keryx.callbacks.callback import Callback
from keryx.errors import ArgumentError, warn
from keryx.screens import output, put


class LivePlot(Callback):
    """Draw the numbers of `fit` anew after each epoch: each metric with its validation twin, the best epoch marked.

    In a notebook the figure is drawn in one place. In a terminal it is drawn in characters: in one place where `fit`
    has `verbose=0`, else below the progress of each epoch. Figures want matplotlib
    (`pip install 'keryx[visualization]'`). Where drawing fails, a warning says so once, and training goes on.

    Args:
        to_file: A file that is written instead: `.png`, `.svg`, `.pdf`, or `.txt` for characters.
        metrics: Which metric or metrics, by their names without `val_`; by default all.
        every: After how many epochs it is drawn; after the last one it always is.

    Raises:
        ArgumentError: Where `every` is not 1 or more.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "curves.txt"
    >>> live = LivePlot(path)
    >>> live.on_train_begin()
    >>> live.on_epoch_end(0, {"loss": 2.0}), live.on_epoch_end(1, {"loss": 1.0})
    (None, None)
    >>> path.read_text().split()[:5]
    ['loss', 'best', '1', 'in', 'epoch']
    """

    needs_every_batch = False
    remembers = ("numbers",)

    def __init__(
        self, to_file: str | os.PathLike | None = None, metrics: str | Sequence[str] | None = None, every: int = 1
    ):
        if every < 1:
            raise ArgumentError(f"LivePlot draws after every=1 or more epochs; got every={every}.")
        self.to_file, self.metrics, self.every = None if to_file is None else Path(to_file), metrics, every
        self.numbers: dict[str, list[Any]] = {}
        self._place: Any = None  # where it is redrawn
        self._last_drawn = self._epoch = -1
        self._failed = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin anew."""
        self.numbers, self._place, self._failed, self._last_drawn = {}, None, False, -1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw, where it is time."""
        for name, number in (logs or {}).items():
            self.numbers.setdefault(name, []).append(number)
        self._epoch = epoch
        if (epoch + 1) % self.every == 0:
            self._draw_safely()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Draw what is not drawn yet."""
        if self._epoch != self._last_drawn:
            self._draw_safely()
        self.on_leave()

    def on_leave(self) -> None:
        """Give the terminal back, which redrawing in place holds."""
        if hasattr(self._place, "stop"):
            self._place.stop()

    def _draw_safely(self) -> None:
        if self._failed or not self.numbers:
            return
        try:
            self._draw()
        except Exception as error:  # whatever it is, training is worth more
            self._failed = True
            warn(f"LivePlot draws no more: {type(error).__name__}: {error}")
        self._last_drawn = self._epoch

    def _draw(self) -> None:
        curves = importlib.import_module("keryx.visualization.curves")  # pictures stand above callbacks
        frequency = (self.params or {}).get("validation_freq", 1)
        longest = max(map(len, self.numbers.values()))
        first = max(self._epoch + 1 - longest, 0)
        made = curves.panels(self.numbers, self.metrics, frequency, self.model, first)
        if self.to_file is not None:
            curves.plot(made, to_file=self.to_file)
        elif in_notebook():
            has_figures = curves.has_matplotlib()
            self._show(curves.figure(made) if has_figures else _Characters(curves.in_characters(made, colour=False)))
        else:
            self._print(curves.in_characters(made))

    def _show(self, drawn: Any) -> None:
        from IPython.display import display

        if self._place is None:
            self._place = display(drawn, display_id=True)
        else:
            self._place.update(drawn)

    def _print(self, text: str) -> None:
        quiet, stream = (self.params or {}).get("verbose") == 0, output()
        if not quiet or stream is None or not stream.isatty():
            put(text)
            return
        from rich.live import Live
        from rich.text import Text

        if self._place is None:
            self._place = Live(auto_refresh=False, vertical_overflow="visible")
            self._place.start()
        self._place.update(Text.from_ansi(text), refresh=True)


class _Characters(str):
    """Text that a notebook shows as it is."""

    __repr__ = str.__str__


def in_notebook() -> bool:
    """Whether this runs in the kernel of a notebook.

    >>> in_notebook()
    False
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None
