"""Texts as lists of word numbers, the frequent words first."""

from typing import Any

import numpy as np

from keryx.errors import ArgumentError

Texts = list[list[int]]


def shifted(texts: Any, start_char: int | None, index_from: int | None) -> Texts:
    """Each number raised by `index_from`, after the number that begins a text."""
    begin = [] if start_char is None else [start_char]
    by = index_from or 0
    return [begin + [word + by for word in text] for text in texts]


def shorter(texts: Texts, labels: np.ndarray, maxlen: int | None) -> tuple[Texts, np.ndarray]:
    """The texts with fewer than `maxlen` numbers; all where that is None."""
    if not maxlen:
        return texts, labels
    kept = [i for i, text in enumerate(texts) if len(text) < maxlen]
    if not kept:
        raise ArgumentError(f"maxlen={maxlen} leaves no text: all have as many words or more.")
    return [texts[i] for i in kept], labels[kept]


def frequent(texts: Texts, num_words: int | None, skip_top: int, oov_char: int | None) -> np.ndarray:
    """The texts with the numbers from `skip_top` to below `num_words`; for others there is `oov_char`, or nothing.

    Without `num_words` the greatest number of all is the first that falls out, as in Keras.

    >>> frequent([[1, 5], [2, 3, 9]], 9, 2, 0).tolist()
    [[0, 5], [2, 3, 0]]
    """
    end = num_words or max(max(text) for text in texts)
    if oov_char is None:
        kept = [[word for word in text if skip_top <= word < end] for text in texts]
    else:
        kept = [[word if skip_top <= word < end else oov_char for word in text] for text in texts]
    return np.fromiter(kept, object, len(kept))
