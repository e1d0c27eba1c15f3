"""Images in rows and columns, by matplotlib."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from keryx.errors import ArgumentError, ConfigError
from keryx.visualization.drawing import (
    Color,
    as_pixels,
    batch_of,
    draw_bounding_boxes,
    draw_segmentation_masks,
    layout_of,
)

Range = tuple[float, float]


def plot_image_gallery(
    images: Any,
    y_true: Any = None,
    y_pred: Any = None,
    label_map: Mapping[int, str] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    value_range: Range = (0, 255),
    scale: float = 2,
    path: Any = None,
    show: bool | None = None,
    transparent: bool = True,
    dpi: float = 60,
    legend_handles: Sequence[Any] | None = None,
    data_format: str | None = None,
) -> None:
    """Show images in rows and columns, or write them to a file, by matplotlib (`pip install 'keryx[visualization]'`).

    Args:
        images: (batch, height, width, channels), of 1, 3 or 4 channels; one image without a batch axis is taken too.
        y_true: (batch,), the label of each image; it wants `label_map`.
        y_pred: (batch,), what was predicted for each; likewise.
        label_map: The name of each label.
        rows: By default as many as columns, or as are needed for all images.
        cols: Likewise.
        value_range: What is black and what is white.
        scale: The size of each image, inches.
        path: Where it is written; then it is not shown.
        show: Whether it is shown; by default where there is no path.
        transparent: Whether the file's background is.
        dpi: Dots an inch of the file.
        legend_handles: matplotlib's patches for a legend.
        data_format: `channels_last` or `channels_first`, by default `image_data_format`.

    Raises:
        ArgumentError: Where it is to be written and shown, or labels come without their names.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "gallery.png"
    >>> plot_image_gallery(np.zeros((4, 8, 8, 3)), rows=2, cols=2, path=path)
    >>> path.read_bytes()[1:4]
    b'PNG'
    """
    if path is not None and show:
        raise ArgumentError("A gallery is written to path=, or shown: take one of path= and show=True.")
    if label_map is None and (y_true is not None or y_pred is not None):
        raise ArgumentError("y_true and y_pred are numbers: give label_map=, the name of each.")
    plt = _pyplot()
    array = np.asarray(images)
    pixels = as_pixels(batch_of(array[None] if array.ndim == 3 else array, data_format), value_range)
    rows, cols = _sizes(len(pixels), rows, cols)
    figure, axes = plt.subplots(rows, cols, figsize=(cols * scale, rows * scale), layout="tight", squeeze=False)
    if legend_handles is not None:
        figure.legend(handles=legend_handles, loc="lower center")
    for i, axis in enumerate(axes.flat):
        axis.axis("off")
        if i >= len(pixels):
            continue
        axis.imshow(pixels[i], cmap="gray" if pixels.shape[-1] == 1 else None, vmin=0, vmax=255)
        told = [
            f"{what}: {(label_map or {}).get(int(np.asarray(labels)[i]), 'Unknown')}"
            for what, labels in (("Label", y_true), ("Pred", y_pred))
            if labels is not None and i < len(labels)
        ]
        axis.set_title("  ".join(told), fontsize=8)
    try:
        if path is not None:
            figure.savefig(path, transparent=transparent, dpi=dpi, bbox_inches="tight", pad_inches=0)
        elif show is not False:
            plt.show()
    finally:
        plt.close(figure)


def plot_bounding_box_gallery(
    images: Any,
    bounding_box_format: str,
    y_true: Mapping[str, Any] | None = None,
    y_pred: Mapping[str, Any] | None = None,
    value_range: Range = (0, 255),
    true_color: Color = (0, 188, 212),
    pred_color: Color = (255, 235, 59),
    line_thickness: int = 2,
    font_scale: float = 1.0,
    text_thickness: int | None = None,
    class_mapping: Mapping[int, str] | None = None,
    ground_truth_mapping: Mapping[int, str] | None = None,
    prediction_mapping: Mapping[int, str] | None = None,
    legend: bool = False,
    legend_handles: Sequence[Any] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Show images with true and predicted boxes.

    Args:
        images: (batch, height, width, 3).
        bounding_box_format: That of all boxes, as `draw_bounding_boxes` takes it.
        y_true: Boxes and labels, as `draw_bounding_boxes` takes them.
        y_pred: Likewise.
        value_range: What is black and what is white.
        true_color: Of the true boxes.
        pred_color: Of the predicted ones.
        line_thickness: Pixels.
        font_scale: Letters of scale 1 are 12 pixels high.
        text_thickness: Of the letters' lines, pixels, by default `line_thickness`.
        class_mapping: The name of each label, for both.
        ground_truth_mapping: For the true boxes alone.
        prediction_mapping: For the predicted ones alone.
        legend: Whether there is a legend of the two colours.
        legend_handles: matplotlib's patches for another legend.
        rows: As for `plot_image_gallery`.
        cols: Likewise.
        data_format: `channels_last` or `channels_first`, by default `image_data_format`.
        kwargs: Arguments of `plot_image_gallery`.

    Raises:
        ArgumentError: Where there are both legends.
    """
    if legend and legend_handles:
        raise ArgumentError("Take one of legend=True and legend_handles=.")
    pixels = as_pixels(batch_of(images, data_format), value_range)
    for boxes, color, names in (
        (y_true, true_color, ground_truth_mapping),
        (y_pred, pred_color, prediction_mapping),
    ):
        if boxes is not None:
            pixels = draw_bounding_boxes(
                pixels,
                boxes,
                bounding_box_format,
                names or class_mapping,
                color,
                line_thickness,
                text_thickness or line_thickness,
                font_scale,
                "channels_last",
            )
    if legend:
        _pyplot()
        from matplotlib.patches import Patch

        told = ((true_color, "Ground Truth"), (pred_color, "Prediction"))
        legend_handles = [Patch(color=tuple(c / 255 for c in color), label=label) for color, label in told]  # type: ignore[arg-type]
    plot_image_gallery(
        pixels, rows=rows, cols=cols, legend_handles=legend_handles, data_format="channels_last", **kwargs
    )


def plot_segmentation_mask_gallery(
    images: Any,
    num_classes: int,
    value_range: Range = (0, 255),
    y_true: Any = None,
    y_pred: Any = None,
    color_mapping: Mapping[int, Color] | None = None,
    blend: bool = True,
    alpha: float = 0.8,
    ignore_index: int = -1,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Show images, each in a row with its true and its predicted segmentation mask.

    Args:
        images: (batch, height, width, channels).
        num_classes: The largest class.
        value_range: What is black and what is white.
        y_true: The class of each pixel, as `draw_segmentation_masks` takes it.
        y_pred: Likewise.
        color_mapping: The colour of each class.
        blend: Whether image and colours are mixed.
        alpha: The part of the colour.
        ignore_index: The class that is not drawn.
        data_format: `channels_last` or `channels_first`, by default `image_data_format`.
        kwargs: Arguments of `plot_image_gallery`.
    """
    pixels = as_pixels(batch_of(images, data_format), value_range)
    draw = partial(
        draw_segmentation_masks,
        pixels,
        num_classes=num_classes,
        color_mapping=color_mapping,
        alpha=alpha,
        blend=blend,
        ignore_index=ignore_index,
        data_format="channels_last",
    )
    columns = [pixels]
    for masks in (y_true, y_pred):
        if masks is not None:
            classes = np.asarray(masks).astype("int32")
            if classes.ndim == 4:
                classes = classes[:, 0] if layout_of(data_format) == "channels_first" else classes[..., 0]
            columns.append(draw(classes).astype("uint8"))
    gallery = np.stack(columns, axis=1).reshape(-1, *pixels.shape[1:])
    plot_image_gallery(gallery, rows=len(pixels), cols=len(columns), data_format="channels_last", **kwargs)


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ConfigError("Galleries want matplotlib: pip install 'keryx[visualization]'.") from None
    return pyplot


def _sizes(count: int, rows: int | None, cols: int | None) -> tuple[int, int]:
    """Rows and columns that hold so many images.

    >>> _sizes(5, None, None), _sizes(5, 1, None), _sizes(5, 2, 2)
    ((3, 2), (1, 5), (2, 2))
    """
    if rows is None:
        rows = math.ceil(count / cols) if cols else math.ceil(math.sqrt(count))
    return rows, cols or math.ceil(count / rows)
