"""From one space of colors to another."""

import jax
import jax.numpy as jnp

from keryx.core.dtypes import as_inexact
from keryx.core.graph import lift
from keryx.errors import ArgumentError, ShapeError
from keryx.ops.image.layout import as_images, axes

_WEIGHTS = 0.2989, 0.5870, 0.1140  # of red, green and blue in luma, as Rec. 601 has them


@lift
def rgb_to_grayscale(images, data_format=None):
    """The luma of colors, `0.2989 red + 0.587 green + 0.114 blue`, as one channel; what has one is returned as it is.

    Args:
        images: With 3 channels, or 1.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.

    Raises:
        ShapeError: For another rank than 3 or 4, or another number of channels.

    >>> rgb_to_grayscale([[[0.0, 1.0, 0.0]]], data_format="channels_last").shape
    (1, 1, 1)
    """
    x, (_, _, channels) = as_images(images), axes(data_format)
    if x.shape[channels] == 1:
        return x
    red, green, blue = _planes(as_inexact(x), channels)
    gray = _WEIGHTS[0] * red + _WEIGHTS[1] * green + _WEIGHTS[2] * blue
    return jnp.expand_dims(gray, channels).astype(x.dtype)


@lift
def rgb_to_hsv(images, data_format=None):
    """Hue, saturation and value of colors between 0 and 1.

    The value is the greatest of the three, the saturation `(value - least) / value`, and the hue a share of the circle
    on which red stands at 0, green at 1/3 and blue at 2/3.

    Args:
        images: Floats, with 3 channels.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.

    Raises:
        ArgumentError: For integers.

    Source: Smith, Color gamut transform pairs, 1978.

    >>> rgb_to_hsv(jnp.array([[[0.0, 0.5, 0.0]]]), data_format="channels_last").round(3).tolist()
    [[[0.3330000042915344, 1.0, 0.5]]]
    """
    x, channels = _colors(images, data_format, "rgb_to_hsv")
    red, green, blue = _planes(jnp.where(jnp.abs(x) < jnp.finfo(x.dtype).eps, 0, x), channels)
    value, least = jnp.maximum(jnp.maximum(red, green), blue), jnp.minimum(jnp.minimum(red, green), blue)
    span = value - least
    sixth = 1 / (6 * jnp.where(span > 0, span, 1))
    hue = jnp.where(value == green, sixth * (blue - red) + 2 / 6, sixth * (red - green) + 4 / 6)
    hue = jnp.where(value == red, sixth * (green - blue), hue)
    hue = jnp.where(span > 0, hue, 0) + (hue < 0)
    saturation = jnp.where(value > 0, span / jnp.where(value > 0, value, 1), 0)
    return jnp.stack([hue, saturation, value], channels).astype(x.dtype)


@lift
def hsv_to_rgb(images, data_format=None):
    """Red, green and blue of hues, saturations and values between 0 and 1; undoes `rgb_to_hsv`.

    Args:
        images: Floats, with 3 channels.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.

    Raises:
        ArgumentError: For integers.

    Source: Smith, Color gamut transform pairs, 1978.

    >>> hsv_to_rgb(jnp.array([[[0.0, 1.0, 0.5]]]), data_format="channels_last").tolist()
    [[[0.5, 0.0, 0.0]]]
    """
    x, channels = _colors(images, data_format, "hsv_to_rgb")
    hue, saturation, value = _planes(x, channels)
    place = jnp.mod(hue, 1) * 6
    pure = jnp.abs(place - 3) - 1, 2 - jnp.abs(place - 2), 2 - jnp.abs(place - 4)
    return jnp.stack([value * (1 - saturation + saturation * jnp.clip(part, 0, 1)) for part in pure], channels)


def _colors(images, data_format: str | None, op: str) -> tuple[jax.Array, int]:
    x = as_images(images)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ArgumentError(f"{op} wants floats between 0 and 1; got {x.dtype}. Divide by 255 first.")
    return x, axes(data_format)[2]


def _planes(x: jax.Array, channels: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    if x.shape[channels] != 3:
        raise ShapeError(f"Colors have 3 channels; got {x.shape[channels]}, of the shape {x.shape}.")
    red, green, blue = jnp.unstack(x, axis=channels)
    return red, green, blue
