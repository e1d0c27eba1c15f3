"""Images looked at where others' pixels lie: turned, stretched, moved, bent."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp

from keryx.core.graph import lift
from keryx.errors import ShapeError
from keryx.ops.image.filters import gaussian, slide
from keryx.ops.image.layout import as_images, axes, one_of, with_batch
from keryx.random import key_of

ORDERS = {"nearest": 0, "bilinear": 1}
FILL_MODES = "constant", "nearest", "wrap", "mirror", "reflect"


def _inside(index: jax.Array, size: int, fill_mode: str) -> jax.Array:
    """Which element stands for one beyond the edges."""
    if fill_mode == "wrap":
        return index % size
    if fill_mode == "reflect":  # d c b a | a b c d | d c b a
        index = index % (2 * size)
        return jnp.minimum(index, 2 * size - 1 - index)
    if fill_mode == "mirror":  # d c b | a b c d | c b a
        index = index % max(2 * size - 2, 1)
        return jnp.minimum(index, 2 * size - 2 - index)
    return jnp.clip(index, 0, size - 1)


def _neighbors(place: jax.Array, order: int) -> list[tuple[jax.Array, Any]]:
    """The elements along an axis that a place lies between, and how much each counts."""
    if order == 0:
        if jnp.issubdtype(place.dtype, jnp.floating):
            place = jnp.where(place < 0, -jnp.floor(0.5 - place), jnp.floor(place + 0.5))  # halves go away from 0
        return [(place.astype("int32"), 1)]
    below = jnp.floor(place)
    index, share = below.astype("int32"), place - below
    return [(index, 1 - share), (index + 1, share)]


def sample(x: jax.Array, places: Any, order: int, fill_mode: str, fill_value: Any) -> jax.Array:
    """The values of `x` at places along its first axes, one array of numbers an axis; the other axes come along."""
    places = list(places)
    rank = len(places)
    rows = x.reshape(-1, *x.shape[rank:])
    result: Any = 0
    for corner in itertools.product(*(_neighbors(place, order) for place in places)):
        row: Any = 0
        weight: Any = 1
        within: Any = True
        for (index, share), size in zip(corner, x.shape, strict=False):
            row = row * size + _inside(index, size, fill_mode)
            weight = weight * share
            within = within & (index >= 0) & (index < size)
        value = rows.at[row].get(mode="promise_in_bounds")
        spread = (..., *[None] * (x.ndim - rank))
        if fill_mode == "constant":
            value = jnp.where(within[spread], value, jnp.asarray(fill_value, x.dtype))
        result = result + (value if order == 0 else value * weight[spread])
    if jnp.issubdtype(x.dtype, jnp.integer) and order:
        result = jnp.where(result < 0, -jnp.floor(0.5 - result), jnp.floor(result + 0.5))
    return result.astype(x.dtype)


def _checked(order: Any, fill_mode: str) -> None:
    one_of("order", order, (0, 1))
    one_of("fill_mode", fill_mode, FILL_MODES)


@lift
def map_coordinates(inputs, coordinates, order, fill_mode="constant", fill_value=0):
    """The values of an array at places between its elements.

    Args:
        inputs: An array of any rank.
        coordinates: (rank, *shape): for each axis where to look.
        order: 0 for the nearest element, 1 for a weighting of those around.
        fill_mode: What lies beyond the edges: `constant`, `nearest`, `wrap`, `mirror` or `reflect`.
        fill_value: The constant.

    Raises:
        ArgumentError: For an order or a mode that there is not.
        ShapeError: Where the coordinates are not one array an axis.

    >>> map_coordinates([0.0, 1.0, 2.0], [[0.5, 2.0]], 1).tolist()
    [0.5, 2.0]
    """
    _checked(order, fill_mode)
    x, places = jnp.asarray(inputs), jnp.asarray(coordinates)
    if places.ndim < 2 or places.shape[0] != x.ndim:
        raise ShapeError(
            f"coordinates wants the shape ({x.ndim}, ...), one array for each axis of inputs {x.shape}; "
            f"got {places.shape}."
        )
    return sample(x, places, order, fill_mode, fill_value)


def warp(
    images: jax.Array,
    rows: jax.Array,
    columns: jax.Array,
    interpolation: str,
    fill_mode: str,
    fill_value: Any,
    data_format: str | None,
) -> jax.Array:
    """Images whose pixels are those at other places.

    Args:
        images: One image or a batch.
        rows: (batch, height, width), where each pixel is looked up.
        columns: Likewise.
        interpolation: `nearest` or `bilinear`.
        fill_mode: What lies beyond the edges.
        fill_value: The constant.
        data_format: Where the channels are.
    """
    order = ORDERS[one_of("interpolation", interpolation, ORDERS)]
    _checked(order, fill_mode)
    channels = axes(data_format)[2]
    batch = jnp.moveaxis(with_batch(images), channels, -1)
    batch = jnp.broadcast_to(batch, (*jnp.broadcast_shapes(batch.shape[:1], rows.shape[:1]), *batch.shape[1:]))
    rows, columns = (jnp.broadcast_to(place, (batch.shape[0], *place.shape[1:])) for place in (rows, columns))
    moved = jax.vmap(lambda x, *places: sample(x, places, order, fill_mode, fill_value))(batch, rows, columns)
    moved = jnp.moveaxis(moved, -1, channels)
    return moved[0] if images.ndim == 3 else moved


def pixels(images: Any, data_format: str | None, dtype: Any = "float32") -> tuple[jax.Array, jax.Array]:
    """The row of each pixel, (height, 1), and its column, (1, width)."""
    height, width, _ = axes(data_format)
    return jnp.arange(images.shape[height], dtype=dtype)[:, None], jnp.arange(images.shape[width], dtype=dtype)[None]


def _projected(
    images: jax.Array, transforms: Any, interpolation: str, fill_mode: str, fill_value: Any, data_format: str | None
) -> jax.Array:
    """Images looked up where eight numbers for each send its pixels."""
    rows, columns = pixels(images, data_format)
    a0, a1, a2, b0, b1, b2, c0, c1 = (transforms[:, i, None, None] for i in range(8))
    depth = c0 * columns + c1 * rows + 1
    places = (b0 * columns + b1 * rows + b2) / depth, (a0 * columns + a1 * rows + a2) / depth
    return warp(images, *places, interpolation, fill_mode, fill_value, data_format)


@lift
def affine_transform(images, transform, interpolation="bilinear", fill_mode="constant", fill_value=0, data_format=None):
    """Images turned, stretched, sheared, moved: pixel (x, y) is what was at (x', y').

    `x' = (a0 x + a1 y + a2) / k`, `y' = (b0 x + b1 y + b2) / k`, `k = c0 x + c1 y + 1`.

    Args:
        images: One image or a batch.
        transform: `[a0, a1, a2, b0, b1, b2, c0, c1]`, for all images or (batch, 8).
        interpolation: `nearest` or `bilinear`.
        fill_mode: What lies beyond the edges: `constant`, `nearest`, `wrap`, `mirror` or `reflect`.
        fill_value: The constant.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.

    Raises:
        ArgumentError: For an interpolation or a mode that there is not.
        ShapeError: For another rank than 3 or 4, or a transform that is not eight numbers an image.

    >>> x = jnp.arange(3.0).reshape(1, 3, 1)
    >>> affine_transform(x, [1, 0, 1, 0, 1, 0, 0, 0], data_format="channels_last").ravel().tolist()
    [1.0, 2.0, 0.0]
    """
    x, transforms = as_images(images), jnp.asarray(transform)
    if transforms.ndim not in (1, 2) or transforms.shape[-1] != 8:
        raise ShapeError(f"transform is eight numbers, or (batch, 8) of them; got the shape {transforms.shape}.")
    transforms = transforms.astype(jnp.promote_types(transforms.dtype, "float32")).reshape(-1, 8)
    return _projected(x, transforms, interpolation, fill_mode, fill_value, data_format)


def homography(start_points: jax.Array, end_points: jax.Array) -> jax.Array:
    """The eight numbers, as in `affine_transform`, that send points (batch, 4, 2) of the result to those they were."""
    x, y = start_points[..., 0], start_points[..., 1]
    u, v = end_points[..., 0], end_points[..., 1]
    zero, one = jnp.zeros_like(u), jnp.ones_like(u)
    equations = [[u, v, one, zero, zero, zero, -x * u, -x * v], [zero, zero, zero, u, v, one, -y * u, -y * v]]
    matrix = jnp.concatenate([jnp.stack(row, -1) for row in equations], 1)
    return jnp.linalg.solve(matrix, jnp.concatenate([x, y], -1)[..., None])[..., 0]


@lift
def perspective_transform(images, start_points, end_points, interpolation="bilinear", fill_value=0, data_format=None):
    """Images as seen from elsewhere: what was at four points comes to stand at four others.

    Args:
        images: One image or a batch.
        start_points: (4, 2) or (batch, 4, 2), each a column and a row.
        end_points: Likewise.
        interpolation: `nearest` or `bilinear`.
        fill_value: What lies beyond the edges.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.

    Raises:
        ArgumentError: For an interpolation that there is not.
        ShapeError: For another rank than 3 or 4, or points of another shape.

    >>> x, corners = jnp.arange(4.0).reshape(2, 2, 1), jnp.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    >>> y = perspective_transform(x, corners, corners[::-1], data_format="channels_last")
    >>> y.ravel().round().astype(int).tolist()
    [3, 2, 1, 0]
    """
    x, start, end = as_images(images), jnp.asarray(start_points, "float32"), jnp.asarray(end_points, "float32")
    if start.shape != end.shape or start.shape[-2:] != (4, 2) or start.ndim not in (2, 3):
        raise ShapeError(
            f"start_points and end_points want the shape (4, 2) or (batch, 4, 2); got {start.shape} and {end.shape}."
        )
    transforms = homography(start.reshape(-1, 4, 2), end.reshape(-1, 4, 2))
    return _projected(x, transforms, interpolation, "constant", fill_value, data_format)


def bend(
    images: jax.Array,
    key: jax.Array,
    alpha: Any,
    sigma: Any,
    window: int,
    options: tuple[str, str, Any],
    data_format: str | None,
) -> jax.Array:
    """Images bent by random distances, `sigma` wide in `window` elements and `alpha` far, looked up as `warp` does."""
    rows, columns = pixels(images, data_format)
    count = images.shape[0] if images.ndim == 4 else 1
    shape = 2, count, rows.shape[0], columns.shape[1]
    weights = gaussian(window, sigma)
    distances = jax.random.normal(key, shape) * sigma
    down, right = alpha * slide(slide(distances, weights, 3), weights, 2)
    return warp(images, rows + down, columns + right, *options, data_format)


@lift
def elastic_transform(
    images,
    alpha=20.0,
    sigma=5.0,
    interpolation="bilinear",
    fill_mode="reflect",
    fill_value=0.0,
    seed=None,
    data_format=None,
):
    """Images bent as if drawn on rubber: each pixel is what was some way off, and those beside it nearly the same way.

    The distances are normal numbers, blurred by a normal curve.

    Args:
        images: One image or a batch.
        alpha: How far.
        sigma: How wide the curve is.
        interpolation: `nearest` or `bilinear`.
        fill_mode: What lies beyond the edges: `constant`, `nearest`, `wrap`, `mirror` or `reflect`.
        fill_value: The constant.
        seed: As in `keryx.random`.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.

    Source: Simard et al., Best practices for convolutional neural networks applied to visual document analysis, 2003.

    >>> elastic_transform(jnp.ones((8, 8, 1)), seed=1, data_format="channels_last").min().item()
    1.0
    """
    x, window = as_images(images), int(6 * sigma) | 1
    options = interpolation, fill_mode, fill_value
    return bend(x, key_of(seed), alpha, sigma, window, options, data_format)
