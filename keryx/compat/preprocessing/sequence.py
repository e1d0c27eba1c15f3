"""Pairs of words, and windows over series: what `keras.preprocessing.sequence` had."""

import random
from typing import Any

import numpy as np

from keryx.errors import DataError
from keryx.utils import Sequence


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """The probability with which a word is kept, by its rank, if the words are as common as Zipf's law says.

    `min(1, sqrt(f))` of `f = sampling_factor * rank * (log(rank) + 0.577) + ...`. Mikolov et al. 2013.

    Args:
        size: The number of words.
        sampling_factor: Higher keeps more.

    >>> make_sampling_table(4).round(4).tolist()
    [0.0032, 0.0032, 0.0055, 0.0074]
    """
    rank = np.arange(size)
    rank[:1] = 1
    frequency = rank * (np.log(rank) + 0.577) + 0.5 - 1.0 / (12.0 * rank)  # of the first word, over that of this one
    return np.minimum(1.0, np.sqrt(sampling_factor * frequency))


def skipgrams(
    sequence: list[int],
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:
    """Pairs of a word and one near it, labelled 1, and of words and ones at random, labelled 0.

    Args:
        sequence: The numbers of the words; 0 is none.
        vocabulary_size: One more than the highest number.
        window_size: How far away a word may be.
        negative_samples: How many pairs at random there are for each real one.
        shuffle: Whether the pairs come in a random order.
        categorical: Whether the labels are `[0, 1]` and `[1, 0]`.
        sampling_table: The probability with which a word is kept, by number.
        seed: Of the order.

    >>> skipgrams([1, 2], 5, negative_samples=0, shuffle=False)
    ([[1, 2], [2, 1]], [1, 1])
    """
    couples, labels = [], list[Any]()
    for i, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):
            continue
        for j in range(max(0, i - window_size), min(len(sequence), i + window_size + 1)):
            if j != i and sequence[j]:
                couples.append([word, sequence[j]])
                labels.append([0, 1] if categorical else 1)
    if negative_samples > 0:
        words = [couple[0] for couple in couples]
        random.shuffle(words)
        count = int(len(labels) * negative_samples)
        couples += [[words[i % len(words)], random.randint(1, vocabulary_size - 1)] for i in range(count)]
        labels += [[1, 0] if categorical else 0] * count
    if shuffle:
        seed = random.randint(0, 10**6) if seed is None else seed
        for values in (couples, labels):
            random.Random(seed).shuffle(values)
    return couples, labels


class TimeseriesGenerator(Sequence):
    """Batches of windows over a series, each with the target that stands behind it.

    Args:
        data: The series, (time, ...).
        targets: A target for each step, (time, ...).
        length: The length of a window, in steps.
        sampling_rate: Every so many steps of a window are taken.
        stride: From window to window.
        start_index: The first step that is used.
        end_index: The last step that is used.
        shuffle: Whether the windows are drawn at random.
        reverse: Whether a window is turned round.
        batch_size: Windows a batch.

    Raises:
        DataError: Where the targets are not as many as the steps, or no window fits.

    >>> series = np.arange(6)
    >>> x, y = TimeseriesGenerator(series, series, length=3, batch_size=2)[0]
    >>> x.tolist(), y.tolist()
    ([[0, 1, 2], [1, 2, 3]], [3, 4])
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
    ):
        super().__init__()
        if len(data) != len(targets):
            raise DataError(f"Each step has a target: there are {len(data)} steps, and {len(targets)} targets.")
        self.data, self.targets, self.length = data, targets, length
        self.sampling_rate, self.stride = sampling_rate, stride
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle, self.reverse, self.batch_size = shuffle, reverse, batch_size
        if self.start_index > self.end_index:
            raise DataError(
                f"No window of {length} steps fits between the steps {start_index} and {self.end_index}: "
                "make length smaller."
            )

    def __len__(self) -> int:
        step = self.batch_size * self.stride
        return (self.end_index - self.start_index + step) // step

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            rows = np.arange(first, min(first + self.batch_size * self.stride, self.end_index + 1), self.stride)
        samples = np.array([self.data[row - self.length : row : self.sampling_rate] for row in rows])
        targets = np.array([self.targets[row] for row in rows])
        return samples[:, ::-1] if self.reverse else samples, targets
