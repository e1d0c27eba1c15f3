"""Convolution: XLA's, with the three detours that a CPU is thankful for."""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

Pads = tuple[tuple[int, int], ...]

# Below this many channels XLA's own ways are the faster ones.
_FEW_CHANNELS = 16
# Numbers in an image from which on the detour of `_padded` pays where nothing is trained; in training it always does.
_LARGE_IMAGE = 2**18
# Positions (rows x width) in one product of the weight gradient: its operands stay in the cache.
_BLOCK = 2048


def conv(
    x: jax.Array,
    kernel: jax.Array,
    strides: int | Sequence[int] = 1,
    padding: str | Sequence[tuple[int, int]] = "valid",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    data_format: str = "channels_last",
) -> jax.Array:
    """Convolution over one, two or three axes: `y[n, p, c] = sum(x[n, p * strides + q, d] * kernel[q, d, c])`.

    Args:
        x: (batch, *space, channels), or (batch, channels, *space) where `data_format` is `channels_first`.
        kernel: (*window, channels / groups, filters).
        strides: Steps of the window, one number or one an axis.
        padding: `valid`, `same`, or a pair (before, after) an axis.
        dilation: Steps within the window.
        groups: How many groups the channels fall into.
        data_format: `channels_last` or `channels_first`.

    >>> conv(jnp.ones((1, 8, 8, 3)), jnp.ones((3, 3, 3, 16))).shape
    (1, 6, 6, 16)
    """
    rank, last = x.ndim - 2, data_format == "channels_last"
    strides, dilation = _each(strides, rank), _each(dilation, rank)
    pads = _pads(padding, x.shape[1:-1] if last else x.shape[2:], kernel.shape[:rank], strides, dilation)
    if groups > 1 or jax.default_backend() != "cpu":
        return _xla(x, kernel, strides, pads, dilation, groups=groups, data_format=data_format)
    if not last:
        return jnp.moveaxis(conv(jnp.moveaxis(x, 1, -1), kernel, strides, pads, dilation), -1, 1)
    if kernel.shape[:rank] == (1,) * rank == strides and not any(map(any, pads)):
        return x @ kernel.reshape(kernel.shape[rank:])  # a window of one is a product, 2 to 8 times faster as such
    return _conv(x, kernel, strides, pads, dilation)


def _each(value: int | Sequence[int], rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _pads(padding, sizes, window, strides, dilation) -> Pads:
    if not isinstance(padding, str):
        return tuple((before, after) for before, after in padding)
    reach = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    return tuple(lax.padtype_to_pads(sizes, reach, strides, padding.upper()))


def _xla(x, kernel, strides, pads, dilation, apart=None, groups=1, data_format="channels_last"):
    """XLA's convolution; `apart` puts zeros between the places of x."""
    space = "DHW"[-len(strides) :]
    layout = f"N{space}C" if data_format == "channels_last" else f"NC{space}"
    numbers = (layout, f"{space}IO", layout)
    return lax.conv_general_dilated(x, kernel, strides, pads, apart, dilation, numbers, groups)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _conv(x, kernel, strides, pads, dilation):
    large = math.prod(x.shape[1:]) >= _LARGE_IMAGE
    return _padded(x, kernel, strides, pads, dilation) if large else _xla(x, kernel, strides, pads, dilation)


def _padded(x, kernel, strides, pads, dilation):
    """XLA hands a convolution without padding to a library that is 2 to 3 times slower: compute one row too many."""
    if len(strides) != 2 or any(map(any, pads)) or min(kernel.shape[2:]) < _FEW_CHANNELS:
        return _xla(x, kernel, strides, pads, dilation)
    return _xla(x, kernel, strides, ((0, strides[0]), (0, 0)), dilation)[:, :-1]


def _forward(x, kernel, strides, pads, dilation):
    return _padded(x, kernel, strides, pads, dilation), (x, kernel)


def _backward(strides, pads, dilation, saved, dy):
    """Both gradients are convolutions again.

    JAX would write them with the axes named in another order. Within a loop XLA does not put that order right, and a
    convolution in any other order is 10 to 30 times slower there; so the arrays are put in order here.
    """
    x, kernel = saved
    return _input_gradient(x, kernel, dy, strides, pads, dilation), _kernel_gradient(
        x, kernel, dy, strides, pads, dilation
    )


_conv.defvjp(_forward, _backward)


def _input_gradient(x, kernel, dy, strides, pads, dilation):
    """`dx[n, i, d] = sum(dy[n, p, c] * kernel[q, d, c])` where `p * strides + q * dilation = i + pad`."""
    rank = len(strides)
    mirrored = jnp.swapaxes(jnp.flip(kernel, range(rank)), rank, rank + 1)
    around = []
    for size, k, step, gap, (before, _), n in zip(
        x.shape[1:], kernel.shape, strides, dilation, pads, dy.shape[1:], strict=False
    ):
        first = (k - 1) * gap - before
        around.append((first, size + (k - 1) * gap - (n - 1) * step - 1 - first))
    if any(min(pair) < 0 for pair in around):
        dy = lax.pad(dy, jnp.zeros((), dy.dtype), _edges(rank, [(min(a, 0), min(b, 0)) for a, b in around], strides))
        around, strides = [(max(a, 0), max(b, 0)) for a, b in around], (1,) * rank
    return _xla(dy, mirrored, (1,) * rank, around, dilation, strides)


def _edges(rank, pads, strides):
    """Padding of (batch, *space, channels), with `strides - 1` zeros between the places."""
    return [(0, 0, 0), *((a, b, step - 1) for (a, b), step in zip(pads, strides, strict=True)), (0, 0, 0)]


def _kernel_gradient(x, kernel, dy, strides, pads, dilation):
    """`dk[q, d, c] = sum(x[n, p * strides + q * dilation - pad, d] * dy[n, p, c])`."""
    rank = len(strides)
    if rank == 2 and strides == dilation == (1, 1) and min(kernel.shape[2:]) >= _FEW_CHANNELS:
        return _kernel_gradient_by_products(x, dy, kernel.shape, pads)
    images = jnp.moveaxis(x, -1, 0)  # (channels, batch, *space)
    images = lax.optimization_barrier(jnp.moveaxis(images, 1, -1))  # (channels, *space, batch)
    window = lax.optimization_barrier(jnp.moveaxis(dy, 0, -2))  # (*space, batch, filters)
    around = []
    for size, k, step, gap, (before, _), n in zip(
        x.shape[1:], kernel.shape, strides, dilation, pads, dy.shape[1:], strict=False
    ):
        around.append((before, (k - 1) * gap + (n - 1) * step + 1 - size - before))
    if any(min(pair) < 0 for pair in around):
        images = lax.pad(
            images, jnp.zeros((), x.dtype), _edges(rank, [(min(a, 0), min(b, 0)) for a, b in around], (1,) * rank)
        )
        around = [(max(a, 0), max(b, 0)) for a, b in around]
    return jnp.moveaxis(_xla(images, window, dilation, around, strides), 0, -2)  # (channels, *window, filters)


def _kernel_gradient_by_products(x, dy, kernel_shape, pads):
    """`dk[a, b, d, c] = sum(x[n, h + a, w + b, d] * dy[n, h, w, c])`, as products over blocks of rows.

    Shifting x along the width and dy along the height gives one product of (window * channels) by (window * filters)
    a block: six copies for a 3x3 window where unfolding x alone would take nine. All images lie under each other;
    the rows of zeros after each image keep them apart.
    """
    (kh, kw, channels, filters), (batch, height, width, _) = kernel_shape, dy.shape
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *((*pad, 0) for pad in pads), (0, 0, 0)))
    image = x.shape[1]
    rows = batch * image
    block = min(rows, max(1, _BLOCK // width))
    blocks = -(-rows // block)
    fill = blocks * block - rows
    x = x.reshape(rows, x.shape[2], channels)
    x = jnp.pad(x, ((0, fill), (0, 0), (0, 0)))
    dy = jnp.pad(dy, ((0, 0), (0, image - height), (0, 0), (0, 0))).reshape(rows, width, filters)
    dy = jnp.pad(dy, ((kh - 1, fill), (0, 0), (0, 0)))

    def add_block(total, start):
        xs = lax.dynamic_slice_in_dim(x, start, block)
        dys = lax.dynamic_slice_in_dim(dy, start, block + kh - 1)
        xs = jnp.concatenate([xs[:, b : b + width] for b in range(kw)], -1)  # (block, width, kw * channels)
        dys = jnp.concatenate([dys[kh - 1 - a :][:block] for a in range(kh)], -1)  # (block, width, kh * filters)
        product = xs.reshape(block * width, -1).T @ dys.reshape(block * width, -1)
        return total + product, None

    zeros = jnp.zeros((kw * channels, kh * filters), x.dtype)
    total, _ = lax.scan(add_block, zeros, jnp.arange(blocks) * block)
    return total.reshape(kw, channels, kh, filters).transpose(2, 0, 1, 3)
