"""Images seen from elsewhere, and images bent like rubber, at random."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.errors import ConfigError
from keryx.layers.base.sizes import choice
from keryx.layers.image.base import ImageLayer, count, happens, interval, spread, uniform
from keryx.layers.layer import registry
from keryx.ops import image as images_ops
from keryx.ops.bounding_boxes import around
from keryx.ops.image.warping import FILL_MODES, bend, homography
from keryx.random import key_of


@registry.register()
class RandomPerspective(ImageLayer):
    """In training, images as seen from another side: their corners go elsewhere, each by itself.

    Args:
        factor: The probability that an image is changed: two numbers that it is drawn between, or one, n, for 0 to n.
        scale: How far corners go at most, twice the share of their distance from the first; from 0 to 1.
        interpolation: `bilinear` or `nearest`.
        fill_value: What lies beyond the edges.
        seed: Sets this layer's draws apart from others'.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor or a scale beyond 0 to 1, and an interpolation that there is not.

    >>> import keryx
    >>> keryx.layers.RandomPerspective()(keryx.Input((6, 6, 3))).shape
    (None, 6, 6, 3)
    """

    moves = True

    def __init__(
        self,
        factor: Any = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.factor = interval(self, "factor", factor, 0, 1)
        if not 0 <= scale <= 1:
            raise ConfigError(f"RandomPerspective() wants scale= from 0 to 1; got {scale!r}.")
        self.interpolation = choice("RandomPerspective()", "interpolation", interpolation, ("nearest", "bilinear"))
        self.scale, self.fill_value, self.seed = scale, fill_value, seed

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        (first, second), number, (height, width) = jax.random.split(key), count(shape), self.size_of(shape)
        corners = jnp.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], "float32")
        start = jnp.broadcast_to(corners, (number, 4, 2))
        end = start * (1 + uniform(second, (number, 4, 2), (-0.5, 0.5), self.scale))
        changed = happens(first, number, self.factor)
        return {"apply_perspective": changed, "start_points": start, "end_points": end, "input_shape": shape}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        points = transformation["start_points"], transformation["end_points"]
        seen = images_ops.perspective_transform(images, *points, interpolation, self.fill_value, self.data_format)
        changed = spread(transformation["apply_perspective"])
        return jnp.where(changed if images.ndim == 4 else changed[0], seen, images)

    def change_boxes(self, boxes: jax.Array, transformation: Any, height: int, width: int) -> jax.Array:
        start, end = (jnp.asarray(transformation[name], "float32") for name in ("start_points", "end_points"))
        numbers = homography(start, end)
        matrix = jnp.concatenate([numbers, jnp.ones_like(numbers[:, :1])], -1).reshape(-1, 3, 3)
        left, top, right, bottom = (boxes[..., i] for i in range(4))
        x, y = jnp.stack([left, right, left, right], -1), jnp.stack([top, bottom, bottom, top], -1)
        points = jnp.stack([x, y, jnp.ones_like(x)], -1)  # (batch, boxes, 4, 3)
        seen = jnp.einsum("bij,bnkj->bnki", jnp.linalg.inv(matrix), points)
        found = around(seen[..., 0] / seen[..., 2], seen[..., 1] / seen[..., 2])
        return jnp.where(spread(transformation["apply_perspective"])[..., 0], found, boxes)


@registry.register()
class RandomElasticTransform(ImageLayer):
    """In training, images bent as if drawn on rubber.

    Args:
        factor: The probability that an image is changed: two numbers that it is drawn between, or one, n, for 0 to n.
        scale: How much it is bent, likewise.
        interpolation: `bilinear` or `nearest`.
        fill_mode: What lies beyond the edges: `constant`, `nearest`, `wrap`, `mirror` or `reflect`.
        fill_value: The constant.
        value_range: The least and the greatest value, which are kept.
        seed: Sets this layer's draws apart from others'.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: Those of Layer. Boxes stay where they are.

    Raises:
        ConfigError: For a factor or a scale beyond 0 to 1, and a mode or an interpolation that there is not.

    Source: Simard et al., Best practices for convolutional neural networks applied to visual document analysis, 2003.

    >>> import keryx
    >>> keryx.layers.RandomElasticTransform()(keryx.Input((6, 6, 3))).shape
    (None, 6, 6, 3)
    """

    moves = True

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        where = "RandomElasticTransform()"
        self.factor = interval(self, "factor", factor, 0, 1)
        self.scale = interval(self, "scale", scale, 0, 1)
        self.interpolation = choice(where, "interpolation", interpolation, ("nearest", "bilinear"))
        self.fill_mode = choice(where, "fill_mode", fill_mode, FILL_MODES)
        self.fill_value, self.value_range, self.seed = fill_value, value_range, seed

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        if self.scale[1] == 0 or self.factor[1] == 0:
            return None
        first, second, third = jax.random.split(key, 3)
        changed = happens(first, count(shape), self.factor)
        return {"apply_transform": changed, "distortion_factor": uniform(second, (), self.scale), "seed": third}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        height, width = self.size_of(images.shape)
        factor, widest = transformation["distortion_factor"], 0.05 * min(height, width)
        window = int(6 * widest * self.scale[1]) | 1  # of the greatest factor: a compiled program has one size
        options = interpolation, self.fill_mode, self.fill_value
        key, far = key_of(transformation["seed"]), 0.1 * max(height, width) * factor
        bent = bend(images, key, far, jnp.maximum(widest * factor, 1e-6), window, options, self.data_format)
        changed = spread(transformation["apply_transform"])
        return jnp.where(changed if images.ndim == 4 else changed[0], bent, images)

    def transform_images(self, images, transformation=None, training=True):
        """The images as the transformation changes them, within the range of values."""
        changed = super().transform_images(images, transformation, training)
        return jnp.clip(changed, *self.value_range) if self.works(transformation, training) else changed

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        """The boxes as they are: what is in them is bent, and hardly moved."""
        return bounding_boxes
