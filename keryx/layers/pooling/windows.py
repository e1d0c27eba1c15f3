"""The maximum or mean of windows."""

from collections.abc import Callable
from typing import Any

import jax

from keryx.errors import ShapeError
from keryx.kernels import average_pool, max_pool
from keryx.layers.base.sizes import layout, padding_mode, sizes, spatial_axes
from keryx.layers.layer import InputSpec, Layer, registry


class _Pooling(Layer):
    rank = 1
    pool: Callable = staticmethod(max_pool)

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        where = f"{type(self).__name__}()"
        self.pool_size = sizes(where, "pool_size", pool_size, self.rank)
        self.strides = self.pool_size if strides is None else sizes(where, "strides", strides, self.rank)
        self.padding = padding_mode(where, padding)
        self.data_format = layout(where, data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, *space, channels) -> (batch, *smaller space, channels)."""
        space = tuple(inputs.shape[axis] for axis in spatial_axes(self.data_format, self.rank))
        if self.padding == "valid" and any(p > n for p, n in zip(self.pool_size, space, strict=True)):
            raise ShapeError(
                f"{self.title} has windows of {self.pool_size}, larger than its inputs {space}. Use "
                "padding='same', smaller windows, or larger inputs."
            )
        return self.pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class _MaxPooling(_Pooling):
    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs,
    ):
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


@registry.register("MaxPool1D")
class MaxPooling1D(_MaxPooling):
    """The maximum of each window of (batch, time, channels), channel by channel.

    Args:
        pool_size: The steps in a window; default 2.
        strides: The steps from one window to the next; default `pool_size`.
        padding: `valid` (windows stay within) or `same` (ceil(time / stride) windows).
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.MaxPooling1D(3)(keryx.Input((10, 4))).shape
    (None, 3, 4)
    """

    rank = 1


@registry.register("MaxPool2D")
class MaxPooling2D(_MaxPooling):
    """The maximum of each window of images (batch, height, width, channels).

    Args:
        pool_size: The height and width of a window, or one number for both; default 2.
        strides: The step from one window to the next, in elements; default `pool_size`.
        padding: `valid` (windows stay within) or `same` (ceil(size / stride) windows).
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.MaxPooling2D((2, 2))(keryx.Input((224, 224, 64))).shape
    (None, 112, 112, 64)
    """

    rank = 2


@registry.register("MaxPool3D")
class MaxPooling3D(_MaxPooling):
    """The maximum of each window of volumes (batch, depth, height, width, channels).

    Args:
        pool_size: The depth, height and width of a window, or one number for all; default 2.
        strides: The step from one window to the next, in elements; default `pool_size`.
        padding: `valid` (windows stay within) or `same` (ceil(size / stride) windows).
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.MaxPooling3D(2)(keryx.Input((4, 4, 4, 3))).shape
    (None, 2, 2, 2, 3)
    """

    rank = 3


@registry.register("AvgPool1D")
class AveragePooling1D(_Pooling):
    """The mean of each window of (batch, time, channels); padding does not count.

    Args:
        pool_size: The steps in a window.
        strides: The steps from one window to the next; default `pool_size`.
        padding: `valid` (windows stay within) or `same` (ceil(time / stride) windows).
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.AveragePooling1D(3)(keryx.Input((10, 4))).shape
    (None, 3, 4)
    """

    rank, pool = 1, staticmethod(average_pool)


@registry.register("AvgPool2D")
class AveragePooling2D(_Pooling):
    """The mean of each window of images (batch, height, width, channels); padding does not count.

    Args:
        pool_size: The height and width of a window, or one number for both.
        strides: The step from one window to the next, in elements; default `pool_size`.
        padding: `valid` (windows stay within) or `same` (ceil(size / stride) windows).
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.AveragePooling2D(2)(keryx.Input((8, 8, 3))).shape
    (None, 4, 4, 3)
    """

    rank, pool = 2, staticmethod(average_pool)


@registry.register("AvgPool3D")
class AveragePooling3D(_Pooling):
    """The mean of each window of volumes (batch, depth, height, width, channels); padding does not count.

    Args:
        pool_size: The depth, height and width of a window, or one number for all.
        strides: The step from one window to the next, in elements; default `pool_size`.
        padding: `valid` (windows stay within) or `same` (ceil(size / stride) windows).
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.AveragePooling3D(2)(keryx.Input((4, 4, 4, 3))).shape
    (None, 2, 2, 2, 3)
    """

    rank, pool = 3, staticmethod(average_pool)
