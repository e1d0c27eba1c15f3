"""Convolutions that stand on those of `convolution.py`: depthwise, separable, transposed."""

import jax

from keryx.kernels.convolution import alike, conv, transpose
from keryx.kernels.geometry import Sizes, each_axis, pads_of_transpose, reaches


def depthwise_conv(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sizes = 1,
    padding: str = "valid",
    dilation: Sizes = 1,
    data_format: str = "channels_last",
) -> jax.Array:
    """The convolution of each channel by itself.

    Args:
        x: (batch, *space, channels), or (batch, channels, *space) where `data_format` is `channels_first`.
        kernel: (*window, channels, filters of a channel).
        strides: As of `conv`, like all that follow.
        padding: `valid` or `same`.
        dilation: Steps within the window.
        data_format: `channels_last` or `channels_first`.

    >>> import jax.numpy as jnp
    >>> depthwise_conv(jnp.ones((1, 8, 8, 3)), jnp.ones((3, 3, 3, 2))).shape
    (1, 6, 6, 6)
    """
    *window, channels, filters = kernel.shape
    kernel = kernel.reshape(*window, 1, channels * filters)
    return conv(x, kernel, strides, padding, dilation, channels, data_format)


def separable_conv(
    x: jax.Array,
    depthwise_kernel: jax.Array,
    pointwise_kernel: jax.Array,
    strides: Sizes = 1,
    padding: str = "valid",
    dilation: Sizes = 1,
    data_format: str = "channels_last",
) -> jax.Array:
    """A depthwise convolution, then one with a window of one element, which mixes the channels.

    Args:
        x: As of `depthwise_conv`, like all that follow.
        depthwise_kernel: (*window, channels, filters of a channel).
        pointwise_kernel: (1, ..., 1, channels * filters of a channel, filters).
        strides: Steps of the window.
        padding: `valid` or `same`.
        dilation: Steps within the window.
        data_format: `channels_last` or `channels_first`.

    Source: Chollet, Xception, 2017, https://arxiv.org/abs/1610.02357.
    """
    y = depthwise_conv(x, depthwise_kernel, strides, padding, dilation, data_format)
    return conv(y, pointwise_kernel, data_format=data_format)


def conv_transpose(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sizes = 1,
    padding: str = "valid",
    output_padding: Sizes | None = None,
    dilation: Sizes = 1,
    data_format: str = "channels_last",
) -> jax.Array:
    """The transpose of a convolution: each input element adds a multiple of the kernel to the outputs.

    Args:
        x: (batch, *space, channels), or (batch, channels, *space) where `data_format` is `channels_first`.
        kernel: (*window, filters, channels).
        strides: Steps of the window over the outputs.
        padding: `valid` gives (size - 1) * stride + reach outputs, at least size * stride; `same` size * stride.
        output_padding: Elements beyond the smallest number of outputs that fits, instead.
        dilation: Steps within the window.
        data_format: `channels_last` or `channels_first`.

    >>> import jax.numpy as jnp
    >>> conv_transpose(jnp.ones((1, 4, 1)), jnp.ones((3, 1, 1)), 2).ravel().tolist()
    [1.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 1.0]
    """
    x, kernel = alike(x, kernel)
    rank = x.ndim - 2
    strides, dilation = each_axis(strides, rank), each_axis(dilation, rank)
    extra = (None,) * rank if output_padding is None else each_axis(output_padding, rank)
    space = x.shape[1:-1] if data_format == "channels_last" else x.shape[2:]
    sizes, pads = [], []
    for size, reach, step, more in zip(space, reaches(kernel.shape[:rank], dilation), strides, extra, strict=True):
        before, after = pads_of_transpose(reach, step, padding, more)
        sizes.append((size - 1) * step + before + after + 2 - reach)
        end = reach - 1 - after
        pads.append((reach - 1 - before, end if end <= -step else max(end, 0)))
    geometry = {"strides": strides, "pads": tuple(pads), "dilation": dilation, "groups": 1}
    return transpose(x, kernel, tuple(sizes), last=data_format == "channels_last", **geometry)
