"""Convolution as XLA's CPU compiler likes it: channels last, one group, the axes in the one order that is fast.

XLA's own gradients have the axes named in another order. Within a loop XLA does not put that order right, and a
convolution in any other order is 10 to 30 times slower there; so here the arrays are put in order.
"""

import math

import jax.numpy as jnp
from jax import lax

# Below this many channels XLA's own ways are the faster ones.
_FEW_CHANNELS = 16
# Numbers in the images from which on the detour of `_padded` pays.
_LARGE = 2**20
# Positions (rows x width) in one product of the weight gradient: its operands stay in the cache.
_BLOCK = 2048


def convolve(x, kernel, strides, pads, dilation, groups=1, last=True):
    """The convolution that XLA gives; `last`: whether the channels are the last axis."""
    space = "DHW"[-len(strides) :]
    layout = f"N{space}C" if last else f"NC{space}"
    return lax.conv_general_dilated(x, kernel, strides, pads, None, dilation, (layout, f"{space}IO", layout), groups)


def _convolve(x, kernel, strides, pads, dilation, apart=None):
    """`apart` puts zeros between the elements of x."""
    space = "DHW"[-len(strides) :]
    layout = f"N{space}C"
    return lax.conv_general_dilated(x, kernel, strides, pads, apart, dilation, (layout, f"{space}IO", layout))


def forward(x, kernel, strides, pads, dilation):
    """`y[n, p, c] = sum(x[n, p * strides + q, d] * kernel[q, d, c])`."""
    if is_product(kernel.shape[:-2], strides, pads):
        return x @ kernel.reshape(kernel.shape[-2:])  # 2 to 8 times faster as such
    if len(strides) != 2 or any(map(any, pads)) or min(kernel.shape[2:]) < _FEW_CHANNELS or math.prod(x.shape) < _LARGE:
        return _convolve(x, kernel, strides, pads, dilation)
    # XLA hands a convolution without padding to a library that is 2 to 3 times slower: compute one row too many.
    return _convolve(x, kernel, strides, ((0, strides[0]), (0, 0)), dilation)[:, :-1]


def is_product(window, strides, pads):
    """Whether each pixel is convolved by itself."""
    return set(window) | set(strides) == {1} and not any(map(any, pads))


def input_gradient(dy, kernel, sizes, strides, pads, dilation):
    """`dx[n, i, d] = sum(dy[n, p, c] * kernel[q, d, c])` where `p * strides + q * dilation = i + pad`."""
    if is_product(kernel.shape[:-2], strides, pads):
        return dy @ kernel.reshape(kernel.shape[-2:]).T
    rank = len(strides)
    mirrored = jnp.swapaxes(jnp.flip(kernel, range(rank)), rank, rank + 1)
    around = []
    for size, k, step, gap, (before, _), n in zip(
        sizes, kernel.shape, strides, dilation, pads, dy.shape[1:], strict=False
    ):
        first = (k - 1) * gap - before
        around.append((first, size + (k - 1) * gap - (n - 1) * step - 1 - first))
    if any(min(pair) < 0 for pair in around):
        dy = lax.pad(dy, jnp.zeros((), dy.dtype), _edges(rank, [(min(a, 0), min(b, 0)) for a, b in around], strides))
        around, strides = [(max(a, 0), max(b, 0)) for a, b in around], (1,) * rank
    return _convolve(dy, mirrored, (1,) * rank, around, dilation, strides)


def _edges(rank, pads, strides):
    """Padding of (batch, *space, channels), with `strides - 1` zeros between the elements."""
    return [(0, 0, 0), *((a, b, step - 1) for (a, b), step in zip(pads, strides, strict=True)), (0, 0, 0)]


def kernel_gradient(x, dy, window, strides, pads, dilation):
    """`dk[q, d, c] = sum(x[n, p * strides + q * dilation - pad, d] * dy[n, p, c])`."""
    if is_product(window, strides, pads):
        features = x.reshape(-1, x.shape[-1])
        # A transposed copy of x: XLA's product with x as it lies takes 1.3 to 4 times as long.
        product = lax.optimization_barrier(features.T) @ dy.reshape(-1, dy.shape[-1])
        return product.reshape(*window, *product.shape)
    rank = len(strides)
    if rank == 2 and strides == dilation == (1, 1) and min(x.shape[-1], dy.shape[-1]) >= _FEW_CHANNELS:
        return _kernel_gradient_by_products(x, dy, (*window, x.shape[-1], dy.shape[-1]), pads)
    images = jnp.moveaxis(x, -1, 0)  # (channels, batch, *space)
    images = lax.optimization_barrier(jnp.moveaxis(images, 1, -1))  # (channels, *space, batch)
    moved = lax.optimization_barrier(jnp.moveaxis(dy, 0, -2))  # (*space, batch, filters)
    around = []
    for size, k, step, gap, (before, _), n in zip(
        x.shape[1:], window, strides, dilation, pads, dy.shape[1:], strict=False
    ):
        around.append((before, (k - 1) * gap + (n - 1) * step + 1 - size - before))
    if any(min(pair) < 0 for pair in around):
        images = lax.pad(
            images, jnp.zeros((), x.dtype), _edges(rank, [(min(a, 0), min(b, 0)) for a, b in around], (1,) * rank)
        )
        around = [(max(a, 0), max(b, 0)) for a, b in around]
    return jnp.moveaxis(_convolve(images, moved, dilation, around, strides), 0, -2)  # (channels, *window, filters)


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
    block = max(1, min(rows, _BLOCK // width))
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
