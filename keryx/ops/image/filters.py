"""Windows that slide over images: blurs, edges, and how alike two images are."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.core.dtypes import as_inexact
from keryx.core.graph import lift
from keryx.errors import ShapeError
from keryx.ops.image.layout import as_given, as_images, axes


def gaussian(size: int, sigma: Any, dtype: Any = "float32") -> jax.Array:
    """`size` weights of a normal curve around their middle, which add up to 1."""
    x = (jnp.arange(size) - (size - 1) / 2).astype(dtype)
    weights = jnp.exp(-0.5 * (x / sigma) ** 2)
    return weights / weights.sum()


def slide(x: jax.Array, weights: jax.Array, axis: int, padding: str = "same") -> jax.Array:
    """The sums of the elements along an axis with the weights of a window, beyond the edges of which are zeros.

    The axis is split off as the one that a convolution slides over; all others are its batch.
    """
    size, window = x.shape[axis], weights.shape[0]
    moved = jnp.moveaxis(x, axis, -1)
    rows = jax.lax.conv_general_dilated(
        moved.reshape(-1, 1, size), weights.astype(x.dtype).reshape(1, 1, window), (1,), padding.upper()
    )
    return jnp.moveaxis(rows.reshape(*moved.shape[:-1], rows.shape[-1]), -1, axis)


@lift
def gaussian_blur(images, kernel_size=(3, 3), sigma=(1.0, 1.0), data_format=None):
    """Images blurred by a normal curve, beyond the edges of which are zeros.

    Args:
        images: Of any dtype.
        kernel_size: The size of the window along the width, then along the height.
        sigma: The standard deviation along the width, then along the height.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.

    >>> gaussian_blur(jnp.ones((3, 3, 1)), data_format="channels_last")[1, 1, 0].round(3).item()
    1.0
    """
    x, (height, width, _) = as_images(images), axes(data_format)
    y = as_inexact(x)
    for axis, size, spread in zip((width, height), kernel_size, sigma, strict=True):
        y = slide(y, gaussian(int(size), spread, y.dtype), axis)
    return as_given(y, x.dtype)


@lift
def sobel_edges(images, data_format=None):
    """How images change downwards and to the right, each smoothed across: (*images, 2); beyond the edges are zeros.

    Args:
        images: (batch, height, width, channels).
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.

    Source: Sobel and Feldman, A 3x3 isotropic gradient operator for image processing, 1968.

    >>> sobel_edges(jnp.ones((1, 3, 3, 1)), data_format="channels_last")[0, 1, 1, 0].tolist()
    [0.0, 0.0]
    """
    x, (height, width, _) = as_images(images, ranks=(4,)), axes(data_format)

    def three(x: jax.Array, axis: int, weights: tuple[int, int, int]) -> jax.Array:
        padded = jnp.pad(x, [(1, 1) if i - x.ndim == axis else (0, 0) for i in range(x.ndim)])
        size = x.shape[axis]
        parts = [jax.lax.slice_in_dim(padded, i, i + size, axis=axis % x.ndim) * w for i, w in enumerate(weights) if w]
        return sum(parts[1:], parts[0])

    down = three(three(x, width, (1, 2, 1)), height, (-1, 0, 1))
    right = three(three(x, height, (1, 2, 1)), width, (-1, 0, 1))
    return jnp.stack([down, right], -1)


@lift
def ssim(image1, image2, max_val=1.0, filter_size=11, filter_sigma=1.5, k1=0.01, k2=0.03, data_format=None):
    """The structural similarity of images, 1 where they are the same: one number an image.

    `(2 m1 m2 + c1) (2 s12 + c2) / ((m1² + m2² + c1) (s1² + s2² + c2))`, its mean over windows and channels, where `m`
    and `s` are means and covariances within a window, weighted by a normal curve, `c1 = (k1 max_val)²`, and
    `c2 = (k2 max_val)²`.

    Args:
        image1: One image or a batch.
        image2: Likewise.
        max_val: The range of the values.
        filter_size: The size of the window.
        filter_sigma: The standard deviation of the curve.
        k1: See above.
        k2: See above.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.

    Raises:
        ShapeError: For another rank than 3 or 4, and images that are smaller than the window.

    Source: Wang et al., Image quality assessment: from error visibility to structural similarity, 2004.

    >>> ssim(jnp.ones((12, 12, 3)), jnp.ones((12, 12, 3)), data_format="channels_last").item()
    1.0
    """
    first, second = as_images(image1, "image1"), as_images(image2, "image2")
    height, width, _ = axes(data_format)
    a, b = as_inexact(first), as_inexact(second)
    for axis in (height, width):
        if isinstance(a.shape[axis], int) and a.shape[axis] < filter_size:
            raise ShapeError(
                f"ssim slides a window of {filter_size} over images of the shape {a.shape}, which is larger. "
                "Use a smaller filter_size=."
            )
    weights = gaussian(filter_size, filter_sigma, a.dtype)

    def mean(x: jax.Array) -> jax.Array:
        return slide(slide(x, weights, width, "valid"), weights, height, "valid")

    mean1, mean2 = mean(a), mean(b)
    variance1, variance2 = mean(a * a) - mean1 * mean1, mean(b * b) - mean2 * mean2
    covariance = mean(a * b) - mean1 * mean2
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    like = (2 * mean1 * mean2 + c1) * (2 * covariance + c2)
    like = like / ((mean1 * mean1 + mean2 * mean2 + c1) * (variance1 + variance2 + c2))
    return like.mean((height, width)).mean(-1).astype(first.dtype)
