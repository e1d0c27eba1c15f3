"""Convolutions in one, two and three dimensions."""

from typing import Any

import jax

from keryx import activations, constraints, initializers, regularizers
from keryx.errors import ConfigError, ShapeError
from keryx.kernels import conv
from keryx.layers.base.sizes import channel_axis, known_size, layout, padding_mode, sizes, spatial_axes
from keryx.layers.layer import InputSpec, Layer, registry


def add_bias(outputs: jax.Array, bias: Any, data_format: str) -> jax.Array:
    """Add a number to each channel."""
    if data_format == "channels_last":
        return outputs + bias
    return outputs + bias.value.reshape(-1, *(1,) * (outputs.ndim - 2))


class Sliding(Layer):
    """What all layers that slide a kernel have in common."""

    rank = 1
    paddings: tuple[str, ...] = ()
    bias: Any = None

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        bias_initializer: Any = "zeros",
        bias_regularizer: Any = None,
        bias_constraint: Any = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        where = f"{type(self).__name__}()"
        self.kernel_size = sizes(where, "kernel_size", kernel_size, self.rank)
        self.strides = sizes(where, "strides", strides, self.rank)
        self.dilation_rate = sizes(where, "dilation_rate", dilation_rate, self.rank)
        self.padding = padding_mode(where, padding, *self.paddings)
        self.data_format = layout(where, data_format)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.bias_initializer = initializers.get(bias_initializer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def check_strides(self) -> None:
        """Raise ConfigError where both strides and dilation are above 1."""
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ConfigError(
                f"{type(self).__name__}() takes strides or dilation_rate above 1, not both; got "
                f"{self.strides} and {self.dilation_rate}."
            )

    def channels(self, shape: tuple[int | None, ...]) -> int:
        """The number of channels, which the weights depend on; from here on the inputs must have as many."""
        axis = channel_axis(self.data_format)
        count = known_size(self.title, shape, axis, "number of channels")
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: count})
        return count

    def add_bias_weight(self, channels: int) -> None:
        """Add the bias (channels,), if there is to be one."""
        if self.use_bias:
            regularizer, constraint = self.bias_regularizer, self.bias_constraint
            self.bias = self.add_weight((channels,), self.bias_initializer, None, True, regularizer, constraint, "bias")

    def check_room(self, shape: tuple[int, ...]) -> None:
        """Raise ShapeError where a kernel that stays within the inputs is larger than they are."""
        space = [shape[axis] for axis in spatial_axes(self.data_format, self.rank)]
        reach = [1 + (size - 1) * step for size, step in zip(self.kernel_size, self.dilation_rate, strict=True)]
        if self.padding == "valid" and any(k > n for k, n in zip(reach, space, strict=True)):
            from keryx.core import ways_out

            raise ShapeError(
                f"{self.title} has a kernel that reaches over {tuple(reach)}, more than its inputs "
                f"{tuple(space)}. Use padding='same', a smaller kernel, or larger inputs."
                + ways_out.of_channels_first(shape, self.data_format)
            )

    def finish(self, outputs: jax.Array) -> jax.Array:
        """Add the bias, then apply the activation."""
        if self.use_bias:
            outputs = add_bias(outputs, self.bias, self.data_format)
        return self.activation(outputs)


class _Conv(Sliding):
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
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
        (self.groups,) = sizes(where, "groups", groups, 1)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        if self.filters % self.groups:
            raise ConfigError(f"{where} cannot share {self.filters} filters among {self.groups} groups evenly.")
        self.check_strides()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add the kernel (*kernel_size, channels / groups, filters) and the bias (filters,)."""
        channels = self.channels(input_shape)
        if channels % self.groups:
            raise ShapeError(f"{self.title} cannot share {channels} channels among {self.groups} groups evenly.")
        self.kernel = self.add_weight(
            (*self.kernel_size, channels // self.groups, self.filters),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.add_bias_weight(self.filters)

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, *space, channels) -> (batch, *space, filters)."""
        self.check_room(inputs.shape)
        padding: Any = self.padding
        if padding == "causal":
            padding = [(self.dilation_rate[0] * (self.kernel_size[0] - 1), 0)]
        fused = activations.FUSED.get(self.activation)
        outputs = conv(
            inputs,
            self.kernel.value,
            self.strides,
            padding,
            self.dilation_rate,
            self.groups,
            self.data_format,
            self.bias.value if self.use_bias else None,
            fused,
        )
        return outputs if self.activation in activations.FUSED else self.activation(outputs)


@registry.register("Convolution1D")
class Conv1D(_Conv):
    """A kernel slid over time: `activation(sum_k inputs[t * stride + k * dilation] @ kernel[k] + bias)`.

    Args:
        filters: The number of output channels.
        kernel_size: The steps that the kernel spans.
        strides: The steps from one output to the next; default 1.
        padding: `valid` (the kernel stays within), `same` (zeros around; as many outputs as inputs at stride
            1), or `causal` (zeros before; an output sees no later input).
        data_format: `channels_last`, (batch, time, channels), or `channels_first`.
        dilation_rate: The steps from one tap of the kernel to the next; default 1.
        groups: Parts of the channels that are convolved apart from each other; default 1.
        activation: A name or function; None is none.
        use_bias: Whether a bias is added.
        kernel_initializer: How the kernel (kernel_size, channels / groups, filters) begins.
        bias_initializer: How the bias (filters,) begins.
        kernel_regularizer: A penalty of the kernel.
        bias_regularizer: A penalty of the bias.
        activity_regularizer: A penalty of the outputs.
        kernel_constraint: A projection of the kernel after each step.
        bias_constraint: A projection of the bias after each step.

    Raises:
        ShapeError: Where the kernel is larger than the inputs, or the channels are unknown or do not divide.

    >>> import keryx
    >>> keryx.layers.Conv1D(32, 5, padding="causal")(keryx.Input((None, 3))).shape
    (None, None, 32)
    """

    rank = 1
    paddings = ("causal",)


@registry.register("Convolution2D")
class Conv2D(_Conv):
    """A kernel slid over images (batch, height, width, channels).

    Args:
        filters: The number of output channels.
        kernel_size: The height and width of the kernel, or one number for both.
        **kwargs: As in `Conv1D`, with one number or two; there is no `causal` padding.

    >>> import keryx
    >>> keryx.layers.Conv2D(64, (3, 3), activation="relu", padding="same")(keryx.Input((224, 224, 3))).shape
    (None, 224, 224, 64)
    """

    rank = 2


@registry.register("Convolution3D")
class Conv3D(_Conv):
    """A kernel slid over volumes (batch, depth, height, width, channels).

    Args:
        filters: The number of output channels.
        kernel_size: The depth, height and width of the kernel, or one number for all.
        **kwargs: As in `Conv1D`, with one number or three; there is no `causal` padding.

    >>> import keryx
    >>> keryx.layers.Conv3D(8, 3, strides=2)(keryx.Input((9, 9, 9, 1))).shape
    (None, 4, 4, 4, 8)
    """

    rank = 3
