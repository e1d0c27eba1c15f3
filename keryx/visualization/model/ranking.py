"""The ranks of a directed graph's nodes, and their order within each rank, with few crossings."""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

Point = tuple[float, float]
Size = tuple[float, float]


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


def without_cycles(count: int, edges: Sequence[Edge]) -> list[bool]:
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


def ranked(count: int, edges: Sequence[Edge], down: list[bool], first: set[int], last: set[int]) -> list[int]:
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


class Cut:
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


def ordered(cut: Cut) -> list[list[int]]:
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


def _sweep(cut: Cut, order: list[list[int]], downwards: bool, ties_turn: bool) -> None:
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


def _crossings(cut: Cut, order: list[list[int]]) -> int:
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
