"""Convolution, pooling and the moves between space and depth."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import config, kernels
from keryx.core.graph import lift
from keryx.ops.table import as_array

Sizes = int | Sequence[int]


def _each(value: Any, count: int) -> tuple:
    return tuple(value) if np.ndim(value) else (value,) * count


def _channels_last(data_format: str | None) -> bool:
    return (data_format or config.image_data_format()) == "channels_last"


def _layout(axes: int, data_format: str | None, kernel: str = "IO") -> tuple[str, str, str]:
    """The names of the axes of inputs, kernel and outputs, for this many axes of space."""
    space = "DHW"[-axes:]
    inputs = f"N{space}C" if _channels_last(data_format) else f"NC{space}"
    return inputs, space + kernel, inputs


@lift
def conv(inputs, kernel, strides: Sizes = 1, padding="valid", data_format=None, dilation_rate: Sizes = 1):
    """Convolution over one, two or three axes of space.

    Args:
        inputs: (batch, *space, channels).
        kernel: (*window, channels of a group, filters); fewer channels than the inputs' make groups.
        strides: How far the window moves.
        padding: `valid` or `same`.
        data_format: `channels_last` or `channels_first`.
        dilation_rate: How far apart the window's places are.
    """
    inputs, kernel = jnp.asarray(inputs), jnp.asarray(kernel)
    axes = kernel.ndim - 2
    channels = inputs.shape[-1 if _channels_last(data_format) else 1]
    return jax.lax.conv_general_dilated(
        inputs,
        kernel.astype(inputs.dtype),
        _each(strides, axes),
        padding.upper(),
        rhs_dilation=_each(dilation_rate, axes),
        dimension_numbers=_layout(axes, data_format),
        feature_group_count=channels // kernel.shape[-2],
    )


@lift
def depthwise_conv(inputs, kernel, strides: Sizes = 1, padding="valid", data_format=None, dilation_rate: Sizes = 1):
    """Convolution of each channel by itself; the kernel is (*window, channels, filters of a channel)."""
    kernel = jnp.asarray(kernel)
    kernel = jnp.reshape(kernel, (*kernel.shape[:-2], 1, -1))
    return conv(inputs, kernel, strides, padding, data_format, dilation_rate)


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
    """A depthwise convolution, then one with a window of one place."""
    y = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(y, pointwise_kernel, 1, "valid", data_format)


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
    """The transpose of a convolution: of n places along an axis it makes about n * strides.

    Args:
        inputs: (batch, *space, channels).
        kernel: (*window, filters, channels).
        strides: How far the window moves.
        padding: `valid` or `same`.
        output_padding: How many places to add at the end; None makes n * strides of `same`.
        data_format: `channels_last` or `channels_first`.
        dilation_rate: How far apart the window's places are.
    """
    inputs, kernel = jnp.asarray(inputs), jnp.asarray(kernel)
    axes = kernel.ndim - 2
    strides, dilation = _each(strides, axes), _each(dilation_rate, axes)
    spans = [(size - 1) * d + 1 for size, d in zip(kernel.shape, dilation, strict=False)]
    extra = _each(output_padding, axes) if output_padding is not None else (None,) * axes
    pads = [_transposed_padding(*sizes, padding.lower()) for sizes in zip(spans, strides, extra, strict=True)]
    return jax.lax.conv_transpose(
        inputs,
        kernel.astype(inputs.dtype),
        strides,
        pads,
        rhs_dilation=dilation,
        dimension_numbers=_layout(axes, data_format),
        transpose_kernel=True,
    )


def _transposed_padding(span: int, stride: int, extra: int | None, padding: str) -> tuple[int, int]:
    """How many zeros go before and after the places that lie `stride` apart, for a window of this span."""
    if padding == "valid":
        return span - 1, span - 1 + (max(stride - span, 0) if extra is None else extra)
    total = span + stride - 2 if extra is None else span + span % 2 - 2 + extra
    before = min((total + 1) // 2, span - 1)
    return before, total - before


def _windows(x: Any, size: Sizes, strides: Sizes | None, data_format: str | None) -> tuple[tuple, tuple]:
    """The window and its steps along every axis of `x`."""
    axes = x.ndim - 2
    window, steps = _each(size, axes), _each(size if strides is None else strides, axes)
    if _channels_last(data_format):
        return (1, *window, 1), (1, *steps, 1)
    return (1, 1, *window), (1, 1, *steps)


@lift
def max_pool(inputs, pool_size: Sizes, strides: Sizes | None = None, padding="valid", data_format=None):
    """The greatest value in each window; by default the windows lie side by side.

    >>> jax.grad(lambda x: max_pool(x, 2).sum())(jnp.arange(4.0).reshape(1, 4, 1)).ravel().tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    x = jnp.asarray(inputs)
    return kernels.max_pool(x, *_windows(x, pool_size, strides, data_format), padding.lower())


@lift
def average_pool(inputs, pool_size: Sizes, strides: Sizes | None = None, padding="valid", data_format=None):
    """The mean of each window, of the elements within the inputs only."""
    x = jnp.asarray(inputs)
    x = x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(config.floatx())
    return kernels.average_pool(x, *_windows(x, pool_size, strides, data_format), padding.lower())


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
    first = 1 if _channels_last(data_format) else 2
    for axis, count in enumerate(_each(output_size, x.ndim - 2), start=first):
        size = x.shape[axis]
        edges = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
        windows = [jax.lax.slice_in_dim(x, start, end, axis=axis) for start, end in edges]
        x = jnp.stack([reduce(window, axis) for window in windows], axis)
    return x


@lift
def space_to_depth(x, block_size: int, data_format="channels_last"):
    """Each block of `block_size` by `block_size` places as channels."""
    x = as_array(x) if _channels_last(data_format) else jnp.moveaxis(as_array(x), 1, -1)
    batch, height, width, channels = x.shape
    x = jnp.reshape(x, (batch, height // block_size, block_size, width // block_size, block_size, channels))
    x = jnp.transpose(x, (0, 1, 3, 2, 4, 5))
    x = jnp.reshape(x, (batch, height // block_size, width // block_size, block_size**2 * channels))
    return x if _channels_last(data_format) else jnp.moveaxis(x, -1, 1)


@lift
def depth_to_space(x, block_size: int, data_format="channels_last"):
    """Channels as blocks of `block_size` by `block_size` places; undoes `space_to_depth`."""
    x = as_array(x) if _channels_last(data_format) else jnp.moveaxis(as_array(x), 1, -1)
    batch, height, width, channels = x.shape
    x = jnp.reshape(x, (batch, height, width, block_size, block_size, channels // block_size**2))
    x = jnp.transpose(x, (0, 1, 3, 2, 4, 5))
    x = jnp.reshape(x, (batch, height * block_size, width * block_size, channels // block_size**2))
    return x if _channels_last(data_format) else jnp.moveaxis(x, -1, 1)


@lift
def unfold(x, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1):
    """The windows of images (batch, channels, height, width) as (batch, channels * window, places)."""
    pads = [(n, n) for n in _each(padding, 2)]
    patches = jax.lax.conv_general_dilated_patches(
        as_array(x), _each(kernel_size, 2), _each(stride, 2), pads, rhs_dilation=_each(dilation, 2)
    )
    return jnp.reshape(patches, (*patches.shape[:2], -1))


@lift
def fold(x, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1):
    """Images from their windows, where windows overlap added up: the transpose of `unfold`."""
    x = jnp.asarray(x)
    channels = x.shape[1]
    for size in _each(kernel_size, 2):
        channels //= size
    images = jax.ShapeDtypeStruct((x.shape[0], channels, *_each(output_size, 2)), x.dtype)
    return jax.linear_transpose(lambda y: unfold(y, kernel_size, dilation, padding, stride), images)(x)[0]
