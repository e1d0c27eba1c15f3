"""Convolutions of each channel by itself, alone or followed by one that mixes the channels."""

from typing import Any

import jax

from keryx import constraints, initializers, regularizers
from keryx.kernels import depthwise_conv, separable_conv
from keryx.layers.base.sizes import sizes
from keryx.layers.convolutional.convolution import Sliding
from keryx.layers.layer import registry


class _DepthwiseConv(Sliding):
    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs,
    ):
        slide = kernel_size, strides, padding, data_format, dilation_rate
        bias = use_bias, bias_initializer, bias_regularizer, bias_constraint
        super().__init__(*slide, activation, *bias, activity_regularizer=activity_regularizer, **kwargs)
        (self.depth_multiplier,) = sizes(f"{type(self).__name__}()", "depth_multiplier", depth_multiplier, 1)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add the kernel (*kernel_size, channels, depth_multiplier) and a bias for each output channel."""
        channels = self.channels(input_shape)
        self.kernel = self.add_weight(
            (*self.kernel_size, channels, self.depth_multiplier),
            self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
            name="kernel",
        )
        self.add_bias_weight(channels * self.depth_multiplier)

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, *space, channels) -> (batch, *space, channels * depth_multiplier)."""
        self.check_room(inputs.shape)
        slide = self.strides, self.padding, self.dilation_rate, self.data_format
        return self.finish(depthwise_conv(inputs, self.kernel.value, *slide))


@registry.register()
class DepthwiseConv1D(_DepthwiseConv):
    """A kernel for each channel of (batch, time, channels).

    Args:
        kernel_size: The steps that a kernel spans.
        strides: The steps from one output to the next; default 1.
        padding: `valid` or `same`.
        depth_multiplier: The number of outputs a channel; default 1.
        **kwargs: As in `Conv1D`, with `depthwise_` in place of `kernel_`.

    >>> import keryx
    >>> keryx.layers.DepthwiseConv1D(3, depth_multiplier=2)(keryx.Input((10, 4))).shape
    (None, 8, 8)
    """

    rank = 1


@registry.register()
class DepthwiseConv2D(_DepthwiseConv):
    """A kernel for each channel of images (batch, height, width, channels).

    Args:
        kernel_size: The height and width of a kernel, or one number for both.
        strides: The step from one output to the next, in elements; default 1.
        padding: `valid` or `same`.
        depth_multiplier: The number of outputs a channel; default 1.
        **kwargs: As in `Conv2D`, with `depthwise_` in place of `kernel_`.

    >>> import keryx
    >>> keryx.layers.DepthwiseConv2D(3)(keryx.Input((8, 8, 3))).shape
    (None, 6, 6, 3)
    """

    rank = 2


class _SeparableConv(Sliding):
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs,
    ):
        slide = kernel_size, strides, padding, data_format, dilation_rate
        bias = use_bias, bias_initializer, bias_regularizer, bias_constraint
        super().__init__(*slide, activation, *bias, activity_regularizer=activity_regularizer, **kwargs)
        where = f"{type(self).__name__}()"
        (self.filters,) = sizes(where, "filters", filters, 1)
        (self.depth_multiplier,) = sizes(where, "depth_multiplier", depth_multiplier, 1)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.pointwise_constraint = constraints.get(pointwise_constraint)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add the kernel of each channel, the kernel that mixes them, and the bias (filters,)."""
        channels = self.channels(input_shape)
        self.depthwise_kernel = self.add_weight(
            (*self.kernel_size, channels, self.depth_multiplier),
            self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
            name="depthwise_kernel",
        )
        self.pointwise_kernel = self.add_weight(
            (*(1,) * self.rank, channels * self.depth_multiplier, self.filters),
            self.pointwise_initializer,
            regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
            name="pointwise_kernel",
        )
        self.add_bias_weight(self.filters)

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, *space, channels) -> (batch, *space, filters)."""
        self.check_room(inputs.shape)
        kernels = self.depthwise_kernel.value, self.pointwise_kernel.value
        slide = self.strides, self.padding, self.dilation_rate, self.data_format
        return self.finish(separable_conv(inputs, *kernels, *slide))


@registry.register("SeparableConvolution1D")
class SeparableConv1D(_SeparableConv):
    """A kernel for each channel of (batch, time, channels), then a product that mixes the channels.

    Args:
        filters: The number of output channels.
        kernel_size: The steps that a kernel spans.
        depth_multiplier: The number of outputs a channel before they are mixed; default 1.
        **kwargs: As in `Conv1D`, with `depthwise_` and `pointwise_` in place of `kernel_`.

    >>> import keryx
    >>> keryx.layers.SeparableConv1D(8, 3)(keryx.Input((10, 4))).shape
    (None, 8, 8)
    """

    rank = 1


@registry.register("SeparableConvolution2D")
class SeparableConv2D(_SeparableConv):
    """A kernel for each channel of images (batch, height, width, channels), then a product that mixes them.

    Args:
        filters: The number of output channels.
        kernel_size: The height and width of a kernel, or one number for both.
        depth_multiplier: The number of outputs a channel before they are mixed; default 1.
        **kwargs: As in `Conv2D`, with `depthwise_` and `pointwise_` in place of `kernel_`.

    Source: Chollet, Xception, 2017.

    >>> import keryx
    >>> keryx.layers.SeparableConv2D(8, 3, padding="same")(keryx.Input((8, 8, 3))).shape
    (None, 8, 8, 8)
    """

    rank = 2
