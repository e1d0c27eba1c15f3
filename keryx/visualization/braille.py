"""Curves in characters: each holds two by four dots of Braille."""

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any

from rich.text import Text

_STYLES = ("blue", "dark_orange")
_HEIGHT = 8  # lines of a chart
_DOTS = (
    (0x01, 0x02, 0x04, 0x40),
    (0x08, 0x10, 0x20, 0x80),
)  # of a character, by column and row, as Unicode counts them


class Canvas:
    """A grid of characters in which dots are set, from the lower left.

    >>> canvas = Canvas(2, 1)
    >>> canvas.line((0, 0), (3, 3), 0)
    >>> str(canvas.rows()[0])
    '⡠⠊'
    """

    def __init__(self, width: int, height: int):
        self.width, self.height = width, height
        self.dots = [[0] * width for _ in range(height)]
        self.styles: list[list[int]] = [[0] * width for _ in range(height)]

    def set(self, x: int, y: int, style: int) -> None:
        """Set a dot: x of twice the width, y of four times the height."""
        row, column = self.height - 1 - y // 4, x // 2
        self.dots[row][column] |= _DOTS[x % 2][3 - y % 4]
        self.styles[row][column] = style

    def line(self, start: tuple[float, float], end: tuple[float, float], style: int, dashed: bool = False) -> None:
        """Set the dots between two places; every other one of a dashed line."""
        steps = max(round(abs(end[0] - start[0])), round(abs(end[1] - start[1])), 1)
        for step in range(steps + 1):
            x, y = (round(a + (b - a) * step / steps) for a, b in zip(start, end, strict=True))
            if not dashed or x % 4 < 2:
                self.set(x, y, style)

    def rows(self) -> list[Text]:
        """The lines of characters, in colours."""
        made = []
        for dots, styles in zip(self.dots, self.styles, strict=True):
            text = Text()
            for style, run in groupby(zip(dots, styles, strict=True), lambda dot: dot[1] if dot[0] else None):
                letters = "".join(chr(0x2800 + bits) if bits else " " for bits, _ in run)
                text.append(letters, None if style is None else _STYLES[style])
            made.append(text)
        return made


def chart(panel: Any, width: int) -> Text:
    """A panel of `curves`: its name and its best value, the curves between their extremes, the epochs below.

    >>> from keryx.visualization.curves import panels
    >>> print(chart(panels({"loss": [2, 1]})[0], 30).plain.splitlines()[-1].split())
    ['1', 'epoch', '2']
    """
    values = [value for curve in panel.curves for value in curve.values if value - value == 0]  # no NaN, no infinity
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    epochs = [epoch for curve in panel.curves for epoch in curve.epochs]
    first, last = min(epochs), max(epochs)
    marks = f"{high:.4g}", f"{low:.4g}"
    edge = max(map(len, marks))
    canvas = Canvas(max(width - edge - 2, 10), _HEIGHT)
    for curve in panel.curves:
        _trace(canvas, curve, (first, last), (low, high), style=int(curve.name != panel.name))
    text = _title(panel, width)
    for i, row in enumerate(canvas.rows()):
        mark = marks[0] if i == 0 else marks[1] if i == _HEIGHT - 1 else ""
        text.append(f"{mark:>{edge}} ", "dim").append("\N{BOX DRAWINGS LIGHT VERTICAL}", "dim").append_text(row)
        text.append("\n")
    between = f"{'epoch':^{max(canvas.width - len(f'{first:g}{last:g}'), 7)}}"
    return text.append(f"{'':{edge + 2}}{first:g}{between}{last:g}", "dim")


def _title(panel: Any, width: int) -> Text:
    text = Text().append(panel.name, "bold")
    if len(panel.curves) > 1:
        text.append("  training", _STYLES[0]).append("  validation (dashed)", _STYLES[1])
    if panel.best:
        best = f"best {panel.best[1]:.4g} in epoch {panel.best[0]:g}"
        text.append(f"{best:>{max(width - len(text), len(best) + 2)}}", "dim")
    return text.append("\n")


def _trace(canvas: Canvas, curve: Any, across: Sequence[float], up: Sequence[float], style: int) -> None:
    def place(value: float, ends: Sequence[float], dots: int) -> float:
        return (value - ends[0]) / ((ends[1] - ends[0]) or 1) * (dots - 1)

    points = [
        (place(epoch, across, 2 * canvas.width), place(value, up, 4 * canvas.height)) if value - value == 0 else None
        for epoch, value in zip(curve.epochs, curve.values, strict=True)
    ]
    for start, end in pairwise(points):
        if start is not None and end is not None:
            canvas.line(start, end, style, dashed=style == 1)
    for point in points:
        if point is not None:
            canvas.set(round(point[0]), round(point[1]), style)
