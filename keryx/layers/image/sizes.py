"""Values and sizes that a model wants: Rescaling, Resizing, CenterCrop, RandomCrop."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import config
from keryx.core import scope
from keryx.layers.base.sizes import choice, whole
from keryx.layers.image.base import ImageLayer
from keryx.layers.layer import Layer, registry
from keryx.ops import image as images_ops
from keryx.ops.image.sizes import INTERPOLATIONS, crop_of_aspect
from keryx.random import key_of


@registry.register()
class Rescaling(Layer):
    """`x * scale + offset`.

    Args:
        scale: A number, or one for each channel.
        offset: Likewise; default 0.

    >>> import numpy as np, keryx
    >>> keryx.layers.Rescaling(1 / 127.5, offset=-1)(np.array([0, 255], "uint8")).tolist()
    [-1.0, 1.0]
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset

    def call(self, inputs: jax.Array) -> jax.Array:
        """Any shape in, the same shape out, in the layer's dtype."""
        scale, offset = (self._for_channels(value) for value in (self.scale, self.offset))
        return inputs.astype(self.compute_dtype) * scale + offset

    def _for_channels(self, value: Any) -> jax.Array:
        array = jnp.asarray(value, self.compute_dtype)
        if array.ndim and config.image_data_format() == "channels_first":
            return array.reshape(array.shape + (1,) * (3 - array.ndim))
        return array


class _ToSize(ImageLayer):
    """A layer whose images all have one size."""

    moves = True
    height: int
    width: int

    def boxes_size(self, height: int, width: int) -> tuple[int, int]:
        return self.height, self.width

    def window(self, images: jax.Array, top: Any, left: Any, height: int, width: int) -> jax.Array:
        """A part of images."""
        part = jax.lax.dynamic_slice_in_dim(images, top, height, self.height_axis % images.ndim)
        return jax.lax.dynamic_slice_in_dim(part, left, width, self.width_axis % images.ndim)

    def resized(self, images: jax.Array, interpolation: str) -> jax.Array:
        """Images at the layer's size."""
        if self.size_of(images.shape) == (self.height, self.width):
            return images
        return images_ops.resize(images, (self.height, self.width), interpolation, data_format=self.data_format)


def _scaled(boxes: jax.Array, across: Any, down: Any, right: Any = 0, below: Any = 0) -> jax.Array:
    factors, shifts = jnp.stack(jnp.broadcast_arrays(across, down)), jnp.stack(jnp.broadcast_arrays(right, below))
    return boxes * jnp.tile(factors, 2).astype(boxes.dtype) + jnp.tile(shifts, 2).astype(boxes.dtype)


@registry.register()
class Resizing(_ToSize):
    """Images at another size, in their own dtype; integers are rounded.

    Args:
        height: The new height.
        width: The new width.
        interpolation: `nearest`, `bilinear`, `bicubic`, `lanczos3` or `lanczos5`.
        crop_to_aspect_ratio: Whether edges are cut off first so that nothing is stretched.
        pad_to_aspect_ratio: Whether edges are put on first so that nothing is stretched.
        fill_mode: Only `constant`.
        fill_value: What the edges hold that are put on.
        antialias: Whether what is made smaller is smoothed first.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For sizes that are no integers above 0, or an interpolation that there is not.

    >>> import keryx
    >>> keryx.layers.Resizing(8, 6)(keryx.Input((None, None, 3), dtype="uint8"))
    <SymbolicTensor keras_tensor... (batch, 8, 6, 3) uint8>
    """

    always = keeps_integers = True

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.height, self.width = whole("Resizing()", "height", height), whole("Resizing()", "width", width)
        self.interpolation = choice("Resizing()", "interpolation", interpolation, INTERPOLATIONS)
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = crop_to_aspect_ratio, pad_to_aspect_ratio
        self.fill_mode, self.fill_value, self.antialias = fill_mode, fill_value, bool(antialias)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        return self.size_of(shape)

    def _size_told(self, transformation: Any) -> tuple[int, int]:
        return transformation

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        return images_ops.resize(
            images,
            (self.height, self.width),
            interpolation,
            self.antialias,
            self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio,
            self.fill_mode,
            self.fill_value,
            self.data_format,
        )

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        """The boxes that belong to the changed images; those that only fill up, all 0 or all -1, become 0."""
        given = jnp.asarray(bounding_boxes["boxes"])
        empty = (given == -1).all(-1, keepdims=True) | (given == 0).all(-1, keepdims=True)
        found = super().transform_bounding_boxes(bounding_boxes, transformation, training)
        return found | {"boxes": jnp.where(empty, 0, found["boxes"])}

    def change_boxes(self, boxes: jax.Array, transformation: Any, height: int, width: int) -> jax.Array:
        down, across = self.height / height, self.width / width
        if self.pad_to_aspect_ratio:
            ratio = min(down, across)
            return _scaled(boxes, ratio, ratio, (self.width - width * ratio) // 2, (self.height - height * ratio) // 2)
        if self.crop_to_aspect_ratio:
            ratio = max(down, across)
            right, below = -((width * ratio - self.width) // 2), -((height * ratio - self.height) // 2)
            return _scaled(boxes, ratio, ratio, right, below)
        return _scaled(boxes, across, down)


@registry.register()
class CenterCrop(_ToSize):
    """The middle of images; of those that are smaller, the largest window of that shape, resized.

    Args:
        height: The new height.
        width: The new width.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For sizes that are no integers above 0.

    >>> import keryx
    >>> keryx.layers.CenterCrop(2, 4)(keryx.Input((6, 6, 3))).shape
    (None, 2, 4, 3)
    """

    always = True

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.height, self.width = whole("CenterCrop()", "height", height), whole("CenterCrop()", "width", width)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        return {"input_shape": shape}

    def place(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, height and width of the part of an image that is kept."""
        if height >= self.height and width >= self.width:
            return (height - self.height) // 2, (width - self.width) // 2, self.height, self.width
        return crop_of_aspect(height, width, (self.height, self.width))

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        return self.resized(self.window(images, *self.place(*self.size_of(images.shape))), interpolation)

    def change_boxes(self, boxes: jax.Array, transformation: Any, height: int, width: int) -> jax.Array:
        top, left, height, width = self.place(int(height), int(width))
        inside = jnp.clip(boxes - jnp.array([left, top] * 2), 0, jnp.array([width, height] * 2))
        return _scaled(inside, self.width / width, self.height / height)


@registry.register()
class RandomCrop(_ToSize):
    """In training, a window of images at a random place, the same for all of a batch.

    Outside of training, and for images that are not larger than the window, it is the largest window in the middle that
    has its shape, resized.

    Args:
        height: The new height.
        width: The new width.
        seed: Sets this layer's draws apart from others'.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For sizes that are no integers above 0.

    >>> import keryx
    >>> keryx.layers.RandomCrop(2, 4)(keryx.Input((6, 6, 3))).shape
    (None, 2, 4, 3)
    """

    always = True

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        name: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, name=name, **kwargs)
        self.height, self.width = whole("RandomCrop()", "height", height), whole("RandomCrop()", "width", width)
        self.seed = seed

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Top and left of the window, its height and width, and those of the images."""
        height, width = self.size_of((data["images"] if isinstance(data, dict) else data).shape)
        if not training or height <= self.height or width <= self.width:
            return *crop_of_aspect(height, width, (self.height, self.width)), height, width
        key = scope.random_key(self.seed) if seed is None else key_of(seed)
        most = jnp.array([height - self.height + 1, width - self.width + 1])
        top, left = jax.random.randint(key, (2,), 0, most)
        return top, left, self.height, self.width, height, width

    def _window_told(self, transformation: Any, height: int, width: int) -> tuple[Any, Any, int, int]:
        """Top, left, height and width of the window; of the two numbers that Keras draws, too."""
        if len(transformation) == 2:
            top, left = transformation
            return top, left, min(self.height, height), min(self.width, width)
        return transformation[:4]

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        window = self._window_told(transformation, *self.size_of(images.shape))
        return self.resized(self.window(images, *window), interpolation)

    def _size_told(self, transformation: Any) -> tuple[int, int]:
        return transformation[4:] if len(transformation) > 2 else (self.height, self.width)

    def change_boxes(self, boxes: jax.Array, transformation: Any, height: int, width: int) -> jax.Array:
        top, left, height, width = self._window_told(transformation, height, width)
        shift = jnp.stack(jnp.broadcast_arrays(left, top, left, top)).astype(boxes.dtype)
        return _scaled(boxes - shift, self.width / width, self.height / height)
