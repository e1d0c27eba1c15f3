"""keryx.utils.bounding_boxes gives Keras's numbers."""

import inspect

import jax.numpy as jnp
import keras
import numpy as np
import pytest

from keryx.errors import ArgumentError, ShapeError
from keryx.utils import bounding_boxes

FORMATS = "xyxy yxyx xywh center_xywh center_yxhw rel_xyxy rel_yxyx rel_xywh rel_center_xywh".split()  # noqa: SIM905
RNG = np.random.default_rng(0)
LOW = RNG.uniform(0, 5, (2, 6, 2))
BOXES = np.concatenate([LOW, LOW + RNG.uniform(0.5, 5, LOW.shape)], -1).astype("float32")
OTHERS = BOXES[:, ::-1] + RNG.normal(0, 0.4, BOXES.shape).astype("float32")
SIZE = {"height": 7, "width": 9}
IMAGE = (7, 9, 3)
theirs = keras.utils.bounding_boxes
NAMES = [name for name in dir(theirs) if name[0].islower() and callable(getattr(theirs, name))]


def close(got, wanted):
    np.testing.assert_allclose(np.asarray(got), np.asarray(wanted), 1e-5, 1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_and_defaults_are_those_of_keras(name):
    def arguments(function):
        return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]

    assert len(NAMES) == 9
    assert arguments(getattr(bounding_boxes, name)) == arguments(getattr(theirs, name))


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_each_format_becomes_each(source, target):
    given = bounding_boxes.convert_format(BOXES, "xyxy", source, **SIZE)
    found = bounding_boxes.convert_format(given, source.upper(), target, **SIZE)
    close(found, theirs.convert_format(np.asarray(given), source, target, **SIZE))
    if not (source.startswith("rel") or target.startswith("rel")):
        close(bounding_boxes.convert_format(given, source, target), found)


def test_a_dict_of_boxes_stays_as_it_was():
    given = {"boxes": BOXES, "labels": np.arange(6)}
    found = bounding_boxes.convert_format(given, "xyxy", "yxyx")
    close(found["boxes"], BOXES[..., [1, 0, 3, 2]])
    assert given["boxes"] is BOXES
    assert found["labels"] is given["labels"]


@pytest.mark.parametrize("form", ["xyxy", "rel_xyxy"])
def test_clipped_boxes(form):
    given = theirs.convert_format(BOXES, "xyxy", form, **SIZE) * 2 - 5 * (form == "xyxy")
    labels = np.arange(12).reshape(2, 6)
    ours = bounding_boxes.clip_to_image_size({"boxes": given, "labels": labels}, **SIZE, bounding_box_format=form)
    wanted = theirs.clip_to_image_size({"boxes": given, "labels": labels}, **SIZE, bounding_box_format=form)
    close(ours["boxes"], wanted["boxes"])
    assert (np.asarray(ours["labels"]) == wanted["labels"]).all()
    assert (np.asarray(ours["labels"]) == -1).any()
    assert "labels" not in bounding_boxes.clip_to_image_size({"boxes": given}, **SIZE, bounding_box_format=form)


@pytest.mark.parametrize("center", [{}, {"center_x": 0.2, "center_y": 0.9}])
def test_turned_and_moved_boxes(center):
    numbers = [jnp.array(x, "float32") for x in ([20, -70], [0.1, 0.2], [0, -0.3], [1.2, 0.8], [10, 0], [5, -20])]
    close(
        bounding_boxes.affine_transform(BOXES, *numbers, 7, 9, **center),
        theirs.affine_transform(BOXES, *numbers, 7, 9, **center),
    )


def test_cut_and_padded_boxes():
    close(bounding_boxes.crop(BOXES, 1, 2, 4, 3), theirs.crop(BOXES, 1, 2, 4, 3))
    close(bounding_boxes.pad(BOXES, 1, 2, 9, 9), theirs.pad(BOXES, 1, 2, 9, 9))


@pytest.mark.parametrize("form", ["xyxy", "center_yxhw", "rel_xywh"])
def test_overlaps(form):
    first, second = (theirs.convert_format(x, "xyxy", form, **SIZE) for x in (BOXES, OTHERS))
    for a, b in ((first, second), (first[0], second[0]), (first, second[0])):
        if np.ndim(a) == np.ndim(b):
            close(
                bounding_boxes.compute_iou(a, b, form, image_shape=IMAGE),
                theirs.compute_iou(a, b, form, image_shape=IMAGE),
            )
        else:
            batch = jnp.stack([b, b])
            close(
                bounding_boxes.compute_iou(a, b, form, image_shape=IMAGE),
                bounding_boxes.compute_iou(a, batch, form, image_shape=IMAGE),
            )
    if "rel" not in form:
        close(bounding_boxes.compute_ciou(first, second, form), theirs.compute_ciou(first, second, form))
    else:  # which Keras refuses
        found = bounding_boxes.compute_ciou(first, second, form, image_shape=IMAGE)
        close(found, bounding_boxes.compute_ciou(BOXES, OTHERS, "xyxy"))


def test_masked_overlaps():
    first = np.where(np.arange(6)[:, None] == 2, -1, BOXES[0])
    second = np.where(np.arange(6)[:, None] == 4, -1, OTHERS[0])
    ours = bounding_boxes.compute_iou(first, second, "xyxy", True, -3)
    close(ours, theirs.compute_iou(first, second, "xyxy", True, -3))
    assert (np.asarray(ours)[2] == -3).all()
    assert (np.asarray(ours)[:, 4] == -3).all()


@pytest.mark.parametrize("encoding", ["center_yxhw", "center_xywh"])
@pytest.mark.parametrize("variance", [None, [0.1, 0.1, 0.2, 0.2]])
def test_deltas(encoding, variance):
    anchors = theirs.convert_format(OTHERS, "xyxy", "rel_xyxy", **SIZE)
    ours = bounding_boxes.encode_box_to_deltas(anchors, BOXES, "rel_xyxy", "xyxy", encoding, variance, IMAGE)
    close(ours, theirs.encode_box_to_deltas(anchors, BOXES, "rel_xyxy", "xyxy", encoding, variance, IMAGE))
    back = bounding_boxes.decode_deltas_to_boxes(anchors, ours, "rel_xyxy", "xyxy", encoding, variance, IMAGE)
    np.testing.assert_allclose(back, BOXES, 1e-4, 1e-4)
    close(back, theirs.decode_deltas_to_boxes(anchors, ours, "rel_xyxy", "xyxy", encoding, variance, IMAGE))
    levels = bounding_boxes.decode_deltas_to_boxes(
        {"P3": anchors}, {"P3": ours}, "rel_xyxy", "xyxy", encoding, variance, IMAGE
    )
    close(levels["P3"], back)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: bounding_boxes.convert_format(BOXES, "xyxy", "xywg"), ArgumentError, "Did you mean 'xywh'"),
        (lambda: bounding_boxes.convert_format(BOXES, "xyxy", "rel_xyxy"), ArgumentError, "height= and width="),
        (lambda: bounding_boxes.convert_format(BOXES[..., :3], "xyxy", "xywh"), ShapeError, "four numbers"),
        (lambda: bounding_boxes.crop(BOXES, 1, 1, 2, 2, "xywh"), ArgumentError, "takes boxes as xyxy; got 'xywh'"),
        (lambda: bounding_boxes.clip_to_image_size({"boxes": BOXES}), ArgumentError, "height= and width="),
        (lambda: bounding_boxes.compute_iou(BOXES[0, 0], BOXES, "xyxy"), ShapeError, "rank 2, or 3"),
        (lambda: bounding_boxes.compute_iou(BOXES, BOXES, "rel_xyxy"), ArgumentError, "image_shape="),
        (lambda: bounding_boxes.encode_box_to_deltas(BOXES, BOXES, "xyxy", "xyxy", "xyxy"), ArgumentError, "encoding"),
        (
            lambda: bounding_boxes.decode_deltas_to_boxes(BOXES, BOXES, "xyxy", "xyxy", variance=[1, 2]),
            ArgumentError,
            "four numbers",
        ),
    ],
)
def test_errors_say_what_is_wanted(call, error, words):
    with pytest.raises(error, match=words):
        call()
