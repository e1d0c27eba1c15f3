"""Arguments that say sizes and layouts, checked and brought into one form."""

import numbers
from typing import Any

import numpy as np

from keryx import config
from keryx.errors import ConfigError, ShapeError


def whole(where: str, name: str, value: Any, least: int = 1) -> int:
    """An integer of any kind, NumPy's too, as an int.

    >>> whole("Dense()", "units", np.int64(46))
    46
    """
    number = value if isinstance(value, numbers.Integral) and not isinstance(value, (bool, np.bool_)) else None
    if number is None or number < least:
        shown = value.item() if isinstance(value, np.generic) else value
        raise ConfigError(f"{where} wants {name}= as an integer of at least {least}; got {shown!r}.")
    return int(number)


def sizes(where: str, name: str, value: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    """`rank` integers, from one for all axes or one for each.

    >>> sizes("Conv2D()", "strides", 2, rank=2)
    (2, 2)
    """
    try:
        given = [value] * rank if np.ndim(value) == 0 else list(value)
        found = tuple(whole(where, name, n, least) for n in given)
    except (ConfigError, ValueError):
        found = ()
    if len(found) != rank:
        form = f"an integer, or {rank} of them," if rank > 1 else "an integer"
        raise ConfigError(f"{where} wants {name}= as {form} of at least {least}; got {value!r}.")
    return found


def pairs(where: str, name: str, value: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """What is added or cut before and after each axis: from one number, one an axis, or two an axis.

    >>> pairs("ZeroPadding2D()", "padding", (1, (2, 3)), rank=2)
    ((1, 1), (2, 3))
    """
    axes = [value] * rank if isinstance(value, numbers.Integral) else list(value)
    if len(axes) != rank:
        raise ConfigError(f"{where} wants {name}= as an integer, or as {rank} of them or of pairs; got {value!r}.")
    before_and_after = [sizes(where, name, axis, 2, least=0) for axis in axes]
    return tuple((before, after) for before, after in before_and_after)


def layout(where: str, data_format: str | None) -> str:
    """`channels_last` or `channels_first`; None is the one of `keryx.config`."""
    data_format = data_format or config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ConfigError(f"{where} wants data_format='channels_last' or 'channels_first'; got {data_format!r}.")
    return data_format


def padding_mode(where: str, padding: str, *more: str) -> str:
    """`valid`, `same`, or one of `more`."""
    known = ("valid", "same", *more)
    if not isinstance(padding, str) or padding.lower() not in known:
        raise ConfigError(f"{where} wants padding= as one of {', '.join(map(repr, known))}; got {padding!r}.")
    return padding.lower()


def choice(where: str, name: str, value: Any, known: tuple[str, ...]) -> str:
    """`value`, which is one of `known`."""
    if value not in known:
        raise ConfigError(f"{where} wants {name}= as one of {', '.join(map(repr, known))}; got {value!r}.")
    return value


def fraction(where: str, name: str, value: float) -> float:
    """A number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ConfigError(f"{where} wants {name}= between 0 and 1; got {value!r}.")
    return value


def channel_axis(data_format: str) -> int:
    """Where the channels are."""
    return -1 if data_format == "channels_last" else 1


def spatial_axes(data_format: str, rank: int) -> tuple[int, ...]:
    """Where the axes of space or time are."""
    first = 1 if data_format == "channels_last" else 2
    return tuple(range(first, first + rank))


def known_size(title: str, shape: tuple[int | None, ...], axis: int, what: str = "size") -> int:
    """The size of an axis that a weight depends on."""
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"{title} works along axis {axis}, which its inputs do not have; got {shape}.")
    size = shape[axis]
    if size is None:
        raise ShapeError(f"{title} wants a known {what} in axis {axis}; got {shape}.")
    return size
