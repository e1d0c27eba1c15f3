"""ImageDataGenerator: images changed by chance, batch by batch."""

from typing import Any

import numpy as np

from keryx import config
from keryx.compat.dialects.age import active
from keryx.compat.preprocessing import transforms
from keryx.compat.preprocessing.iterators import DirectoryIterator, NumpyArrayIterator
from keryx.compat.preprocessing.tables import DataFrameIterator
from keryx.errors import ArgumentError, ShapeError, did_you_mean, warn

_DEFAULTS: dict[str, Any] = {
    "featurewise_center": False,
    "samplewise_center": False,
    "featurewise_std_normalization": False,
    "samplewise_std_normalization": False,
    "zca_whitening": False,
    "zca_epsilon": 1e-6,
    "rotation_range": 0,
    "width_shift_range": 0.0,
    "height_shift_range": 0.0,
    "brightness_range": None,
    "shear_range": 0.0,
    "zoom_range": 0.0,
    "channel_shift_range": 0.0,
    "fill_mode": "nearest",
    "cval": 0.0,
    "horizontal_flip": False,
    "vertical_flip": False,
    "rescale": None,
    "preprocessing_function": None,
    "data_format": None,
    "validation_split": 0.0,
    "interpolation_order": 1,
    "dtype": None,
}
_NOT_IN_KERAS_1 = ("zca_epsilon", "brightness_range")


class ImageDataGenerator:
    """Images changed by chance as they pass, and normalized. The arguments go by position in the order of their age.

    Args:
        featurewise_center: Take off the mean of each channel, which `fit` finds.
        samplewise_center: Take off the mean of each image.
        featurewise_std_normalization: Divide by the deviation of each channel, which `fit` finds.
        samplewise_std_normalization: Divide each image by its deviation.
        zca_whitening: Take the correlations out, which `fit` finds.
        zca_epsilon: What is added to the variances for that.
        rotation_range: Turn by up to so many degrees.
        width_shift_range: Move sideways by up to this share of the width; by up to so many pixels from 1 on; or by one
            of a list.
        height_shift_range: The same upwards.
        brightness_range: Light by a number between two.
        shear_range: Shear by up to so many degrees; in Keras 1 so many radians.
        zoom_range: Zoom by a number between two, or between `1 - z` and `1 + z`.
        channel_shift_range: Add up to so much.
        fill_mode: What comes in from outside: `nearest`, `constant`, `reflect` or `wrap`.
        cval: What comes in with `constant`.
        horizontal_flip: Mirror half of the images.
        vertical_flip: Turn half of them upside down.
        rescale: Multiply by this, behind all else.
        preprocessing_function: A function of an image, before that.
        data_format: Where the channels are; `dim_ordering` in Keras 1.
        validation_split: The share of images that `subset="validation"` takes.
        interpolation_order: The order of the splines between pixels.
        dtype: Of the images that come out.

    >>> generator = ImageDataGenerator(rescale=0.5)
    >>> batch = next(generator.flow(np.ones((2, 4, 4, 1)), batch_size=2))
    >>> batch.shape, float(batch.max())
    ((2, 4, 4, 1), 0.5)
    """

    def __init__(self, *args: Any, **kwargs: Any):
        self.of_keras_1 = active() == 1
        if "dim_ordering" in kwargs:
            kwargs["data_format"] = {"th": "channels_first", "tf": "channels_last"}.get(kwargs.pop("dim_ordering"))
        order = [word for word in _DEFAULTS if not (self.of_keras_1 and word in _NOT_IN_KERAS_1)]
        for word in kwargs:
            if word not in _DEFAULTS:
                raise ArgumentError(f"ImageDataGenerator() has no argument {word!r}.{did_you_mean(word, _DEFAULTS)}")
        given = (
            _DEFAULTS
            | {"interpolation_order": 0 if self.of_keras_1 else 1}
            | dict(zip(order, args, strict=False))
            | kwargs
        )
        for word, value in given.items():
            setattr(self, word, value)
        self.data_format = self.data_format or config.image_data_format()
        self.dtype = self.dtype or config.floatx()
        first = self.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        self.mean: Any = None
        self.std: Any = None
        self.principal_components: Any = None
        zoom = self.zoom_range
        self.zoom_range = (1 - zoom, 1 + zoom) if isinstance(zoom, (int, float)) else tuple(zoom)
        if len(self.zoom_range) != 2:
            raise ArgumentError(f"zoom_range is a number or a pair of numbers; got {zoom!r}.")

    data_format: str
    dtype: Any
    zoom_range: Any
    fill_mode: str
    cval: float
    interpolation_order: int

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"ImageDataGenerator has no {name!r}.{did_you_mean(name, _DEFAULTS)}")

    # -- batches -------------------------------------------------------------------------------------------------------

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        **kwargs: Any,
    ) -> NumpyArrayIterator:
        """Batches from arrays, without end.

        Args:
            x: The images, (count, height, width, channels); a list of them and of other arrays, which pass as they are.
            y: The labels.
            batch_size: Images a batch.
            shuffle: Whether they come in a new order each time.
            sample_weight: A weight for each image.
            seed: Of order and changes.
            save_to_dir: A folder that the changed images are written into.
            save_prefix: What their names begin with.
            save_format: What their names end with.
            subset: `training` or `validation`, by `validation_split`.
        """
        if self.of_keras_1 and np.ndim(sample_weight) == 0 and sample_weight is not None:  # the seed stood there
            sample_weight, seed = None, sample_weight
        _refuse("flow", kwargs)
        return NumpyArrayIterator(
            x, y, self, batch_size, shuffle, sample_weight, seed, self.data_format, save_to_dir, save_prefix,
            save_format, subset,
        )  # fmt: skip

    def flow_from_directory(self, directory: Any, *args: Any, **kwargs: Any) -> DirectoryIterator:
        """Batches from a folder that has a folder for each class; the arguments are those of `DirectoryIterator`."""
        words = (
            "target_size color_mode classes class_mode batch_size shuffle seed save_to_dir save_prefix save_format "
            "follow_links subset interpolation"
        )
        given = dict(zip(words.split(), args, strict=False)) | kwargs
        return DirectoryIterator(directory, self, data_format=self.data_format, **given)

    def flow_from_dataframe(self, dataframe: Any, *args: Any, **kwargs: Any) -> DataFrameIterator:
        """Batches of images whose files and labels are in a table; the arguments are those of `DataFrameIterator`."""
        words = (
            "directory x_col y_col weight_col target_size color_mode classes class_mode batch_size shuffle seed "
            "save_to_dir save_prefix save_format subset interpolation validate_filenames"
        )
        given = dict(zip(words.split(), args, strict=False)) | kwargs
        for word in ("has_ext", "sort", "drop_duplicates"):  # of Keras 2.2, which went again
            given.pop(word, None)
        return DataFrameIterator(dataframe, image_data_generator=self, data_format=self.data_format, **given)

    def part_of(self, subset: str) -> tuple[float, float]:
        """The shares at which a subset begins and ends."""
        parts = {"validation": (0.0, self.validation_split), "training": (self.validation_split, 1.0)}
        if subset not in parts:
            raise ArgumentError(f"subset is 'training' or 'validation'; got {subset!r}.")
        return parts[subset]

    # -- one image -----------------------------------------------------------------------------------------------------

    def prepared(self, x: np.ndarray) -> np.ndarray:
        """An image, changed by chance and normalized."""
        return np.asarray(self.standardize(self.random_transform(x.astype(config.floatx()))), self.dtype)

    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> dict[str, Any]:
        """What chance does to one image, for `apply_transform`."""
        if seed is not None:
            np.random.seed(seed)
        made: dict[str, Any] = {"theta": _up_to(self.rotation_range)}
        made["tx"] = _shift(self.height_shift_range, img_shape[self.row_axis - 1])
        made["ty"] = _shift(self.width_shift_range, img_shape[self.col_axis - 1])
        made["shear"] = _up_to(self.shear_range)
        if self.of_keras_1:
            made["shear"] = float(np.rad2deg(made["shear"]))
        low, high = self.zoom_range
        made["zx"], made["zy"] = (1, 1) if low == high == 1 else np.random.uniform(low, high, 2)
        if self.of_keras_1 and self.channel_shift_range:  # by another number for each channel
            limit, channels = self.channel_shift_range, img_shape[self.channel_axis - 1]
            made["channel_shift_intensity"] = np.random.uniform(-limit, limit, channels)
        for word, wanted in (("flip_horizontal", self.horizontal_flip), ("flip_vertical", self.vertical_flip)):
            drawn = np.random.random() < 0.5 if wanted or not self.of_keras_1 else False
            made[word] = bool(drawn and wanted)
        if not self.of_keras_1 and self.channel_shift_range:
            made["channel_shift_intensity"] = _up_to(self.channel_shift_range)
        if self.brightness_range is not None:
            made["brightness"] = np.random.uniform(*self.brightness_range)
        return made

    def apply_transform(self, x: np.ndarray, transform_parameters: dict[str, Any]) -> np.ndarray:
        """An image changed by what `get_random_transform` gave, or by some of it."""
        given = transform_parameters
        row, column, channel = self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1
        moves = {word: given[word] for word in ("theta", "tx", "ty", "shear", "zx", "zy") if word in given}
        x = transforms.apply_affine_transform(
            x, **moves, row_axis=row, col_axis=column, channel_axis=channel, fill_mode=self.fill_mode, cval=self.cval,
            order=self.interpolation_order,
        )  # fmt: skip
        if given.get("channel_shift_intensity") is not None:
            x = transforms.apply_channel_shift(x, given["channel_shift_intensity"], channel)
        if given.get("flip_horizontal"):
            x = transforms.flip_axis(x, column)
        if given.get("flip_vertical"):
            x = transforms.flip_axis(x, row)
        if given.get("brightness") is not None:
            x = transforms.apply_brightness_shift(x, given["brightness"])
        return x

    def random_transform(self, x: np.ndarray, seed: int | None = None) -> np.ndarray:
        """An image, changed by chance."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def standardize(self, x: np.ndarray) -> np.ndarray:
        """An image, normalized."""
        if self.preprocessing_function is not None:
            x = self.preprocessing_function(x)
        if self.rescale:
            x = x * self.rescale
        over = self.channel_axis - 1 if self.of_keras_1 else None
        tiny = 1e-7 if self.of_keras_1 else 1e-6
        if self.samplewise_center:
            x = x - np.mean(x, axis=over, keepdims=True)
        if self.samplewise_std_normalization:
            x = x / (np.std(x, axis=over, keepdims=True) + tiny)
        if self.featurewise_center and self._fitted(self.mean, "featurewise_center"):
            x = x - self.mean
        if self.featurewise_std_normalization and self._fitted(self.std, "featurewise_std_normalization"):
            x = x / (self.std + tiny)
        if self.zca_whitening and self._fitted(self.principal_components, "zca_whitening"):
            x = (x.reshape(1, -1) @ self.principal_components).reshape(x.shape)
        return x

    @staticmethod
    def _fitted(value: Any, word: str) -> bool:
        if value is None:
            warn(f"ImageDataGenerator({word}=True) does nothing before fit(images) has found what it needs.")
        return value is not None

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Find means, deviations and correlations of some images.

        Args:
            x: The images, (count, height, width, channels).
            augment: Whether they are changed by chance first.
            rounds: How often each of them is, then.
            seed: Of the changes.
        """
        x = np.array(x, self.dtype)
        if x.ndim != 4:
            raise ShapeError(f"fit() wants images, (count, height, width, channels); got {x.shape}.")
        if seed is not None:
            np.random.seed(seed)
        if self.rescale and not self.of_keras_1:
            x *= self.rescale
        if augment:
            x = np.stack([self.random_transform(image) for _ in range(rounds) for image in x])
        axes, shape = (0, self.row_axis, self.col_axis), [1, 1, 1]
        shape[self.channel_axis - 1] = x.shape[self.channel_axis]
        if self.featurewise_center:
            self.mean = np.mean(x, axis=axes).reshape(shape)
            x -= self.mean
        if self.featurewise_std_normalization:
            self.std = np.std(x, axis=axes).reshape(shape)
            x /= self.std + (1e-7 if self.of_keras_1 else 1e-6)
        if self.zca_whitening:
            flat = x.reshape(len(x), -1)
            u, s, _ = np.linalg.svd(flat.T @ flat / len(flat))
            self.principal_components = (u / np.sqrt(s + self.zca_epsilon)) @ u.T


def _up_to(limit: float) -> float:
    return float(np.random.uniform(-limit, limit)) if limit else 0.0


def _shift(limit: Any, size: int) -> float:
    """A shift in pixels: a share of the size below 1, a number of pixels from 1 on, or one of a list."""
    if not np.any(limit):
        return 0.0
    if np.ndim(limit) or isinstance(limit, (int, np.integer)):
        drawn = float(np.random.choice(limit)) * float(np.random.choice([-1, 1]))
    else:
        drawn = float(np.random.uniform(-limit, limit))
    return drawn * size if np.max(limit) < 1 else drawn


def _refuse(where: str, unknown: dict[str, Any]) -> None:
    for word in unknown:
        if word != "ignore_class_split":
            raise ArgumentError(f"{where}() has no argument {word!r}.")
