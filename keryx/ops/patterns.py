"""Axes moved, split and joined as a pattern says, in the notation of einops."""

import math
import re
from typing import Any

import jax.numpy as jnp

from keryx.core.graph import lift
from keryx.core.symbol import describe
from keryx.errors import ArgumentError, ShapeError
from keryx.ops.table import as_array

__all__ = ["rearrange"]

_FREE = ["..."]  # of all axes that are not named, outside of parentheses: this very list
_PARTS = re.compile(r"\(|\)|\.\.\.|[^\W\d]\w*|1(?!\w)|\S")


@lift
def rearrange(tensor, pattern, **axes_lengths):
    """The elements of a tensor with its axes in another order, split or joined.

    Args:
        tensor: The tensor.
        pattern: Its axes, `->`, and the axes of the result, each by a name; every name stands once on each side. Names
            in parentheses are one axis that is split, on the left, or joined, on the right. `...` are all axes that are
            not named, and `1` is an axis of size 1.
        **axes_lengths: Sizes of axes by name; of the names in one pair of parentheses one may be left to be found.

    Raises:
        ArgumentError: Where the pattern cannot be read, or its sides do not have the same names.
        ShapeError: Where the tensor is not as the left side says.

    Source: Rogozhnikov, Einops: Clear and Reliable Tensor Manipulations with Einstein-like Notation, 2022.

    >>> images = jnp.zeros((8, 30, 40, 3))
    >>> rearrange(images, "b h w c -> b (c h w)").shape
    (8, 3600)
    >>> rearrange(images, "b (h h1) (w w1) c -> b h w (c h1 w1)", h1=2, w1=2).shape
    (8, 15, 20, 12)
    >>> rearrange(images, "b ... c -> c b ...").shape
    (3, 8, 30, 40)
    """
    x = as_array(tensor)
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ArgumentError(f"rearrange() wants a pattern such as 'b h w c -> b c h w'; got {pattern!r}.")
    left, right = (_groups(side, pattern) for side in sides)
    _check_names(left, right, pattern, axes_lengths)
    sizes = {name: size for name, size in axes_lengths.items() if size is not None}
    left, right = _without_dots(left, right, x, pattern)
    _measure(left, x, sizes, pattern)
    split = [name for group in left for name in group]
    x = jnp.reshape(x, [sizes[name] for name in split])
    x = jnp.transpose(x, [split.index(name) for group in right for name in group])
    return jnp.reshape(x, [math.prod(sizes[name] for name in group) for group in right])


def _groups(side: str, pattern: str) -> list[list[str]]:
    """The axes of one side, each as the names that it is made of.

    >>> _groups("b (h w) 1 ...", "")
    [['b'], ['h', 'w'], [], ['...']]
    """
    groups: list[list[str]] = []
    within = False
    for part in _PARTS.findall(side):
        if part in "()":
            if within == (part == "("):
                raise ArgumentError(f"The parentheses of the pattern {pattern!r} do not match, or stand in each other.")
            within = not within
            if within:
                groups.append([])
        elif part != "1" and part != "..." and not part.isidentifier():
            raise ArgumentError(
                f"The pattern {pattern!r} has {part!r}, which names no axis: an axis is a word, 1, or '...'."
            )
        elif within:
            groups[-1] += [] if part == "1" else [part]
        else:
            groups.append(_FREE if part == "..." else [] if part == "1" else [part])
    if within:
        raise ArgumentError(f"The pattern {pattern!r} lacks a closing parenthesis.")
    return groups


def _check_names(left: list[list[str]], right: list[list[str]], pattern: str, lengths: dict[str, Any]) -> None:
    before, after = ([name for group in side for name in group] for side in (left, right))
    for names in (before, after):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ArgumentError(f"The pattern {pattern!r} has {twice!r} twice on one side.")
    alone = sorted(set(before) ^ set(after))
    if alone:
        where, other = ("left", "right") if alone[0] in before else ("right", "left")
        raise ArgumentError(
            f"The pattern {pattern!r} has {alone[0]!r} on the {where} and not on the {other}: rearrange() neither "
            "drops nor repeats an axis. Use ops.sum, ops.mean or ops.repeat for that."
        )
    if "..." in before and not any(group is _FREE for group in left):
        raise ArgumentError(f"The pattern {pattern!r} has '...' in parentheses on the left, where it may be any axes.")
    unknown = [name for name in lengths if name not in before]
    if unknown:
        raise ArgumentError(f"rearrange() was told the size of {unknown[0]!r}, which is not in {pattern!r}.")


def _without_dots(left: list[list[str]], right: list[list[str]], x: Any, pattern: str) -> tuple[Any, Any]:
    """Both sides with a name for each axis that `...` stands for."""
    dots = any(group is _FREE for group in left)
    count = x.ndim - len(left) + dots
    if count < 0 or (count and not dots):
        raise ShapeError(
            f"The pattern {pattern!r} is for {'at least ' * dots}{len(left) - dots} axes; got {describe(x.shape)}."
        )
    found = [f"...{i}" for i in range(count)]

    def named(side: list[list[str]]) -> list[list[str]]:
        apart = [one for group in side for one in ([[name] for name in found] if group is _FREE else [group])]
        return [[name for part in group for name in (found if part == "..." else [part])] for group in apart]

    return named(left), named(right)


def _measure(left: list[list[str]], x: Any, sizes: dict[str, Any], pattern: str) -> None:
    """Add the sizes that were not told to `sizes`."""
    for group, size in zip(left, x.shape, strict=True):
        open_ones = [name for name in group if name not in sizes]
        told = math.prod(sizes[name] for name in group if name in sizes)
        if len(open_ones) > 1:
            raise ArgumentError(
                f"Of the axes ({' '.join(group)}) of {pattern!r} one size at most can be found; give the others, such "
                f"as {open_ones[0]}=2."
            )
        fits = size % told == 0 if open_ones and told else size == told
        if not fits:
            of = "is not a multiple of" if open_ones else "is not"
            raise ShapeError(
                f"An axis of size {size} {of} {told}, as ({' '.join(group)}) of {pattern!r} wants; the tensor is "
                f"{describe(x.shape)}."
            )
        if open_ones:
            sizes[open_ones[0]] = size // told
