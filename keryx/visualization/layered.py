"""Where the boxes of a directed graph stand: in layers, from the top to the bottom.

The way of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", 1981: every
node gets a rank, long edges are cut at each rank that they pass, each rank is put in an order with few crossings, and
the nodes get coordinates. Weights of edges and the middle node that holds an edge's label are from Gansner et al., "A
technique for drawing directed graphs", 1993.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import NamedTuple

Point = tuple[float, float]
Size = tuple[float, float]

_MARGIN = 8.0  # between the ends of a box's side and the outermost edge there
_LOOP = 18.0  # how far the edge from a box to itself stands off


class Edge(NamedTuple):
    """An edge between two nodes, by their numbers.

    Attributes:
        tail: Where it begins.
        head: Where it ends.
        label: The size of its label; (0, 0) without one.
        leaves: Where it leaves the lower side of the tail, from the middle; None where that is free.
        enters: Where it enters the upper side of the head, likewise.
    """

    tail: int
    head: int
    label: Size = (0, 0)
    leaves: float | None = None
    enters: float | None = None


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
    loops = {number: edge for number, edge in enumerate(edges) if edge.tail == edge.head}
    down = _without_cycles(len(sizes), edges)
    cut = _Cut(sizes, edges, down, _ranks(len(sizes), edges, down, set(first), set(last)))
    for number, edge in loops.items():  # room for the loop on both sides, so that the box stays in the middle
        cut.widths[edge.tail] = max(cut.widths[edge.tail], sizes[edge.tail][0] + 2 * (_LOOP + edges[number].label[0]))
    order = _order(cut)
    x = _across(cut, order, gaps[0])
    ports = _ports(cut, edges, [w - 2 * _MARGIN for w, _ in sizes] if sides is None else sides, x)
    return _drawn(cut, order, x, ports, sizes, edges, down, gaps[1], right_angles)


def spaced(wanted: Sequence[float], apart: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The places nearest to those that are wanted, by least squares, that keep their order and their distances.

    Isotonic regression by pooling adjacent violators (Ayer et al., 1955).

    Args:
        wanted: The place that each would take by itself, from the left to the right.
        apart: The least distance of each from the one before it; the first counts for nothing.
        weights: How much each place matters.

    >>> spaced([0, 1, 10], [0, 3, 3], [1, 1, 1])
    [-1.0, 2.0, 10.0]
    """
    pools: list[list[float]] = []  # mean, weight, number of members
    offset, offsets = 0.0, []
    for i, (place, weight) in enumerate(zip(wanted, weights, strict=True)):
        offset += apart[i] if i else 0.0
        offsets.append(offset)
        pools.append([place - offset, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, weight, members = pools.pop()
            before = pools[-1]
            total = before[1] + weight
            pools[-1] = [(before[0] * before[1] + mean * weight) / total, total, before[2] + members]
    means = [mean for mean, _, members in pools for _ in range(int(members))]
    return [float(mean + offset) for mean, offset in zip(means, offsets, strict=True)]


def _without_cycles(count: int, edges: Sequence[Edge]) -> list[bool]:
    """Whether each edge leads downwards; those that a walk finds to close a cycle do not."""
    leaving = defaultdict(list)
    for number, edge in enumerate(edges):
        leaving[edge.tail].append(number)
    down, state = [True] * len(edges), [0] * count  # 0 not met, 1 on the way, 2 done
    for root in range(count):
        waiting = [(root, 0)] if not state[root] else []
        while waiting:
            node, place = waiting.pop()
            state[node] = 1
            if place == len(leaving[node]):
                state[node] = 2
                continue
            waiting.append((node, place + 1))
            number = leaving[node][place]
            head = edges[number].head
            if state[head] == 1:
                down[number] = False
            elif state[head] == 0:
                waiting.append((head, 0))
    return down


def _ranks(count: int, edges: Sequence[Edge], down: list[bool], first: set[int], last: set[int]) -> list[int]:
    """The rank of each node: as far from the sources as the longest way; sources stand near where they lead."""
    after, before = defaultdict(list), defaultdict(list)
    for edge, downwards in zip(edges, down, strict=True):
        if edge.tail != edge.head:
            tail, head = (edge.tail, edge.head) if downwards else (edge.head, edge.tail)
            length = 2 if edge.label[0] else 1
            after[tail].append((head, length))
            before[head].append((tail, length))
    ranks, missing = [0] * count, [len(before[node]) for node in range(count)]
    ready = [node for node in range(count) if not missing[node]]
    for node in ready:  # grows as it goes
        for head, length in after[node]:
            ranks[head] = max(ranks[head], ranks[node] + length)
            missing[head] -= 1
            if not missing[head]:
                ready.append(head)
    for node in range(count):
        if not before[node] and after[node] and node not in first:
            ranks[node] = min(ranks[head] - length for head, length in after[node])
    for node in last:
        ranks[node] = max(ranks)
    return ranks


class _Cut:
    """The graph with edges that lead from one rank to the next: long ones pass through nodes of their own.

    Attributes:
        ranks: The rank of each node.
        widths: The room that each takes.
        heights: Likewise.
        chains: By edge, the nodes from the upper to the lower end; none for a loop.
        middles: By edge, the node that has the room of its label.
        above: By node, the nodes of the rank above that are joined to it, with the weight of the edge between.
        below: Likewise.
    """

    def __init__(self, sizes: Sequence[Size], edges: Sequence[Edge], down: list[bool], ranks: list[int]):
        self.real, self.ranks = len(sizes), list(ranks)
        self.widths, self.heights = [w for w, _ in sizes], [h for _, h in sizes]
        self.chains: list[list[int]] = []
        self.middles: dict[int, int] = {}
        self.above: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.below: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number, (edge, downwards) in enumerate(zip(edges, down, strict=True)):
            upper, lower = (edge.tail, edge.head) if downwards else (edge.head, edge.tail)
            chain = [] if upper == lower else [upper, *self._through(number, edge, upper, lower, downwards), lower]
            self.chains.append(chain)
            for a, b in pairwise(chain):
                weight = (1, 2, 8)[(a >= self.real) + (b >= self.real)]
                self.below[a].append((b, weight))
                self.above[b].append((a, weight))
        self.count = len(self.ranks)

    def _through(self, number: int, edge: Edge, upper: int, lower: int, downwards: bool) -> list[int]:
        passed = range(self.ranks[upper] + 1, self.ranks[lower])
        at_label = (passed[0] if downwards else passed[-1]) if edge.label[0] else None  # where it begins
        made = []
        for rank in passed:
            made.append(len(self.ranks))
            width, height = edge.label if rank == at_label else (2.0, 0.0)
            if rank == at_label:
                self.middles[number] = made[-1]
            self.ranks.append(rank)
            self.widths.append(width)
            self.heights.append(height)
        return made


def _order(cut: _Cut) -> list[list[int]]:
    """The nodes of each rank from left to right: by barycentres, downwards and upwards in turn; the best one counts."""
    order: list[list[int]] = [[] for _ in range(max(cut.ranks, default=-1) + 1)]
    seen: set[int] = set()
    for root in sorted(range(cut.real), key=cut.ranks.__getitem__):
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                order[cut.ranks[node]].append(node)
                waiting += [below for below, _ in reversed(cut.below[node])]
    best, fewest = [list(rank) for rank in order], _crossings(cut, order)
    sweeps = max(4, min(24, 40_000 // (cut.count + 1)))
    for sweep in range(sweeps):
        if not fewest:
            break
        _sweep(cut, order, downwards=sweep % 2 == 0, ties_turn=sweep % 4 > 1)
        crossings = _crossings(cut, order)
        if crossings < fewest:
            best, fewest = [list(rank) for rank in order], crossings
    return best


def _sweep(cut: _Cut, order: list[list[int]], downwards: bool, ties_turn: bool) -> None:
    """Sort each rank by the barycentres of the rank before it; nodes at the same place stay as they are, or turn."""
    neighbours, step = (cut.above, -1) if downwards else (cut.below, 1)
    ranks = range(1, len(order)) if downwards else range(len(order) - 2, -1, -1)
    for rank in ranks:
        place = {node: i for i, node in enumerate(order[rank + step])}
        keys = {}
        for i, node in enumerate(order[rank]):
            joined = [place[other] for other, _ in neighbours[node]]
            keys[node] = sum(joined) / len(joined) if joined else i
        order[rank] = sorted(reversed(order[rank]) if ties_turn else order[rank], key=keys.__getitem__)


def _crossings(cut: _Cut, order: list[list[int]]) -> int:
    """How often two edges cross."""
    crossings = 0
    for upper, lower in pairwise(order):
        place = {node: i for i, node in enumerate(lower)}
        before: list[int] = []
        for node in upper:
            heads = [place[head] for head, _ in cut.below[node]]
            crossings += sum(len(before) - bisect_right(before, head) for head in heads)
            for head in heads:
                insort(before, head)
    return crossings


def _across(cut: _Cut, order: list[list[int]], gap: float) -> list[float]:
    """The x of each node: near the nodes that it is joined to, most of all along long edges."""

    def distance(a: int, b: int) -> float:
        between = gap / 2 if a >= cut.real or b >= cut.real else gap
        return (cut.widths[a] + cut.widths[b]) / 2 + between

    apart = [[0.0, *(distance(a, b) for a, b in pairwise(rank))] for rank in order]
    x = [0.0] * cut.count
    for rank, distances in zip(order, apart, strict=True):
        for node, place in zip(rank, spaced([0.0] * len(rank), distances, [1.0] * len(rank)), strict=True):
            x[node] = place

    def settle(rank: int, sides: Sequence[dict[int, list[tuple[int, int]]]]) -> None:
        wanted, weights = [], []
        for node in order[rank]:
            joined = [pair for side in sides for pair in side[node]]
            weight = sum(w for _, w in joined)
            wanted.append(sum(x[other] * w for other, w in joined) / weight if joined else x[node])
            weights.append(float(weight) or 0.01)
        for node, place in zip(order[rank], spaced(wanted, apart[rank], weights), strict=True):
            x[node] = place

    downwards, upwards = range(len(order)), range(len(order) - 1, -1, -1)
    for _ in range(6):
        for rank in downwards:
            settle(rank, [cut.above])
        for rank in upwards:
            settle(rank, [cut.below])
    for rank in (*downwards, *upwards):
        settle(rank, [cut.above, cut.below])
    _straighten(cut, order, apart, x)
    return x


def _straighten(cut: _Cut, order: list[list[int]], apart: list[list[float]], x: list[float]) -> None:
    """Let what follows one upon another, along an edge and along a row of nodes, stand straight below one another."""
    rows = _rows(cut, order)
    of_node = {node: number for number, row in enumerate(rows) for node in row}
    left: list[list[tuple[int, float]]] = [[] for _ in rows]
    right: list[list[tuple[int, float]]] = [[] for _ in rows]
    for rank, distances in zip(order, apart, strict=True):
        for (a, b), distance in zip(pairwise(rank), distances[1:], strict=True):
            left[of_node[b]].append((of_node[a], distance))
            right[of_node[a]].append((of_node[b], distance))
    in_order = list(TopologicalSorter({n: [a for a, _ in left[n]] for n in range(len(rows))}).static_order())
    joined = [[(of_node[o], w) for o, w in (*cut.above[row[0]], *cut.below[row[-1]])] for row in rows]

    def apart_again(wanted: list[float]) -> list[float]:
        """Places near the wanted ones that keep all distances: half way between pushing right and pushing left."""
        pushed_right, pushed_left = list(wanted), list(wanted)
        for row in in_order:
            pushed_right[row] = max((wanted[row], *(pushed_right[a] + d for a, d in left[row])))
        for row in reversed(in_order):
            pushed_left[row] = min((wanted[row], *(pushed_left[b] - d for b, d in right[row])))
        return [(a + b) / 2 for a, b in zip(pushed_right, pushed_left, strict=True)]

    places = apart_again([sum(x[node] for node in row) / len(row) for row in rows])
    down = sorted(range(len(rows)), key=lambda row: cut.ranks[rows[row][0]])
    for turn in range(16):
        wanted = list(places)
        for row in down if turn % 2 == 0 else reversed(down):
            if joined[row]:
                wanted[row] = sum(wanted[o] * w for o, w in joined[row]) / sum(w for _, w in joined[row])
        places = apart_again(wanted)
    for row, place in zip(rows, places, strict=True):
        for node in row:
            x[node] = place


def _rows(cut: _Cut, order: list[list[int]]) -> list[list[int]]:
    """The nodes in rows, from the top to the bottom, in which each leads to the next one alone; no two rows cross."""
    place = {node: i for rank in order for i, node in enumerate(rank)}
    after: dict[int, int] = {}
    for rank in order:
        kept: list[tuple[int, int]] = []
        alone = [(node, cut.below[node][0][0]) for node in rank if len(cut.below[node]) == 1]
        alone = [(a, b) for a, b in alone if len(cut.above[b]) == 1]
        for a, b in sorted(alone, key=lambda pair: pair[0] < cut.real):  # long edges before boxes
            if all((place[a] < place[c]) == (place[b] < place[d]) for c, d in kept):
                kept.append((a, b))
        after.update(kept)
    rows = []
    for start in set(range(cut.count)).difference(after.values()):
        row = [start]
        while row[-1] in after:
            row.append(after[row[-1]])
        rows.append(row)
    return rows


def _ports(cut: _Cut, edges: Sequence[Edge], widths: Sequence[float], x: list[float]) -> dict[tuple[int, bool], float]:
    """By edge and end (True for the upper one), its x at the box there: straight on where the box is wide enough."""
    sides = defaultdict(list)
    for number, chain in enumerate(cut.chains):
        if chain:
            sides[chain[0], True].append((x[chain[1]], number))
            sides[chain[-1], False].append((x[chain[-2]], number))
    ports = {}
    for (node, upper), joined in sides.items():
        reach = max(widths[node] / 2, 0.0)
        joined.sort()
        apart = min(14.0, 2 * reach / len(joined))
        wanted = [min(max(other - x[node], -reach), reach) for other, _ in joined]
        places = spaced(wanted, [apart] * len(joined), [1.0] * len(joined))
        for i, ((_, number), place) in enumerate(zip(joined, places, strict=True)):
            place = max(min(place, reach - (len(joined) - 1 - i) * apart), i * apart - reach)
            edge = edges[number]
            fixed = edge.leaves if upper else edge.enters
            ports[number, upper] = x[node] + (place if fixed is None else fixed)
    return ports


def _drawn(
    cut: _Cut,
    order: list[list[int]],
    x: list[float],
    ports: dict[tuple[int, bool], float],
    sizes: Sequence[Size],
    edges: Sequence[Edge],
    down: list[bool],
    gap: float,
    right_angles: bool,
) -> Layered:
    """Coordinates for the ranks, and points for the edges."""
    across = [  # the x of each edge at each rank that it meets
        [ports[number, True], *(x[node] for node in chain[1:-1]), ports[number, False]] if chain else []
        for number, chain in enumerate(cut.chains)
    ]
    tracks = _tracks(cut, across) if right_angles else {}
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

    def route(number: int) -> list[Point]:
        edge, chain = edges[number], cut.chains[number]
        if not chain:
            return _loop((x[edge.tail] - left, middle[cut.ranks[edge.tail]]), sizes[edge.tail])
        points, ranks = [], [cut.ranks[node] for node in chain]
        for step, (place, node, rank) in enumerate(zip(across[number], chain, ranks, strict=True)):
            half = cut.heights[node] / 2
            start = tops[rank] if step else middle[rank] + half
            end = bottoms[rank] if step < len(chain) - 1 else middle[rank] - half
            points += [(place - left, start), (place - left, end)]
            if (number, step) in tracks:
                turn = bottoms[rank] + (tops[rank + 1] - bottoms[rank]) * (tracks[number, step] + 1) / (most[rank] + 1)
                points += [(place - left, turn), (across[number][step + 1] - left, turn)]
        points = _without_repeats(points)
        return points if down[number] else points[::-1]

    def label(number: int) -> Point:
        if number in cut.middles:
            node = cut.middles[number]
            return x[node] - left, middle[cut.ranks[node]]
        edge = edges[number]
        beside = x[edge.tail] - left + sizes[edge.tail][0] / 2 + _LOOP + edge.label[0] / 2
        return beside, middle[cut.ranks[edge.tail]]

    numbers = range(len(edges))
    centres = [(x[node] - left, middle[cut.ranks[node]]) for node in range(cut.real)]
    return Layered(
        centres, [route(n) for n in numbers], [label(n) for n in numbers], (right - left, max(bottoms, default=0.0))
    )


def _tracks(cut: _Cut, across: list[list[float]]) -> dict[tuple[int, int], int]:
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


def _loop(centre: Point, size: Size) -> list[Point]:
    (x, y), (width, height) = centre, size
    side, far = x + width / 2, x + width / 2 + _LOOP - 6
    return [(side, y + height / 4), (far, y + height / 4), (far, y - height / 4), (side, y - height / 4)]


def _without_repeats(points: list[Point]) -> list[Point]:
    """The points where the way turns, and its ends."""
    kept: list[Point] = []
    for point in points:
        if len(kept) > 1 and kept[-2][0] == kept[-1][0] == point[0]:
            kept[-1] = point
        elif not kept or kept[-1] != point:
            kept.append(point)
    return kept
