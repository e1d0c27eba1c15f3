"""Where the boxes of a directed graph stand: in layers, from the top to the bottom.

The way of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", 1981: every
node gets a rank, long edges are cut at each rank that they pass, each rank is put in an order with few crossings, and
the nodes get coordinates. Weights of edges and the middle node that holds an edge's label are from Gansner et al., "A
technique for drawing directed graphs", 1993.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from keryx.visualization.model.coordinates import across, ports_of
from keryx.visualization.model.ranking import Cut, Edge, Point, Size, ordered, ranked, without_cycles

_MARGIN = 8.0  # between the ends of a box's side and the outermost edge there
_LOOP = 18.0  # how far the edge from a box to itself stands off


class Layered(NamedTuple):
    """Coordinates, from (0, 0) at the upper left.

    Attributes:
        centres: Of the nodes.
        routes: The points of each edge, from the border of its tail to that of its head.
        labels: The middle of each edge's label.
        size: Width and height of the whole.
    """

    centres: list[Point]
    routes: list[list[Point]]
    labels: list[Point]
    size: Size


def layered(
    sizes: Sequence[Size],
    edges: Sequence[Edge],
    first: Iterable[int] = (),
    last: Iterable[int] = (),
    gaps: Size = (24, 22),
    right_angles: bool = False,
    sides: Sequence[float] | None = None,
) -> Layered:
    """Put nodes in layers, so that edges lead downwards and no two boxes or labels overlap.

    Edges that close a cycle lead upwards; one from a node to itself stands at its right.

    Args:
        sizes: Width and height of each node.
        edges: The edges.
        first: Nodes that stand in the first rank; no edges lead to them.
        last: Nodes that stand in the last rank; no edges leave them.
        gaps: The least distance between the boxes of a rank, and between ranks.
        right_angles: Whether edges turn at right angles, each in a track of its own; else they go straight from rank to
            rank.
        sides: How much of each node's width edges may be joined to, where its corners are round; by default nearly all.

    >>> drawn = layered([(40, 20), (40, 20)], [Edge(0, 1)])
    >>> drawn.centres
    [(20.0, 10.0), (20.0, 52.0)]
    >>> drawn.routes
    [[(20.0, 20.0), (20.0, 42.0)]]
    """
    down = without_cycles(len(sizes), edges)
    cut = Cut(sizes, edges, down, ranked(len(sizes), edges, down, set(first), set(last)))
    loops = _loops(edges)
    for node, numbers in loops.items():  # room for them on both sides, so that the box stays in the middle
        widest = max(edges[number].label[0] for number in numbers)
        cut.widths[node] = max(cut.widths[node], sizes[node][0] + 2 * (_LOOP + widest))
        cut.heights[node] = max(cut.heights[node], sum(edges[number].label[1] for number in numbers))
    order = ordered(cut)
    x = across(cut, order, gaps[0])
    ports = ports_of(cut, edges, [w - 2 * _MARGIN for w, _ in sizes] if sides is None else sides, x)
    return _drawn(cut, order, x, ports, sizes, edges, down, loops, gaps[1], right_angles)


def _drawn(
    cut: Cut,
    order: list[list[int]],
    x: list[float],
    ports: dict[tuple[int, bool], float],
    sizes: Sequence[Size],
    edges: Sequence[Edge],
    down: list[bool],
    loops: dict[int, list[int]],
    gap: float,
    right_angles: bool,
) -> Layered:
    """Coordinates for the ranks, and points for the edges."""
    passed = [  # the x of each edge at each rank that it meets
        [ports[number, True], *(x[node] for node in chain[1:-1]), ports[number, False]] if chain else []
        for number, chain in enumerate(cut.chains)
    ]
    tracks = _tracks(cut, passed) if right_angles else {}
    most: dict[int, int] = defaultdict(int)
    for (number, step), track in tracks.items():
        rank = cut.ranks[cut.chains[number][step]]
        most[rank] = max(most[rank], track + 1)
    tops, y = [], 0.0
    for rank, nodes in enumerate(order):
        tops.append(y)
        y += max((cut.heights[node] for node in nodes), default=0.0) + max(gap, 9.0 * (most[rank] + 1))
    bottoms = [top + max((cut.heights[n] for n in nodes), default=0.0) for top, nodes in zip(tops, order, strict=True)]
    left = min((x[node] - cut.widths[node] / 2 for node in range(cut.count)), default=0.0)
    right = max((x[node] + cut.widths[node] / 2 for node in range(cut.count)), default=0.0)
    middle = [(tops[rank] + bottoms[rank]) / 2 for rank in range(len(order))]

    centres = [(x[node] - left, middle[cut.ranks[node]]) for node in range(cut.real)]
    beside: dict[int, tuple[list[Point], Point]] = {}
    for node, those in loops.items():
        drawn = _beside(centres[node], sizes[node], [edges[number].label for number in those])
        beside.update(zip(those, drawn, strict=True))

    def route(number: int) -> list[Point]:
        chain = cut.chains[number]
        if not chain:
            return beside[number][0]
        points, ranks = [], [cut.ranks[node] for node in chain]
        for step, (place, node, rank) in enumerate(zip(passed[number], chain, ranks, strict=True)):
            half = (sizes[node][1] if node < cut.real else cut.heights[node]) / 2
            start = tops[rank] if step else middle[rank] + half
            end = bottoms[rank] if step < len(chain) - 1 else middle[rank] - half
            points += [(place - left, start), (place - left, end)]
            if (number, step) in tracks:
                turn = bottoms[rank] + (tops[rank + 1] - bottoms[rank]) * (tracks[number, step] + 1) / (most[rank] + 1)
                points += [(place - left, turn), (passed[number][step + 1] - left, turn)]
        points = _without_repeats(points)
        return points if down[number] else points[::-1]

    def label(number: int) -> Point:
        if number not in cut.middles:
            return beside.get(number, ([], (0.0, 0.0)))[1]
        node = cut.middles[number]
        return x[node] - left, middle[cut.ranks[node]]

    numbers = range(len(edges))
    return Layered(
        centres, [route(n) for n in numbers], [label(n) for n in numbers], (right - left, max(bottoms, default=0.0))
    )


def _tracks(cut: Cut, across: list[list[float]]) -> dict[tuple[int, int], int]:
    """By edge and step, the track of its piece between two ranks; pieces in one track do not meet."""
    pieces = defaultdict(list)
    for number, (chain, places) in enumerate(zip(cut.chains, across, strict=True)):
        for step, (a, b) in enumerate(pairwise(places)):
            if abs(a - b) > 0.01:
                pieces[cut.ranks[chain[step]]].append((min(a, b), max(a, b), number, step))
    tracks = {}
    for here in pieces.values():
        ends: list[float] = []
        for low, high, number, step in sorted(here):
            free = next((i for i, end in enumerate(ends) if end + 4 < low), len(ends))
            ends[free : free + 1] = [high]
            tracks[number, step] = free
    return tracks


def _loops(edges: Sequence[Edge]) -> dict[int, list[int]]:
    """By node, the edges from it to itself."""
    found = defaultdict(list)
    for number, edge in enumerate(edges):
        if edge.tail == edge.head:
            found[edge.tail].append(number)
    return found


def _beside(centre: Point, size: Size, labels: Sequence[Size]) -> list[tuple[list[Point], Point]]:
    """The edges from a node to itself, at its right, one below the other: the points and the label's middle of each."""
    (x, y), (width, height) = centre, size
    side, far, slot = x + width / 2, x + width / 2 + _LOOP - 6, height / len(labels)
    at, top, drawn = y - height / 2 + slot / 2, y - sum(h for _, h in labels) / 2, []
    for w, h in labels:
        up, down = at - slot / 4, at + slot / 4
        drawn.append(([(side, down), (far, down), (far, up), (side, up)], (side + _LOOP + w / 2, top + h / 2)))
        at, top = at + slot, top + h
    return drawn


def _without_repeats(points: list[Point]) -> list[Point]:
    """The points where the way turns, and its ends."""
    kept: list[Point] = []
    for point in points:
        if len(kept) > 1 and kept[-2][0] == kept[-1][0] == point[0]:
            kept[-1] = point
        elif not kept or kept[-1] != point:
            kept.append(point)
    return kept
