"""Data sets of the files in a folder: which files, which labels, which of them are for validation."""

import copy
import functools
import os
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from keryx.errors import ArgumentError, DataError, FileError, listing
from keryx.screens import tell
from keryx.training.data.workers import Workers
from keryx.utils.data import PyDataset
from keryx.utils.files.formats import in_format

Labels = str | Sequence[int] | None


class FilesDataset(PyDataset):
    """Batches of what is read from files, by several threads at a time.

    `workers`, `use_multiprocessing` and `max_queue_size` can be set on it, as on every `PyDataset`. A loop over it
    reads ahead as `fit` does. Each epoch has an order of its own where it shuffles, drawn from the seed and the
    epoch's number.

    Attributes:
        file_paths: The files.
        class_names: The names of the classes by their numbers; None without labels.
    """

    def __init__(
        self,
        file_paths: list[str],
        labels: np.ndarray | None,
        class_names: list[str] | None,
        read: Callable[[str], Any],
        stack: Callable[[list], Any],
        batch_size: int | None,
        seed: int | None,
    ):
        super().__init__(workers=min(8, _processors()), max_queue_size=2)
        self.file_paths, self.labels, self.class_names = file_paths, labels, class_names
        self.read, self.stack, self.batch_size, self.seed = read, stack, batch_size, seed
        self.rows, self.epoch = np.arange(len(file_paths)), 0
        self.functions: tuple[Callable, ...] = ()
        self.kept: dict[bytes, Any] | None = None  # batches by their rows
        self.functions_after: tuple[Callable, ...] = ()  # of what is kept

    def __len__(self) -> int:
        return -(-len(self.rows) // (self.batch_size or 1))

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"There are {len(self)} batches; got the number {index}.")
        size = self.batch_size or 1
        rows = self.ordered(slice(index % len(self) * size, (index % len(self) + 1) * size))
        if self.kept is None:
            return self._made(rows)
        key = rows.tobytes()
        if key not in self.kept:
            self.kept[key] = self._made(rows)
        return _through(self.functions_after, self.kept[key])

    def _made(self, rows: np.ndarray) -> Any:
        read = [self.read(self.file_paths[row]) for row in rows]
        single = self.batch_size is None
        x = read[0] if single else self.stack(read)
        y = None if self.labels is None else self.labels[rows[0] if single else rows]
        return _through(self.functions, x if y is None else (x, y))

    def ordered(self, part: slice) -> np.ndarray:
        """A part of the rows, in the order of this epoch."""
        return self.rows[_order(len(self.rows), self.seed, self.epoch)[part]]

    def on_epoch_end(self) -> None:
        self.epoch += 1

    def __iter__(self) -> Iterator[Any]:
        workers = Workers(self)
        try:
            yield from workers.batches(range(len(self)))
        finally:  # a loop that is left early was an epoch too
            workers.close()
            self.on_epoch_end()

    # What code for tf.data asks of a data set.

    def take(self, count: int) -> "FilesDataset":
        """The first batches; all for -1. They stay the same ones: no other epoch brings those of `skip` into them."""
        return self if count < 0 else self._but(rows=self.ordered(slice(count * (self.batch_size or 1))))

    def skip(self, count: int) -> "FilesDataset":
        """The batches that `take` leaves."""
        return self._but(rows=self.ordered(slice(count * (self.batch_size or 1), None)))

    def map(self, map_func: Callable, num_parallel_calls: Any = None, **options: Any) -> "FilesDataset":
        """The batches as a function gives them, which is called with the parts of each; by the workers, in parallel."""
        name = "functions" if self.kept is None else "functions_after"
        return self._but(**{name: (*getattr(self, name), map_func)})

    def shuffle(
        self, buffer_size: int, seed: int | None = None, reshuffle_each_iteration: Any = None
    ) -> "FilesDataset":
        """The same elements, all of them in a new order each epoch; what is cached keeps its batches."""
        if self.kept is not None:
            return self
        return self._but(seed=random.randrange(10**6) if seed is None else seed)

    def prefetch(self, buffer_size: int | None = None) -> "FilesDataset":
        """The same; so many batches are read ahead. A number below 1 changes nothing: they are read ahead anyway."""
        size = int(buffer_size or 0)
        return self._but(max_queue_size=size) if size > 0 else self

    def cache(self) -> "FilesDataset":
        """The same, each batch read once and kept in memory; so the batches stay what they are, in each epoch."""
        return self._but(rows=self.ordered(slice(None)), seed=None, kept={})

    def _but(self, **changes: Any) -> "FilesDataset":
        other = copy.copy(self)
        vars(other).update(changes)
        return other

    def __getattr__(self, name: str) -> NoReturn:
        if name in _ELSEWHERE:
            raise AttributeError(f"A data set of files has no .{name}(): {_ELSEWHERE[name]}.")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _through(functions: Sequence[Callable], batch: Any) -> Any:
    for function in functions:
        batch = function(*batch) if isinstance(batch, tuple) else function(batch)
    return batch


def _processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_ELSEWHERE = {
    "batch": "it is told at the beginning, batch_size=",
    "unbatch": "batch_size=None gives single elements",
    "repeat": "fit goes over it as often as there are epochs",
    "cardinality": "take len()",
    "as_numpy_iterator": "it gives NumPy arrays: loop over it",
}


@functools.lru_cache(16)
def _order(rows: int, seed: int | None, epoch: int) -> np.ndarray:
    return np.arange(rows) if seed is None else np.random.default_rng((seed, epoch)).permutation(rows)


def from_directory(
    directory: Any,
    formats: tuple[str, ...],
    read: Callable[[str], Any],
    stack: Callable[[list], Any],
    *,
    labels: Labels,
    label_mode: str | None,
    class_names: Sequence[str] | None,
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
    validation_split: float | None,
    subset: str | None,
    follow_links: bool,
    verbose: bool,
    format: str | None = None,
) -> Any:
    """The data set of the files of some formats in a folder; two for `subset="both"`."""
    if label_mode not in ("int", "categorical", "binary", None):
        raise ArgumentError(f"label_mode is 'int', 'categorical', 'binary' or None; got {label_mode!r}.")
    if not (labels is None or isinstance(labels, (list, tuple)) or str(labels) == "inferred"):
        raise ArgumentError(f"labels is 'inferred', None or a list of integers; got {labels!r}.")
    _check_split(validation_split, subset, shuffle, seed)
    labels = None if label_mode is None else labels
    paths, numbers, names = index(directory, formats, labels, class_names, follow_links)
    if not paths:
        raise DataError(f"There are no files {', '.join(formats)} in {directory}.")
    if label_mode == "binary" and names is not None and len(names) != 2:
        raise ArgumentError(f"label_mode='binary' wants 2 classes; there are {listing(names)}.")
    if verbose:
        tell(f"Found {len(paths)} files{'' if names is None else f' belonging to {len(names)} classes'}.")
    seed = random.randrange(10**6) if seed is None else seed
    encoded = None if numbers is None or names is None else _encoded(numbers, label_mode, len(names))
    order = np.arange(len(paths))
    if shuffle:
        np.random.RandomState(seed).shuffle(order)  # as Keras does, so that a split has the same files
    count = int((validation_split or 0) * len(paths))
    if validation_split and not 0 < count < len(paths):
        raise DataError(f"validation_split={validation_split} of {len(paths)} files leaves a part without any.")
    sides = {"training": order[: len(paths) - count], "validation": order[len(paths) - count :]}
    parts = []
    for part in ("training", "validation") if subset == "both" else (subset,):
        rows = sides[part] if part else order
        if verbose and part:
            tell(f"Using {len(rows)} files for {part}.")
        # What is for validation alone stays in one order.
        again = shuffle and not (subset == "both" and part == "validation")
        data = FilesDataset(
            [paths[row] for row in rows],
            None if encoded is None else encoded[rows],
            names,
            read,
            stack,
            batch_size,
            seed if again else None,
        )
        parts.append(in_format(data, format))
    return parts if subset == "both" else parts[0]


def _check_split(validation_split: float | None, subset: str | None, shuffle: bool, seed: int | None) -> None:
    if validation_split and not 0 < validation_split < 1:
        raise ArgumentError(f"validation_split is a share between 0 and 1; got {validation_split!r}.")
    if subset not in ("training", "validation", "both", None):
        raise ArgumentError(f"subset is 'training', 'validation' or 'both'; got {subset!r}.")
    if bool(validation_split) != bool(subset):
        raise ArgumentError("validation_split= and subset= belong together: give both or none.")
    if validation_split and shuffle and seed is None:
        raise ArgumentError("validation_split with shuffle=True wants a seed=, or the two parts would share files.")


def index(
    directory: Any,
    formats: tuple[str, ...],
    labels: Labels = "inferred",
    class_names: Sequence[str] | None = None,
    follow_links: bool = False,
) -> tuple[list[str], np.ndarray | None, list[str] | None]:
    """The files of a folder in order of their names, their classes' numbers and the names of these.

    Args:
        directory: The folder, with a folder for each class where the labels are inferred.
        formats: What their names end with.
        labels: `inferred`, None, or the label of each file.
        class_names: The classes to take, in this order, where they are inferred.
        follow_links: Whether links to folders are followed.
    """
    directory = os.fspath(directory)
    if not os.path.isdir(directory):
        raise FileError(f"There is no folder {directory}.")
    if class_names is not None and not isinstance(labels, str):
        raise ArgumentError("class_names goes with labels='inferred' alone: it says which folders are taken.")
    if not isinstance(labels, str):
        paths = _files(directory, formats, follow_links)
        if labels is None:
            return paths, None, None
        if len(labels) != len(paths):
            raise DataError(f"labels has {len(labels)} elements for the {len(paths)} files in {directory}.")
        return paths, np.asarray(labels), [str(label) for label in sorted(set(labels))]
    folders = sorted(f.name for f in os.scandir(directory) if f.is_dir() and not f.name.startswith("."))
    names = folders if class_names is None else list(class_names)
    if unknown := set(names) - set(folders):
        raise ArgumentError(f"class_names has {listing(sorted(unknown))}; the folders are {listing(folders)}.")
    found = [_files(os.path.join(directory, name), formats, follow_links) for name in names]
    numbers = np.repeat(np.arange(len(names), dtype="int32"), [len(paths) for paths in found])
    return [path for paths in found for path in paths], numbers, names


def _files(folder: str, formats: tuple[str, ...], follow_links: bool) -> list[str]:
    walked = sorted(os.walk(folder, followlinks=follow_links), key=lambda step: step[0])
    return [
        os.path.join(root, name)
        for root, _, files in walked
        for name in sorted(files)
        if name.lower().endswith(formats)
    ]


def _encoded(numbers: np.ndarray, label_mode: str | None, classes: int) -> np.ndarray:
    if label_mode == "binary":
        return numbers.astype("float32")[:, None]
    if label_mode == "categorical":
        return (numbers[:, None] == np.arange(classes)).astype("float32")
    return numbers.astype("int32")
