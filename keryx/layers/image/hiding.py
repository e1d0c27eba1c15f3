"""Images blurred, sharpened and with parts erased, at random."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.errors import ConfigError
from keryx.layers.image.base import ImageLayer, count, happens, interval, spread, uniform, values
from keryx.layers.image.light import BYTE
from keryx.layers.layer import registry
from keryx.ops import image as images_ops


@registry.register()
class RandomGaussianBlur(ImageLayer):
    """In training, images blurred by a normal curve.

    Args:
        factor: The probability that an image is changed: two numbers that it is drawn between, or one, n, for 0 to n.
        kernel_size: The size of the window along the width and the height, odd: two numbers, or one for both.
        sigma: How wide the curve is, in elements: two numbers that it is drawn between, once for the width and once for
            the height, or one, n, for 0 to n; from 0 to 1.
        value_range: The least and the greatest value, which are kept.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        seed: Sets this layer's draws apart from others'.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor or a sigma beyond 0 to 1, or a window of an even size.

    >>> import keryx
    >>> keryx.layers.RandomGaussianBlur(kernel_size=5)(keryx.Input((6, 6, 3))).shape
    (None, 6, 6, 3)
    """

    def __init__(
        self,
        factor: Any = 1.0,
        kernel_size: Any = 3,
        sigma: Any = 1.0,
        value_range: Any = BYTE,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.factor, self.sigma = interval(self, "factor", factor, 0, 1), interval(self, "sigma", sigma, 0, 1)
        window = tuple(kernel_size) if isinstance(kernel_size, (list, tuple)) else (kernel_size, kernel_size)
        if len(window) != 2 or any(n % 2 == 0 for n in window):
            raise ConfigError(f"RandomGaussianBlur() wants kernel_size= as an odd number or two; got {kernel_size!r}.")
        self.kernel_size, self.value_range, self.seed = window, values(self, value_range), seed

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        first, second = jax.random.split(key)
        blurred = happens(first, count(shape), self.factor)
        return {"should_apply_blur": blurred, "blur_factor": uniform(second, (2,), self.sigma, shift=1e-6)}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        blurred = images_ops.gaussian_blur(images, self.kernel_size, transformation["blur_factor"], self.data_format)
        return jnp.clip(jnp.where(spread(transformation["should_apply_blur"]), blurred, images), *self.value_range)


@registry.register()
class RandomSharpness(ImageLayer):
    """In training, images sharpened or smoothed: `x + (1 - 2 factor) * (smooth - x)`.

    The smooth image is a mean of 3 by 3 elements, of which that in the middle counts five times.

    Args:
        factor: Two numbers that it lies between, or one, n, for 0 to n: 0 leaves the smooth image, 0.5 changes nothing,
            and 1 sharpens as much as 0 smoothes.
        value_range: The least and the greatest value, which are kept.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        seed: Sets this layer's draws apart from others'.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond 0 to 1, or a range of other than two numbers.

    >>> import keryx
    >>> keryx.layers.RandomSharpness(0.5)(keryx.Input((6, 6, 3))).shape
    (None, 6, 6, 3)
    """

    def __init__(
        self,
        factor: Any,
        value_range: Any = BYTE,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.factor = interval(self, "factor", factor, 0, 1)
        self.value_range, self.seed = values(self, value_range), seed

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        return {"factor": uniform(key, (count(shape),), self.factor)}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        around = images
        for axis in (self.height_axis, self.width_axis):
            padded = jnp.pad(around, [(1, 1) if i - images.ndim == axis else (0, 0) for i in range(images.ndim)])
            size = images.shape[axis]
            around = sum(jax.lax.slice_in_dim(padded, i, i + size, axis=axis % images.ndim) for i in range(3))
        smooth = (around + 4 * images) / 13
        factor = spread(jnp.asarray(transformation["factor"]) * 2).astype(images.dtype)
        return jnp.clip(images + (1 - factor) * (smooth - images), *self.value_range)


def boxes_at_random(layer: ImageLayer, key: jax.Array, shape: tuple[int, ...], shares: jax.Array) -> Any:
    """For each image a box of these shares of its width and its height, at a random place.

    Returns:
        Where the boxes are, for each pixel of each image, and the shares of the images that they cover.
    """
    edges, covered, pixels = [], jnp.ones(()), []
    axes = layer.width_axis, layer.height_axis
    for k, axis, share in zip(jax.random.split(key), axes, shares.T, strict=True):
        length = share * shape[axis]
        start = uniform(k, (count(shape),), (0, 1)) * (shape[axis] - length)
        edges.append((spread(start), spread(start + length)))
        pixels.append(
            jnp.arange(shape[axis], dtype="float32").reshape([-1 if i == axis else 1 for i in (-4, -3, -2, -1)])
        )
        covered = covered * length / shape[axis]
    (left, right), (top, bottom) = edges
    x, y = pixels
    return (x >= left) & (x < right) & (y >= top) & (y < bottom), covered


@registry.register()
class RandomErasing(ImageLayer):
    """In training, images of which a box at a random place is filled.

    Args:
        factor: The probability that an image is changed: two numbers that it is drawn between, or one, n, for 0 to n.
        scale: Two numbers that the squares of the box's width and height lie between, as shares of the image's.
        fill_value: What fills it: a number, one a channel, or None for normal noise of the deviation of the greatest
            value.
        value_range: The least and the greatest value, within which what fills is kept.
        seed: Sets this layer's draws apart from others'.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor or a scale beyond 0 to 1.

    Source: Zhong et al., Random erasing data augmentation, 2017.

    >>> import numpy as np, keryx
    >>> layer = keryx.layers.RandomErasing((1, 1), scale=(1, 1), fill_value=0)
    >>> layer(np.ones((4, 4, 3))).sum().item()
    0.0
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: Any = None,
        value_range: Any = BYTE,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.factor, self.scale = interval(self, "factor", factor, 0, 1), interval(self, "scale", scale, 0, 1)
        self.fill_value, self.value_range, self.seed = fill_value, values(self, value_range), seed

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        keys = jax.random.split(key, 4)
        masks, _ = boxes_at_random(self, keys[1], shape, jnp.sqrt(uniform(keys[0], (count(shape), 2), self.scale)))
        if self.fill_value is None:
            fill = jax.random.normal(keys[2], shape) * self.value_range[1]
        else:
            fill = jnp.asarray(self.fill_value, "float32")
            fill = fill.reshape(-1, 1, 1) if fill.ndim and self.channel_axis == -3 else fill
        fill = jnp.clip(fill, *self.value_range)
        return {"apply_erasing": happens(keys[3], count(shape), self.factor), "batch_masks": masks, "fill_value": fill}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        erased = spread(transformation["apply_erasing"]) & jnp.asarray(transformation["batch_masks"])
        return jnp.where(erased, jnp.asarray(transformation["fill_value"]).astype(images.dtype), images)
