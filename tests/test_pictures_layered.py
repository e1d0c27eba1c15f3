"""Graphs in layers: no boxes overlap, edges lead downwards, few of them cross, and what can be straight is."""

import random
from itertools import combinations, pairwise

import numpy as np
import pytest
from pictured import overlap

from keryx.visualization.model.coordinates import spaced
from keryx.visualization.model.layered import layered
from keryx.visualization.model.ranking import Cut, Edge, ordered, ranked, without_cycles


def random_graph(seed):
    pick = random.Random(seed)
    count = pick.randint(1, 14)
    sizes = [(pick.uniform(20, 160), pick.uniform(15, 60)) for _ in range(count)]
    edges = []
    for _ in range(pick.randint(0, 2 * count)):
        tail, head = pick.randrange(count), pick.randrange(count)
        if pick.random() < 0.85:  # the others close cycles, or lead to where they come from
            tail, head = min(tail, head), max(tail, head)
        edges.append(Edge(tail, head, (pick.uniform(20, 90), 14) if pick.random() < 0.6 else (0, 0)))
    return sizes, edges


@pytest.mark.parametrize("right_angles", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_no_boxes_overlap_and_edges_lead_downwards_past_them(seed, right_angles):
    sizes, edges = random_graph(seed)
    drawn = layered(sizes, edges, right_angles=right_angles)
    boxes = list(zip(drawn.centres, sizes, strict=True))
    labels = [(at, edge.label) for at, edge in zip(drawn.labels, edges, strict=True) if edge.label[0]]
    for a, b in combinations([*boxes, *labels], 2):
        assert not overlap(a, b)
    for (x, y), (w, h) in [*boxes, *labels]:
        assert x - w / 2 >= -1e-6
        assert x + w / 2 <= drawn.size[0] + 1e-6
        assert y - h / 2 >= -1e-6
        assert y + h / 2 <= drawn.size[1] + 1e-6
    down = without_cycles(len(sizes), edges)
    for edge, route, downwards in zip(edges, drawn.routes, down, strict=True):
        (tail, (tail_w, tail_h)), (head, (head_w, head_h)) = boxes[edge.tail], boxes[edge.head]
        if edge.tail == edge.head:
            assert route[0][0] == route[-1][0] == pytest.approx(tail[0] + tail_w / 2)
            continue
        way = 1 if downwards else -1
        assert route[0][1] == pytest.approx(tail[1] + way * tail_h / 2)
        assert route[-1][1] == pytest.approx(head[1] - way * head_h / 2)
        assert abs(route[0][0] - tail[0]) <= tail_w / 2
        assert abs(route[-1][0] - head[0]) <= head_w / 2
        for (_, y), (_, to_y) in pairwise(route):
            assert (to_y - y) * way >= -1e-6
        for start, end in pairwise(route):
            middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
            piece = (middle, (abs(start[0] - end[0]), abs(start[1] - end[1])))
            for number, box in enumerate(boxes):
                assert number in (edge.tail, edge.head) or not overlap(piece, box)


def test_only_edges_that_close_a_cycle_lead_upwards():
    edges = [Edge(0, 1), Edge(1, 2), Edge(2, 0), Edge(0, 2), Edge(1, 1)]
    assert without_cycles(3, edges) == [True, True, False, True, False]


@pytest.mark.parametrize("seed", range(40))
def test_spaced_is_the_nearest_that_keeps_the_distances(seed):
    numbers = np.random.default_rng(seed)
    count = int(numbers.integers(1, 8))
    wanted = numbers.uniform(-1, 1, count) * (50 if seed % 2 else 4)
    weights = numbers.uniform(0.1, 8, count)
    apart = numbers.uniform(0.1, 20 if seed % 2 else 2, count)
    found = np.array(spaced(wanted, apart, weights))
    assert (np.diff(found) >= apart[1:] - 1e-9).all()
    shift = np.concatenate([[0], np.cumsum(apart[1:])])
    free = wanted - shift  # what is left is isotonic regression, which has a closed form: the best of all pools

    def mean(j, k):
        return np.average(free[j : k + 1], weights=weights[j : k + 1])

    best = [max(min(mean(j, k) for k in range(i, count)) for j in range(i + 1)) for i in range(count)]
    np.testing.assert_allclose(found, best + shift)


def crossings(drawn):
    """How many pairs of edges cross, seen between all pairs of straight pieces."""

    def side(a, b, c):
        return np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    pieces = [(i, a, b) for i, route in enumerate(drawn.routes) for a, b in pairwise(route)]
    return sum(
        i != j and side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
        for (i, a, b), (j, c, d) in combinations(pieces, 2)
    )


def test_edges_that_need_not_cross_do_not():
    boxes = [(40, 20)] * 6
    assert crossings(layered(boxes, [Edge(0, 3), Edge(0, 5), Edge(1, 4), Edge(1, 5), Edge(2, 3)])) == 0
    # What the guide's second model needs: an early output beside what goes on with another input.
    assert crossings(layered(boxes, [Edge(0, 1), Edge(0, 2), Edge(3, 1)])) == 0
    assert crossings(layered(boxes[:4], [Edge(a, b) for a in (0, 1) for b in (2, 3)])) == 1


def test_a_tree_turned_around_is_put_in_order():
    edges = [Edge(i, 10 + i // 3) for i in range(9)] + [Edge(10 + i, 13) for i in range(3)]
    shuffled = [Edge((e.tail * 7) % 9 if e.tail < 9 else e.tail, e.head) for e in edges]
    down = without_cycles(14, shuffled)
    sizes = [(30, 20)] * 14
    order = ordered(Cut(sizes, shuffled, down, ranked(14, shuffled, down, set(), set())))
    place = {node: i for rank in order for i, node in enumerate(rank)}
    heads = [place[e.head] for e in sorted(shuffled[:9], key=lambda e: place[e.tail])]
    assert heads == sorted(heads)


def test_branches_stand_straight():
    """A residual block: its layers stand below one another, and the way past them is straight."""
    edges = [
        Edge(0, 1, (60, 14)),
        Edge(1, 2, (80, 14)),
        Edge(2, 3, (50, 14)),
        Edge(3, 4, (60, 14)),
        Edge(0, 4, (90, 14)),
    ]
    drawn = layered([(100, 40), (150, 40), (90, 40), (120, 40), (60, 30)], edges)
    assert len({round(drawn.centres[i][0], 6) for i in (1, 2, 3)}) == 1
    assert len({round(x, 6) for x, _ in drawn.routes[4][1:-1]}) <= 2


@pytest.mark.parametrize("seed", range(20))
def test_right_angles_do_not_run_into_one_another(seed):
    sizes, edges = random_graph(seed)
    edges = [Edge(e.tail, e.head) for e in edges if e.tail != e.head] or [Edge(0, 0)]
    drawn = layered(sizes, edges, right_angles=True)
    level = [
        (a[1], *sorted((a[0], b[0])))
        for route in drawn.routes
        for a, b in pairwise(route)
        if a[1] == b[1] and abs(a[0] - b[0]) > 0.01
    ]
    for (y, low, high), (to_y, to_low, to_high) in combinations(level, 2):
        assert abs(y - to_y) > 1 or high < to_low or to_high < low
    assert all(a[0] == b[0] or a[1] == b[1] for route in drawn.routes for a, b in pairwise(route))


def test_edges_stay_at_the_box_that_they_leave():
    """Five that all go to the right leave side by side, none beyond the corner."""
    drawn = layered(
        [(60, 20)] * 7, [Edge(0, 1), *(Edge(0, i) for i in range(2, 7)), *(Edge(i, 1) for i in range(2, 7))]
    )
    starts = sorted(route[0][0] - drawn.centres[0][0] for route in drawn.routes[:6])
    assert starts[0] >= -22 - 1e-6
    assert starts[-1] <= 22 + 1e-6
    assert (np.diff(starts) > 5).all()
    crowded = layered([(300, 20), (60, 20), *[(60, 20)] * 4], [Edge(1, i) for i in range(2, 6)], first=[0, 1])
    starts = sorted(route[0][0] - crowded.centres[1][0] for route in crowded.routes)
    assert starts[-1] <= 22 + 1e-6


def test_edges_from_a_box_to_itself_have_room():
    """Six of them are higher than their box; nothing else stands where their labels are."""
    edges = [Edge(0, 1), *[Edge(1, 1, (60, 14))] * 6, Edge(1, 2), Edge(0, 2)]
    sizes = [(200, 20), (40, 30), (200, 20)]
    drawn = layered(sizes, edges)
    labels = [(at, (60, 14)) for at in drawn.labels[1:7]]
    for a, b in combinations([*labels, *zip(drawn.centres, sizes, strict=True)], 2):
        assert not overlap(a, b)
    sides = [y for route in drawn.routes[1:7] for _, y in route]
    assert min(sides) > drawn.centres[1][1] - 15
    assert max(sides) < drawn.centres[1][1] + 15
