"""Errors of a call that was traced at probes, retold without them."""

import re
from collections.abc import Sequence
from fractions import Fraction

from keryx.errors import ShapeError

_NUMBER = re.compile(r"(?<![\w.])(\d+)(?![\w.]*\w)")


def numbers(error: Exception) -> set[int]:
    """The integers in what an error says.

    >>> sorted(numbers(ValueError("wants 3 of (5,), not float32 or 1.5")))
    [3, 5]
    """
    return {int(number) for number in _NUMBER.findall(str(error))}


def without_probes(symbolic: Exception, errors: Sequence[Exception], probe: int) -> Exception:
    """The error to raise for a call that fails whatever the size of its unknown axes.

    Args:
        symbolic: What it raised with symbolic dimensions.
        errors: What it raised at `probe`, at its double, or at each.
        probe: The smaller number.

    Returns:
        The symbolic error where the others are like it: its dimensions read well. Else the error at the probes, each
        number that follows from them written as what it is of None.
    """
    small, large = errors[0], errors[-1]
    if type(symbolic) is type(small) and _skeleton(symbolic) == _skeleton(small):
        return symbolic
    kept = numbers(symbolic) | (_all_numbers(small) & _all_numbers(large) if large is not small else set())

    def told(text: str, other: str) -> str:
        return (in_words(text, other, probe) if large is not small else None) or _NUMBER.sub(
            lambda found: found[0] if int(found[0]) in kept else "unknown", text
        )

    text = told(str(small), str(large))
    notes = zip(getattr(small, "__notes__", ()), getattr(large, "__notes__", ()), strict=False)
    small.__notes__ = [told(*pair) for pair in notes]
    if text == str(small):
        return small
    small.args = (text, *small.args[1:])
    if str(small) == text:
        return small
    retold = ShapeError(f"{type(small).__name__}: {text}")  # an error that does not print its arguments
    retold.__notes__ = small.__notes__
    return retold.with_traceback(small.__traceback__)


def _all_numbers(error: Exception) -> set[int]:
    return numbers(error).union(*map(numbers, map(Exception, getattr(error, "__notes__", ()))))


def in_words(small: str, large: str, probe: int) -> str | None:
    """What an error says at a probe and at its double, in terms of None; None where the two differ in other ways.

    >>> in_words("got (960, 957, 3)", "got (1920, 1917, 3)", 960)
    'got (None, None - 3, 3)'
    """
    parts, others = _NUMBER.split(small), _NUMBER.split(large)
    if parts[::2] != others[::2]:
        return None
    for i in range(1, len(parts), 2):
        parts[i] = _of_none(int(parts[i]), int(others[i]), probe)
    return "".join(parts)


def _of_none(small: int, large: int, probe: int) -> str:
    if small == large:
        return str(small)
    factor = Fraction(large - small, probe)
    rest = small - factor * probe
    if factor.denominator > 16 or factor.numerator > 10_000 or rest.denominator > 1:
        return "unknown"
    times = f"{factor.numerator} * None" if factor.numerator != 1 else "None"
    of_it = times if factor.denominator == 1 else f"{times} // {factor.denominator}"
    return of_it if not rest else f"{of_it} {'+' if rest > 0 else '-'} {abs(rest)}"


def _skeleton(error: Exception) -> str:
    """What an error says, without sizes and shapes."""
    return re.sub(r"\([^()]*\)|\[[^\[\]]*\]|\d+|None|batch|[*+-]|\s", "", str(error))
