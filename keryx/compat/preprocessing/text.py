"""Words of texts as numbers, on the host: what `keras.preprocessing.text` had."""

import hashlib
import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from keryx.errors import ArgumentError, DataError, StateError, did_you_mean

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
_MODES = ("binary", "count", "freq", "tfidf")


def base_filter() -> str:
    """The characters that separate words by default, as Keras 1 asked for them."""
    return FILTERS


def text_to_word_sequence(text: str, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """The words of a text.

    Args:
        text: The text.
        filters: Characters that separate words too.
        lower: Whether capital letters become small.
        split: What separates words.

    >>> text_to_word_sequence("The cat, the hat!")
    ['the', 'cat', 'the', 'hat']
    """
    text = text.lower() if lower else text
    text = text.translate(dict.fromkeys(map(ord, filters), split))
    return [word for word in text.split(split) if word]


def hashing_trick(
    text: str,
    n: int,
    hash_function: Any = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
) -> list[int]:
    """A number from 1 to n - 1 for each word of a text, the same for the same word; others may share it.

    Args:
        text: The text.
        n: One more than the highest number.
        hash_function: A function of a word; `"md5"`; by default Python's hash, which each process salts anew.
        filters: As in `text_to_word_sequence`, and so are the others.
        lower: Whether capital letters become small.
        split: What separates words.

    >>> hashing_trick("the cat the", 100, "md5")[::2]
    [51, 51]
    """
    of: Callable[[str], int] = {None: hash, "md5": _md5}.get(hash_function, hash_function)
    return [of(word) % (n - 1) + 1 for word in text_to_word_sequence(text, filters, lower, split)]


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


def one_hot(text: str, n: int, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[int]:
    """`hashing_trick` with Python's hash."""
    return hashing_trick(text, n, None, filters, lower, split)


class Tokenizer:
    """Texts as sequences of numbers, or as vectors; the commonest word has the number 1.

    Args:
        num_words: Only words below this number are kept; Keras 1 called it `nb_words`.
        filters: Characters that separate words too.
        lower: Whether capital letters become small.
        split: What separates words.
        char_level: Whether every character is a word.
        oov_token: The word, numbered 1, that stands for those that are not known; by default they are left out.
        document_count: The number of texts so far.

    Attributes:
        word_counts: How often each word came.
        word_docs: In how many texts each word came.
        word_index: The number of each word.
        index_word: The word of each number.
        document_count: The number of texts.

    >>> tokenizer = Tokenizer()
    >>> tokenizer.fit_on_texts(["the cat", "the hat"])
    >>> tokenizer.texts_to_sequences(["a hat, the cat"])
    [[3, 1, 2]]
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        document_count: int = 0,
        **kwargs: Any,
    ):
        num_words = kwargs.pop("nb_words", num_words)
        for word in kwargs:
            known = ["num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count"]
            raise ArgumentError(f"Tokenizer() has no argument {word!r}.{did_you_mean(word, known)}")
        self.num_words, self.filters, self.lower, self.split = num_words, filters, lower, split
        self.char_level, self.oov_token, self.document_count = char_level, oov_token, document_count
        self.word_counts: OrderedDict[str, int] = OrderedDict()
        self.word_docs: defaultdict[str, int] = defaultdict(int)
        self.index_docs: defaultdict[int, int] = defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    @property
    def nb_words(self) -> int | None:
        """`num_words`, by its name in Keras 1."""
        return self.num_words

    def _words(self, text: Any) -> list[str]:
        if isinstance(text, (list, tuple)):
            return [word.lower() for word in text] if self.lower else list(text)
        if self.char_level:
            return list(text.lower() if self.lower else text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Learn the words of texts, or of lists of words."""
        for text in texts:
            words = self._words(text)
            self.document_count += 1
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in set(words):
                self.word_docs[word] += 1
        common = sorted(self.word_counts, key=lambda word: self.word_counts[word], reverse=True)
        words = common if self.oov_token is None else [self.oov_token, *common]
        self.word_index = {word: i for i, word in enumerate(words, 1)}
        self.index_word = {i: word for word, i in self.word_index.items()}
        self.index_docs.update({self.word_index[word]: count for word, count in self.word_docs.items()})

    def fit_on_sequences(self, sequences: Iterable[Iterable[int]]) -> None:
        """Count in how many sequences each number comes, for `sequences_to_matrix`."""
        for sequence in sequences:
            self.document_count += 1
            for i in set(sequence):
                self.index_docs[i] += 1

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """The numbers of the words of each text."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Any]) -> Iterator[list[int]]:
        """The same, one by one."""
        unknown = self.word_index.get(self.oov_token) if self.oov_token is not None else None
        for text in texts:
            found = (self.word_index.get(word) for word in self._words(text))
            known = (i if i is not None and self._is_kept(i) else unknown for i in found)
            yield [i for i in known if i is not None]

    def _is_kept(self, index: int) -> bool:
        return not self.num_words or index < self.num_words

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """The words of each sequence, with spaces between."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """The same, one by one."""
        for sequence in sequences:
            words = (self.index_word.get(i) if self._is_kept(i) else None for i in sequence)
            yield " ".join(word or self.oov_token or "" for word in words if word or self.oov_token)

    def texts_to_matrix(self, texts: Iterable[Any], mode: str = "binary") -> np.ndarray:
        """Each text as a vector, by the number of the word."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: list[list[int]], mode: str = "binary") -> np.ndarray:
        """Each sequence as a vector, by number.

        Args:
            sequences: The sequences.
            mode: `binary`: whether it comes; `count`: how often; `freq`: its share; `tfidf`:
                `(1 + log(count)) * log(1 + texts / (1 + texts with it))`.

        Raises:
            StateError: Where no number of words is known.
            DataError: For another mode.
        """
        if mode not in _MODES:
            raise DataError(f"The mode is one of {', '.join(_MODES)}; got {mode!r}.{did_you_mean(mode, _MODES)}")
        if not self.num_words and not self.word_index:
            raise StateError("The number of words is not known: give num_words=, or call fit_on_texts first.")
        if mode == "tfidf" and not self.document_count:
            raise StateError("tfidf wants to know in how many texts a word comes: call fit_on_texts first.")
        matrix = np.zeros((len(sequences), self.num_words or len(self.word_index) + 1))
        for row, sequence in zip(matrix, sequences, strict=True):
            for i, count in Counter(i for i in sequence if i < len(row)).items():
                row[i] = self._weight(mode, i, count, len(sequence))
        return matrix

    def _weight(self, mode: str, index: int, count: int, length: int) -> float:
        if mode == "tfidf":
            inverse = np.log(1 + self.document_count / (1 + self.index_docs.get(index, 0)))
            return float((1 + np.log(count)) * inverse)
        return {"binary": 1.0, "count": float(count), "freq": count / length}[mode]

    def get_config(self) -> dict[str, Any]:
        """What it was made with, and what it has learned, as plain data."""
        made = ("num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count")
        learned = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        return {name: getattr(self, name) for name in made} | {
            name: json.dumps(getattr(self, name)) for name in learned
        }

    def to_json(self, **kwargs: Any) -> str:
        """The config as JSON, which `tokenizer_from_json` reads."""
        return json.dumps({"class_name": "Tokenizer", "config": self.get_config()}, **kwargs)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The tokenizer that `to_json` wrote down.

    >>> tokenizer = Tokenizer()
    >>> tokenizer.fit_on_texts(["the cat"])
    >>> tokenizer_from_json(tokenizer.to_json()).word_index
    {'the': 1, 'cat': 2}
    """
    config = json.loads(json_string)["config"]
    counts, docs, index_docs, index_word, word_index = (
        json.loads(config.pop(name)) for name in ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
    )
    tokenizer = Tokenizer(**config)
    tokenizer.word_counts.update(counts)
    tokenizer.word_docs.update(docs)
    tokenizer.index_docs.update({int(i): count for i, count in index_docs.items()})
    tokenizer.index_word = {int(i): word for i, word in index_word.items()}
    tokenizer.word_index = word_index
    return tokenizer
