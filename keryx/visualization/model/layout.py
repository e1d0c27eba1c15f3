"""Where each box and arrow of a model's picture stands: a model that is open is a box as large as its own picture."""

from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from keryx.errors import ConfigError
from keryx.visualization.model.layered import layered
from keryx.visualization.model.picture import Arrow, Box, Picture, model_within
from keryx.visualization.model.ranking import Edge, Point, Size
from keryx.visualization.model.rows import EVERYTHING, LINES, SIZES, Row, Shown, rows_of, text_of
from keryx.visualization.model.text import width

DIRECTIONS = ("TB", "LR", "BT", "RL")
HEADER, PADDING = 20.0, 12.0  # of an open model
_WITHIN = (12.0, 6.0)  # between a box's border and its text


@dataclass(frozen=True)
class Placed:
    """A box in its place; x and y are its upper left corner. `rows` are its lines of text, each with its style."""

    box: Box
    x: float
    y: float
    width: float
    height: float
    rows: list[Row]
    is_open: bool = False


@dataclass(frozen=True)
class Routed:
    """An arrow in its place. `ends` says whether it has a head; its text stands around `at`."""

    arrow: Arrow
    points: list[Point]
    text: str
    at: Point
    ends: bool = True


@dataclass
class Drawing:
    """A picture with coordinates from (0, 0), the upper left; what is around comes before what is within.

    Attributes:
        size: Width and height.
        boxes: The boxes.
        arrows: The arrows.
        entries: Where tensors come in, along the side that they come in at.
        exits: Where they go out.
        sideways: Whether ranks follow one another from left to right.
    """

    size: Size
    boxes: list[Placed] = field(default_factory=list)
    arrows: list[Routed] = field(default_factory=list)
    entries: list[float] = field(default_factory=list)
    exits: list[float] = field(default_factory=list)
    sideways: bool = False


def place(
    picture: Picture,
    shown: Shown = EVERYTHING,
    opened: Container[str] = (),
    direction: str = "TB",
    right_angles: bool = False,
) -> Drawing:
    """Give each box and arrow its place.

    Args:
        picture: What to show.
        shown: What is written.
        opened: The keys of the boxes that are open.
        direction: `TB` from the top to the bottom, `LR` from left to right, `BT`, `RL`.
        right_angles: Whether arrows turn at right angles.

    Raises:
        ConfigError: For another direction.

    >>> import keryx
    >>> from keryx.visualization.model import picture
    >>> x = keryx.Input((3,))
    >>> drawing = place(picture.of(keryx.Model(x, keryx.layers.Dense(2)(x))))
    >>> above, below = drawing.boxes
    >>> above.y + above.height < below.y, [arrow.text for arrow in drawing.arrows]
    (True, ['(None, 3)', '(None, 2)'])
    """
    check_direction(direction)
    return _Placing(shown, opened, _Turn(direction), right_angles).place(picture, top=True)


def check_direction(direction: str) -> None:
    """Refuse a direction that is not known."""
    if direction not in DIRECTIONS:
        raise ConfigError(f"rankdir is one of {', '.join(map(repr, DIRECTIONS))}; got {direction!r}.")


class _Turn:
    """From the picture that leads downwards to that in another direction."""

    def __init__(self, direction: str):
        self.sideways, self.backwards = direction in ("LR", "RL"), direction in ("BT", "RL")

    def size(self, size: Size) -> Size:
        return size[::-1] if self.sideways else size

    def point(self, point: Point, length: float) -> Point:
        x, y = point[0], (length - point[1]) if self.backwards else point[1]
        return (y, x) if self.sideways else (x, y)


class _Placing:
    def __init__(self, shown: Shown, opened: Container[str], turn: _Turn, right_angles: bool):
        self.shown, self.opened, self.turn, self.right_angles = shown, opened, turn, right_angles

    def place(self, picture: Picture, top: bool = False, labels: bool = True) -> Drawing:
        """The drawing of one model; `labels` says whether shapes stand where tensors come in and go out."""
        inner = [self._inside(box) for box in picture.boxes]
        sizes = [
            _around(box, drawing, self.shown) if drawing else _size(rows_of(box, self.shown))
            for box, drawing in zip(picture.boxes, inner, strict=True)
        ]
        arrows = [
            a for a in picture.arrows if not top or (a.tail is not None and (a.head is not None or self.shown.shapes))
        ]
        texts = [text_of(a, self.shown) if top or labels or None not in (a.tail, a.head) else "" for a in arrows]
        loops = Counter(a.tail for a, text in zip(arrows, texts, strict=True) if text and a.tail == a.head)
        if not self.turn.sideways:  # a box is as high as the labels of the arrows from it to itself
            sizes = [(w, max(h, loops[i] * LINES["label"])) for i, (w, h) in enumerate(sizes)]
        nodes = [self.turn.size(size) for size in sizes]
        first: list[int] = []
        last: list[int] = []
        ends = []
        for arrow in arrows:
            for number, kept in ((arrow.tail, first), (arrow.head, last)):
                if number is None:
                    kept.append(len(nodes))
                    nodes.append((0.0, 0.0))
            ends.append(
                (first[-1] if arrow.tail is None else arrow.tail, last[-1] if arrow.head is None else arrow.head)
            )
        edges = [
            Edge(tail, head, self._label_size(text), *self._fixed(arrow, inner, sizes))
            for arrow, text, (tail, head) in zip(arrows, texts, ends, strict=True)
        ]
        listed = [Edge(i, i + 1) for i in range(len(picture.boxes) - 1)] if picture.in_order else []
        found = layered(
            nodes,
            edges + listed,
            first,
            [] if top else last,
            gaps=(24, 8 if picture.in_order else 22),
            right_angles=self.right_angles,
            sides=[self._side(box, node) for box, node in zip_longest(picture.boxes, nodes)],
        )
        return self._drawn(picture, arrows, texts, inner, sizes, found, top)

    def _drawn(
        self, picture: Picture, arrows: Any, texts: Any, inner: Any, sizes: Any, found: Any, top: bool
    ) -> Drawing:
        length = found.size[1]
        at: Callable[[Point], Point] = lambda point: self.turn.point(point, length)  # noqa: E731
        drawing = Drawing(self.turn.size(found.size), sideways=self.turn.sideways)
        for box, within, (w, h), centre in zip(picture.boxes, inner, sizes, found.centres, strict=False):
            x, y = at(centre)
            corner = x - w / 2, y - h / 2
            placed = Placed(box, *corner, w, h, rows_of(box, self.shown, within is not None), within is not None)
            drawing.boxes.append(placed)
            if within is not None:
                _put_inside(drawing, placed, within, self.turn)
        for arrow, text, route, label in zip(arrows, texts, found.routes, found.labels, strict=False):
            points = [at(point) for point in route]
            across = 1 if self.turn.sideways else 0
            if arrow.tail is None:
                drawing.entries.append(points[0][across])
            if arrow.head is None:
                drawing.exits.append(points[-1][across])
            ends = top if arrow.head is None else inner[arrow.head] is None or arrow.tail == arrow.head
            drawing.arrows.append(Routed(arrow, points, text, at(label), ends))
        return drawing

    def _inside(self, box: Box) -> Drawing | None:
        if box.inside is None or box.key not in self.opened:
            return None
        return self.place(box.inside, labels=model_within(box.thing) is not box.thing)

    def _side(self, box: Box | None, node: Size) -> float:
        """How much of a box's side is straight."""
        if box is None or box.role not in ("input", "op"):
            return node[0] - 16.0
        return node[0] - (24.0 if self.turn.sideways else node[1])

    def _label_size(self, text: str) -> Size:
        return self.turn.size((width(text, SIZES["label"]) + 8, LINES["label"])) if text else (0.0, 0.0)

    def _fixed(self, arrow: Arrow, inner: list[Drawing | None], sizes: list[Size]) -> tuple[float | None, float | None]:
        """Where the arrow leaves and enters models that are open, from the middle of the side."""

        def port(number: int | None, which: int, leaves: bool) -> float | None:
            drawing = inner[number] if number is not None else None
            if drawing is None or number is None:
                return None
            ports = drawing.exits if leaves else drawing.entries
            if which >= len(ports):
                return 0.0
            begin = PADDING if not self.turn.sideways else PADDING + HEADER
            return ports[which] + begin + self._shift(sizes[number], drawing) - self.turn.size(sizes[number])[0] / 2

        return port(arrow.tail, arrow.tail_port, True), port(arrow.head, arrow.head_port, False)

    def _shift(self, size: Size, drawing: Drawing) -> float:
        return 0.0 if self.turn.sideways else (size[0] - drawing.size[0]) / 2 - PADDING


def _size(rows: list[Row]) -> Size:
    """The size of a closed box."""
    widest = max(width(text, SIZES[style], style == "name") for style, text in rows)
    return widest + 2 * _WITHIN[0], sum(LINES[style] for style, _ in rows) + 2 * _WITHIN[1]


def _around(box: Box, drawing: Drawing, shown: Shown) -> Size:
    """The size of an open box."""
    header = sum(width(text, SIZES[style], style == "name") + 8 for style, text in rows_of(box, shown, True))
    return max(drawing.size[0] + 2 * PADDING, header + 2 * PADDING), drawing.size[1] + HEADER + 2 * PADDING


def _put_inside(drawing: Drawing, around: Placed, within: Drawing, turn: _Turn) -> None:
    """Add what is within a box, moved to where the box is; what comes in and goes out begins and ends at its border."""
    dx, dy = around.x + (around.width - within.size[0]) / 2, around.y + HEADER + PADDING

    def moved(point: Point) -> Point:
        return point[0] + dx, point[1] + dy

    def border(point: Point, comes_in: bool) -> Point:
        begins = comes_in != turn.backwards
        if turn.sideways:
            return around.x if begins else around.x + around.width, point[1]
        return point[0], around.y if begins else around.y + around.height

    drawing.boxes += [replace(box, x=box.x + dx, y=box.y + dy) for box in within.boxes]
    own = {id(a) for a in (around.box.inside.arrows if around.box.inside else [])}
    for routed in within.arrows:
        points = [moved(point) for point in routed.points]
        if id(routed.arrow) in own and routed.arrow.tail is None:
            points = [border(points[0], True), *points]
        if id(routed.arrow) in own and routed.arrow.head is None:
            points = [*points, border(points[-1], False)]
        drawing.arrows.append(replace(routed, points=points, at=moved(routed.at)))
