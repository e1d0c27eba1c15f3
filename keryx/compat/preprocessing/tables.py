"""Batches of images whose files and labels stand in a table of pandas."""

import os
from typing import Any

import numpy as np

from keryx import config
from keryx.compat.preprocessing.iterators import ENDINGS, FileIterator
from keryx.errors import ArgumentError, DataError, listing, warn
from keryx.screens import put

_WITHOUT_CLASSES = ("input", "multi_output", "raw", "other", None)
_MODES = ("categorical", "binary", "sparse", *_WITHOUT_CLASSES)


class DataFrameIterator(FileIterator):
    """Batches from a table; `ImageDataGenerator.flow_from_dataframe` makes it.

    Attributes:
        class_indices: The number of each class.
        classes: The number of the class of each file, or a list of such.
        filenames: The files.
    """

    def __init__(
        self,
        dataframe: Any,
        directory: Any = None,
        image_data_generator: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: list[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
    ):
        save = (save_to_dir, save_prefix, save_format)
        self._prepare(image_data_generator, target_size, color_mode, interpolation, data_format, save)
        if class_mode not in _MODES:
            raise ArgumentError(f"class_mode is one of {listing(_MODES)}; got {class_mode!r}.")
        self.directory, self.class_mode = os.fspath(directory or ""), class_mode
        rows = dataframe
        if validate_filenames:
            rows = rows[[self._is_image(name) for name in rows[x_col]]]
            if len(rows) < len(dataframe):
                warn(f"{len(dataframe) - len(rows)} files of the column {x_col!r} are no images, and are left out.")
        labels: list[Any] = []
        if class_mode not in _WITHOUT_CLASSES:
            rows, labels = self._labelled(rows, y_col, classes)
        if subset is not None:
            first, last = (int(share * len(rows)) for share in image_data_generator.part_of(subset))
            rows, labels = rows.iloc[first:last], labels[first:last]
        self.classes, self.filenames = labels, list(rows[x_col])
        self.filepaths = [os.path.join(self.directory, name) for name in self.filenames]
        self.sample_weight = None if weight_col is None else rows[weight_col].to_numpy()
        self._targets: Any = None
        if class_mode == "multi_output":
            self._targets = [np.array(list(rows[column])) for column in y_col]
        elif class_mode in ("raw", "other"):
            self._targets = rows[y_col].to_numpy()
        told = f" belonging to {len(self.class_indices)} classes" if labels else ""
        put(f"Found {len(rows)} {'validated' if validate_filenames else 'non-validated'} image filenames{told}.")
        super().__init__(len(rows), batch_size, shuffle, seed)

    def _is_image(self, name: str) -> bool:
        path = os.path.join(self.directory, name)
        return path.lower().endswith(ENDINGS) and os.path.isfile(path)

    def _labelled(self, rows: Any, y_col: Any, classes: list[str] | None) -> tuple[Any, list[Any]]:
        """The rows that are of one of the classes, and the numbers of their classes."""
        told = [list(value) if isinstance(value, (list, tuple)) else value for value in rows[y_col]]
        known = sorted(set(classes) if classes else {name for one in told for name in _as_list(one)})
        if self.class_mode == "binary" and len(known) != 2:
            raise DataError(f"class_mode='binary' wants two classes; there are {len(known)}: {listing(known)}.")
        if self.class_mode in ("binary", "sparse") and not all(isinstance(one, str) for one in told):
            raise DataError(f"class_mode={self.class_mode!r} wants a string in each row of {y_col!r}.")
        self.class_indices = {name: i for i, name in enumerate(known)}
        kept = [any(name in self.class_indices for name in _as_list(one)) for one in told]
        labels = [
            [self.class_indices[name] for name in one if name in self.class_indices]
            if isinstance(one, list)
            else self.class_indices[one]
            for one, keep in zip(told, kept, strict=True)
            if keep
        ]
        return rows[kept], labels

    def _batch(self, chosen: np.ndarray) -> Any:
        images = self._images(chosen)
        if self.class_mode is None:
            return images
        batch = (images, self._labels(images, chosen))
        return batch if self.sample_weight is None else (*batch, self.sample_weight[chosen])

    def _labels(self, images: np.ndarray, chosen: np.ndarray) -> Any:
        if self.class_mode == "input":
            return images.copy()
        if self.class_mode == "multi_output":
            return [target[chosen] for target in self._targets]
        if self.class_mode in ("raw", "other"):
            return self._targets[chosen]
        if self.class_mode in ("binary", "sparse"):
            return np.array([self.classes[i] for i in chosen], config.floatx())
        made = np.zeros((len(chosen), len(self.class_indices)), config.floatx())
        for row, i in zip(made, chosen, strict=True):
            row[self.classes[i]] = 1.0
        return made


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
