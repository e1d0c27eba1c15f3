"""A picture of a model as SVG."""

from collections.abc import Mapping
from html import escape
from itertools import pairwise

from keryx.visualization.model import style
from keryx.visualization.model.layout import HEADER, PADDING, Drawing, Placed, Routed
from keryx.visualization.model.picture import Box
from keryx.visualization.model.ranking import Point
from keryx.visualization.model.rows import LINES, SIZES
from keryx.visualization.model.text import width
from keryx.visualization.model.tips import tip

MARGIN = 12.0
_FILE = "kx-file"  # so that a file's colours, shown in a notebook, are not those of other pictures there
_HEAD = 3.5, 7.0  # half the width and the length of an arrow's head


def document(drawing: Drawing, title: str, curved: bool = True) -> str:
    """A file of SVG by itself, which follows the reader's choice of light and dark."""
    light, dark = (style.rules(colours, _FILE) for colours in (style.LIGHT, style.DARK))
    css = f"<style>{light}@media (prefers-color-scheme:dark){{{dark}}}</style>"
    return element(drawing, title, curved, css, scope=_FILE)


def element(
    drawing: Drawing,
    title: str,
    curved: bool = True,
    before: str = "",
    tips: bool = True,
    scope: str = "kx",
    switches: Mapping[str, str] | None = None,
) -> str:
    """The element `<svg>`.

    Args:
        drawing: What to draw.
        title: The name that is read aloud.
        curved: Whether arrows bend; else they go straight from point to point.
        before: What stands first in it.
        tips: Whether boxes tell of their weights; else of their name alone.
        scope: The class that its CSS is for.
        switches: By the key of a box, the id of the checkbox around the picture that a click on the box is for.
    """
    w, h = drawing.size[0] + 2 * MARGIN, drawing.size[1] + 2 * MARGIN
    switches = switches or {}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{scope}" width="{_n(w)}" height="{_n(h)}" '
        f'viewBox="{_n(-MARGIN)} {_n(-MARGIN)} {_n(w)} {_n(h)}" role="img" aria-label="{escape(title)}">{before}',
        f'<rect x="{_n(-MARGIN)}" y="{_n(-MARGIN)}" width="{_n(w)}" height="{_n(h)}" class="ground"/>',
        *(_frame(placed, tips) for placed in drawing.boxes if placed.is_open),
        *(_arrow(routed, drawing, curved) for routed in drawing.arrows),
        *(_header(placed) if placed.is_open else _closed(placed, tips) for placed in drawing.boxes),
        *(_button(placed, tips, switches[placed.box.key]) for placed in drawing.boxes if placed.box.key in switches),
        "</svg>",
    ]
    return "\n".join(parts)


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _rect(placed: Placed, corner: float) -> str:
    return (
        f'<rect x="{_n(placed.x)}" y="{_n(placed.y)}" width="{_n(placed.width)}" height="{_n(placed.height)}" '
        f'rx="{_n(corner)}"/>'
    )


def _title(box: Box, tips: bool) -> str:
    return f"<title>{escape(tip(box) if tips else f'{box.name} ({box.kind})', quote=False)}</title>"


def _group(placed: Placed, kinds: str, tips: bool) -> str:
    return f'<g class="{kinds}" data-box="{placed.box.key}">{_title(placed.box, tips)}'


def _closed(placed: Placed, tips: bool) -> str:
    """A box with its lines of text in the middle of it."""
    box = placed.box
    parts = [_group(placed, f"n {style.family(box.role, box.thing)}", tips)]
    parts.append(_rect(placed, placed.height / 2 if box.role in ("input", "op") else 5))
    if box.role not in ("input", "op"):
        parts.append(
            f'<rect class="bar" x="{_n(placed.x)}" y="{_n(placed.y + 4)}" width="3.5" '
            f'height="{_n(placed.height - 8)}" rx="1.7"/>'
        )
    y = placed.y + (placed.height - sum(LINES[kind] for kind, _ in placed.rows)) / 2
    for kind, text in placed.rows:
        baseline = y + LINES[kind] / 2 + SIZES[kind] * 0.35
        parts.append(
            f'<text class="{kind}" x="{_n(placed.x + placed.width / 2)}" y="{_n(baseline)}">{escape(text)}</text>'
        )
        y += LINES[kind]
    return "".join(parts) + "</g>"


def _frame(placed: Placed, tips: bool) -> str:
    """The border around what is within a model."""
    return _group(placed, "m", tips) + _rect(placed, 8) + "</g>"


def _header(placed: Placed) -> str:
    """The name of an open model, over arrows that come in."""
    parts, x = [], placed.x + PADDING
    for kind, text in placed.rows:
        parts.append(f'<text class="{kind}" x="{_n(x)}" y="{_n(placed.y + HEADER - 4)}">{escape(text)}</text>')
        x += width(text, SIZES[kind], kind == "name") + 8
    wide = x - placed.x - PADDING - 4
    behind = (
        f'<rect class="ground" x="{_n(placed.x + PADDING - 2)}" y="{_n(placed.y + 4)}" width="{_n(wide)}" height="16"/>'
    )
    return f'<g class="t">{behind}{"".join(parts)}</g>'


def _button(placed: Placed, tips: bool, checkbox: str) -> str:
    """What is clicked on: all of a closed model, the head of an open one."""
    h = HEADER if placed.is_open else placed.height
    return (
        f"<g>{_title(placed.box, tips)}"
        f'<foreignObject x="{_n(placed.x)}" y="{_n(placed.y)}" width="{_n(placed.width)}" height="{_n(h)}">'
        f'<label class="kx-click" for="{checkbox}"></label></foreignObject></g>'
    )


def _arrow(routed: Routed, drawing: Drawing, curved: bool) -> str:
    parts = [f'<g class="e"><path d="{way(routed.points, drawing.sideways, curved)}"/>']
    if routed.ends:
        parts.append(f'<path class="h" d="{_polygon(head(routed.points, drawing.sideways, curved))}"/>')
    if routed.text:
        x, y = routed.at
        wide = width(routed.text, SIZES["label"]) + 4
        parts.append(f'<rect class="ground" x="{_n(x - wide / 2)}" y="{_n(y - 6)}" width="{_n(wide)}" height="12"/>')
        parts.append(f'<text x="{_n(x)}" y="{_n(y + 3.5)}">{escape(routed.text)}</text>')
    return "".join(parts) + "</g>"


def _polygon(points: list[Point]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points) + "Z"


def way(points: list[Point], sideways: bool, curved: bool) -> str:
    """An arrow's points as a path.

    >>> way([(0, 0), (0, 10), (20, 30)], sideways=False, curved=True)
    'M0 0L0 10C0 20 20 20 20 30'
    """
    path = f"M{_n(points[0][0])} {_n(points[0][1])}"
    for (x, y), (to_x, to_y) in pairwise(points):
        if curved and x != to_x and y != to_y:
            near, far = ((x + to_x) / 2, y, (x + to_x) / 2, to_y), (x, (y + to_y) / 2, to_x, (y + to_y) / 2)
            path += "C" + " ".join(map(_n, (*(near if sideways else far), to_x, to_y)))
        else:
            path += f"L{_n(to_x)} {_n(to_y)}"
    return path


def head(points: list[Point], sideways: bool, curved: bool) -> list[Point]:
    """The corners of an arrow's head, the point first."""
    (from_x, from_y), (x, y) = points[-2], points[-1]
    dx, dy = x - from_x, y - from_y
    if curved and dx and dy:
        dx, dy = (dx, 0.0) if sideways else (0.0, dy)
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    dx, dy = dx / length, dy / length
    half, long = _HEAD
    back = x - dx * long, y - dy * long
    return [(x, y), (back[0] - dy * half, back[1] + dx * half), (back[0] + dy * half, back[1] - dx * half)]
