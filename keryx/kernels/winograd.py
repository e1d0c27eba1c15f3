"""Winograd's convolution in native code: windows of 3 x 3 and 5 x 5 with a quarter and a third of the products.

The three forms of a convolution with strides, dilation and groups of 1: `y = x * kernel`, and its two gradients. They
are calls of native code to be made within a native way of a Kernel; `takes` says for which shapes they are there, and
the `wins_...` where they beat the direct way.

Against sums in float64 the largest error is some 3e-6 of the largest result, where the direct way has 3e-7. NaN and
inf in an input reach every result that they reach in the direct way, and more: all results of a tile (4 x 4 or 2 x 2
of them; of the gradient of the kernel, the whole window), and as NaN where the direct way may have inf. So what is not
finite never gets lost, but numbers above 1e37 may overflow.

Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015, https://arxiv.org/abs/1509.09308.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from keryx.kernels import native, tuning

Pads = Sequence[tuple[int, int]]

_TILE = 6
# A smaller gain is not worth the larger errors.
_GAIN = 1.15


def takes(window: Sequence[int], strides: Sequence[int], dilation: Sequence[int], groups: int = 1) -> bool:
    """Whether a convolution, of float32 and channels last, is one that Winograd's algorithm is written for."""
    return tuple(window) in ((3, 3), (5, 5)) and tuple(strides) == (1, 1) == tuple(dilation) and groups == 1


def forward(
    x: jax.Array, kernel: jax.Array, pads: Pads, bias: jax.Array | None = None, relu: bool = False
) -> jax.Array:
    """`y = relu(x * kernel + bias)`.

    Args:
        x: (batch, height, width, channels).
        kernel: (3, 3, channels, filters) or (5, 5, channels, filters).
        pads: Zeros before and after, for the height and for the width.
        bias: (filters,).
        relu: Whether negative outputs become 0.
    """
    sizes = [n + sum(pad) - k + 1 for n, pad, k in zip(x.shape[1:3], pads, kernel.shape, strict=False)]
    return _convolve((x.shape[0], *sizes, kernel.shape[3]), x, kernel, pads, False, bias, relu)


def input_gradient(dy: jax.Array, kernel: jax.Array, x_shape: Sequence[int], pads: Pads) -> jax.Array:
    """The gradient of the inputs, of `x_shape`: a convolution with the mirrored kernel."""
    around = [(k - 1 - before, k - 1 - after) for k, (before, after) in zip(kernel.shape, pads, strict=False)]
    return _convolve(tuple(x_shape), dy, kernel, around, True)


def kernel_gradient(x: jax.Array, dy: jax.Array, kernel_shape: Sequence[int], pads: Pads) -> jax.Array:
    """The gradient of the kernel, of `kernel_shape`: the convolution of x with dy."""
    result = jax.ShapeDtypeStruct(tuple(kernel_shape), x.dtype)
    (dk,) = native.call("keryx_winograd_kernel_gradient_1", [result], x, dy, pads=[before for before, _ in pads])
    return dk


def forward_wins(x_shape: Sequence[int], y_shape: Sequence[int], kernel_shape: Sequence[int]) -> bool:
    """Whether `forward` is faster than a direct convolution that runs at 85 % of the processor's peak.

    Measured on one core, in ms, forward, input and kernel gradient; with AVX-512, and 210 GFLOP/s directly in brackets:
    4 x 256 x 256 x 64 -> 64, 5 x 5: 99, 104, 114 (256); 3 x 3: 42, 42, 42 (92); 4 x 109 x 109 x 128 -> 128, 3 x 3:
    24, 24, 25 (67); 4 x 52 x 52 x 256 -> 256: 18, 18, 27 (61); 32 x 25 x 25 x 64 -> 64, unpadded: 2.6, 3.5, 2.9
    (5.9); 16 x 14 x 14 x 64 -> 64: 0.63, 0.64, 0.62 (1.1); 16 x 7 x 7 x 256 -> 256: 2.9, 3.1, 3.2 (4.4); no win:
    4 x 64 x 64 x 16 -> 16: 0.32, 0.33, 0.52 (0.36); 2 x 28 x 28 x 512 -> 512: 51, 46, 57 (35).
    With AVX2, our own direct way in brackets: 4 x 64 x 64 x 64 -> 64, 3 x 3: 8.5, 4.9, 4.7 (24, 22, 25); 4 x 64 x 64 x
    16 -> 16: 0.52, 0.51, 0.54 (0.90); 2 x 28 x 28 x 512 -> 512: 129, 142, 84 (248, 276, 250); 16 x 14 x 14 x 64 -> 64:
    1.2, 1.2, 1.3 (2.6, 2.6, 2.9); no win: 1 x 7 x 7 x 128 -> 128 takes 1.3 to 1.8 times as long.
    """
    return _wins(y_shape, y_shape, kernel_shape, kernel_shape[3])


def input_gradient_wins(x_shape: Sequence[int], y_shape: Sequence[int], kernel_shape: Sequence[int]) -> bool:
    """Whether `input_gradient` is faster than the direct way; measured as `forward_wins`."""
    return _wins(y_shape, x_shape, kernel_shape, kernel_shape[2])


def kernel_gradient_wins(x_shape: Sequence[int], y_shape: Sequence[int], kernel_shape: Sequence[int]) -> bool:
    """Whether `kernel_gradient` is faster than the direct way; measured as `forward_wins`."""
    return _wins(y_shape, y_shape, kernel_shape, kernel_shape[3])


def _wins(y_shape, tiled, kernel_shape, columns) -> bool:
    (window, _, channels, filters), numbers = kernel_shape, tuning.here()
    side = _TILE + 1 - window
    tiles = tiled[0] * -(-tiled[1] // side) * -(-tiled[2] // side)
    depth = channels + filters - columns
    panel = 2 * numbers.lanes
    products = _TILE**2 * depth * -(-columns // panel) * panel
    cost = tiles * (products + numbers.winograd_tile * (channels + filters))
    cost += numbers.winograd_kernel * channels * filters
    direct = math.prod(y_shape[:3]) * math.prod(kernel_shape)
    small = _TILE**2 * channels * filters <= numbers.winograd_largest
    return small and direct > _GAIN * cost


def _convolve(shape, x, kernel, pads, mirrored, bias=None, relu=False) -> Any:
    bias = jnp.zeros((0,), x.dtype) if bias is None else bias
    result = jax.ShapeDtypeStruct(shape, x.dtype)
    befores = [before for before, _ in pads]
    (y,) = native.call("keryx_winograd_1", [result], x, kernel, bias, pads=befores, mirrored=mirrored, relu=relu)
    return y
