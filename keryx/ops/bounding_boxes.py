"""Boxes around things in images: their formats, how they move with the images, and how far two of them overlap.

A box is four numbers, in one of these formats; `rel_` before a name says that they are shares of the image's size.

| format | numbers |
|---|---|
| `xyxy`, `rel_xyxy` | left, top, right, bottom |
| `yxyx`, `rel_yxyx` | top, left, bottom, right |
| `xywh`, `rel_xywh` | left, top, width, height |
| `center_xywh`, `rel_center_xywh` | the middle's column and row, width, height |
| `center_yxhw` | the middle's row and column, height, width |
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from keryx import config
from keryx.errors import ArgumentError, ShapeError, did_you_mean

FORMATS = (
    "xyxy yxyx xywh center_xywh center_yxhw rel_xyxy rel_yxyx rel_xywh rel_center_xywh".split()  # noqa: SIM905
)


def _edges(boxes: jax.Array) -> tuple[jax.Array, ...]:
    return tuple(boxes[..., i] for i in range(4))


def convert_format(boxes, source, target, height=None, width=None, dtype="float32"):
    """Boxes in another format.

    Args:
        boxes: (..., 4), or a dict that has them as `boxes`, of which a copy is returned.
        source: Their format.
        target: The one that is wanted.
        height: Of the image; shares are turned into pixels, or back, by it.
        width: Likewise.
        dtype: Of the result.

    Raises:
        ArgumentError: For a format that there is not, and shares of an unknown size.
        ShapeError: Where a box is not four numbers.

    >>> convert_format([[2.0, 1.0, 4.0, 3.0]], "xyxy", "xywh").tolist()
    [[2.0, 1.0, 2.0, 2.0]]
    """
    if isinstance(boxes, dict):
        return boxes | {"boxes": convert_format(boxes["boxes"], source, target, height, width, dtype)}
    source, target = _known(source), _known(target)
    x = jnp.asarray(boxes, dtype)
    if x.shape[-1:] != (4,):
        raise ShapeError(f"A box is four numbers, along the last axis; got the shape {x.shape}.")
    if source == target:
        return x
    scaled = source.startswith("rel_") != target.startswith("rel_")
    if scaled and (height is None or width is None):
        raise ArgumentError(f"From {source!r} to {target!r} the image's height= and width= are needed.")
    a, b, c, d = _edges(x)
    if _rows_first(source):
        a, b, c, d = b, a, d, c
    if "center" in source:
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    elif "wh" in source:
        c, d = a + c, b + d
    if scaled:
        across, down = (
            (width, height) if source.startswith("rel_") else (1 / jnp.asarray(width), 1 / jnp.asarray(height))
        )
        a, b, c, d = a * across, b * down, c * across, d * down
    if "center" in target:
        a, b, c, d = a + (c - a) / 2, b + (d - b) / 2, c - a, d - b
    elif "wh" in target:
        c, d = c - a, d - b
    if _rows_first(target):
        a, b, c, d = b, a, d, c
    return jnp.stack([a, b, c, d], -1).astype(dtype)


def _rows_first(name: str) -> bool:
    return name.rpartition("_")[2].startswith("y")


def _known(name: str) -> str:
    if not isinstance(name, str) or name.lower() not in FORMATS:
        hint = did_you_mean(name, FORMATS)
        raise ArgumentError(f"A format of boxes is one of {', '.join(FORMATS)}; got {name!r}.{hint}")
    return name.lower()


def _only(function: str, bounding_box_format: str, *known: str) -> None:
    if bounding_box_format not in known:
        raise ArgumentError(
            f"{function}() takes boxes as {' or '.join(known)}; got {bounding_box_format!r}. Convert them first."
        )


def clip_to_image_size(bounding_boxes, height=None, width=None, bounding_box_format="xyxy"):
    """Boxes without what lies beyond the image; the label of a box of which nothing is left becomes -1.

    Args:
        bounding_boxes: A dict of `boxes` (..., 4) and, if there are, `labels`; a copy is returned.
        height: Of the image, for `xyxy`.
        width: Likewise.
        bounding_box_format: `xyxy` or `rel_xyxy`.

    Raises:
        ArgumentError: For another format, and `xyxy` without a size.

    >>> boxes = {"boxes": jnp.array([[-1.0, 0, 2, 2], [9, 9, 12, 12]]), "labels": jnp.array([3, 4])}
    >>> clip_to_image_size(boxes, height=8, width=8)["labels"].tolist()
    [3, -1]
    """
    _only("clip_to_image_size", bounding_box_format, "xyxy", "rel_xyxy")
    if bounding_box_format == "rel_xyxy":
        height = width = 1
    elif height is None or width is None:
        raise ArgumentError("clip_to_image_size() wants height= and width= for boxes as 'xyxy'.")
    boxes = crop(bounding_boxes["boxes"], 0, 0, height, width)
    found = bounding_boxes | {"boxes": boxes}
    if bounding_boxes.get("labels") is not None:
        left, top, right, bottom = _edges(boxes)
        found["labels"] = jnp.where((right - left) * (bottom - top) > 0, jnp.asarray(bounding_boxes["labels"]), -1)
    return found


def affine_transform(
    boxes,
    angle,
    translate_x,
    translate_y,
    scale,
    shear_x,
    shear_y,
    height,
    width,
    center_x=None,
    center_y=None,
    bounding_box_format="xyxy",
):
    """The boxes around what boxes become in images that are turned, stretched, sheared and moved.

    Args:
        boxes: (batch, boxes, 4) as `xyxy`.
        angle: (batch,), in degrees, counterclockwise.
        translate_x: (batch,), a share of the width.
        translate_y: Likewise of the height.
        scale: (batch,).
        shear_x: (batch,), in degrees.
        shear_y: Likewise.
        height: Of the image.
        width: Likewise.
        center_x: Around what, as a share of the width; default 0.5.
        center_y: Likewise of the height.
        bounding_box_format: Only `xyxy`.

    Raises:
        ArgumentError: For another format.

    >>> zero, one = jnp.zeros(1), jnp.ones(1)
    >>> turned = affine_transform(jnp.array([[[0.0, 0, 2, 1]]]), zero + 90, zero, zero, one, zero, zero, 9, 9)
    >>> turned.round().astype(int).tolist()
    [[[0, 6, 1, 8]]]
    """
    _only("affine_transform", bounding_box_format, "xyxy")
    turn, lean, rise = (-jnp.asarray(x) * (math.pi / 180) for x in (angle, shear_x, shear_y))
    middle_x = (0.5 if center_x is None else center_x) * (width - 1)
    middle_y = (0.5 if center_y is None else center_y) * (height - 1)
    from_x, from_y = middle_x - translate_x * (width - 1), middle_y - translate_y * (height - 1)
    a = jnp.cos(turn - rise) / jnp.cos(rise)
    c = -jnp.sin(turn - rise) / jnp.cos(rise)
    across = (jnp.cos(turn) - c * jnp.tan(lean)) * scale, -(a * jnp.tan(lean) + jnp.sin(turn)) * scale
    down = -c * scale, a * scale
    left, top, right, bottom = _edges(jnp.asarray(boxes, a.dtype))
    x, y = jnp.stack([left, right, right, left], -1), jnp.stack([top, top, bottom, bottom], -1)

    def moved(row: tuple[jax.Array, jax.Array], middle: Any) -> jax.Array:
        by_x, by_y = (jnp.asarray(factor)[:, None, None] for factor in row)
        shift = jnp.asarray(middle - row[0] * from_x - row[1] * from_y)[:, None, None]
        return by_x * x + by_y * y + shift

    return around(moved(across, middle_x), moved(down, middle_y))


def around(x: jax.Array, y: jax.Array) -> jax.Array:
    """The boxes around points, whose columns and rows lie along the last axis."""
    return jnp.stack([x.min(-1), y.min(-1), x.max(-1), y.max(-1)], -1)


def crop(boxes, top, left, height, width, bounding_box_format="xyxy"):
    """Boxes as they stand in a part of the image, without what lies beyond.

    Args:
        boxes: (..., 4) as `xyxy`.
        top: The row at which the part begins.
        left: The column at which it begins.
        height: Of the part.
        width: Likewise.
        bounding_box_format: Only `xyxy`.

    Raises:
        ArgumentError: For another format.

    >>> crop(jnp.array([[2.0, 1, 6, 9]]), 1, 1, 5, 4).tolist()
    [[1.0, 0.0, 4.0, 5.0]]
    """
    _only("crop", bounding_box_format, "xyxy")
    x1, y1, x2, y2 = _edges(jnp.asarray(boxes))
    x1, x2 = (jnp.clip(x - left, 0, width) for x in (x1, x2))
    y1, y2 = (jnp.clip(y - top, 0, height) for y in (y1, y2))
    return jnp.stack([x1, y1, x2, y2], -1)


def pad(boxes, top, left, height=None, width=None, bounding_box_format="xyxy"):
    """Boxes as they stand in an image with rows put on above and columns to the left.

    Args:
        boxes: (..., 4) as `xyxy`.
        top: The number of rows.
        left: The number of columns.
        height: Not used.
        width: Not used.
        bounding_box_format: Only `xyxy`.

    Raises:
        ArgumentError: For another format.

    >>> pad(jnp.array([[2.0, 1, 6, 9]]), 1, 10).tolist()
    [[12.0, 2.0, 16.0, 10.0]]
    """
    _only("pad", bounding_box_format, "xyxy")
    x1, y1, x2, y2 = _edges(jnp.asarray(boxes))
    return jnp.stack([x1 + left, y1 + top, x2 + left, y2 + top], -1)


def _size(image_shape: Any) -> dict[str, Any]:
    return {} if image_shape is None else {"height": image_shape[0], "width": image_shape[1]}


def compute_iou(boxes1, boxes2, bounding_box_format, use_masking=False, mask_val=-1, image_shape=None):
    """How much of what two boxes cover both cover, for each pair: (..., boxes1, boxes2).

    Args:
        boxes1: (boxes, 4) or (batch, boxes, 4).
        boxes2: Likewise.
        bounding_box_format: The format of both.
        use_masking: Whether pairs with a box that has nothing above 0 get `mask_val`.
        mask_val: See above.
        image_shape: Height, width and channels, for formats of shares.

    Raises:
        ArgumentError: For shares without an image_shape.
        ShapeError: For another rank.

    >>> compute_iou(jnp.array([[0.0, 0, 2, 2]]), jnp.array([[0.0, 0, 2, 1]]), "xyxy").tolist()
    [[0.5]]
    """
    ranks = jnp.ndim(boxes1), jnp.ndim(boxes2)
    if not {*ranks} <= {2, 3}:
        raise ShapeError(f"compute_iou() wants boxes of rank 2, or 3 for a batch; got the ranks {ranks}.")
    size = _size(image_shape)
    if "rel" in bounding_box_format and not size:
        raise ArgumentError(f"compute_iou() of boxes as {bounding_box_format!r} wants image_shape=.")
    first = convert_format(boxes1, bounding_box_format, "xyxy", **size)[..., :, None, :]
    second = convert_format(boxes2, bounding_box_format, "xyxy", **size)[..., None, :, :]
    both = _overlap(first, second)
    iou = both / (_area(first) + _area(second) - both + config.epsilon())
    if not use_masking:
        return iou
    return jnp.where((first.max(-1) < 0) | (second.max(-1) < 0), jnp.asarray(mask_val, iou.dtype), iou)


def _overlap(first: jax.Array, second: jax.Array) -> jax.Array:
    low, high = jnp.maximum(first[..., :2], second[..., :2]), jnp.minimum(first[..., 2:], second[..., 2:])
    return jnp.maximum(high - low, 0).prod(-1)


def _area(boxes: jax.Array) -> jax.Array:
    return (boxes[..., 2:] - boxes[..., :2]).prod(-1)


def compute_ciou(boxes1, boxes2, bounding_box_format, image_shape=None):
    """The complete IoU of boxes with those at the same place: the IoU, less what sets their middles and shapes apart.

    `iou - (distance² / diagonal² + v²/(1 - iou + v))`, with the distance of the middles, the diagonal of the box around
    both, and `v = 4 / pi² (arctan(w2 / h2) - arctan(w1 / h1))²`.

    Args:
        boxes1: (..., 4).
        boxes2: Likewise.
        bounding_box_format: The format of both.
        image_shape: Height, width and channels, for formats of shares.

    Raises:
        ArgumentError: For shares without an image_shape.

    Source: Zheng et al., Distance-IoU loss, 2020.

    >>> compute_ciou(jnp.array([[0.0, 0, 2, 2]]), jnp.array([[0.0, 0, 2, 2]]), "xyxy").round(3).tolist()
    [1.0]
    """
    size, tiny = _size(image_shape), config.epsilon()
    first, second = (convert_format(boxes, bounding_box_format, "xyxy", **size) for boxes in (boxes1, boxes2))
    left1, top1, right1, bottom1 = _edges(first)
    left2, top2, right2, bottom2 = _edges(second)
    width1, height1, width2, height2 = right1 - left1, bottom1 - top1 + tiny, right2 - left2, bottom2 - top2 + tiny
    both = _overlap(first, second)
    iou = both / (width1 * height1 + width2 * height2 - both + 2 * tiny)
    whole = jnp.maximum(first[..., 2:], second[..., 2:]) - jnp.minimum(first[..., :2], second[..., :2])
    apart = (first[..., :2] + first[..., 2:] - second[..., :2] - second[..., 2:]) / 2
    shape = 4 / math.pi**2 * jnp.square(jnp.arctan(width2 / height2) - jnp.arctan(width1 / height1))
    weight = shape / (shape - iou + (1 + tiny))
    return iou - (jnp.square(apart).sum(-1) / (jnp.square(whole).sum(-1) + tiny) + shape * weight)


def _encoding(name: str, given: str, variance: Any) -> Any:
    if given not in ("center_xywh", "center_yxhw"):
        raise ArgumentError(f"{name} is 'center_xywh' or 'center_yxhw'; got {given!r}.")
    variance = jnp.asarray(1.0 if variance is None else variance, "float32")
    if variance.ndim and variance.shape[-1] != 4:
        raise ArgumentError(f"variance is four numbers; got {variance.tolist()}.")
    return variance


def encode_box_to_deltas(
    anchors, boxes, anchor_format, box_format, encoding_format="center_yxhw", variance=None, image_shape=None
):
    """Boxes as a detector learns them: how far each is from an anchor, in its size, and the logs of the sizes' ratios.

    Args:
        anchors: (..., 4).
        boxes: Likewise.
        anchor_format: The format of the anchors.
        box_format: That of the boxes.
        encoding_format: `center_yxhw` or `center_xywh`: the order of the four numbers.
        variance: Four numbers that they are divided by.
        image_shape: Height, width and channels, for formats of shares.

    Raises:
        ArgumentError: For another encoding, or a variance of other than four numbers.

    Source: Girshick et al., Rich feature hierarchies for accurate object detection, 2014.

    >>> encode_box_to_deltas(jnp.array([[0.0, 0, 2, 2]]), jnp.array([[1.0, 0, 3, 2]]), "xyxy", "xyxy").tolist()
    [[0.0, 0.5, 0.0, 0.0]]
    """
    variance, size = _encoding("encoding_format", encoding_format, variance), _size(image_shape)
    anchors = convert_format(anchors, anchor_format, encoding_format, **size)
    boxes = convert_format(boxes, box_format, encoding_format, **size)
    extents, sizes = (jnp.maximum(x[..., 2:], config.epsilon()) for x in (anchors, boxes))
    return jnp.concatenate([(boxes[..., :2] - anchors[..., :2]) / extents, jnp.log(sizes / extents)], -1) / variance


def decode_deltas_to_boxes(
    anchors, boxes_delta, anchor_format, box_format, encoded_format="center_yxhw", variance=None, image_shape=None
):
    """The boxes that `encode_box_to_deltas` encoded; of dicts of anchors and deltas, one a level, such a dict.

    Args:
        anchors: (..., 4), or a dict of such.
        boxes_delta: Likewise.
        anchor_format: The format of the anchors.
        box_format: The one that the boxes are wanted in.
        encoded_format: The encoding.
        variance: Four numbers that the deltas are multiplied by.
        image_shape: Height, width and channels, for formats of shares.

    Raises:
        ArgumentError: For another encoding, or a variance of other than four numbers.

    >>> decode_deltas_to_boxes(jnp.array([[0.0, 0, 2, 2]]), jnp.array([[0.0, 0.5, 0, 0]]), "xyxy", "xyxy").tolist()
    [[1.0, 0.0, 3.0, 2.0]]
    """
    variance, size = _encoding("encoded_format", encoded_format, variance), _size(image_shape)

    def decoded(anchor: Any, delta: Any) -> jax.Array:
        anchor, delta = convert_format(anchor, anchor_format, encoded_format, **size), delta * variance
        extent = anchor[..., 2:]
        box = jnp.concatenate([delta[..., :2] * extent + anchor[..., :2], jnp.exp(delta[..., 2:]) * extent], -1)
        return convert_format(box, encoded_format, box_format, **size)

    if isinstance(anchors, dict) and isinstance(boxes_delta, dict):
        return {level: decoded(anchor, boxes_delta[level]) for level, anchor in anchors.items()}
    return decoded(anchors, boxes_delta)
