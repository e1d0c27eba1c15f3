"""Convolution, pooling and the moves between space and depth."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from keryx import config, kernels
from keryx.core.dtypes import as_inexact
from keryx.core.graph import lift
from keryx.kernels.geometry import Sizes, each_axis
from keryx.ops.table import as_array


def _image(inputs: Any, kernel: Any) -> tuple[jax.Array, jax.Array]:
    """Both as arrays, of the kernel's dtype."""
    kernel = jnp.asarray(kernel)
    return jnp.asarray(inputs, kernel.dtype), kernel


def _layout(data_format: str | None) -> str:
    return data_format or config.image_data_format()


@lift
def conv(inputs, kernel, strides: Sizes = 1, padding="valid", data_format=None, dilation_rate: Sizes = 1):
    """Convolution over one, two or three axes of space.

    Args:
        inputs: (batch, *space, channels); cast to the kernel's dtype.
        kernel: (*window, channels of a group, filters); fewer channels than the inputs' make groups.
        strides: Steps of the window.
        padding: `valid` or `same`.
        data_format: `channels_last` or `channels_first`.
        dilation_rate: Steps within the window.

    Raises:
        ShapeError: Where the kernel is larger than the inputs, or their channels do not fall into its groups.
    """
    x, kernel = _image(inputs, kernel)
    groups = x.shape[1 if _layout(data_format) == "channels_first" else -1] // kernel.shape[-2]
    return kernels.conv(x, kernel, strides, padding.lower(), dilation_rate, groups, _layout(data_format))


@lift
def depthwise_conv(inputs, kernel, strides: Sizes = 1, padding="valid", data_format=None, dilation_rate: Sizes = 1):
    """Convolution of each channel by itself; the kernel is (*window, channels, filters of a channel)."""
    x, kernel = _image(inputs, kernel)
    return kernels.depthwise_conv(x, kernel, strides, padding.lower(), dilation_rate, _layout(data_format))


@lift
def separable_conv(
    inputs,
    depthwise_kernel,
    pointwise_kernel,
    strides: Sizes = 1,
    padding="valid",
    data_format=None,
    dilation_rate: Sizes = 1,
):
    """A depthwise convolution, then one with a window of one element."""
    x, kernel = _image(inputs, depthwise_kernel)
    pointwise = jnp.asarray(pointwise_kernel)
    return kernels.separable_conv(x, kernel, pointwise, strides, padding.lower(), dilation_rate, _layout(data_format))


@lift
def conv_transpose(
    inputs,
    kernel,
    strides: Sizes = 1,
    padding="valid",
    output_padding: Sizes | None = None,
    data_format=None,
    dilation_rate: Sizes = 1,
):
    """The transpose of a convolution: of n elements along an axis it makes about n * strides.

    Args:
        inputs: (batch, *space, channels); cast to the kernel's dtype.
        kernel: (*window, filters, channels).
        strides: Steps of the window over the outputs.
        padding: `valid` or `same`.
        output_padding: How many elements to add at the end; None makes n * strides of `same`.
        data_format: `channels_last` or `channels_first`.
        dilation_rate: Steps within the window.
    """
    x, kernel = _image(inputs, kernel)
    layout = _layout(data_format)
    return kernels.conv_transpose(x, kernel, strides, padding.lower(), output_padding, dilation_rate, layout)


@lift
def max_pool(inputs, pool_size: Sizes, strides: Sizes | None = None, padding="valid", data_format=None):
    """The greatest value in each window; by default the windows lie side by side.

    >>> jax.grad(lambda x: max_pool(x, 2).sum())(jnp.arange(4.0).reshape(1, 4, 1)).ravel().tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    return kernels.max_pool(jnp.asarray(inputs), pool_size, strides, padding.lower(), _layout(data_format))


@lift
def average_pool(inputs, pool_size: Sizes, strides: Sizes | None = None, padding="valid", data_format=None):
    """The mean of each window, of the elements within the inputs only."""
    return kernels.average_pool(as_inexact(inputs), pool_size, strides, padding.lower(), _layout(data_format))


@lift
def adaptive_average_pool(inputs, output_size: Sizes, data_format=None):
    """The means of `output_size` windows that cover each axis of space."""
    return _adaptive(jnp.mean, inputs, output_size, data_format)


@lift
def adaptive_max_pool(inputs, output_size: Sizes, data_format=None):
    """The greatest values of `output_size` windows that cover each axis of space."""
    return _adaptive(jnp.max, inputs, output_size, data_format)


def _adaptive(reduce: Callable, inputs: Any, output_size: Sizes, data_format: str | None) -> Any:
    x = as_array(inputs)
    first = 1 if _layout(data_format) == "channels_last" else 2
    for axis, count in enumerate(each_axis(output_size, x.ndim - 2), start=first):
        size = x.shape[axis]
        if isinstance(size, int) and size and size % count == 0:
            x = reduce(jnp.reshape(x, (*x.shape[:axis], count, size // count, *x.shape[axis + 1 :])), axis + 1)
            continue
        edges = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
        windows = [jax.lax.slice_in_dim(x, start, end, axis=axis) for start, end in edges]
        x = jnp.stack([reduce(window, axis) for window in windows], axis)
    return x


@lift
def space_to_depth(x, block_size: int, data_format="channels_last"):
    """Each block of `block_size` by `block_size` elements as channels."""
    x = as_array(x) if _layout(data_format) == "channels_last" else jnp.moveaxis(as_array(x), 1, -1)
    batch, height, width, channels = x.shape
    x = jnp.reshape(x, (batch, height // block_size, block_size, width // block_size, block_size, channels))
    x = jnp.transpose(x, (0, 1, 3, 2, 4, 5))
    x = jnp.reshape(x, (batch, height // block_size, width // block_size, block_size**2 * channels))
    return x if _layout(data_format) == "channels_last" else jnp.moveaxis(x, -1, 1)


@lift
def depth_to_space(x, block_size: int, data_format="channels_last"):
    """Channels as blocks of `block_size` by `block_size` elements; undoes `space_to_depth`."""
    x = as_array(x) if _layout(data_format) == "channels_last" else jnp.moveaxis(as_array(x), 1, -1)
    batch, height, width, channels = x.shape
    x = jnp.reshape(x, (batch, height, width, block_size, block_size, channels // block_size**2))
    x = jnp.transpose(x, (0, 1, 3, 2, 4, 5))
    x = jnp.reshape(x, (batch, height * block_size, width * block_size, channels // block_size**2))
    return x if _layout(data_format) == "channels_last" else jnp.moveaxis(x, -1, 1)


@lift
def unfold(x, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1):
    """The windows of images (batch, channels, height, width) as (batch, channels * window, positions)."""
    pads = [(n, n) for n in each_axis(padding, 2)]
    patches = jax.lax.conv_general_dilated_patches(
        as_array(x), each_axis(kernel_size, 2), each_axis(stride, 2), pads, rhs_dilation=each_axis(dilation, 2)
    )
    return jnp.reshape(patches, (*patches.shape[:2], -1))


@lift
def fold(x, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1):
    """Images from their windows, where windows overlap added up: the transpose of `unfold`."""
    x = jnp.asarray(x)
    channels = x.shape[1]
    for size in each_axis(kernel_size, 2):
        channels //= size
    images = jax.ShapeDtypeStruct((x.shape[0], channels, *each_axis(output_size, 2)), x.dtype)
    return jax.linear_transpose(lambda y: unfold(y, kernel_size, dilation, padding, stride), images)(x)[0]
