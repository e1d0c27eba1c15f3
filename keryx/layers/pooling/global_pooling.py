"""The maximum or mean of all of space or time."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.core.symbol import describe
from keryx.errors import ShapeError
from keryx.kernels import global_average_pool, global_max_pool
from keryx.layers.base.sizes import layout, spatial_axes
from keryx.layers.layer import InputSpec, Layer, registry


class _GlobalPooling(Layer):
    rank = 1

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.data_format = layout(f"{type(self).__name__}()", data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes that are pooled."""
        return spatial_axes(self.data_format, self.rank)

    def kept(self, pooled: jax.Array) -> jax.Array:
        """`pooled`, with the axes that are gone as axes of size 1 where they are to be kept."""
        return jnp.expand_dims(pooled, self.axes) if self.keepdims else pooled


class _GlobalMax(_GlobalPooling):
    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, *space, channels) -> (batch, channels)."""
        if any(inputs.shape[axis] == 0 for axis in self.axes):
            raise ShapeError(f"{self.title} has nothing to take the maximum of; got {describe(inputs.shape)}.")
        return self.kept(global_max_pool(inputs, self.axes))


class _GlobalMean(_GlobalPooling):
    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, *space, channels) -> (batch, channels)."""
        return self.kept(global_average_pool(inputs, self.axes))


@registry.register("GlobalMaxPool1D")
class GlobalMaxPooling1D(_GlobalMax):
    """The maximum of (batch, time, channels) over time.

    Args:
        data_format: `channels_last` or `channels_first`.
        keepdims: Whether the axis of time stays, with size 1.

    >>> import keryx
    >>> keryx.layers.GlobalMaxPooling1D()(keryx.Input((10, 3))).shape
    (None, 3)
    """

    rank = 1


@registry.register("GlobalMaxPool2D")
class GlobalMaxPooling2D(_GlobalMax):
    """The maximum of images (batch, height, width, channels), channel by channel.

    Args:
        data_format: `channels_last` or `channels_first`.
        keepdims: Whether the axes of space stay, with size 1.

    >>> import keryx
    >>> keryx.layers.GlobalMaxPooling2D()(keryx.Input((8, 8, 3))).shape
    (None, 3)
    """

    rank = 2


@registry.register("GlobalMaxPool3D")
class GlobalMaxPooling3D(_GlobalMax):
    """The maximum of volumes (batch, depth, height, width, channels), channel by channel.

    Args:
        data_format: `channels_last` or `channels_first`.
        keepdims: Whether the axes of space stay, with size 1.

    >>> import keryx
    >>> keryx.layers.GlobalMaxPooling3D()(keryx.Input((4, 4, 4, 3))).shape
    (None, 3)
    """

    rank = 3


@registry.register("GlobalAvgPool1D")
class GlobalAveragePooling1D(_GlobalMean):
    """The mean of (batch, time, channels) over the steps that a mask leaves.

    Args:
        data_format: `channels_last` or `channels_first`.
        keepdims: Whether the axis of time stays, with size 1.

    >>> import keryx
    >>> keryx.layers.GlobalAveragePooling1D()(keryx.Input((10, 3))).shape
    (None, 3)
    """

    rank = 1
    supports_masking = True

    def call(self, inputs: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        """(batch, time, channels) -> (batch, channels)."""
        if mask is None:
            return super().call(inputs)
        mask = jnp.expand_dims(mask.astype(bool), 2 if self.data_format == "channels_last" else 1)
        count = mask.sum(self.axes, keepdims=self.keepdims).astype(inputs.dtype)
        return jnp.where(mask, inputs, 0).sum(self.axes, keepdims=self.keepdims) / count

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: the axis of time is gone."""
        return


@registry.register("GlobalAvgPool2D")
class GlobalAveragePooling2D(_GlobalMean):
    """The mean of images (batch, height, width, channels), channel by channel.

    Args:
        data_format: `channels_last` or `channels_first`.
        keepdims: Whether the axes of space stay, with size 1.

    >>> import keryx
    >>> keryx.layers.GlobalAveragePooling2D()(keryx.Input((8, 8, 3))).shape
    (None, 3)
    """

    rank = 2


@registry.register("GlobalAvgPool3D")
class GlobalAveragePooling3D(_GlobalMean):
    """The mean of volumes (batch, depth, height, width, channels), channel by channel.

    Args:
        data_format: `channels_last` or `channels_first`.
        keepdims: Whether the axes of space stay, with size 1.

    >>> import keryx
    >>> keryx.layers.GlobalAveragePooling3D()(keryx.Input((4, 4, 4, 3))).shape
    (None, 3)
    """

    rank = 3
