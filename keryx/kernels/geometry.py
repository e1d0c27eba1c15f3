"""Windows that slide: how many steps, and how many zeros around."""

from collections.abc import Sequence

import numpy as np
from jax import lax

from keryx.errors import ConfigError, ShapeError

Sizes = int | Sequence[int]
Pads = tuple[tuple[int, int], ...]


def each_axis(value: Sizes, rank: int) -> tuple[int, ...]:
    """One number an axis, from one for all or one for each.

    >>> each_axis(2, rank=3)
    (2, 2, 2)
    """
    return tuple(map(int, value)) if np.ndim(value) else (int(value),) * rank  # type: ignore[arg-type]


def reaches(window: Sequence[int], dilation: Sequence[int]) -> tuple[int, ...]:
    """How many elements lie between the first and the last of a window, both counted."""
    return tuple((k - 1) * d + 1 for k, d in zip(window, dilation, strict=True))


def pads_of(
    padding: str | Sequence[tuple[int, int]], sizes: Sequence[int], reach: Sequence[int], strides: Sequence[int]
) -> Pads:
    """The zeros before and after each axis of space.

    Args:
        padding: `valid`, `same`, or the pairs themselves.
        sizes: The sizes of the axes.
        reach: Of the window, as `reaches` has it.
        strides: Its steps.

    Raises:
        ConfigError: For a padding of another name.
        ShapeError: Where there is no room for one window.
    """
    if isinstance(padding, str) and padding.lower() not in ("valid", "same"):
        raise ConfigError(f"padding is 'valid' or 'same'; got {padding!r}.")
    pads = lax.padtype_to_pads(sizes, reach, strides, padding.upper()) if isinstance(padding, str) else padding
    if any(size + sum(pair) < r for size, pair, r in zip(sizes, pads, reach, strict=True)):
        raise ShapeError(
            f"A kernel reaches over {tuple(reach)}, more than its inputs {tuple(sizes)}. Use padding='same', a "
            "smaller kernel, or larger inputs."
        )
    return tuple((int(before), int(after)) for before, after in pads)


def pads_of_transpose(reach: int, stride: int, padding: str, more: int | None) -> tuple[int, int]:
    """The zeros around inputs that stand `stride` apart, so that a kernel over `reach` gives the outputs.

    `valid` gives (size - 1) * stride + reach outputs, at least size * stride; `same` gives size * stride.
    `more`, output_padding, sets the number instead: so many beyond the smallest that fits.
    """
    if padding == "valid":
        return reach - 1, reach - 1 + (max(stride - reach, 0) if more is None else more)
    total = reach - 2 + (stride if more is None else reach % 2 + more)
    before = min(total - total // 2, reach - 1)
    return before, total - before
