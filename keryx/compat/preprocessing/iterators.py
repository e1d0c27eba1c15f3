"""Batches of images from arrays, folders and tables, each image changed by a generator on its way."""

import math
import os
import threading
from typing import Any

import numpy as np

from keryx import config
from keryx.errors import ArgumentError, DataError, FileError
from keryx.preprocessing.image import array_to_img, img_to_array, load_img
from keryx.screens import put
from keryx.utils import Sequence

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")


def list_pictures(directory: Any, ext: str = "jpg|jpeg|bmp|png") -> list[str]:
    """The images below a folder, whose names end in one of the words of `ext`."""
    endings = tuple(f".{word}" for word in ext.split("|"))
    return [
        os.path.join(root, file) for root, _, files in os.walk(directory) for file in files if file.endswith(endings)
    ]


class Iterator(Sequence):
    """Batches of so many samples, again and again; also by number, as a Sequence.

    Args:
        n: The number of samples.
        batch_size: Samples a batch.
        shuffle: Whether they come in a new order each time.
        seed: Of the order, by `np.random`.
    """

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None):
        super().__init__()
        self.n, self.batch_size, self.shuffle, self.seed = n, batch_size, shuffle, seed
        self.batch_index = self.total_batches_seen = 0
        self.index_array: Any = None
        self.lock = threading.Lock()

    @property
    def samples(self) -> int:
        """The number of samples."""
        return self.n

    nb_sample = N = samples

    def __len__(self) -> int:
        return math.ceil(self.n / self.batch_size)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"There are {len(self)} batches; got the number {index}.")
        with self.lock:
            self._sow()
            self.total_batches_seen += 1
            if self.index_array is None:
                self._begin()
            chosen = self.index_array[self.batch_size * index : self.batch_size * (index + 1)]
        return self._batch(chosen)

    def _sow(self) -> None:
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)

    def _begin(self) -> None:
        self.index_array = np.random.permutation(self.n) if self.shuffle else np.arange(self.n)

    def on_epoch_end(self) -> None:
        """Take a new order."""
        self._begin()

    def reset(self) -> None:
        """Begin with the first batch."""
        self.batch_index = 0

    def __iter__(self) -> "Iterator":
        return self

    def __next__(self) -> Any:
        with self.lock:
            self._sow()
            if self.batch_index == 0:
                self._begin()
            first = self.batch_index * self.batch_size
            self.batch_index = self.batch_index + 1 if first + self.batch_size < self.n else 0
            self.total_batches_seen += 1
            chosen = self.index_array[first : first + self.batch_size]
        return self._batch(chosen)

    next = __next__

    def _batch(self, chosen: np.ndarray) -> Any:
        raise NotImplementedError


class Saving:
    """Where an iterator puts the images that it has made, to be looked at.

    Args:
        folder: The folder, or None for none.
        prefix: What the names begin with.
        form: What they end with.
        data_format: Where the channels are.
    """

    def __init__(self, folder: str | None, prefix: str, form: str, data_format: str):
        self.folder, self.prefix, self.form, self.data_format = folder, prefix, form, data_format

    def __call__(self, images: np.ndarray, numbers: np.ndarray) -> None:
        if self.folder is None:
            return
        for image, number in zip(images, numbers, strict=True):
            name = f"{self.prefix}_{number}_{np.random.randint(10000)}.{self.form}"
            array_to_img(image, self.data_format, scale=True).save(os.path.join(self.folder, name))


class NumpyArrayIterator(Iterator):
    """Batches from arrays; `ImageDataGenerator.flow` makes it."""

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
    ):
        several = isinstance(x, (list, tuple))
        images, *more = x if several else [x]
        if several and len(more) == 1 and isinstance(more[0], (list, tuple)):
            more = list(more[0])
        self.x, self.x_misc = np.asarray(images, config.floatx()), [np.asarray(one) for one in more]
        self.y, self.sample_weight = (None if one is None else np.asarray(one) for one in (y, sample_weight))
        if self.x.ndim != 4:
            raise DataError(f"Images are (count, height, width, channels); got {self.x.shape}.")
        for what, array in (("labels", self.y), ("sample weights", self.sample_weight)):
            if array is not None and len(array) != len(self.x):
                raise DataError(f"There are {len(self.x)} images, and {len(array)} {what}.")
        if subset is not None:
            part = image_data_generator.part_of(subset)
            rows = slice(*(int(share * len(self.x)) for share in part))
            self.x, self.x_misc = self.x[rows], [one[rows] for one in self.x_misc]
            self.y = None if self.y is None else self.y[rows]
            self.sample_weight = None if self.sample_weight is None else self.sample_weight[rows]
        self.image_data_generator = image_data_generator
        self.data_format = data_format or config.image_data_format()
        self._save = Saving(save_to_dir, save_prefix, save_format, self.data_format)
        super().__init__(len(self.x), batch_size, shuffle, seed)

    def _batch(self, chosen: np.ndarray) -> Any:
        images = np.stack([self.image_data_generator.prepared(self.x[i]) for i in chosen])
        self._save(images, chosen)
        inputs: Any = [images, *(one[chosen] for one in self.x_misc)] if self.x_misc else images
        if self.y is None:
            return inputs
        if self.sample_weight is None:
            return inputs, self.y[chosen]
        return inputs, self.y[chosen], self.sample_weight[chosen]


class FileIterator(Iterator):
    """Batches from files of images: what those of folders and tables share.

    Args:
        generator: What changes the images.
        target_size: (height, width).
        color_mode: `rgb`, `rgba` or `grayscale`.
        interpolation: How images are resized.
        save: Where the images are put.
    """

    filepaths: list[str]

    def _prepare(
        self,
        generator: Any,
        target_size: Any,
        color_mode: str,
        interpolation: str,
        data_format: Any,
        save: tuple[str | None, str, str],
    ) -> None:
        if color_mode not in ("rgb", "rgba", "grayscale"):
            raise ArgumentError(f"color_mode is 'rgb', 'rgba' or 'grayscale'; got {color_mode!r}.")
        self.image_data_generator, self.target_size = generator, tuple(target_size)
        self.color_mode, self.interpolation = color_mode, interpolation
        self.data_format = data_format or config.image_data_format()
        channels = {"rgb": 3, "rgba": 4, "grayscale": 1}[color_mode]
        first = self.data_format == "channels_first"
        self.image_shape = (channels, *self.target_size) if first else (*self.target_size, channels)
        self._save = Saving(*save, self.data_format)

    def _images(self, chosen: np.ndarray) -> np.ndarray:
        images = []
        for i in chosen:
            image = load_img(self.filepaths[i], self.color_mode, self.target_size, self.interpolation)
            images.append(self.image_data_generator.prepared(img_to_array(image, self.data_format)))
        made = np.stack(images).astype(config.floatx())
        self._save(made, chosen)
        return made


class DirectoryIterator(FileIterator):
    """Batches from a folder that has a folder for each class; `flow_from_directory` makes it.

    Attributes:
        class_indices: The number of each class.
        classes: The number of the class of each file.
        filenames: The files, from the folder.
    """

    def __init__(
        self,
        directory: Any,
        image_data_generator: Any,
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
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
    ):
        save = (save_to_dir, save_prefix, save_format)
        self._prepare(image_data_generator, target_size, color_mode, interpolation, data_format, save)
        if class_mode not in ("categorical", "binary", "sparse", "input", None):
            raise ArgumentError(
                f"class_mode is 'categorical', 'binary', 'sparse', 'input' or None; got {class_mode!r}."
            )
        self.directory, self.class_mode = os.fspath(directory), class_mode
        if not os.path.isdir(self.directory):
            raise FileError(f"There is no folder {self.directory}.")
        inner = (name for name in os.listdir(self.directory) if os.path.isdir(os.path.join(self.directory, name)))
        names = list(classes) if classes else sorted(inner)
        self.num_classes = self.nb_class = len(names)
        self.class_indices = {name: i for i, name in enumerate(names)}
        part = (0.0, 1.0) if subset is None else image_data_generator.part_of(subset)
        found = [(file, i) for i, name in enumerate(names) for file in _files(self.directory, name, part, follow_links)]
        self.filenames = [file for file, _ in found]
        self.classes = self.labels = np.array([label for _, label in found], "int32")
        self.filepaths = [os.path.join(self.directory, file) for file in self.filenames]
        put(f"Found {len(found)} images belonging to {len(names)} classes.")
        super().__init__(len(found), batch_size, shuffle, seed)

    def _batch(self, chosen: np.ndarray) -> Any:
        images = self._images(chosen)
        if self.class_mode is None:
            return images
        if self.class_mode == "input":
            return images, images.copy()
        labels = self.classes[chosen]
        if self.class_mode == "categorical":
            return images, np.eye(self.num_classes, dtype=config.floatx())[labels]
        return images, labels.astype(config.floatx())


def _files(directory: str, name: str, part: tuple[float, float], follow_links: bool) -> list[str]:
    """The images below the folder of a class, from `directory` on, in order."""
    walk = sorted(os.walk(os.path.join(directory, name), followlinks=follow_links), key=lambda one: one[0])
    found = [os.path.join(root, file) for root, _, files in walk for file in sorted(files)]
    images = [os.path.relpath(path, directory) for path in found if path.lower().endswith(ENDINGS)]
    return images[int(part[0] * len(images)) : int(part[1] * len(images))]
