"""keryx.tree beside keras.tree, on random structures and on each way to be wrong."""

import collections
import random

import keras
import pytest

from keryx import tree

Pair = collections.namedtuple("Pair", "left right")
Twin = collections.namedtuple("Twin", "left right")


def drawn(draw: random.Random, depth: int = 3):
    kind = draw.randrange(8) if depth else 0
    children = [drawn(draw, depth - 1) for _ in range(draw.randrange(4))] if kind else []
    names = draw.sample("abcdef", len(children))
    if kind == 1:
        return children
    if kind == 2:
        return tuple(children)
    if kind == 3:
        return dict(zip(names, children, strict=True))
    if kind == 4:
        return collections.OrderedDict(zip(names, children, strict=True))
    if kind == 5:
        return collections.defaultdict(list, zip(names, children, strict=True))
    if kind == 6:
        return Pair(drawn(draw, depth - 1), drawn(draw, depth - 1))
    if kind == 7:
        return collections.deque(children, maxlen=9)
    return draw.choice([None, draw.randrange(100), "text"])


def same(a, b):
    assert repr(a) == repr(b)  # kinds and orders too


@pytest.mark.parametrize("seed", range(50))
def test_structures_are_taken_apart_and_put_together_as_in_keras(seed):
    structure = drawn(random.Random(seed))
    same(tree.flatten(structure), keras.tree.flatten(structure))
    same(tree.flatten_with_path(structure), keras.tree.flatten_with_path(structure))
    same(tree.is_nested(structure), keras.tree.is_nested(structure))
    leaves = list(range(len(tree.flatten(structure))))
    same(tree.pack_sequence_as(structure, leaves), keras.tree.pack_sequence_as(structure, leaves))
    same(tree.lists_to_tuples(structure), keras.tree.lists_to_tuples(structure))
    for none_is_leaf in (True, False):
        pairs = [m.map_structure(lambda *x: (1, *x), structure, structure, none_is_leaf=none_is_leaf)
                 for m in (tree, keras.tree)]  # fmt: skip
        same(*pairs)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("top_down", [True, False])
def test_what_a_walk_replaces_is_what_keras_replaces(seed, top_down):
    structure = drawn(random.Random(seed))
    seen: dict[str, list] = {}
    results = []
    for name, module in (("ours", tree), ("keras", keras.tree)):

        def visit(part, name=name, module=module):
            seen.setdefault(name, []).append(repr(part))
            if isinstance(part, tuple) and len(part) == 2:
                return module.MAP_TO_NONE
            return "seven" if part == 7 or part == [] else None

        results.append(module.traverse(visit, structure, top_down))
    same(*results)
    same(seen["ours"], seen["keras"])


PAIRS = [
    ([1, 2], (1, 2)), ([1, 2], [1]), ({"a": 1}, {"b": 1}), ([1], [None]), ([1], [[1]]), ([[]], [1]), (1, 2), (1, [1]),
    (Pair(1, 2), (1, 2)), (Pair(1, 2), Twin(1, 2)), ({"b": 1, "a": 2}, collections.OrderedDict(b=1, a=2)),
    (collections.OrderedDict(b=1, a=2), {"a": 2, "b": 1}), ([1, 2], {0: 1, 1: 2}), ({"a": [1]}, {"a": (1,)}),
    (collections.deque([1]), [1]), ({}, []), (collections.OrderedDict(b=1, a=2), collections.OrderedDict(a=1, b=2)),
]  # fmt: skip


@pytest.mark.parametrize("name", ["assert_same_structure", "assert_same_paths"])
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_two_structures_are_the_same_where_keras_says_so(name, a, b):
    verdicts = []
    for module in (tree, keras.tree):
        try:
            verdicts.append(getattr(module, name)(a, b))
        except ValueError:
            verdicts.append("differ")
    assert verdicts[0] == verdicts[1]


def test_up_to_a_shallower_structure():
    for shallow, structures in [
        ([0, 0], ([[1, 1], [2, 2]],)),
        ([0, [0, 0]], ([[1, 1], [2, 2]],)),
        ({"a": 0, "b": [0]}, ({"b": [(1, 2)], "a": {"c": 3}}, {"b": [4], "a": 5})),
    ]:
        same(*(m.map_structure_up_to(shallow, lambda *x: x, *structures) for m in (tree, keras.tree)))
    # Keras's own example has None for a leaf, on which its code fails.
    assert tree.map_structure_up_to([None, [None, None]], str, [[1, 1], [2, 2]]) == ["[1, 1]", ["2", "2"]]
    for shallow, structure in [([0, [0]], [1, 2]), ([0, 0], [1]), ([0], (1,))]:
        for module, text in ((tree, "The structures differ"), (keras.tree, "mismatch|instance")):
            with pytest.raises(ValueError, match=text):
                module.map_structure_up_to(shallow, lambda x: x, structure)


def test_shapes_are_leaves():
    structure = {"a": (None, 2), "b": [(1,), (2, 3)], "c": [4, 5]}
    same(*(m.map_shape_structure(lambda shape: list(shape), structure) for m in (tree, keras.tree)))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: tree.map_structure(1, [2]), TypeError, "function of leaves; got 1"),
        (lambda: tree.map_structure(len), TypeError, "At least one structure"),
        (lambda: tree.map_structure(max, [1, {"a": 2}], [1, {"b": 2}]), ValueError, r"at \(1,\): a dict of \['a'\]"),
        (lambda: tree.pack_sequence_as([1, [2]], [1, 2, 3]), ValueError, "has 2 leaves; got 3"),
    ],
)
def test_errors_say_what_came(call, error, text):
    with pytest.raises(error, match=text):
        call()
