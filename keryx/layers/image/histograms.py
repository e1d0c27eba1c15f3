"""Images whose values are spread over the whole range, by what there is of each."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.layers.base.sizes import sizes, whole
from keryx.layers.image.base import ImageLayer, rescaled, values
from keryx.layers.image.light import BYTE
from keryx.layers.layer import registry


@registry.register()
class AutoContrast(ImageLayer):
    """Images whose values are stretched so that each channel has the least and the greatest.

    Args:
        value_range: The least and the greatest value.
        **kwargs: `data_format`, `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a range of other than two numbers.

    >>> import numpy as np, keryx
    >>> layer = keryx.layers.AutoContrast(data_format="channels_last")
    >>> layer(np.array([100.0, 150, 200]).reshape(1, 3, 1)).ravel().round(1).tolist()
    [0.0, 127.5, 255.0]
    """

    always = True

    def __init__(self, value_range: Any = BYTE, **kwargs):
        super().__init__(**kwargs)
        self.value_range = values(self, value_range)

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        x, axes = rescaled(images, self.value_range, BYTE), (self.height_axis, self.width_axis)
        low, high = x.min(axes, keepdims=True), x.max(axes, keepdims=True)
        scale = 255 / jnp.where(high > low, high - low, 1)
        stretched = jnp.clip(x * scale - low * scale, *BYTE)
        return jnp.where(high > low, rescaled(stretched, BYTE, self.value_range), images)


def _planes(layer: ImageLayer, images: jax.Array) -> jax.Array:
    """The channels of images one after the other, (batch * channels, height, width)."""
    first = jnp.moveaxis(images, layer.channel_axis, -3)
    return first.reshape(-1, *first.shape[-2:])


def _images(layer: ImageLayer, planes: jax.Array, like: jax.Array) -> jax.Array:
    """Images of such channels, of the shape of others."""
    first = jnp.moveaxis(like, layer.channel_axis, -3)
    return jnp.moveaxis(planes.reshape(first.shape), -3, layer.channel_axis)


def counted(x: jax.Array, bins: int) -> jax.Array:
    """How often each of 0, ..., bins - 1 stands in each row: (rows, elements) of integers to (rows, bins)."""
    rows = jnp.arange(x.shape[0])[:, None]
    return jnp.zeros((x.shape[0], bins), "int32").at[rows, x].add(1, mode="promise_in_bounds")


@registry.register()
class Equalization(ImageLayer):
    """In training, images in which each part of the range of values is as frequent as any other, channel by channel.

    A value becomes the share of values that are not above it.

    Args:
        value_range: The least and the greatest value.
        bins: How many values are told apart.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a range of other than two numbers.

    >>> import numpy as np, keryx
    >>> layer = keryx.layers.Equalization(data_format="channels_last")
    >>> layer(np.array([[[10], [11], [12], [20]]])).ravel().tolist()
    [0.0, 85.0, 170.0, 255.0]
    """

    def __init__(self, value_range: Any = BYTE, bins: int = 256, data_format: str | None = None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range, self.bins = values(self, value_range), whole("Equalization()", "bins", bins, 2)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Nothing is drawn."""
        return {} if training else None

    def works(self, transformation: Any, training: bool) -> bool:
        return bool(training)

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        # Keras counts each channel of the whole batch together; so does this.
        x = rescaled(images, self.value_range, BYTE).astype("float32")
        channels = jnp.moveaxis(x, self.channel_axis, 0)
        flat = channels.reshape(channels.shape[0], -1)
        last = self.bins - 1
        sums = counted(jnp.clip((flat * last / 255).astype("int32"), 0, last), self.bins).cumsum(-1)
        least = jnp.where(sums > 0, sums, sums[:, -1:]).min(-1, keepdims=True)
        rest = sums[:, -1:] - least
        table = jnp.clip(jnp.round((sums - least) * 255.0 / jnp.where(rest == 0, 1, rest)), *BYTE)
        equal = jnp.take_along_axis(table, jnp.clip(flat / 255 * last, 0, last).astype("int32"), -1)
        found = jnp.where(rest == 0, flat, equal).reshape(channels.shape)
        return rescaled(jnp.moveaxis(found, 0, self.channel_axis), BYTE, self.value_range)


@registry.register()
class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    """Images that are equalized tile by tile, with a limit to how far values are drawn apart, in their own dtype.

    Each pixel is looked up in the tables of the four tiles around it, which count the more the nearer they are.

    Args:
        value_range: The least and the greatest value.
        clip_limit: How often a value counts at most, as a multiple of the mean; what is above is shared out among all.
            0 sets no limit.
        tile_grid_size: The number of tiles in a column and in a row.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a range of other than two numbers, or a grid of other than two integers above 0.

    Source: Zuiderveld, Contrast limited adaptive histogram equalization, 1994.

    >>> import keryx
    >>> keryx.layers.ContrastLimitedAdaptiveHistogramEqualization()(keryx.Input((16, 16, 3))).shape
    (None, 16, 16, 3)
    """

    always = keeps_integers = True

    def __init__(
        self,
        value_range: Any = BYTE,
        clip_limit: float = 4.0,
        tile_grid_size: Any = (8, 8),
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range, self.clip_limit = values(self, value_range), clip_limit
        sizes(f"{type(self).__name__}()", "tile_grid_size", tile_grid_size, 2)
        self.tile_grid_size = tile_grid_size

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        x = _planes(self, rescaled(images.astype("float32"), self.value_range, BYTE))
        height, width = x.shape[1:]
        grid = self.tile_grid_size
        tile = -(-height // grid[0]), -(-width // grid[1])
        rest = tile[0] * grid[0] - height, tile[1] * grid[1] - width
        whole_tiles = jnp.clip(jnp.pad(x, [(0, 0), (0, rest[0]), (0, rest[1])], "symmetric"), *BYTE).astype("int32")
        tiles = whole_tiles.reshape(-1, grid[0], tile[0], grid[1], tile[1]).transpose(0, 1, 3, 2, 4)
        table = self._table(tiles.reshape(-1, tile[0] * tile[1])).reshape(-1, grid[0] * grid[1] * 256)
        pixels = whole_tiles[:, :height, :width].reshape(-1, height * width)
        found: Any = 0
        for row, row_share in _tiles_around(height, tile[0], grid[0]):
            for column, column_share in _tiles_around(width, tile[1], grid[1]):
                place = (row[:, None] * grid[1] + column).reshape(-1) * 256 + pixels
                value = jnp.take_along_axis(table, place, 1, mode="promise_in_bounds").reshape(x.shape)
                found = found + row_share[:, None] * column_share * value
        return _images(self, rescaled(found, BYTE, self.value_range), images)

    def _table(self, tiles: jax.Array) -> jax.Array:
        """What becomes of each value in each tile, (tiles, 256)."""
        size = tiles.shape[1]
        counts = counted(tiles, 256).astype("float32")
        if self.clip_limit > 0:
            clipped = jnp.minimum(counts, self.clip_limit * size / 256)
            counts = clipped + (counts - clipped).sum(-1, keepdims=True) / 256
        sums = counts.cumsum(-1)
        least = sums.min(-1, keepdims=True)
        rest = size - least
        return jnp.clip((sums - least) * 255 / jnp.where(rest == 0, 1, rest), *BYTE)


def _tiles_around(size: int, tile: int, number: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each place along an axis the two tiles whose middles it lies between, and how much each counts."""
    place = (np.arange(size, dtype="float32") - tile / 2) / tile
    below = np.floor(place)
    share = (place - below).astype("float32")
    first, second = (np.clip(index, 0, number - 1).astype("int32") for index in (below, below + 1))
    return [(first, 1 - share), (second, share)]
