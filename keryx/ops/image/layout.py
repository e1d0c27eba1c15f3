"""What all ops of images ask: where the axes are, whether the rank is right, and which words an option takes."""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp

from keryx import config
from keryx.errors import ArgumentError, ShapeError, listing


def axes(data_format: str | None) -> tuple[int, int, int]:
    """The axes of height, width and channels, counted from the end.

    >>> axes("channels_last")
    (-3, -2, -1)
    """
    data_format = data_format or config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ArgumentError(f"data_format is 'channels_last' or 'channels_first'; got {data_format!r}.")
    return (-3, -2, -1) if data_format == "channels_last" else (-2, -1, -3)


def as_images(x: Any, name: str = "images", ranks: tuple[int, ...] = (3, 4)) -> jax.Array:
    """`x` as an array of one of these ranks."""
    array = jnp.asarray(x)
    if array.ndim not in ranks:
        wanted = " or ".join({3: "3 (one image)", 4: "4 (a batch)", 5: "5 (a batch of volumes)"}[n] for n in ranks)
        raise ShapeError(f"{name} wants the rank {wanted}; got the shape {array.shape}.")
    return array


def one_of(name: str, value: Any, known: Iterable[Any]) -> Any:
    """`value`, which is one of `known`."""
    if value not in known:
        raise ArgumentError(f"{name} is one of {listing(known)}; got {value!r}.")
    return value


def as_given(x: jax.Array, dtype: Any) -> jax.Array:
    """Values in the dtype of the images that they were computed from: integers are rounded and kept in range."""
    if x.dtype == dtype or not jnp.issubdtype(dtype, jnp.integer):
        return x.astype(dtype)
    limits = jnp.iinfo(dtype)
    return jnp.clip(jnp.round(x), limits.min, limits.max).astype(dtype)


def with_batch(x: jax.Array) -> jax.Array:
    """One image as a batch of one."""
    return x if x.ndim == 4 else x[None]
