"""Reuters: news by topic."""

import numpy as np

from keryx.datasets import sources
from keryx.datasets.splitting import Parts, drawn, split
from keryx.datasets.texts import frequent, shifted, shorter

_TOPICS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass "
    "crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi "
    "iron-steel rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog lead"
)


def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> Parts:
    """11,228 news of 1987 as lists of word numbers, and the topic of each, one of 46.

    The more frequent a word is, the smaller is its number; 0 is left for padding. From Reuters-21578
    (https://github.com/keras-team/keras/issues/12072 tells how it was made).

    Args:
        path: The file's name in the cache.
        num_words: Numbers from here on are replaced by `oov_char`.
        skip_top: Numbers below this one are replaced by `oov_char`.
        maxlen: News of this length and longer are left out.
        test_split: The share of the rows that come in the second part.
        seed: For the order of the news.
        start_char: The number that begins a text; None for none.
        oov_char: What stands for a word that is left out; None for nothing.
        index_from: What is added to the numbers of `get_word_index`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: object arrays (rows,) of lists; labels (rows,) of int64.

    Raises:
        FileError: Where it is not in the cache and cannot be fetched, or holds more than numbers.

    >>> (x_train, y_train), (x_test, y_test) = load_data(num_words=10000)  # doctest: +SKIP
    """
    found = sources.arrays(sources.fetched("reuters.npz", path))
    x, y = drawn(np.random.RandomState(seed), found["x"], found["y"])
    texts, y = shorter(shifted(x, start_char, index_from), y, maxlen)
    return split(frequent(texts, num_words, skip_top, oov_char), y, test_split)


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """The number of each word, before `index_from` is added to it.

    Args:
        path: The file's name in the cache.

    >>> words = {number + 3: word for word, number in get_word_index().items()}  # doctest: +SKIP
    """
    return sources.words("reuters_word_index.json", path)


def get_label_names() -> tuple[str, ...]:
    """The topics by their labels.

    After https://martin-thoma.com/nlp-reuters.

    >>> len(get_label_names()), get_label_names()[3]
    (46, 'earn')
    """
    return tuple(_TOPICS.split())
