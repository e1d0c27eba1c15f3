"""Nested lists, tuples and dicts, by the names of `keras.tree`.

Lists, tuples, named tuples, deques and dicts are nested; everything else, `None` too, is a leaf. A dict is walked in
the order of its sorted keys, an `OrderedDict` in its own.
"""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any


class MAP_TO_NONE:
    """What a function given to `traverse` returns to put `None` in a place: `None` itself leaves the place as it is."""


def _keys(node: Any) -> Iterable[Any] | None:
    """The keys of the children in the order of a walk; `None` for a leaf."""
    if isinstance(node, OrderedDict):
        return node.keys()
    if isinstance(node, dict):
        return sorted(node)
    return range(len(node)) if isinstance(node, (list, tuple, deque)) else None


def _like(node: Any, children: dict[Any, Any]) -> Any:
    """A structure of the kind of `node` with other children, by their keys."""
    if isinstance(node, defaultdict):
        return defaultdict(node.default_factory, {key: children[key] for key in node})
    if isinstance(node, dict):
        return type(node)((key, children[key]) for key in node)
    if isinstance(node, deque):
        return deque(children.values(), node.maxlen)
    if hasattr(node, "_fields"):  # a named tuple
        return type(node)(*children.values())
    return type(node)(children.values())


def _kind(node: Any) -> type:
    return dict if isinstance(node, dict) else type(node)


def is_nested(structure: Any) -> bool:
    """Whether this is a list, a tuple, a deque or a dict.

    >>> is_nested({"a": 1}), is_nested("text")
    (True, False)
    """
    return _keys(structure) is not None


def flatten_with_path(structure: Any) -> list[tuple[tuple, Any]]:
    """The leaves, each with its path: a tuple of keys and indices.

    >>> flatten_with_path({"b": [1, None], "a": 2})
    [(('a',), 2), (('b', 0), 1), (('b', 1), None)]
    """
    keys = _keys(structure)
    if keys is None:
        return [((), structure)]
    return [((key, *path), leaf) for key in keys for path, leaf in flatten_with_path(structure[key])]


def flatten(structure: Any) -> list[Any]:
    """The leaves in a list.

    >>> flatten([[1, 2], {"b": 4, "a": (3,)}])
    [1, 2, 3, 4]
    """
    return [leaf for _, leaf in flatten_with_path(structure)]


def pack_sequence_as(structure: Any, flat_sequence: Iterable[Any]) -> Any:
    """A structure of this kind, whose leaves are those of a list in the order of `flatten`.

    Args:
        structure: Any structure; a leaf stands for a list of one.
        flat_sequence: As many leaves as the structure has.

    Raises:
        ValueError: For another number of leaves.

    >>> pack_sequence_as({"b": 0, "a": (0, 0)}, [1, 2, 3])
    {'b': 3, 'a': (1, 2)}
    """
    leaves = list(flat_sequence)
    wanted = len(flatten(structure))
    if len(leaves) != wanted:
        raise ValueError(f"The structure has {wanted} leaves; got {len(leaves)}: {structure!r:.200}.")
    remaining = iter(leaves)
    return _mapped(lambda _: next(remaining), structure)


def map_structure(func: Callable, *structures: Any, none_is_leaf: bool = True) -> Any:
    """The same structure with `func` of the leaves of each place.

    Args:
        func: Takes as many leaves as there are structures.
        *structures: At least one; all of one structure, as `assert_same_structure` has it.
        none_is_leaf: Whether `func` is called on `None`; else `None` stays.

    Raises:
        TypeError: Where `func` cannot be called, or no structure is given.
        ValueError: Where the structures differ.

    >>> map_structure(lambda x, y: x * y, [1, {"a": 2}], [3, {"a": 4}])
    [3, {'a': 8}]
    """
    _check_call(func, structures)
    for other in structures[1:]:
        assert_same_structure(structures[0], other)
    if none_is_leaf:
        return _mapped(func, *structures)
    return _mapped(lambda *leaves: None if leaves[0] is None else func(*leaves), *structures)


def map_structure_up_to(shallow_structure: Any, func: Callable, *structures: Any) -> Any:
    """As `map_structure`, but what lies below a leaf of `shallow_structure` is handed to `func` whole.

    Raises:
        TypeError: Where `func` cannot be called, or no structure is given.
        ValueError: Where a structure is not nested as `shallow_structure` is, so far as that goes.

    >>> map_structure_up_to([None, [None]], str, [[1, 1], [2]])
    ['[1, 1]', ['2']]
    """
    _check_call(func, structures)
    for structure in structures:
        _assert_prefix(shallow_structure, structure, deeper=True)
    return _mapped(lambda _, *parts: func(*parts), shallow_structure, *structures)


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """The structure, with each part for which `func` returns something replaced by that.

    Args:
        func: Takes a part, nested or leaf; `None` leaves it, `MAP_TO_NONE` makes it `None`.
        structure: Any structure.
        top_down: Whether a part comes before what lies in it, which is then not visited if the part is replaced.

    Raises:
        TypeError: Where `func` cannot be called.

    >>> traverse(lambda part: sum(part) if isinstance(part, tuple) else None, [(1, 2), [3]])
    [3, [3]]
    """
    _check_call(func, (structure,))
    if top_down:
        new = func(structure)
        if new is not None:
            return None if new is MAP_TO_NONE else new
    keys = _keys(structure)
    if keys is not None:
        structure = _like(structure, {key: traverse(func, structure[key], top_down) for key in keys})
    if top_down:
        return structure
    new = func(structure)
    return structure if new is None else None if new is MAP_TO_NONE else new


def map_shape_structure(func: Callable, structure: Any) -> Any:
    """The same structure with `func` of each shape: a list or tuple of integers and `None`.

    >>> map_shape_structure(len, {"a": (None, 2), "b": [(1,)]})
    {'a': 2, 'b': [1]}
    """
    _check_call(func, (structure,))

    def shape(part: Any) -> Any:
        if isinstance(part, (list, tuple)) and all(size is None or isinstance(size, int) for size in part):
            return MAP_TO_NONE if (new := func(tuple(part))) is None else new
        return None

    return traverse(shape, structure)


def lists_to_tuples(structure: Any) -> Any:
    """The same structure with tuples for lists.

    >>> lists_to_tuples({"a": [1, [2]]})
    {'a': (1, (2,))}
    """
    return traverse(lambda part: tuple(part) if isinstance(part, list) else None, structure, top_down=False)


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """Raise unless both are nested in the same way; the leaves may be anything.

    Args:
        a: A structure.
        b: Another. Every kind of dict is one kind; lists, tuples, deques and each class of named tuples differ.
        check_types: Is not used, as in Keras.

    Raises:
        ValueError: Naming the first place that differs.

    >>> assert_same_structure([(0, 1)], [(2, 3)])
    >>> assert_same_structure([1, 2], (1, 2))
    Traceback (most recent call last):
    ValueError: The structures differ: a list of 2 on one side, a tuple of 2 on the other.
    """
    _assert_prefix(a, b, deeper=False)


def assert_same_paths(a: Any, b: Any) -> None:
    """Raise unless the leaves of both have the same paths, whatever kinds of lists they lie in.

    Raises:
        ValueError: Naming paths that only one side has.

    >>> assert_same_paths([0, 1], (2, 3))
    >>> assert_same_paths({"a": 1}, {"b": 1})
    Traceback (most recent call last):
    ValueError: The paths differ. Only in the first: ('a',). Only in the second: ('b',).
    """
    first, second = ({path for path, _ in flatten_with_path(side)} for side in (a, b))
    if first != second:
        parts = [
            f" Only in the {which}: {', '.join(map(str, sorted(paths, key=str)[:5]))}."
            for which, paths in (("first", first - second), ("second", second - first))
            if paths
        ]
        raise ValueError(f"The paths differ.{''.join(parts)}")


def _mapped(func: Callable, first: Any, *others: Any) -> Any:
    """`func` of the leaves of `first` and of what stands at their places in the others."""
    keys = _keys(first)
    if keys is None:
        return func(first, *others)
    return _like(first, {key: _mapped(func, first[key], *(other[key] for other in others)) for key in keys})


def _assert_prefix(a: Any, b: Any, deeper: bool, path: tuple = ()) -> None:
    """Raise unless `b` is nested as `a` is; `deeper`: it may go on where `a` has a leaf."""
    keys = _keys(a)
    if keys is None and (deeper or not is_nested(b)):
        return
    if keys is None or not is_nested(b) or _kind(a) is not _kind(b) or list(keys) != _in_order(a, b):
        place = f" at {path}" if path else ""
        raise ValueError(f"The structures differ{place}: {_told(a)} on one side, {_told(b)} on the other.")
    for key in keys:
        _assert_prefix(a[key], b[key], deeper, (*path, key))


def _in_order(a: Any, b: Any) -> list[Any]:
    """The keys of `b` in the order in which those of `a` are walked; the order of a dict does not matter."""
    if isinstance(b, dict) and set(a) == set(b):
        return list(_keys(a) or ())
    return list(_keys(b) or ())


def _told(node: Any) -> str:
    if isinstance(node, dict):
        return f"a {type(node).__name__} of {list(node)}"
    return f"a {type(node).__name__} of {len(node)}" if is_nested(node) else f"a leaf, {node!r:.60}"


def _check_call(func: Any, structures: tuple) -> None:
    if not callable(func):
        raise TypeError(f"The first argument is a function of leaves; got {func!r:.100}.")
    if not structures:
        raise TypeError("At least one structure is needed; got none.")
