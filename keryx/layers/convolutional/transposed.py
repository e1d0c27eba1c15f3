"""Transposed convolutions: each input element adds a kernel to the outputs, so that space grows."""

from typing import Any

import jax

from keryx import constraints, initializers, regularizers
from keryx.errors import ConfigError
from keryx.kernels import conv_transpose
from keryx.layers.base.sizes import sizes
from keryx.layers.convolutional.convolution import Sliding
from keryx.layers.layer import registry


class _ConvTranspose(Sliding):
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs,
    ):
        slide = kernel_size, strides, padding, data_format, dilation_rate
        bias = use_bias, bias_initializer, bias_regularizer, bias_constraint
        super().__init__(*slide, activation, *bias, activity_regularizer=activity_regularizer, **kwargs)
        where = f"{type(self).__name__}()"
        (self.filters,) = sizes(where, "filters", filters, 1)
        self.output_padding = output_padding
        if output_padding is not None:
            self.output_padding = sizes(where, "output_padding", output_padding, self.rank, least=0)
            if any(more >= stride for more, stride in zip(self.output_padding, self.strides, strict=True)):
                raise ConfigError(f"{where} wants output_padding= below strides= {self.strides}; got {output_padding}.")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.check_strides()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add the kernel (*kernel_size, filters, channels) and the bias (filters,)."""
        self.kernel = self.add_weight(
            (*self.kernel_size, self.filters, self.channels(input_shape)),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.add_bias_weight(self.filters)

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, *space, channels) -> (batch, *larger space, filters)."""
        slide = self.strides, self.padding, self.output_padding, self.dilation_rate, self.data_format
        return self.finish(conv_transpose(inputs, self.kernel.value, *slide))


@registry.register("Convolution1DTranspose")
class Conv1DTranspose(_ConvTranspose):
    """The transpose of Conv1D: (batch, time, channels) -> (batch, more time, filters).

    Args:
        filters: The number of output channels.
        kernel_size: The steps that the kernel spans.
        strides: The steps of the outputs from one input to the next; default 1.
        padding: `valid`, (time - 1) * strides + kernel_size steps at least, or `same`, time * strides steps.
        output_padding: Steps beyond the smallest number that fits, below strides; default as `padding` says.
        **kwargs: As in `Conv1D`.

    >>> import keryx
    >>> keryx.layers.Conv1DTranspose(8, 3, strides=2, padding="same")(keryx.Input((10, 4))).shape
    (None, 20, 8)
    """

    rank = 1


@registry.register("Convolution2DTranspose")
class Conv2DTranspose(_ConvTranspose):
    """The transpose of Conv2D: images (batch, height, width, channels) become larger ones.

    Args:
        filters: The number of output channels.
        kernel_size: The height and width of the kernel, or one number for both.
        **kwargs: As in `Conv1DTranspose`, with one number or two.

    >>> import keryx
    >>> keryx.layers.Conv2DTranspose(8, 3, strides=2)(keryx.Input((4, 4, 3))).shape
    (None, 9, 9, 8)
    """

    rank = 2


@registry.register("Convolution3DTranspose")
class Conv3DTranspose(_ConvTranspose):
    """The transpose of Conv3D: volumes (batch, depth, height, width, channels) become larger ones.

    Args:
        filters: The number of output channels.
        kernel_size: The depth, height and width of the kernel, or one number for all.
        **kwargs: As in `Conv1DTranspose`, with one number or three.

    >>> import keryx
    >>> keryx.layers.Conv3DTranspose(8, 3, strides=2)(keryx.Input((4, 4, 4, 1))).shape
    (None, 9, 9, 9, 8)
    """

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: Any = None,
        *args,
        **kwargs,
    ):
        super().__init__(filters, kernel_size, strides, padding, output_padding, data_format, *args, **kwargs)
