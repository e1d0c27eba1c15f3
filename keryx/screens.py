"""Where progress and messages are shown: a terminal, a notebook, or line by line whatever only takes text."""

import logging
import os
import shutil
import sys
import time
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, ClassVar

from keryx import switches

BOLD, GREEN, GREY = "\x1b[1m", "\x1b[32m", "\x1b[37m"
_PLAIN = "\x1b[0m"

Pieces = Sequence[tuple[str, str]]  # of a line: style and text


class Lines:
    """A log file, a pipe, a logger: lines, each written once.

    Args:
        stream: What they are written to.
    """

    moves = False  # whether a line can be written over
    present: ClassVar["Lines | None"] = None  # those of whose lines one moved last

    def __init__(self, stream: Any):
        self.stream = stream

    def line(self, text: str) -> None:
        """Write a line that stays."""
        self.write(f"{text}\n")

    def draw(self, pieces: Pieces, whole: bool = False, stays: bool = False) -> None:
        """Write over the line that moves; unless it is `whole`, it is cut where there is no room.

        Args:
            pieces: The line.
            whole: Whether it says more than how far it has come.
            stays: Whether it is to be seen for a while.
        """

    def stand(self, last: bool) -> None:
        """Let the line that moves stay as it is; whether it is the `last` one."""

    def leave(self) -> None:
        """Finish a line that stands there half done, so that an error message begins on its own."""

    def write(self, text: str) -> None:
        """Write text as it is, as far as the stream speaks Unicode."""
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            text = text.replace("━", "=").replace("…", "~")
            encoding = self.stream.encoding or "ascii"
            self.stream.write(text.encode(encoding, "replace").decode(encoding))
        self.stream.flush()


class Terminal(Lines):
    """A terminal: a carriage return goes back to the beginning of the line."""

    moves = True

    def __init__(self, stream: Any):
        super().__init__(stream)
        self._drawn = 0  # the width of the line that stands there unfinished

    def line(self, text: str) -> None:
        self._come_below()
        super().line(text)

    def draw(self, pieces: Pieces, whole: bool = False, stays: bool = False) -> None:
        if not whole:
            pieces = _cut(pieces, shutil.get_terminal_size().columns - 1)
        self._come_below()
        width = sum(_cells(text) for _, text in pieces)
        blank = " " * max(self._drawn - width, 0)
        self.write("\r" + "".join(_styled(*piece) for piece in pieces) + blank)
        self._drawn = width

    def _come_below(self) -> None:
        """Let the line that another one moves stand: an evaluation may be shown in the midst of an epoch."""
        if Lines.present is not None and Lines.present is not self:
            Lines.present.leave()
        Lines.present = self

    def stand(self, last: bool) -> None:
        self.leave()

    def leave(self) -> None:
        if self._drawn:
            self.write("\n")
            self._drawn = 0


class Notebook(Lines):
    """A notebook: the lines are one output that is changed in place, so that none of what moved is left in the file.

    An output holds `HELD` lines; then the next one begins. What is printed meanwhile stands below the present one.
    """

    moves = True
    HELD, INTERVAL = 40, 0.1

    def __init__(self, display: Any):
        self.display = display
        self._begin()
        self._shown = -1.0

    def _begin(self) -> None:
        self._handle: Any = None
        self._lines: list[str] = []
        self._moving = ""
        self._pending = False

    def line(self, text: str) -> None:
        Lines.present = self
        self._lines.append(text)
        self._change()

    def draw(self, pieces: Pieces, whole: bool = False, stays: bool = False) -> None:
        Lines.present = self
        self._moving = "".join(text for _, text in pieces)
        self._change(at_once=stays)

    def stand(self, last: bool) -> None:
        self._lines.append(self._moving)
        self._moving = ""
        full = len(self._lines) >= self.HELD
        self._change(at_once=last or full)
        if full:
            self._begin()

    def leave(self) -> None:
        if self._pending:
            self._change(at_once=True)
        self._begin()

    def _change(self, at_once: bool = False) -> None:
        """Show what there is now; where others follow soon, not each of them."""
        now = time.perf_counter()
        self._pending = not at_once and now - self._shown < self.INTERVAL
        if self._pending:
            return
        self._shown = now
        text = "\n".join([*self._lines, self._moving] if self._moving else self._lines)
        if self._handle is None:
            self._handle = self.display({"text/plain": text}, raw=True, display_id=True)
        else:
            self._handle.update({"text/plain": text}, raw=True)


class Logged:
    """A stream whose lines go to the logger `keryx`."""

    def write(self, text: str) -> None:
        """Log a line."""
        logging.getLogger("keryx").info(text.rstrip("\n"))

    def flush(self) -> None:
        """Nothing: a logger keeps nothing back."""


def screen(stream: Any = None) -> Lines | None:
    """The place to show progress in: `stream`, or else the standard output or the log; None where there is none."""
    if stream is None and not switches.is_interactive_logging_enabled():
        return Lines(Logged())
    given, stream = stream, output() if stream is None else stream
    if stream is None:
        return None
    if type(stream).__module__.startswith("ipykernel"):
        display = _display() if given is None else None
        return Terminal(stream) if display is None else Notebook(display)
    isatty = getattr(stream, "isatty", None)
    redraws = isatty is not None and isatty() and os.environ.get("TERM") != "dumb"
    return Terminal(stream) if redraws else Lines(stream)


def output() -> Any:
    """The standard output; None where there is none, or where it is closed."""
    return None if getattr(sys.stdout, "closed", False) else sys.stdout


def put(text: str) -> None:
    """Write lines to the standard output, where there is one, as far as it speaks Unicode."""
    stream = output()
    if stream is not None:
        Lines(stream).line(text)


def tell(message: str) -> None:
    """Write a line where progress goes: to the standard output, or to the log where interactive logging is disabled."""
    if not switches.is_interactive_logging_enabled():
        Logged().write(message)
        return
    if Lines.present is not None:
        Lines.present.leave()  # the message stands by itself, and below it what follows
    put(message)


def _display() -> Any:
    """What shows an output in the notebook that runs; None where there is none."""
    shell = sys.modules.get("IPython")
    return shell.display.display if shell is not None and shell.get_ipython() is not None else None


def _cut(pieces: Pieces, room: int) -> Pieces:
    """A line that is no wider than `room`."""
    if sum(_cells(text) for _, text in pieces) <= room:
        return pieces
    kept, room = list[tuple[str, str]](), max(room - 1, 0)
    for style, text in pieces:
        text = text[: bisect_right(list(accumulate(map(_cells, text))), room)]
        kept.append((style, text))
        room -= _cells(text)
    return [*kept, ("", "…")]


def _cells(text: str) -> int:
    """How many columns of a terminal a text takes: wide letters take two, marks upon letters none."""
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text if not unicodedata.combining(c))


def _styled(style: str, text: str) -> str:
    return f"{style}{text}{_PLAIN}" if style and text and not os.environ.get("NO_COLOR") else text
