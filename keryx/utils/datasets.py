"""Data sets of the images, texts and sounds in a folder."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from keryx import config
from keryx.errors import ArgumentError, ConfigError, DataError
from keryx.utils.directory import Labels, from_directory
from keryx.utils.images import load_img, pillow
from keryx.utils.resizing import INTERPOLATIONS, cropped, padded, resized
from keryx.utils.wav import read_wav, resampled

_IMAGES, _TEXTS, _SOUNDS = (".bmp", ".gif", ".jpeg", ".jpg", ".png"), (".txt",), (".wav",)


def image_dataset_from_directory(
    directory: Any,
    labels: Labels = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Sequence[int] | int = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str | None = None,
    verbose: bool = True,
) -> Any:
    """Batches of the images in a folder, with the folders they are in as their classes.

    Files that end with `.bmp`, `.gif` (the first frame), `.jpeg`, `.jpg` or `.png`, in this folder and all below it.

    Args:
        directory: The folder; with inferred labels, one that has a folder for each class.
        labels: `inferred` from the folders, a list with the label of each file in the order of their paths, or None.
        label_mode: `int` for numbers (batch,) of int32, `binary` for 0 and 1 (batch, 1) of float32, `categorical` for
            one-hot rows (batch, classes) of float32, None for no labels.
        class_names: The folders to take, in the order of their numbers; by default all, in the order of their names.
        color_mode: `grayscale`, `rgb` or `rgba`.
        batch_size: Images in a batch; with None the elements are single images.
        image_size: (height, width) that all are resized to.
        shuffle: Whether each epoch has an order of its own; else that of the paths.
        seed: For the order.
        validation_split: The share of the files that are kept for validation.
        subset: `training`, `validation`, or `both` for the two data sets.
        interpolation: How images are resized: `bilinear`, `nearest`, `bicubic`, `area`, `lanczos3`, `lanczos5`,
            `gaussian` or `mitchellcubic`.
        follow_links: Whether links to folders are followed.
        crop_to_aspect_ratio: Whether an image is first cropped around its centre to the proportions of `image_size`.
        pad_to_aspect_ratio: Whether zeros are first put around it, to these proportions.
        data_format: Where the channels come: `channels_last` or `channels_first`; by default what is configured.
        format: None for a `PyDataset`; `tf` or `grain` for a data set of these, where they are installed.
        verbose: Whether it prints what it has found.

    Returns:
        A `FilesDataset`, for `fit` and for loops, whose batches are images (batch, height, width, channels) of float32
        from 0 to 255, or `(images, labels)`; two where `subset="both"`. It has `class_names` and `file_paths`.

    Raises:
        DataError: Where there are no such files, or not as many as there are labels.

    >>> import tempfile
    >>> from keryx.utils import save_img
    >>> for name in ("cats", "dogs"):
    ...     if name == "cats":
    ...         folder = Path(tempfile.mkdtemp())
    ...     (folder / name).mkdir()
    ...     save_img(folder / name / "1.png", np.eye(4)[..., None])
    >>> data = image_dataset_from_directory(folder, image_size=(8, 8), batch_size=2, shuffle=False)
    Found 2 files belonging to 2 classes.
    >>> for images, classes in data:
    ...     print(images.shape, classes, data.class_names)
    (2, 8, 8, 3) [0 1] ['cats', 'dogs']
    """
    pillow()
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    interpolation = interpolation.lower()
    data_format = data_format or config.image_data_format()
    for name, value, known in (
        ("color_mode", color_mode, ("grayscale", "rgb", "rgba")),
        ("interpolation", interpolation, INTERPOLATIONS),
        ("data_format", data_format, ("channels_last", "channels_first")),
    ):
        if value not in known:
            raise ArgumentError(f"{name} is one of {', '.join(known)}; got {value!r}.")
    if len(size) != 2:
        raise ArgumentError(f"image_size is (height, width); got {image_size!r}.")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError("Images are cropped or padded: take one of crop_to_aspect_ratio and pad_to_aspect_ratio.")
    fit: Callable | None = cropped if crop_to_aspect_ratio else padded if pad_to_aspect_ratio else None
    read = partial(_image, mode=color_mode, size=size, way=interpolation, fit=fit, data_format=data_format)
    return from_directory(
        directory,
        _IMAGES,
        read,
        np.stack,
        labels=labels,
        label_mode=label_mode,
        class_names=class_names,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        follow_links=follow_links,
        verbose=verbose,
        format=format,
    )


def _image(path: str, mode: str, size: Sequence[int], way: str, fit: Callable | None, data_format: str) -> np.ndarray:
    image = np.asarray(load_img(path, mode))
    image = image[..., None] if image.ndim == 2 else image
    image = resized(image if fit is None else fit(image, size), size, way)
    return image if data_format == "channels_last" else image.transpose(2, 0, 1)


def text_dataset_from_directory(
    directory: Any,
    labels: Labels = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str | None = None,
    verbose: bool = True,
) -> Any:
    """Batches of the texts in a folder, with the folders they are in as their classes.

    Files that end with `.txt`, in UTF-8, in this folder and all below it.

    Args:
        directory: The folder; with inferred labels, one that has a folder for each class.
        labels: `inferred` from the folders, a list with the label of each file in the order of their paths, or None.
        label_mode: `int`, `binary`, `categorical` or None, as for `image_dataset_from_directory`.
        class_names: The folders to take, in the order of their numbers; by default all, in the order of their names.
        batch_size: Texts in a batch; with None the elements are single texts.
        max_length: After so many characters a text is cut.
        shuffle: Whether each epoch has an order of its own; else that of the paths.
        seed: For the order.
        validation_split: The share of the files that are kept for validation.
        subset: `training`, `validation`, or `both` for the two data sets.
        follow_links: Whether links to folders are followed.
        format: None for a `PyDataset`; `tf` or `grain` for a data set of these, where they are installed.
        verbose: Whether it prints what it has found.

    Returns:
        A `FilesDataset` whose batches are texts (batch,) of dtype object, or `(texts, labels)`; two where
        `subset="both"`. It has `class_names` and `file_paths`.

    Raises:
        DataError: Where there are no such files, or one is no text in UTF-8.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "1.txt").write_text("one two")
    >>> list(text_dataset_from_directory(folder, labels=None, max_length=5))
    Found 1 files.
    [array(['one t'], dtype=object)]
    """
    return from_directory(
        directory,
        _TEXTS,
        partial(_text, max_length=max_length),
        _texts,
        labels=labels,
        label_mode=label_mode,
        class_names=class_names,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        follow_links=follow_links,
        verbose=verbose,
        format=format,
    )


def _text(path: str, max_length: int | None) -> str:
    try:
        return Path(path).read_text("utf-8")[:max_length]
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8: {error}.") from None


def _texts(texts: list[str]) -> np.ndarray:
    return np.array(texts, object)


def audio_dataset_from_directory(
    directory: Any,
    labels: Labels = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
    format: str | None = None,
) -> Any:
    """Batches of the sounds in a folder, with the folders they are in as their classes.

    Files that end with `.wav`, as PCM or floats, in this folder and all below it.

    Args:
        directory: The folder; with inferred labels, one that has a folder for each class.
        labels: `inferred` from the folders, a list with the label of each file in the order of their paths, or None.
        label_mode: `int`, `binary`, `categorical` or None, as for `image_dataset_from_directory`.
        class_names: The folders to take, in the order of their numbers; by default all, in the order of their names.
        batch_size: Sounds in a batch; with None the elements are single sounds.
        sampling_rate: Samples a second that all are brought to; by default each keeps its own.
        output_sequence_length: Samples that all are cut or padded with zeros to; by default they are padded to the
            longest of the batch.
        ragged: Not here, there are no ragged arrays.
        shuffle: Whether each epoch has an order of its own; else that of the paths.
        seed: For the order.
        validation_split: The share of the files that are kept for validation.
        subset: `training`, `validation`, or `both` for the two data sets.
        follow_links: Whether links to folders are followed.
        verbose: Whether it prints what it has found.
        format: None for a `PyDataset`; `tf` or `grain` for a data set of these, where they are installed.

    Returns:
        A `FilesDataset` whose batches are sounds (batch, time, channels) of float32 from -1 to 1, or
        `(sounds, labels)`; two where `subset="both"`. It has `class_names` and `file_paths`.

    Raises:
        DataError: Where there are no such files, one is no sound, or they have different numbers of channels.
    """
    if ragged:
        raise ConfigError("There are no ragged arrays: batch_size=None gives each sound in its length.")
    if sampling_rate is not None and (not isinstance(sampling_rate, int) or sampling_rate <= 0):
        raise ArgumentError(f"sampling_rate is an integer above 0; got {sampling_rate!r}.")
    return from_directory(
        directory,
        _SOUNDS,
        partial(_sound, rate=sampling_rate, length=output_sequence_length),
        _sounds,
        labels=labels,
        label_mode=label_mode,
        class_names=class_names,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        follow_links=follow_links,
        verbose=verbose,
        format=format,
    )


def _sound(path: str, rate: int | None, length: int | None) -> np.ndarray:
    samples, own_rate = read_wav(path)
    samples = samples if rate is None else resampled(samples, own_rate, rate)
    return samples if length is None else _padded(samples[:length], length)


def _sounds(sounds: list[np.ndarray]) -> np.ndarray:
    channels = {sound.shape[1] for sound in sounds}
    if len(channels) > 1:
        raise DataError(f"The sounds of a batch have one number of channels; these have {sorted(channels)}.")
    longest = max(len(sound) for sound in sounds)
    return np.stack([_padded(sound, longest) for sound in sounds])


def _padded(samples: np.ndarray, length: int) -> np.ndarray:
    return np.pad(samples, ((0, length - len(samples)), (0, 0)))
