"""Text in words: standardized, split, joined to n-grams; with the cases and spaces of ASCII, as in TensorFlow."""

import re
import string
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from keryx.core import host, plain
from keryx.errors import DataError, ShapeError

STANDARDIZE, SPLIT = ("lower_and_strip_punctuation", "lower", "strip_punctuation"), ("whitespace", "character")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_STRIP = str.maketrans("", "", string.punctuation)
_TABLES = {"lower": _LOWER, "strip_punctuation": _STRIP, "lower_and_strip_punctuation": _LOWER | _STRIP}
_WORDS = re.compile(r"[^ \t\n\v\f\r]+")
_OTHER_SPACES = re.compile("[\x1c-\x1f]|[^\x00-\x7f]")  # what str.split may split at as well


def standardized(texts: np.ndarray, how: str | Callable | None) -> np.ndarray:
    """Texts in lower case, without punctuation, or as a function of yours makes them, which is given an array of str.

    >>> standardized(np.array(["Ant, BEE!"], object), "lower_and_strip_punctuation").tolist()
    ['ant bee']
    """
    if how is None:
        return texts
    if callable(how):
        changed = host.as_text(np.asarray(how(texts.astype(str))), "text that standardize returned")
        if changed.shape != texts.shape:
            raise ShapeError(f"standardize was given texts of {texts.shape} and returned {changed.shape}.")
        return changed
    table = _TABLES[how]
    return _array([text.translate(table) for text in texts.ravel().tolist()]).reshape(texts.shape)


def tokens_of(texts: np.ndarray, split: str | Callable) -> list[list[str]]:
    """The words or characters of each text of a row of texts; a function of yours is given an array of str.

    >>> tokens_of(np.array([" ant  bee", ""], object), "whitespace")
    [['ant', 'bee'], []]
    """
    if callable(split):
        rows = split(texts.astype(str))
        for name in ("to_list", "tolist"):
            rows = getattr(rows, name)() if hasattr(rows, name) else rows
        if len(rows) != len(texts) or any(isinstance(row, (str, bytes)) for row in rows):
            raise DataError(
                f"split was given {len(texts)} texts and returned what is no list of words for each of them."
            )
        return [host.as_text(row, "text that split returned").ravel().tolist() for row in rows]
    listed = texts.tolist()
    if split == "character":
        return list(map(list, listed))
    if any(map(_OTHER_SPACES.search, listed)):
        return list(map(_WORDS.findall, listed))
    return list(map(str.split, listed))


def ngrams(rows: list[list[str]], widths: int | Sequence[int]) -> list[list[str]]:
    """All runs of so many words of each row, joined by a space: of the first width, then of the next; 2 is 1 and 2.

    >>> ngrams([["a", "b", "c"], ["d"]], (1, 2))
    [['a', 'b', 'c', 'a b', 'b c'], ['d']]
    """

    def wide(row: list[str]) -> Iterable[int]:
        return range(1, min(widths, len(row)) + 1) if isinstance(widths, int) else widths

    return [[" ".join(row[i : i + n]) for n in wide(row) for i in range(len(row) - n + 1)] for row in rows]


def padded(rows: Any, lengths: np.ndarray, length: int | None) -> np.ndarray:
    """Rows, one after another in one array, as the rows of a matrix, cut or filled up with 0 to one length.

    >>> padded(np.array([1, 2, 3]), np.array([2, 0, 1]), None).tolist()
    [[1, 2], [0, 0], [3, 0]]
    """
    wide = int(lengths.max(initial=0)) if length is None else length
    plain.spend((len(lengths), wide), rows.itemsize)
    number, place = places(lengths)
    kept = place < wide
    result = np.zeros((len(lengths), wide), rows.dtype)
    result[number[kept], place[kept]] = rows[kept]
    return result


def places(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The row of each element of rows of these lengths, and its place there."""
    number = np.repeat(np.arange(len(lengths)), lengths)
    return number, np.arange(len(number)) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _array(texts: Sequence[str]) -> np.ndarray:
    array = np.empty(len(texts), object)
    array[:] = texts
    return array
