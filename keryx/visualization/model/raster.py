"""A picture of a model as PNG, PDF and what else matplotlib writes."""

import warnings
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from keryx.errors import ConfigError, warn
from keryx.visualization import fonts
from keryx.visualization.model import style
from keryx.visualization.model.layout import HEADER, PADDING, Drawing, Placed, Routed
from keryx.visualization.model.ranking import Point
from keryx.visualization.model.rows import LINES, SIZES
from keryx.visualization.model.svg import MARGIN, head
from keryx.visualization.model.text import width

_POINTS = 72  # an inch
_MOST_PIXELS = 2**16 - 1  # of a side, as far as matplotlib's canvas goes
_WIDER = 0.88  # the size at which DejaVu Sans, which matplotlib brings along, is as wide
_C = style.LIGHT


def formats() -> dict[str, str]:
    """The endings of the files that can be written, each with what it is."""
    return dict(_figure(1, 1).canvas.get_supported_filetypes())


def write(drawing: Drawing, file: Any, format: str, dpi: float = 200, curved: bool = True) -> None:
    """Write a picture.

    Args:
        drawing: What to draw.
        file: A path, or a file that is open for writing bytes.
        format: One of `formats()`.
        dpi: Pixels an inch, where a file has pixels; a line of names is a sixth of an inch high.
        curved: Whether arrows bend.

    Raises:
        ConfigError: Where matplotlib is missing.
    """
    w, h = drawing.size[0] + 2 * MARGIN, drawing.size[1] + 2 * MARGIN
    if (largest := max(w, h) / _POINTS * dpi) > _MOST_PIXELS:
        fits = int(dpi * _MOST_PIXELS / largest)
        warn(f"The picture would be {largest:.0f} pixels long at dpi={dpi}; it is written at dpi={fits}.")
        dpi = fits
    figure = _figure(w / _POINTS, h / _POINTS)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-MARGIN, w - MARGIN)
    axes.set_ylim(h - MARGIN, -MARGIN)
    axes.axis("off")
    pen = _Pen(axes)
    for placed in drawing.boxes:
        if placed.is_open:
            pen.frame(placed)
    for routed in drawing.arrows:
        pen.arrow(routed, drawing.sideways, curved)
    for placed in drawing.boxes:
        pen.header(placed) if placed.is_open else pen.box(placed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name in letters that no font here has
        figure.savefig(file, format=format, dpi=dpi, facecolor=_C["ground"])


def _figure(w: float, h: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError(
            "Pictures other than .svg, .html and .dot want matplotlib: pip install 'keryx[visualization]'."
        ) from None
    return Figure(figsize=(w, h))


class _Pen:
    """What draws with matplotlib, in points from the upper left."""

    def __init__(self, axes: Any):
        from matplotlib import patches, path

        self.axes, self.patches, self.path = axes, patches, path
        latin, chinese = fonts.known()
        self.fonts = [*(latin or ["DejaVu Sans"]), *chinese]
        self.scale = 1.0 if latin else _WIDER

    def text(self, x: float, y: float, text: str, kind: str, left: bool = False) -> None:
        drawn = self.axes.text(
            x,
            y,
            text,
            size=SIZES[kind] * self.scale,
            weight="bold" if kind == "name" else "normal",
            color=_C["ink" if kind == "name" else "muted"],
            ha="left" if left else "center",
            va="center_baseline",
            family=self.fonts,
            parse_math=False,
        )
        if left or kind == "label":
            drawn.set_bbox({"facecolor": _C["ground"], "edgecolor": "none", "pad": 1.5})

    def rounded(self, placed: Placed, corner: float, **look: Any) -> None:
        corner = min(corner, placed.width / 2, placed.height / 2)
        shape = f"round,pad=0,rounding_size={corner}"
        corner_at = placed.x, placed.y
        self.axes.add_patch(self.patches.FancyBboxPatch(corner_at, placed.width, placed.height, shape, lw=1, **look))

    def frame(self, placed: Placed) -> None:
        self.rounded(placed, 8, facecolor="none", edgecolor=_C["model"], linestyle=(0, (5, 3)))

    def header(self, placed: Placed) -> None:
        x = placed.x + PADDING
        for kind, text in placed.rows:
            self.text(x, placed.y + HEADER - 8, text, kind, left=True)
            x += width(text, SIZES[kind], kind == "name") + 8

    def box(self, placed: Placed) -> None:
        box = placed.box
        is_round = box.role in ("input", "op")
        self.rounded(placed, placed.height / 2 if is_round else 5, facecolor=_C["box"], edgecolor=_C["border"])
        if not is_round:
            colour = _C[style.family(box.role, box.thing)]
            at = placed.x, placed.y + 4
            self.axes.add_patch(self.patches.Rectangle(at, 3.5, placed.height - 8, facecolor=colour, lw=0))
        y = placed.y + (placed.height - sum(LINES[kind] for kind, _ in placed.rows)) / 2
        for kind, text in placed.rows:
            self.text(placed.x + placed.width / 2, y + LINES[kind] / 2, text, kind)
            y += LINES[kind]

    def arrow(self, routed: Routed, sideways: bool, curved: bool) -> None:
        path = self._way(routed.points, sideways, curved)
        self.axes.add_patch(self.patches.PathPatch(path, fill=False, edgecolor=_C["line"], lw=1.3))
        if routed.ends:
            self.axes.add_patch(
                self.patches.Polygon(head(routed.points, sideways, curved), facecolor=_C["line"], edgecolor="none")
            )
        if routed.text:
            self.text(*routed.at, routed.text, "label")

    def _way(self, points: Iterable[Point], sideways: bool, curved: bool) -> Any:
        points = list(points)
        corners, codes = [points[0]], [self.path.Path.MOVETO]
        for (x, y), (to_x, to_y) in pairwise(points):
            if curved and x != to_x and y != to_y:
                middle = (x + to_x) / 2, (y + to_y) / 2
                corners += [(middle[0], y), (middle[0], to_y)] if sideways else [(x, middle[1]), (to_x, middle[1])]
                codes += [self.path.Path.CURVE4] * 3
            else:
                codes.append(self.path.Path.LINETO)
            corners.append((to_x, to_y))
        return self.path.Path(corners, codes)
