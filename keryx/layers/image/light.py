"""How bright images are, and how much of it they tell apart: changed at random."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.layers.image.base import (
    ImageLayer,
    an_image,
    count,
    happens,
    interval,
    rescaled,
    spread,
    uniform,
    values,
)
from keryx.layers.layer import registry

BYTE = 0, 255


@registry.register()
class RandomBrightness(ImageLayer):
    """In training, images with a random number added.

    Args:
        factor: What is added, as a share of the range of values: two numbers that it lies between, or one, n, for -n
            to n.
        value_range: The least and the greatest value, which are kept.
        seed: Sets this layer's draws apart from others'.
        **kwargs: `data_format`, `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond -1 to 1, or a range of other than two numbers.

    >>> import numpy as np, keryx
    >>> keryx.layers.RandomBrightness((0.5, 0.5), (0, 1))(np.full((1, 1, 3), 0.25)).ravel().tolist()
    [0.75, 0.75, 0.75]
    """

    def __init__(self, factor: Any, value_range: Any = BYTE, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.factor = interval(self, "factor", factor, -1, 1)
        self.value_range, self.seed = values(self, value_range), seed

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        low, high = self.value_range
        return {"rgb_delta": uniform(key, an_image(shape), self.factor, high - low)}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        return jnp.clip(images + jnp.asarray(transformation["rgb_delta"]).astype(images.dtype), *self.value_range)


@registry.register()
class RandomContrast(ImageLayer):
    """In training, `(x - mean) * factor + mean`, with the mean of each channel of an image and a random factor.

    Args:
        factor: Two numbers a and b for a factor between 1 - a and 1 + b, or one, n, for 1 to 1 + n.
        value_range: The least and the greatest value, which are kept.
        seed: Sets this layer's draws apart from others'.
        **kwargs: `data_format`, `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond 0 to 1.

    >>> import numpy as np, keryx
    >>> x = np.array([1.0, 3.0]).reshape(1, 2, 1)
    >>> layer = keryx.layers.RandomContrast((0.5, 0.5), data_format="channels_last")
    >>> layer.transform_images(x, {"contrast_factor": 0.5}).ravel().tolist()
    [1.5, 2.5]
    """

    def __init__(self, factor: Any, value_range: Any = BYTE, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.factor = interval(self, "factor", factor, 0, 1)
        self.value_range, self.seed = values(self, value_range), seed

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        less, more = self.factor
        return {"contrast_factor": uniform(key, an_image(shape), (1 - less, 1 + more))}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        # One axis after the other: a processor adds whole rows up.
        mean = images.mean(self.height_axis, keepdims=True).mean(self.width_axis, keepdims=True)
        factor = jnp.asarray(transformation["contrast_factor"]).astype(images.dtype)
        return jnp.clip((images - mean) * factor + mean, *self.value_range)


@registry.register()
class RandomInvert(ImageLayer):
    """In training, some images as their negatives, `greatest value - x`.

    Args:
        factor: The probability that an image is changed: two numbers that it is drawn between, or one, n, for 0 to n.
        value_range: The least and the greatest value.
        seed: Sets this layer's draws apart from others'.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond 0 to 1.

    >>> import numpy as np, keryx
    >>> keryx.layers.RandomInvert((1, 1))(np.full((1, 1, 3), 55)).ravel().tolist()
    [200.0, 200.0, 200.0]
    """

    def __init__(
        self,
        factor: Any = 1.0,
        value_range: Any = BYTE,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.factor = interval(self, "factor", factor, 0, 1)
        self.value_range, self.seed = values(self, value_range), seed

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        return {"apply_inversion": happens(key, count(shape), self.factor)}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        return jnp.where(spread(transformation["apply_inversion"]), self.value_range[1] - images, images)


@registry.register()
class RandomPosterization(ImageLayer):
    """In training, images of which only the first bits of each value are kept.

    Args:
        factor: How many of 8 bits: two numbers a and b for a, ..., b - 1 of them, or one, n, for 1, ..., n - 1.
        value_range: The least and the greatest value.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        seed: Sets this layer's draws apart from others'.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond 1 to 8, or a range of other than two numbers.

    >>> import numpy as np, keryx
    >>> keryx.layers.RandomPosterization((2, 2))(np.array([[[0, 100, 200]]])).ravel().tolist()
    [0.0, 64.0, 192.0]
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
        self.factor = interval(self, "factor", factor, 1, 8)
        self.value_range, self.seed = values(self, value_range), seed

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        low, high = (int(n) for n in self.factor)
        bits = jax.random.randint(key, (count(shape),), low, max(high, low + 1))
        return {"shift_factor": (8 - bits).astype("uint8")}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        shift = spread(jnp.asarray(transformation["shift_factor"], "uint8"))
        whole = rescaled(images, self.value_range, BYTE).astype("uint8")
        return rescaled(((whole >> shift) << shift).astype(images.dtype), BYTE, self.value_range)


@registry.register()
class Solarization(ImageLayer):
    """In training, images with a random number added, and `255 - x` of what is not below a random threshold.

    Args:
        addition_factor: What is added, as a share of the range of values: two numbers that it lies between, or one, n,
            for 0 to n.
        threshold_factor: The threshold, likewise.
        value_range: The least and the greatest value.
        seed: Sets this layer's draws apart from others'.
        **kwargs: `data_format`, `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond 0 to 1, or a range of other than two numbers.

    >>> import numpy as np, keryx
    >>> keryx.layers.Solarization()(np.array([[[0, 55, 255]]])).ravel().tolist()
    [255.0, 200.0, 0.0]
    """

    def __init__(
        self,
        addition_factor: Any = 0.0,
        threshold_factor: Any = 0.0,
        value_range: Any = BYTE,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.addition_factor = interval(self, "addition_factor", addition_factor, 0, 1, strict=True)
        self.threshold_factor = interval(self, "threshold_factor", threshold_factor, 0, 1, strict=True)
        self.value_range, self.seed = values(self, value_range), seed

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        first, second = jax.random.split(key)
        return {
            "additions": uniform(first, an_image(shape), self.addition_factor, 255),
            "thresholds": uniform(second, an_image(shape), self.threshold_factor, 255),
        }

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        added, threshold = (
            jnp.asarray(transformation[name]).astype(images.dtype) for name in ("additions", "thresholds")
        )
        x = jnp.clip(rescaled(images, self.value_range, BYTE) + added, *BYTE)
        return rescaled(jnp.where(x < threshold, x, 255 - x), BYTE, self.value_range)
