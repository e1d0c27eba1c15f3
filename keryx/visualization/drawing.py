"""Boxes and segmentation masks, drawn into images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keryx import config
from keryx.errors import ConfigError, DataError, ShapeError
from keryx.utils.bounding_boxes import convert_format

Color = Sequence[int]


def draw_bounding_boxes(
    images: Any,
    bounding_boxes: Mapping[str, Any],
    bounding_box_format: str,
    class_mapping: Mapping[int, str] | None = None,
    color: Color = (128, 128, 128),
    line_thickness: int = 2,
    text_thickness: int = 1,
    font_scale: float = 1.0,
    data_format: str | None = None,
) -> np.ndarray:
    """Images with boxes drawn into them, by Pillow (`pip install 'keryx[image]'`).

    Args:
        images: (batch, height, width, 3), integers from 0 to 255, or floats from 0 to 1 or from 0 to 255.
        bounding_boxes: `boxes` (batch, boxes, 4), `labels` (batch, boxes), where -1 is no box, and `confidences` of the
            labels' shape, which may be missing.
        bounding_box_format: `xyxy`, `rel_xyxy` and so on, as `keryx.utils.bounding_boxes.convert_format` takes it.
        class_mapping: The name of each label; boxes of other labels have no text.
        color: Red, green and blue, from 0 to 255.
        line_thickness: Of the boxes, pixels.
        text_thickness: Of the letters' lines, pixels.
        font_scale: Letters of scale 1 are 12 pixels high.
        data_format: `channels_last` or `channels_first`, by default `image_data_format`.

    Returns:
        An array (batch, height, width, 3) of uint8.

    Raises:
        ShapeError: Where images are not a batch.
        DataError: Where boxes or labels are missing.

    >>> boxes = {"boxes": [[[1, 1, 6, 6]]], "labels": [[0]]}
    >>> drawn = draw_bounding_boxes(np.zeros((1, 8, 8, 3)), boxes, "xyxy", color=(255, 0, 0), line_thickness=1)
    >>> drawn[0, :, :, 0].any(axis=1).tolist()
    [False, True, True, True, True, True, True, False]
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise ConfigError("draw_bounding_boxes wants Pillow: pip install 'keryx[image]'.") from None

    pixels = as_pixels(batch_of(images, data_format))
    missing = [name for name in ("boxes", "labels") if name not in bounding_boxes]
    if missing:
        raise DataError(f"bounding_boxes is a dict with 'boxes' and 'labels'; it has no {missing[0]!r}.")
    height, width = pixels.shape[1:3]
    boxes = np.asarray(
        convert_format(np.asarray(bounding_boxes["boxes"], "float32"), bounding_box_format, "xyxy", height, width)
    )
    labels, sure = np.asarray(bounding_boxes["labels"]), bounding_boxes.get("confidences")
    names, color = class_mapping or {}, tuple(int(c) for c in color)
    size = 12 * font_scale
    font = ImageFont.load_default(size)
    drawn = []
    for i, image in enumerate(pixels):
        canvas = Image.fromarray(image)
        pen = ImageDraw.Draw(canvas)
        for j, (box, label) in enumerate(
            zip(boxes[i].astype(int).tolist(), labels[i].astype(int).tolist(), strict=True)
        ):
            left, top, right, bottom = box
            if label == -1 or right < left or bottom < top:
                continue
            pen.rectangle((left, top, right, bottom), outline=color, width=line_thickness)
            if label in names:
                text = names[label] if sure is None else f"{names[label]} | {np.asarray(sure)[i][j]:.2f}"
                above = top - size - 3
                where = (left, above) if above >= 0 else (left + 3, top + line_thickness + 1)  # inside, at the edge
                pen.text(where, text, fill=color, font=font, stroke_width=max(text_thickness - 1, 0))
        drawn.append(np.asarray(canvas))
    return np.stack(drawn)


def draw_segmentation_masks(
    images: Any,
    segmentation_masks: Any,
    num_classes: int | None = None,
    color_mapping: Mapping[int, Color] | None = None,
    alpha: float = 0.8,
    blend: bool = True,
    ignore_index: int = -1,
    data_format: str | None = None,
) -> np.ndarray:
    """Images with each pixel coloured by its class.

    Args:
        images: (batch, height, width, channels), from 0 to 255.
        segmentation_masks: (batch, height, width) or with an axis of 1 more, integers: the class of each pixel.
        num_classes: The largest class; by default that of the masks. Larger ones are not drawn.
        color_mapping: The colour of each class; those without one are not drawn. By default, class i has
            `(i * (2**25 - 1), i * (2**15 - 1), i * (2**21 - 1)) % 255`.
        alpha: The part of the colour, from 0 to 1, that of the image being the rest.
        blend: Whether they are mixed; else the colour stands alone.
        ignore_index: The class that is not drawn.
        data_format: `channels_last` or `channels_first`, by default `image_data_format`.

    Returns:
        An array (batch, height, width, channels): uint8; without `blend` float32.

    Raises:
        ShapeError: Where images are not a batch, or masks are not of their size.
        DataError: Where masks are not integers.

    >>> masks = np.array([[[0, 1]]])
    >>> draw_segmentation_masks(np.zeros((1, 1, 2, 3)), masks, color_mapping={1: (200, 0, 100)}, alpha=0.5).tolist()
    [[[[0, 0, 0], [100, 0, 50]]]]
    """
    pixels, classes = batch_of(images, data_format).astype("float32"), np.asarray(segmentation_masks)
    if classes.ndim == 4:
        classes = classes[:, 0] if layout_of(data_format) == "channels_first" else classes[..., 0]
    if classes.dtype.kind not in "iu":
        raise DataError(f"segmentation_masks holds integers, the class of each pixel; got {classes.dtype}.")
    if classes.shape != pixels.shape[:3]:
        raise ShapeError(f"segmentation_masks wants {pixels.shape[:3]}, a class a pixel; got {classes.shape}.")
    largest = int(classes.max(initial=0)) if num_classes is None else num_classes
    palette = np.array([2**25 - 1, 2**15 - 1, 2**21 - 1], np.int64)
    colors = {i: i * palette % 255 for i in range(largest + 1)} if color_mapping is None else color_mapping
    painted = pixels.copy()
    for number, color in colors.items():
        if number <= largest and number != ignore_index:
            painted[classes == number] = np.asarray(color, "float32")
    if not blend:
        return painted
    return (pixels + (painted - pixels) * alpha).astype("uint8")


def layout_of(data_format: str | None) -> str:
    """The layout that is asked for, or the default one."""
    found = data_format or config.image_data_format()
    if found not in ("channels_last", "channels_first"):
        raise ConfigError(f"data_format is 'channels_last' or 'channels_first'; got {data_format!r}.")
    return found


def batch_of(images: Any, data_format: str | None) -> np.ndarray:
    """A batch of images as an array with the channels last."""
    array = np.asarray(images)
    if array.ndim != 4:
        raise ShapeError(f"images is a batch of images, an array of 4 axes; got {array.shape}.")
    return array.transpose(0, 2, 3, 1) if layout_of(data_format) == "channels_first" else array


def as_pixels(images: np.ndarray, value_range: tuple[float, float] | None = None) -> np.ndarray:
    """Images as uint8.

    Args:
        images: An array.
        value_range: What is black and what is white; by default 0 and 255, or 1 for floats that are not larger.
    """
    if value_range is None:
        unit = images.dtype.kind == "f" and images.max(initial=0) <= 1
        value_range = (0, 1 if unit else 255)
    low, high = value_range
    scaled = images if (low, high) == (0, 255) else (images.astype("float32") - low) * (255 / (high - low))
    return np.clip(scaled, 0, 255).astype("uint8")
