"""Vocabularies: terms in order, found fast, and counted."""

from collections import Counter
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np

from keryx.core import host
from keryx.errors import DataError, FileError


def lines_of(path: Any) -> list[str]:
    """The lines of a text file, without empty ones at its end.

    Raises:
        FileError: Where there is none, or it is no text.
    """
    try:
        text = Path(path).read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"The vocabulary {path} cannot be read: {error}. It is a text file with a term a line."
        ) from error
    lines = text.replace("\r\n", "\n").split("\n")
    while lines and not lines[-1]:
        lines.pop()
    return lines


class Words:
    """A vocabulary of words.

    >>> Words(["a", "b"]).find(np.array([["b", "z"]], object), start=1, unknown=0).tolist()
    [[2, 0]]
    """

    def __init__(self, tokens: list[str]):
        self.tokens = tokens
        self._numbers = dict(zip(tokens, range(len(tokens)), strict=True))

    def __len__(self) -> int:
        return len(self.tokens)

    def tolist(self) -> list[str]:
        """The words in order."""
        return list(self.tokens)

    def find(self, terms: np.ndarray, start: int, unknown: int, mask: Any = None) -> np.ndarray:
        """The number of each word, counted from `start`, int64.

        Args:
            terms: Words, of any shape.
            start: The number of the first.
            unknown: The number of words that are not in the vocabulary.
            mask: A word and its number.
        """
        numbers = self._numbers
        if mask is not None:
            numbers = numbers | {mask[0]: mask[1] - start}
        found = map(numbers.get, terms.ravel().tolist(), repeat(unknown - start))
        return np.fromiter(found, np.int64, terms.size).reshape(terms.shape) + start

    @staticmethod
    def of(data: Any, what: str) -> np.ndarray:
        """Data as an array of str."""
        return host.as_text(data, what)

    @staticmethod
    def array(tokens: list[Any]) -> np.ndarray:
        """An array to pick words from."""
        return np.array(["" if token is None else token for token in tokens], object)

    @staticmethod
    def read(path: Any) -> list[str]:
        """The words of a file."""
        return lines_of(path)


class Integers:
    """A vocabulary of integers.

    >>> Integers([7, 5]).find(np.array([[5, 9]]), start=1, unknown=0).tolist()
    [[2, 0]]
    """

    def __init__(self, tokens: list[int]):
        self.tokens = np.array(tokens, np.int64)
        self.order = np.argsort(self.tokens).astype("int32")
        self.ordered = self.tokens[self.order]

    def __len__(self) -> int:
        return len(self.tokens)

    def tolist(self) -> list[int]:
        """The integers in order."""
        return self.tokens.tolist()

    def find(self, terms: np.ndarray, start: int, unknown: int, mask: Any = None) -> np.ndarray:
        """The number of each integer, as Words does it."""
        found = np.full(terms.shape, unknown, np.int64)
        if len(self.tokens):
            places = np.minimum(np.searchsorted(self.ordered, terms), len(self.tokens) - 1)
            found = np.where(self.ordered[places] == terms, self.order[places] + np.int64(start), found)
        return found if mask is None else np.where(terms == mask[0], mask[1], found)

    @staticmethod
    def of(data: Any, what: str) -> np.ndarray:
        """Data as an array of int64."""
        array = host.as_array(data, what)
        if array.dtype.kind not in "iub" and not (array.dtype.kind == "f" and np.all(array == np.round(array))):
            raise DataError(f"The {what} takes integers; got {array.dtype}.")
        return array.astype(np.int64)

    @staticmethod
    def array(tokens: list[Any]) -> np.ndarray:
        """An array to pick integers from."""
        return np.array([0 if token is None else token for token in tokens], np.int64)

    @staticmethod
    def read(path: Any) -> list[int]:
        """The integers of a file."""
        try:
            return [int(line) for line in lines_of(path)]
        except ValueError as error:
            raise FileError(f"The vocabulary {path} holds what is no integer: {error}.") from None


class Tally:
    """How often each term was seen, and in how many documents."""

    def __init__(self) -> None:
        self.terms: Counter = Counter()
        self.within: Counter = Counter()
        self.documents = 0

    def __bool__(self) -> bool:
        return bool(self.terms)

    def add(self, documents: Any, by_document: bool) -> None:
        """Count the terms of documents: rows of an array, or lists."""
        is_array = isinstance(documents, np.ndarray)
        self.documents += len(documents)
        if is_array and documents.dtype != object:
            terms, counts = np.unique(documents, return_counts=True)
            self.terms.update(dict(zip(terms.tolist(), counts.tolist(), strict=True)))
        else:
            self.terms.update(documents.ravel().tolist() if is_array else chain.from_iterable(documents))
        if by_document:
            rows = documents.tolist() if is_array else documents
            self.within.update(chain.from_iterable(map(set, rows)))

    def result(self, without: set, limit: int | None) -> tuple[list[Any], np.ndarray]:
        """The terms, the most frequent first, of equal ones the last first; and the inverse document frequencies."""
        ordered = sorted(((n, term) for term, n in self.terms.items() if term not in without), reverse=True)
        tokens = [term for _, term in ordered[:limit]]
        within = np.array([self.within[token] for token in tokens], np.int64)
        return tokens, np.log(1 + self.documents / (1 + within))
