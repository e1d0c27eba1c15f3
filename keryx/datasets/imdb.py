"""IMDB: reviews of films."""

from typing import Any

import numpy as np

from keryx.datasets import sources
from keryx.datasets.splitting import Parts, drawn
from keryx.datasets.texts import frequent, shifted, shorter


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> Parts:
    """50,000 reviews of films as lists of word numbers, and whether each is positive.

    The more frequent a word is, the smaller is its number; 0 is left for padding. From Andrew Maas and others,
    "Learning Word Vectors for Sentiment Analysis", 2011 (https://ai.stanford.edu/~amaas/data/sentiment).

    Args:
        path: The file's name in the cache.
        num_words: Numbers from here on are replaced by `oov_char`.
        skip_top: Numbers below this one are replaced by `oov_char`.
        maxlen: Reviews of this length and longer are left out.
        seed: For the order of the reviews.
        start_char: The number that begins a review; None for none.
        oov_char: What stands for a word that is left out; None for nothing.
        index_from: What is added to the numbers of `get_word_index`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: object arrays (25000,) of lists; labels (25000,) of int64, 0 or 1.

    Raises:
        FileError: Where it is not in the cache and cannot be fetched, or holds more than numbers.

    >>> (x_train, y_train), (x_test, y_test) = load_data(num_words=10000)  # doctest: +SKIP
    """
    found = sources.arrays(sources.fetched("imdb.npz", path))
    generator = np.random.RandomState(seed)
    parts: list[Any] = []
    for part in ("train", "test"):
        x, y = drawn(generator, found[f"x_{part}"], found[f"y_{part}"])
        parts.append(shorter(shifted(x, start_char, index_from), y, maxlen))
    (x_train, y_train), (x_test, y_test) = parts
    end = num_words or max(max(text) for text in x_train + x_test)
    x_train, x_test = (frequent(x, end, skip_top, oov_char) for x in (x_train, x_test))
    return (x_train, y_train), (x_test, y_test)


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """The number of each word, before `index_from` is added to it.

    Args:
        path: The file's name in the cache.

    >>> words = {number + 3: word for word, number in get_word_index().items()}  # doctest: +SKIP
    """
    return sources.words("imdb_word_index.json", path)
