"""Images mirrored, turned, shifted, stretched and leant at random."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.layers.base.sizes import choice
from keryx.layers.image.base import ImageLayer, an_image, count, interval, uniform
from keryx.layers.layer import registry
from keryx.ops import image as images_ops
from keryx.ops.bounding_boxes import affine_transform

_MODES = "horizontal", "vertical", "horizontal_and_vertical"
FILL_MODES = "reflect", "wrap", "constant", "nearest"


@registry.register()
class RandomFlip(ImageLayer):
    """In training, half of the images mirrored.

    Args:
        mode: `horizontal` swaps left and right, `vertical` top and bottom, `horizontal_and_vertical` both.
        seed: Sets this layer's draws apart from others'.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For another mode.

    >>> import numpy as np, keryx
    >>> layer = keryx.layers.RandomFlip("horizontal", data_format="channels_last")
    >>> layer.transform_images(np.array([[[[1], [2]]]]), {"flips": np.array(True)}).ravel().tolist()
    [2.0, 1.0]
    """

    moves = True

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.mode, self.seed = choice("RandomFlip()", "mode", mode, _MODES), seed

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        return {"flips": uniform(key, an_image(shape), (0, 1)) <= 0.5, "input_shape": shape}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        for side, axis in (("horizontal", self.width_axis), ("vertical", self.height_axis)):
            if side in self.mode:
                images = jnp.where(transformation["flips"], jnp.flip(images, axis), images)
        return images

    def change_boxes(self, boxes: jax.Array, transformation: Any, height: int, width: int) -> jax.Array:
        left, top, right, bottom = (boxes[..., i] for i in range(4))
        if "horizontal" in self.mode:
            left, right = width - right, width - left
        if "vertical" in self.mode:
            top, bottom = height - bottom, height - top
        return jnp.where(jnp.asarray(transformation["flips"])[..., 0], jnp.stack([left, top, right, bottom], -1), boxes)


class _Affine(ImageLayer):
    """A layer that looks each pixel up where eight numbers an image, its `matrix`, send it."""

    moves = True
    fill_mode = "constant"
    fill_value: float = 0.0

    def fill(self, fill_mode: str, interpolation: str, fill_value: float, seed: int | None) -> None:
        """Keep the arguments that say what lies between the pixels, and beyond the edges."""
        where = f"{type(self).__name__}()"
        self.fill_mode = choice(where, "fill_mode", fill_mode, FILL_MODES)
        self.interpolation = choice(where, "interpolation", interpolation, ("nearest", "bilinear"))
        self.fill_value, self.seed = fill_value, seed

    def matrix(self, transformation: Any, height: int, width: int) -> jax.Array:
        """The numbers that `keryx.ops.image.affine_transform` takes."""
        raise NotImplementedError

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        matrix = self.matrix(transformation, *self.size_of(images.shape))
        options = interpolation, self.fill_mode, self.fill_value, self.data_format
        return images_ops.affine_transform(images, matrix, *options)


def eight(*rows: Any) -> jax.Array:
    """`[a0, a1, a2, b0, b1, b2, 0, 0]`, (batch, 8), from six of (batch,) or numbers."""
    return jnp.stack(jnp.broadcast_arrays(*(jnp.asarray(x, "float32") for x in (*rows, 0, 0))), -1)


@registry.register()
class RandomRotation(_Affine):
    """In training, images turned around their middle by random angles.

    Args:
        factor: The angle, as a share of a whole turn counterclockwise: two numbers that it lies between, or one, n, for
            -n to n.
        fill_mode: What lies beyond the edges: `reflect`, `wrap`, `constant` or `nearest`.
        interpolation: `bilinear` or `nearest`.
        seed: Sets this layer's draws apart from others'.
        fill_value: The constant.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond -1 to 1, and a mode or an interpolation that there is not.

    >>> import numpy as np, keryx
    >>> x = np.arange(4.0).reshape(2, 2, 1)
    >>> turned = keryx.layers.RandomRotation((0.25, 0.25), data_format="channels_last")(x)
    >>> turned.ravel().round().astype(int).tolist()
    [1, 3, 0, 2]
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.factor = interval(self, "factor", factor, -1, 1)
        self.fill(fill_mode, interpolation, fill_value, seed)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        number, (height, width) = count(shape), self.size_of(shape)
        angle = uniform(key, (number,), self.factor, 360)
        cosine, sine = jnp.cos(jnp.deg2rad(angle)), jnp.sin(jnp.deg2rad(angle))
        x, y = 0.5 * (width - 1), 0.5 * (height - 1)
        matrix = eight(cosine, -sine, x - x * cosine + y * sine, sine, cosine, y - x * sine - y * cosine)
        size = {"image_height": height, "image_width": width, "batch_size": number}
        return {"angle": angle, "rotation_matrix": matrix, **size}

    def matrix(self, transformation: Any, height: int, width: int) -> jax.Array:
        return transformation["rotation_matrix"]

    def change_boxes(self, boxes: jax.Array, transformation: Any, height: int, width: int) -> jax.Array:
        angle = jnp.asarray(transformation["angle"])
        zero, one = jnp.zeros_like(angle), jnp.ones_like(angle)
        return affine_transform(boxes, angle, zero, zero, one, zero, zero, height, width)


@registry.register()
class RandomTranslation(_Affine):
    """In training, images moved by random distances.

    Args:
        height_factor: How far down, as a share of the height: two numbers that it lies between, or one, n, for -n to n.
        width_factor: How far to the right, as a share of the width.
        fill_mode: What lies beyond the edges: `reflect`, `wrap`, `constant` or `nearest`.
        interpolation: `bilinear` or `nearest`.
        seed: Sets this layer's draws apart from others'.
        fill_value: The constant.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond -1 to 1, and a mode or an interpolation that there is not.

    >>> import numpy as np, keryx
    >>> layer = keryx.layers.RandomTranslation(0, (0.5, 0.5), "constant", data_format="channels_last")
    >>> layer(np.arange(1.0, 5.0).reshape(1, 4, 1)).ravel().tolist()
    [0.0, 0.0, 1.0, 2.0]
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._down = interval(self, "height_factor", height_factor, -1, 1, strict=True)
        self._right = interval(self, "width_factor", width_factor, -1, 1, strict=True)
        self.fill(fill_mode, interpolation, fill_value, seed)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        (first, second), (height, width) = jax.random.split(key), self.size_of(shape)
        down = uniform(first, (count(shape),), self._down) * height
        right = uniform(second, (count(shape),), self._right) * width
        return {"translations": jnp.stack([right, down], -1), "input_shape": shape}

    def matrix(self, transformation: Any, height: int, width: int) -> jax.Array:
        shifts = jnp.asarray(transformation["translations"])
        return eight(1, 0, -shifts[:, 0], 0, 1, -shifts[:, 1])

    def change_boxes(self, boxes: jax.Array, transformation: Any, height: int, width: int) -> jax.Array:
        return boxes + jnp.tile(jnp.asarray(transformation["translations"]), 2)[:, None]


@registry.register()
class RandomZoom(_Affine):
    """In training, images looked at from nearer or farther, around their middle.

    Args:
        height_factor: How much more of the height is seen, as a share of it, negative for less: two numbers that it
            lies between, or one, n, for -n to n.
        width_factor: Likewise for the width; by default the same draw, so that nothing is stretched.
        fill_mode: What lies beyond the edges: `reflect`, `wrap`, `constant` or `nearest`.
        interpolation: `bilinear` or `nearest`.
        seed: Sets this layer's draws apart from others'.
        fill_value: The constant.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond -1 to 1, and a mode or an interpolation that there is not.

    >>> import numpy as np, keryx
    >>> layer = keryx.layers.RandomZoom((1, 1), fill_mode="constant", data_format="channels_last")
    >>> layer(np.ones((4, 4, 1)))[:, :, 0].sum().item()
    4.0
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._down = interval(self, "height_factor", height_factor, -1, 1, strict=True)
        self._across = width_factor and interval(self, "width_factor", width_factor, -1, 1, strict=True)
        self.fill(fill_mode, interpolation, fill_value, seed)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        first, second = jax.random.split(key)
        down = uniform(first, (count(shape), 1), self._down, shift=1)
        across = uniform(second, (count(shape), 1), self._across, shift=1) if self._across is not None else down
        return {"height_zoom": down, "width_zoom": across, "input_shape": shape}

    def _placed(self, transformation: Any, height: int, width: int) -> tuple[jax.Array, ...]:
        """For each axis the factor, and the place at which what is seen begins."""
        across, down = (jnp.asarray(transformation[name])[:, 0] for name in ("width_zoom", "height_zoom"))
        return across, down, (width - 1) / 2 * (1 - across), (height - 1) / 2 * (1 - down)

    def matrix(self, transformation: Any, height: int, width: int) -> jax.Array:
        across, down, left, top = self._placed(transformation, height, width)
        return eight(across, 0, left, 0, down, top)

    def change_boxes(self, boxes: jax.Array, transformation: Any, height: int, width: int) -> jax.Array:
        across, down, left, top = self._placed(transformation, height, width)
        return (boxes - jnp.stack([left, top] * 2, -1)[:, None]) / jnp.stack([across, down] * 2, -1)[:, None]


@registry.register()
class RandomShear(_Affine):
    """In training, images leant to a side: rows are moved by a share of their distance from the top, columns likewise.

    Args:
        x_factor: How far rows are moved: two numbers that the share lies between, or one, n, for -n to n.
        y_factor: Likewise for columns.
        interpolation: `bilinear` or `nearest`.
        fill_mode: What lies beyond the edges: `reflect`, `wrap`, `constant` or `nearest`.
        fill_value: The constant.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        seed: Sets this layer's draws apart from others'.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond 0 to 1, and a mode or an interpolation that there is not.

    >>> import numpy as np, keryx
    >>> layer = keryx.layers.RandomShear(fill_mode="constant", data_format="channels_last")
    >>> x = np.arange(1.0, 5.0).reshape(1, 2, 2, 1)
    >>> layer.transform_images(x, {"shear_factor": np.array([[1.0, 0.0]])}).ravel().tolist()
    [1.0, 2.0, 4.0, 0.0]
    """

    def __init__(
        self,
        x_factor: Any = 0.0,
        y_factor: Any = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.x_factor, self.y_factor = self._both_signs("x_factor", x_factor), self._both_signs("y_factor", y_factor)
        self.fill(fill_mode, interpolation, fill_value, seed)

    def _both_signs(self, name: str, value: Any) -> tuple[float, float]:
        if isinstance(value, (list, tuple)) and len(value) == 2 and value[0] == -value[1]:
            value = value[1]  # of a config
        low, high = interval(self, name, value, 0, 1, strict=True)
        return (low, high) if isinstance(value, (list, tuple)) else (-high, high)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        keys, number = jax.random.split(key, 3), (count(shape),)
        side = jnp.where(uniform(keys[0], number, (0, 1)) > 0.5, -1, 1)
        factors = [uniform(k, number, f) for k, f in zip(keys[1:], (self.x_factor, self.y_factor), strict=True)]
        return {"shear_factor": jnp.stack(factors, -1) * side[:, None], "input_shape": shape}

    def matrix(self, transformation: Any, height: int, width: int) -> jax.Array:
        factors = jnp.asarray(transformation["shear_factor"])
        return eight(1, factors[:, 0], 0, factors[:, 1], 1, 0)

    def change_boxes(self, boxes: jax.Array, transformation: Any, height: int, width: int) -> jax.Array:
        lean, rise = (jnp.asarray(transformation["shear_factor"], boxes.dtype)[:, i, None] for i in range(2))
        left, top, right, bottom = (boxes[..., i] / n for i, n in enumerate((width, height) * 2))
        left, right = (
            jnp.where(lean < 0, left - lean * top, left - lean * bottom),
            jnp.where(lean < 0, right - lean * bottom, right - lean * top),
        )
        top = jnp.where(rise > 0, top - rise * right, top - rise * left)
        bottom = jnp.where(rise > 0, bottom - rise * left, bottom - rise * right)
        return jnp.stack([left * width, top * height, right * width, bottom * height], -1)
