"""Where the nodes of ranks in order stand from left to right, and where edges are joined to them."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from graphlib import TopologicalSorter
from itertools import pairwise

from keryx.visualization.model.ranking import Cut, Edge


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


def across(cut: Cut, order: list[list[int]], gap: float) -> list[float]:
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
    for _ in range(max(1, min(6, 20_000 // (cut.count + 1)))):
        for rank in downwards:
            settle(rank, [cut.above])
        for rank in upwards:
            settle(rank, [cut.below])
    for rank in (*downwards, *upwards):
        settle(rank, [cut.above, cut.below])
    _straighten(cut, order, apart, x)
    return x


def _straighten(cut: Cut, order: list[list[int]], apart: list[list[float]], x: list[float]) -> None:
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


def _rows(cut: Cut, order: list[list[int]]) -> list[list[int]]:
    """The nodes in rows, from the top to the bottom, in which each leads to the next one alone; no two rows cross."""
    place = {node: i for rank in order for i, node in enumerate(rank)}
    after: dict[int, int] = {}
    for rank in order:
        alone = [(node, cut.below[node][0][0]) for node in rank if len(cut.below[node]) == 1]
        alone = [(a, b) for a, b in alone if len(cut.above[b]) == 1]
        kept: list[tuple[int, int]] = []  # places in both ranks, from left to right
        for a, b in sorted(alone, key=lambda pair: pair[0] < cut.real):  # long edges before boxes
            i = bisect_left(kept, (place[a], place[b]))
            if (not i or kept[i - 1][1] < place[b]) and (i == len(kept) or place[b] < kept[i][1]):
                kept.insert(i, (place[a], place[b]))
                after[a] = b
    rows = []
    for start in set(range(cut.count)).difference(after.values()):
        row = [start]
        while row[-1] in after:
            row.append(after[row[-1]])
        rows.append(row)
    return rows


def ports_of(cut: Cut, edges: Sequence[Edge], widths: Sequence[float], x: list[float]) -> dict[tuple[int, bool], float]:
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
