"""What all layers of images are: a change that is drawn once, and made to images, masks, boxes and labels alike."""

from collections.abc import Callable
from numbers import Real
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.core import scope, seeds
from keryx.core.names import config_arguments
from keryx.errors import ConfigError, DataError, ShapeError, listing
from keryx.layers.base.sizes import choice, layout
from keryx.layers.layer import Layer
from keryx.ops.bounding_boxes import FORMATS, clip_to_image_size, convert_format
from keryx.random import key_of

PARTS = "images", "labels", "bounding_boxes", "segmentation_masks"
Transformation = Any


class ImageLayer(Layer):
    """A layer that changes images, and what belongs to them.

    It is called on images (batch, height, width, channels), on one image, or on a dict with `images` and any of

    - `labels`,
    - `bounding_boxes`, a dict of `boxes` (batch, boxes, 4) and `labels` (batch, boxes), also as lists of any lengths,
    - `segmentation_masks`, like the images with channels of their own.

    A new dict comes out; what it holds beside these is handed on.

    Called by itself, the layer does what it does in training unless it is told `training=False`; within a model it
    does as the model does. A subclass says in `draw` what is random, and in `change` what becomes of the images; with
    `moves = True` their pixels go elsewhere, so that masks go along, and boxes by `change_boxes`.

    Args:
        bounding_box_format: The format of the boxes, one of `keryx.utils.bounding_boxes`.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: Those of Layer: name, dtype, trainable.
    """

    _made_again = (*Layer._made_again, "_programs")
    always = False  # whether it does the same outside of training
    moves = False
    keeps_integers = False  # else the images that come out are floats
    interpolation = "bilinear"
    seed: int | None = None

    def __init__(self, *, bounding_box_format: str | None = None, data_format: str | None = None, **kwargs):
        super().__init__(**kwargs)
        where = f"{type(self).__name__}()"
        self.data_format = layout(where, data_format)
        if bounding_box_format is not None:
            choice(where, "bounding_box_format", bounding_box_format.lower(), tuple(FORMATS))
        self.bounding_box_format = bounding_box_format
        self.autocast = False  # boxes and labels stay as they are

    def __call__(self, data: Any, *args, **kwargs) -> Any:
        """Change the images, and what belongs to them."""
        if isinstance(data, dict) and isinstance(data.get("bounding_boxes"), dict):
            data = data | {"bounding_boxes": dense(data["bounding_boxes"])}
        return super().__call__(data, *args, **kwargs)

    # -- what a subclass says -------------------------------------------------------------------------------------

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Transformation:
        """What is random for images of this shape, a dict by names; by default nothing is."""
        return {}

    def change(self, images: jax.Array, transformation: Transformation, interpolation: str) -> jax.Array:
        """The images, changed; of masks the interpolation is `nearest`."""
        raise NotImplementedError

    def change_boxes(self, boxes: jax.Array, transformation: Transformation, height: int, width: int) -> jax.Array:
        """The boxes (batch, boxes, 4) as `xyxy`, changed as the images of this size are."""
        return boxes

    def size_of(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """The height and the width of images of this shape."""
        return shape[self.height_axis], shape[self.width_axis]

    def boxes_size(self, height: int, width: int) -> tuple[int, int]:
        """The height and the width of what becomes of images of this size."""
        return height, width

    @property
    def height_axis(self) -> int:
        """The axis of the rows, from the end."""
        return -3 if self.data_format == "channels_last" else -2

    @property
    def width_axis(self) -> int:
        """The axis of the columns, from the end."""
        return self.height_axis + 1

    @property
    def channel_axis(self) -> int:
        """The axis of the channels, from the end."""
        return -1 if self.data_format == "channels_last" else -3

    # -- Keras's words for it -------------------------------------------------------------------------------------

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Transformation:
        """What is drawn for these images: arrays by names, that the other methods take; None outside of training."""
        if not (training or self.always):
            return None
        images = data["images"] if isinstance(data, dict) else data
        key = scope.random_key(self.seed) if seed is None else key_of(seed)
        return self.draw(key, tuple(images.shape))

    def transform_images(self, images: Any, transformation: Transformation = None, training: bool = True) -> Any:
        """The images as the transformation changes them."""
        images = jnp.asarray(images)
        if not (self.keeps_integers and jnp.issubdtype(images.dtype, jnp.integer)):
            images = images.astype(self.compute_dtype)
        if not self.works(transformation, training):
            return images
        return self.change(images, transformation, self.interpolation).astype(images.dtype)

    def transform_labels(self, labels: Any, transformation: Transformation = None, training: bool = True) -> Any:
        """The labels that belong to the changed images."""
        return labels

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Transformation = None, training: bool = True
    ) -> Any:
        """The masks that belong to the changed images, in their own dtype."""
        if not self.moves or not self.works(transformation, training):
            return segmentation_masks
        masks = jnp.asarray(segmentation_masks)
        return self.change(masks, transformation, "nearest").astype(masks.dtype)

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Transformation = None, training: bool = True
    ) -> dict[str, Any]:
        """The boxes that belong to the changed images, in their own format; of one that is gone the label is -1."""
        if not self.moves or not self.works(transformation, training):
            return bounding_boxes
        height, width = self._size_told(transformation)
        own = self.bounding_box_format
        boxes = convert_format(bounding_boxes, own, "xyxy", height, width)
        boxes["boxes"] = self.change_boxes(boxes["boxes"], transformation, height, width)
        height, width = self.boxes_size(height, width)
        return convert_format(clip_to_image_size(boxes, height, width), "xyxy", own, height, width)

    def transform_single_image(self, image: Any, transformation: Transformation, training: bool = True) -> Any:
        """One image, as the transformation, drawn for a batch of one, changes it."""
        return self._one("images", image, transformation, training)

    def transform_single_label(self, label: Any, transformation: Transformation, training: bool = True) -> Any:
        """The label of one image."""
        return self._one("labels", label, transformation, training)

    def transform_single_bounding_box(
        self, bounding_box: dict[str, Any], transformation: Transformation, training: bool = True
    ) -> dict[str, Any]:
        """The boxes of one image: a dict of `boxes` (boxes, 4) and `labels` (boxes,)."""
        return self._one("bounding_boxes", bounding_box, transformation, training)

    def transform_single_segmentation_mask(
        self, segmentation_mask: Any, transformation: Transformation, training: bool = True
    ) -> Any:
        """The mask of one image."""
        return self._one("segmentation_masks", segmentation_mask, transformation, training)

    def _one(self, name: str, part: Any, transformation: Transformation, training: bool) -> Any:
        batch = jax.tree.map(lambda x: jnp.asarray(x)[None], part)
        changed = getattr(self, f"transform_{name}")(batch, transformation, training=training)
        return jax.tree.map(lambda x: x[0], changed)

    def works(self, transformation: Transformation, training: bool) -> bool:
        """Whether there is something to do."""
        return self.always or bool(training and transformation is not None)

    def _size_told(self, transformation: Transformation) -> tuple[int, int]:
        if "image_height" in transformation:
            return transformation["image_height"], transformation["image_width"]
        return self.size_of(transformation["input_shape"])

    # -- the call -------------------------------------------------------------------------------------------------

    def call(self, data: Any, training: bool = True) -> Any:
        """Draw once, and change every part."""
        parts = data if isinstance(data, dict) else {"images": data}
        if "images" not in parts:
            raise DataError(f"{self.title} is called on images, or on a dict with 'images'; got {listing(parts)}.")
        if "bounding_boxes" in parts and self.bounding_box_format is None:
            raise DataError(
                f"{self.title} is called on boxes, and does not know their format: make it with "
                "bounding_box_format='xyxy', or as they are."
            )
        if parts["images"].ndim not in (3, 4):
            raise ShapeError(f"{self.title} wants images of rank 4, or 3 for one; got {parts['images'].shape}.")
        own = {name: parts[name] for name in PARTS if name in parts}
        traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(own))
        if traced or "get_random_transformation" in vars(self):
            changed = self._changed(own, training)
        else:
            changed = self._program(bool(training))(self._key(), own)
        return {**parts, **changed} if isinstance(data, dict) else changed["images"]

    def _changed(self, own: dict[str, Any], training: bool) -> dict[str, Any]:
        """The parts, all changed in the same way."""
        single = own["images"].ndim == 3
        own = jax.tree.map(lambda x: jnp.asarray(x)[None] if single else jnp.asarray(x), own)
        transformation = self.get_random_transformation(own, training=training)
        changed = {
            name: getattr(self, f"transform_{name}")(part, transformation, training=training)
            for name, part in own.items()
        }
        return jax.tree.map(lambda x: x[0], changed) if single else changed

    def _program(self, training: bool) -> Callable:
        """All of a call as one compiled program `(key, parts) -> parts`, for arguments as they are now."""
        programs = vars(self).setdefault("_programs", {})
        place = training, repr([getattr(self, name, None) for name in config_arguments(type(self))])
        if place not in programs:

            def run(key: jax.Array, own: dict[str, Any]) -> dict[str, Any]:
                with scope.run(scope.Scope({}, key, training)):
                    return self._changed(own, training)

            programs[place] = jax.jit(run)
        return programs[place]

    def _key(self) -> Any:
        """A raw key for a call on arrays."""
        running = scope.current()
        if running is None or running.key is None:
            return seeds.next_key()
        return jax.random.key_data(scope.random_key())


def dense(bounding_boxes: dict[str, Any]) -> dict[str, Any]:
    """Boxes and labels that are lists of several lengths as arrays; boxes of zeros, with the label -1, fill them up."""
    if not {"boxes", "labels"} <= bounding_boxes.keys():
        raise DataError(f"bounding_boxes is a dict of 'boxes' and 'labels'; got {listing(bounding_boxes)}.")
    boxes, labels = bounding_boxes["boxes"], bounding_boxes["labels"]
    if not isinstance(boxes, (list, tuple)) or not isinstance(labels, (list, tuple)):
        return bounding_boxes
    if not boxes or np.ndim(labels[0]) == 0:  # of one image
        return bounding_boxes | {"boxes": np.reshape(boxes, (-1, 4)).astype("float32"), "labels": np.asarray(labels)}
    numbers = [[len(part) for part in parts] for parts in (boxes, labels)]
    if numbers[0] != numbers[1]:
        raise DataError(f"Each box has a label; got {numbers[0]} boxes and {numbers[1]} labels.")
    most = max(map(len, boxes))
    filled = np.zeros((len(boxes), most, 4), "float32")
    classes = np.full((len(boxes), most), -1, "int32")
    for i, (some, their) in enumerate(zip(boxes, labels, strict=True)):
        if len(some):
            filled[i, : len(some)], classes[i, : len(some)] = some, their
    return bounding_boxes | {"boxes": filled, "labels": classes}


# -- arguments -----------------------------------------------------------------------------------------------------


def interval(layer: Any, name: str, value: Any, least: float, most: float, strict: bool = False) -> tuple[float, float]:
    """Two numbers in order between which a factor is drawn, from two numbers or one.

    One number n stands for -n to n, or from `least` on where that is above -n. With `strict`, both have to be in range;
    else a part of what lies between.
    """
    if _is_number(value) and least <= value <= most:
        return max(-abs(value), least), abs(value)
    if isinstance(value, (list, tuple)) and len(value) == 2 and all(map(_is_number, value)):
        low, high = sorted(value)
        if (least <= low and high <= most) if strict else (low <= most and high >= least):
            return low, high
    where = f"{type(layer).__name__}()"
    raise ConfigError(f"{where} wants {name}= as a number, or two of them, from {least} to {most}; got {value!r}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def values(layer: Any, value_range: Any) -> Any:
    """The least and the greatest value that an image may have, in order."""
    if not isinstance(value_range, (list, tuple)) or len(value_range) != 2:
        raise ConfigError(f"{type(layer).__name__}() wants value_range= as two numbers; got {value_range!r}.")
    low, high = sorted(value_range)
    return [low, high] if isinstance(value_range, list) else (low, high)


def rescaled(x: jax.Array, source: Any, target: Any) -> jax.Array:
    """Values of one range as those of another."""
    (low, high), (least, most) = source, target
    if (low, high) == (least, most):
        return x
    return (x - low) / (high - low) * (most - least) + least


# -- draws ---------------------------------------------------------------------------------------------------------


def count(shape: tuple[int, ...]) -> int:
    """The number of images: one where there is no batch axis."""
    return shape[0] if len(shape) == 4 else 1


def an_image(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one number an image, to be spread over its pixels."""
    return (*shape[:-3], 1, 1, 1)


def uniform(key: jax.Array, shape: tuple[int, ...], between: Any, scale: float = 1, shift: float = 0) -> jax.Array:
    """Numbers drawn between two, times `scale`, plus `shift`."""
    low, high = between
    return jax.random.uniform(key, shape, "float32", low * scale + shift, high * scale + shift)


def happens(key: jax.Array, number: int, probability: Any) -> jax.Array:
    """For each of some images whether it is changed, with a probability drawn between two."""
    first, second = jax.random.split(key)
    return uniform(first, (number,), (0, 1)) < uniform(second, (number,), probability)


def spread(x: jax.Array) -> jax.Array:
    """One number an image, (batch,), over its pixels."""
    return jnp.asarray(x).reshape(-1, 1, 1, 1)
