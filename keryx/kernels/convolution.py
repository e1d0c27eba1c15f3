"""Convolution and its gradients: native code, or XLA by the ways that a CPU is thankful for."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from keryx.errors import ShapeError
from keryx.kernels import convolution_xla as xla
from keryx.kernels import epilogue, native, tuning, winograd
from keryx.kernels.epilogue import ACTIVATIONS
from keryx.kernels.geometry import Sizes, each_axis, pads_of, reaches
from keryx.kernels.kernel import Kernel, Trained, Way, bilinear


def conv(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sizes = 1,
    padding: str | Sequence[tuple[int, int]] = "valid",
    dilation: Sizes = 1,
    groups: int = 1,
    data_format: str = "channels_last",
    bias: jax.Array | None = None,
    activation: str | None = None,
) -> jax.Array:
    """Convolution over one, two or three axes: `y[n, p, c] = sum(x[n, p * strides + q, d] * kernel[q, d, c])`.

    Args:
        x: (batch, *space, channels), or (batch, channels, *space) where `data_format` is `channels_first`; integers
            are taken as floats where the kernel holds floats.
        kernel: (*window, channels / groups, filters).
        strides: Steps of the window, one number or one an axis.
        padding: `valid`, `same`, or a pair (before, after) an axis.
        dilation: Steps within the window.
        groups: How many groups the channels fall into.
        data_format: `channels_last` or `channels_first`.
        bias: (filters,), added to what the convolution gives.
        activation: `relu`, `tanh` or `sigmoid`, applied last.

    Raises:
        ShapeError: Where the kernel is larger than the padded inputs, or the axes or channels do not fit it.

    >>> conv(jnp.ones((1, 8, 8, 3)), jnp.ones((3, 3, 3, 16)), bias=jnp.ones(16), activation="relu").shape
    (1, 6, 6, 16)
    """
    x, kernel = alike(x, kernel)
    rank, last = x.ndim - 2, data_format == "channels_last"
    strides, dilation = each_axis(strides, rank), each_axis(dilation, rank)
    if x.shape[-1 if last else 1] != kernel.shape[-2] * groups:
        raise ShapeError(
            f"A convolution of {groups} group(s) with a kernel of {kernel.shape[-2]} channels cannot take inputs of "
            f"{x.shape[-1 if last else 1]}; the kernel is (*window, channels / groups, filters) {kernel.shape}."
        )
    reach = reaches(kernel.shape[:rank], dilation)
    pads = pads_of(padding, x.shape[1:-1] if last else x.shape[2:], reach, strides)
    geometry = {"strides": strides, "pads": pads, "dilation": dilation, "groups": groups, "last": last}
    if bias is None:
        return ACTIVATIONS[activation](_CONV(x, kernel, **geometry)[0])
    return _FUSED(x, kernel, bias, activation=activation, **geometry)[0]


def alike(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Inputs and a kernel of as many axes, in the dtype that holds what either holds; integers in that of floats."""
    if x.ndim < 3 or x.ndim != kernel.ndim:
        raise ShapeError(
            "A convolution takes inputs (batch, *space, channels) and a kernel (*window, channels, filters) of as many "
            f"axes, three or more; got {x.shape} and {kernel.shape}."
        )
    if x.dtype == kernel.dtype:
        return x, kernel
    dtype = jnp.promote_types(x.dtype, kernel.dtype)
    return x.astype(dtype), kernel.astype(dtype)


def transpose(y: jax.Array, kernel: jax.Array, sizes: tuple[int, ...], **geometry: Any) -> jax.Array:
    """The x of spatial `sizes` such that `vdot(x, x') = vdot(y, conv(x', kernel))` for all x'."""
    return _INPUT_GRADIENT(y, kernel, sizes=sizes, **geometry)[0]


# The definitions. The first three are linear in both of their arrays, and each has the other two as its derivatives.


def _plain(x, kernel, **geometry):
    return (xla.convolve(x, kernel, **geometry),)


def _plain_input_gradient(dy, kernel, *, sizes, **geometry):
    if not jnp.issubdtype(dy.dtype, jnp.inexact):  # JAX transposes no function of integers
        way = _channels_last(lambda *arrays, groups, **how: xla.input_gradient(*arrays, **how), {0})
        return way(dy, kernel, sizes=sizes, **geometry)
    shape = dy.shape[0], *sizes, kernel.shape[-2] * geometry["groups"]
    if not geometry["last"]:
        shape = shape[0], shape[-1], *sizes
    return jax.linear_transpose(lambda x: xla.convolve(x, kernel, **geometry), jax.ShapeDtypeStruct(shape, dy.dtype))(
        dy
    )


def _plain_kernel_gradient(x, dy, *, window, **geometry):
    place = -1 if geometry["last"] else 1
    kernel = jax.ShapeDtypeStruct((*window, x.shape[place] // geometry["groups"], dy.shape[place]), x.dtype)
    return jax.linear_transpose(lambda kernel: xla.convolve(x, kernel, **geometry), kernel)(dy)


def _plain_fused(x, kernel, bias, activation, **geometry):
    y = xla.convolve(x, kernel, **geometry)
    return (ACTIVATIONS[activation](y + (bias if geometry["last"] else bias.reshape(-1, *(1,) * (y.ndim - 2)))),)


# On one CPU: channels last.


def _channels_last(function, images, result=True):
    """Move the channels of the arrays numbered `images`, and of the result if it is an image."""

    def run(*arrays, last, **static):
        if last:
            return (function(*arrays, **static),)
        out = function(*(jnp.moveaxis(a, 1, -1) if i in images else a for i, a in enumerate(arrays)), **static)
        return (jnp.moveaxis(out, -1, 1) if result else out,)

    return run


def _detour(way, plain):
    """XLA's detours know of one group, and XLA's convolution divides by the size of the batch."""

    def run(*arrays, groups, **static):
        whole = {**static, "groups": groups, "last": True}
        if not all(a.size for a in arrays):
            (out,) = jax.eval_shape(functools.partial(plain, **whole), *arrays)
            return jnp.zeros(out.shape, out.dtype)
        return way(*arrays, **static) if groups == 1 else plain(*arrays, **whole)[0]

    return run


def _detour_fused(x, kernel, bias, activation, **geometry):
    return ACTIVATIONS[activation](_detour(xla.forward, _plain)(x, kernel, **geometry) + bias)


def _native(x, kernel, *bias, strides, pads, dilation, groups, activation=None):
    reach = [(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation, strict=False)]
    space = [(n + sum(p) - r) // s + 1 for n, p, r, s in zip(x.shape[1:], pads, reach, strides, strict=False)]
    y = (x.shape[0], *space, kernel.shape[-1])
    start = bias[0] if bias else jnp.zeros(kernel.shape[-1], x.dtype)
    relu = activation == "relu"
    if winograd.takes(kernel.shape[:-2], strides, dilation, groups) and winograd.forward_wins(x.shape, y, kernel.shape):
        out = winograd.forward(x, kernel, pads, start, relu)
    else:
        arrays = _image(x), _kernel(kernel), start
        out = _call("keryx_conv_1", _image(y), *arrays, geometry=(strides, pads, dilation), groups=groups, relu=relu)
    return (out if activation is None or relu else ACTIVATIONS[activation](out)).reshape(y)


def _native_input_gradient(dy, kernel, *, sizes, strides, pads, dilation, groups):
    dx = (dy.shape[0], *sizes, kernel.shape[-2] * groups)
    if winograd.takes(kernel.shape[:-2], strides, dilation, groups) and winograd.input_gradient_wins(
        dx, dy.shape, kernel.shape
    ):
        return winograd.input_gradient(dy, kernel, dx, pads)
    arrays = _image(dy), _kernel(kernel), jnp.zeros(dx[-1], dy.dtype)
    target = "keryx_conv_input_gradient_1"
    return _call(target, _image(dx), *arrays, geometry=(strides, pads, dilation), groups=groups).reshape(dx)


def _native_kernel_gradient(x, dy, *, window, strides, pads, dilation, groups):
    dk = (*window, x.shape[-1] // groups, dy.shape[-1])
    if winograd.takes(window, strides, dilation, groups) and winograd.kernel_gradient_wins(x.shape, dy.shape, dk):
        return winograd.kernel_gradient(x, dy, dk, pads)
    target = "keryx_conv_kernel_gradient_1"
    geometry = strides, pads, dilation
    return _call(target, _kernel(dk), _image(x), _image(dy), geometry=geometry, groups=groups).reshape(dk)


# The native code knows of three axes; fewer have ones before them.


def _image(x):
    """An array, or a shape: (batch, *space, channels)."""
    if isinstance(x, tuple):
        return (x[0], *(1,) * (5 - len(x)), *x[1:])
    return x.reshape(_image(x.shape))


def _kernel(kernel):
    """An array, or a shape: (*window, channels, filters)."""
    if isinstance(kernel, tuple):
        return (*(1,) * (5 - len(kernel)), *kernel)
    return kernel.reshape(_kernel(kernel.shape))


def _call(target, result, *arrays, geometry, **attributes):
    """Every native call comes by here."""
    strides, pads, dilation = geometry
    fill = 3 - len(strides)
    attributes["strides"], attributes["dilation"] = (1,) * fill + strides, (1,) * fill + dilation
    attributes["pads"] = (0,) * fill + tuple(before for before, _ in pads)
    (out,) = native.call(target, [jax.ShapeDtypeStruct(result, arrays[0].dtype)], *arrays, **attributes)
    return out


def _takes(*shapes, strides, pads, groups, last, **static):
    arrays = shapes[:2]
    return (
        all(str(s.dtype) == "float32" for s in shapes)
        and len(strides) <= 3
        and all(min(pair) >= 0 for pair in pads)
        and all(math.prod(a.shape[1:]) > 0 for a in arrays)
    )


# Measured on two cores with AVX-512, within loops, for 1 to 512 channels, windows of 1 to 7, strides of 1 and 2: the
# native code takes 0.4 to 1 times as long as XLA for outputs and input gradients (a tenth over three axes and in
# groups), and 0.1 to 0.9 times as long for kernel gradients. But its vectors run over the channels of the result:
# where these are few, and sums of many, most of a vector is idle, and it takes 1.3 to 2 times as long. Likewise, from
# other numbers of channels on, with AVX2 and SSE2.


def _fills(inputs, outputs, groups):
    numbers = tuning.here()
    few = inputs <= max(numbers.conv_ratio * outputs, numbers.conv_channels)
    return groups > 1 or outputs >= numbers.conv_filters or few


def _wins(x, kernel, *bias, groups, **static):
    return _fills(kernel.shape[-2], kernel.shape[-1], groups)


def _wins_input_gradient(dy, kernel, *, groups, **static):
    return _fills(kernel.shape[-1], kernel.shape[-2], groups)


_CONV = Kernel(
    "conv",
    _plain,
    {
        "cpu": [
            native.way(_channels_last(_native, {0}), _takes, _wins),
            Way("detour", _channels_last(_detour(xla.forward, _plain), {0})),
        ]
    },
)
_INPUT_GRADIENT = Kernel(
    "conv_input_gradient",
    _plain_input_gradient,
    {
        "cpu": [
            native.way(_channels_last(_native_input_gradient, {0}), _takes, _wins_input_gradient),
            Way("detour", _channels_last(_detour(xla.input_gradient, _plain_input_gradient), {0})),
        ]
    },
)
_KERNEL_GRADIENT = Kernel(
    "conv_kernel_gradient",
    _plain_kernel_gradient,
    {
        "cpu": [
            native.way(_channels_last(_native_kernel_gradient, {0, 1}, result=False), _takes),
            Way(
                "detour",
                _channels_last(_detour(xla.kernel_gradient, _plain_kernel_gradient), {0, 1}, result=False),
            ),
        ]
    },
)


def _space(aval, last):
    return tuple(aval.shape[1:-1] if last else aval.shape[2:])


def _dx(dy, kernel, x, **geometry):
    return _INPUT_GRADIENT(dy, kernel, sizes=_space(x, geometry["last"]), **geometry)[0]


def _dk(dy, x, kernel, **geometry):
    return _KERNEL_GRADIENT(x, dy, window=tuple(kernel.shape[:-2]), **geometry)[0]


bilinear(_CONV, _dx, _dk)
bilinear(
    _INPUT_GRADIENT,
    lambda dx, kernel, dy, sizes, **geometry: _CONV(dx, kernel, **geometry)[0],
    lambda dx, dy, kernel, sizes, **geometry: _dk(dy, dx, kernel, **geometry),
)
bilinear(
    _KERNEL_GRADIENT,
    lambda dk, dy, x, window, **geometry: _dx(dy, dk, x, **geometry),
    lambda dk, x, dy, window, **geometry: _CONV(x, dk, **geometry)[0],
)


def _backward_fused(x, kernel, bias, y, dy, activation, **geometry):
    move = (lambda a, *axes: a) if geometry["last"] else jnp.moveaxis
    dz, dbias = epilogue.gradient(move(y, 1, -1), move(dy, 1, -1), activation)
    dz = move(dz, -1, 1)
    return _dx(dz, kernel, x, **geometry), _dk(dz, x, kernel, **geometry), dbias  # XLA drops what nobody asks for


_FUSED_WAYS = {
    "cpu": [
        native.way(_channels_last(_native, {0}), _takes, _wins),
        Way("detour", _channels_last(_detour_fused, {0})),
    ]
}
_FUSED_FORWARD = Kernel("conv_bias_activation", _plain_fused, _FUSED_WAYS)
_FUSED = Trained(
    "conv_bias_activation_trained",
    _plain_fused,
    saving=lambda *arrays, **static: _FUSED_FORWARD(*arrays, **static) * 2,  # y is also what the backward pass needs
    backward=_backward_fused,
    outputs=1,
    differentiable=3,
    ways=_FUSED_WAYS,
)
