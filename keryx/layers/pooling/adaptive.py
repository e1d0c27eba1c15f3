"""The maximum or mean of as many windows as are asked for, whatever the size of the inputs."""

from collections.abc import Callable
from typing import Any

import jax

from keryx import ops
from keryx.layers.base.sizes import layout, sizes
from keryx.layers.layer import InputSpec, Layer, registry


class _AdaptivePooling(Layer):
    rank = 1
    pool: Callable

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs):
        super().__init__(**kwargs)
        where = f"{type(self).__name__}()"
        self.output_size = sizes(where, "output_size", output_size, self.rank)
        self.data_format = layout(where, data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, *space, channels) -> (batch, *output_size, channels)."""
        return self.pool(inputs, self.output_size, self.data_format)


class _AdaptiveMean(_AdaptivePooling):
    pool = staticmethod(ops.adaptive_average_pool)


class _AdaptiveMax(_AdaptivePooling):
    pool = staticmethod(ops.adaptive_max_pool)


@registry.register()
class AdaptiveAveragePooling1D(_AdaptiveMean):
    """The mean of each of `output_size` windows that cover (batch, time, channels).

    Of n elements along an axis, the window i of k reaches from `floor(i * n / k)` to `ceil((i + 1) * n / k)`.

    Args:
        output_size: The steps of the outputs.
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.AdaptiveAveragePooling1D(4)(keryx.Input((10, 4))).shape
    (None, 4, 4)
    """

    rank = 1


@registry.register()
class AdaptiveAveragePooling2D(_AdaptiveMean):
    """The mean of each of `output_size` windows that cover images (batch, height, width, channels).

    Of n elements along an axis, the window i of k reaches from `floor(i * n / k)` to `ceil((i + 1) * n / k)`.

    Args:
        output_size: The height and width of the outputs, or one number for both.
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.AdaptiveAveragePooling2D((3, 2))(keryx.Input((None, None, 4))).shape
    (None, 3, 2, 4)
    """

    rank = 2


@registry.register()
class AdaptiveAveragePooling3D(_AdaptiveMean):
    """The mean of each of `output_size` windows that cover volumes (batch, depth, height, width, channels).

    Of n elements along an axis, the window i of k reaches from `floor(i * n / k)` to `ceil((i + 1) * n / k)`.

    Args:
        output_size: The depth, height and width of the outputs, or one number for all.
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.AdaptiveAveragePooling3D(2)(keryx.Input((5, 6, 7, 4))).shape
    (None, 2, 2, 2, 4)
    """

    rank = 3


@registry.register()
class AdaptiveMaxPooling1D(_AdaptiveMax):
    """The maximum of each of `output_size` windows that cover (batch, time, channels).

    Of n elements along an axis, the window i of k reaches from `floor(i * n / k)` to `ceil((i + 1) * n / k)`.

    Args:
        output_size: The steps of the outputs.
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.AdaptiveMaxPooling1D(4)(keryx.Input((10, 4))).shape
    (None, 4, 4)
    """

    rank = 1


@registry.register()
class AdaptiveMaxPooling2D(_AdaptiveMax):
    """The maximum of each of `output_size` windows that cover images (batch, height, width, channels).

    Of n elements along an axis, the window i of k reaches from `floor(i * n / k)` to `ceil((i + 1) * n / k)`.

    Args:
        output_size: The height and width of the outputs, or one number for both.
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.AdaptiveMaxPooling2D((3, 2))(keryx.Input((None, None, 4))).shape
    (None, 3, 2, 4)
    """

    rank = 2


@registry.register()
class AdaptiveMaxPooling3D(_AdaptiveMax):
    """The maximum of each of `output_size` windows that cover volumes (batch, depth, height, width, channels).

    Of n elements along an axis, the window i of k reaches from `floor(i * n / k)` to `ceil((i + 1) * n / k)`.

    Args:
        output_size: The depth, height and width of the outputs, or one number for all.
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.AdaptiveMaxPooling3D(2)(keryx.Input((5, 6, 7, 4))).shape
    (None, 2, 2, 2, 4)
    """

    rank = 3
