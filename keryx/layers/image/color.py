"""The colors of images, changed at random."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import config
from keryx.layers.base.sizes import fraction
from keryx.layers.image.base import ImageLayer, count, interval, rescaled, spread, uniform, values
from keryx.layers.image.light import BYTE, RandomBrightness, RandomContrast
from keryx.layers.layer import registry
from keryx.ops import image as images_ops


class _Colored(ImageLayer):
    """A layer with a factor, for images with three channels."""

    bounds: tuple[float, float] = (-1, 1)

    def __init__(
        self,
        factor: Any,
        value_range: Any = BYTE,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.factor = interval(self, "factor", factor, *self.bounds)
        self.value_range, self.seed = values(self, value_range), seed

    def in_hsv(self, images: jax.Array, channel: int, function: Any) -> jax.Array:
        """Images in whose hues (0), saturations (1) or values (2) a function was put to use."""
        planes = list(jnp.unstack(images_ops.rgb_to_hsv(images, self.data_format), axis=self.channel_axis))
        planes[channel] = function(planes[channel])
        return images_ops.hsv_to_rgb(jnp.stack(jnp.broadcast_arrays(*planes), self.channel_axis), self.data_format)


@registry.register()
class RandomColorDegeneration(_Colored):
    """In training, images with less color: `x + factor * (gray - x)`.

    Args:
        factor: How much less: two numbers that it lies between, or one, n, for -n to n.
        value_range: The least and the greatest value, which are kept.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        seed: Sets this layer's draws apart from others'.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond -1 to 1, or a range of other than two numbers.

    >>> import numpy as np, keryx
    >>> layer = keryx.layers.RandomColorDegeneration((1, 1), data_format="channels_last")
    >>> layer(np.array([[[0, 100, 0]]])).round().ravel().tolist()
    [59.0, 59.0, 59.0]
    """

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        return {"factor": uniform(key, (count(shape), 1, 1, 1), self.factor)}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        factor = jnp.asarray(transformation["factor"]).astype(images.dtype)
        return jnp.clip(
            images + factor * (images_ops.rgb_to_grayscale(images, self.data_format) - images), *self.value_range
        )


@registry.register()
class RandomGrayscale(ImageLayer):
    """In training, some images in shades of gray, still with three channels.

    Args:
        factor: The probability that an image is changed; from 0 to 1.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        seed: Sets this layer's draws apart from others'.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond 0 to 1.

    >>> import numpy as np, keryx
    >>> layer = keryx.layers.RandomGrayscale(1.0, data_format="channels_last")
    >>> layer(np.array([[[0, 1000, 0]]])).round().ravel().tolist()
    [587.0, 587.0, 587.0]
    """

    def __init__(self, factor: float = 0.5, data_format: str | None = None, seed: int | None = None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.factor, self.seed = fraction("RandomGrayscale()", "factor", factor), seed

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        return spread(uniform(key, (count(shape),), (0, 1)) < self.factor)

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        return jnp.where(transformation, images_ops.rgb_to_grayscale(images, self.data_format), images)


@registry.register()
class RandomHue(_Colored):
    """In training, images with each hue turned by the same random angle.

    Args:
        factor: The angle to either side, as a share of half a turn: two numbers that it lies between, or one, n, for
            0 to n.
        value_range: The least and the greatest value.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        seed: Sets this layer's draws apart from others'.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond 0 to 1.

    >>> import numpy as np, keryx
    >>> layer = keryx.layers.RandomHue(0.5, data_format="channels_last")
    >>> x = np.array([[[90.0, 0.0, 0.0]]])
    >>> layer.transform_images(x, {"factor": np.array([1 / 3])}).round().ravel().tolist()
    [0.0, 90.0, 0.0]
    """

    bounds = (0, 1)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        first, second = jax.random.split(key)
        side = jnp.where(uniform(first, (count(shape),), (0, 1)) > 0.5, -0.5, 0.5)
        return {"factor": side * uniform(second, (count(shape),), self.factor)}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        turn = _rows(transformation["factor"], images)

        def turned(hue: jax.Array) -> jax.Array:
            hue = hue + turn
            hue = jnp.where(hue > 1, hue - 1, hue)
            return jnp.where(hue < 0, hue + 1, hue)

        colors = self.in_hsv(rescaled(images, self.value_range, (0, 1)), 0, turned)
        return rescaled(jnp.clip(colors, 0, 1), (0, 1), self.value_range)


@registry.register()
class RandomSaturation(_Colored):
    """In training, images with each saturation times the same random number, `factor / (1 - factor)`.

    Args:
        factor: Two numbers that it lies between, or one, n, for 0 to n: 0 leaves gray, 0.5 changes nothing, and 1
            leaves pure colors.
        value_range: The least and the greatest saturation, which are kept.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        seed: Sets this layer's draws apart from others'.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond 0 to 1, or a range of other than two numbers.

    >>> import numpy as np, keryx
    >>> layer = keryx.layers.RandomSaturation((0, 0), data_format="channels_last")
    >>> layer(np.array([[[0.2, 0.5, 0.1]]])).ravel().tolist()
    [0.5, 0.5, 0.5]
    """

    bounds = (0, 1)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        factor = uniform(key, (count(shape),), self.factor)
        return {"factor": factor / (1 - factor + config.epsilon())}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        factor = _rows(transformation["factor"], images)
        return self.in_hsv(images, 1, lambda saturation: jnp.clip(saturation * factor, *self.value_range))


def _rows(x: Any, images: jax.Array) -> jax.Array:
    """One number an image over the pixels of one of its channels."""
    return jnp.asarray(x).reshape(-1, 1, 1).astype(images.dtype)


@registry.register()
class RandomColorJitter(ImageLayer):
    """In training, RandomBrightness, RandomContrast, RandomSaturation and RandomHue, one after the other.

    Args:
        value_range: The least and the greatest value.
        brightness_factor: Of RandomBrightness; None leaves it out, like the others.
        contrast_factor: Of RandomContrast.
        saturation_factor: Of RandomSaturation.
        hue_factor: Of RandomHue.
        seed: Sets this layer's draws apart from others'.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond what its layer takes.

    >>> import keryx
    >>> keryx.layers.RandomColorJitter(hue_factor=0.5)(keryx.Input((6, 6, 3))).shape
    (None, 6, 6, 3)
    """

    def __init__(
        self,
        value_range: Any = BYTE,
        brightness_factor: Any = None,
        contrast_factor: Any = None,
        saturation_factor: Any = None,
        hue_factor: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range, self.seed = value_range, seed
        self.brightness_factor, self.contrast_factor = brightness_factor, contrast_factor
        self.saturation_factor, self.hue_factor = saturation_factor, hue_factor
        shared = {"value_range": value_range, "data_format": self.data_format, "dtype": self.dtype_policy}
        classes = {
            RandomBrightness: brightness_factor,
            RandomContrast: contrast_factor,
            RandomSaturation: saturation_factor,
            RandomHue: hue_factor,
        }
        self._steps = [cls(factor, **shared) for cls, factor in classes.items() if factor is not None]

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        keys = jax.random.split(key, max(len(self._steps), 1))
        return {step.name: step.draw(k, shape) for step, k in zip(self._steps, keys, strict=False)}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        for step in self._steps:
            images = step.change(images, transformation[step.name], interpolation)
        return images
