"""Images with what was found in them: beside Keras where it draws without OpenCV, else by the pixels."""

import keras
import numpy as np
import pytest
from PIL import Image

import keryx
from keryx import errors, visualization

MASKS = np.random.default_rng(0).integers(0, 4, (2, 5, 6, 1))
IMAGES = np.random.default_rng(1).uniform(0, 255, (2, 5, 6, 3)).astype("float32")


@pytest.fixture(autouse=True)
def no_window(monkeypatch):
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "backend", "agg")


# -- masks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"num_classes": 4},
        {"num_classes": 4, "alpha": 0.3, "ignore_index": 2},
        {"num_classes": 4, "blend": False},
        {"num_classes": 3, "color_mapping": {0: (1, 2, 3), 1: (200, 0, 0), 2: (0, 0, 90)}},
    ],
)
def test_masks_are_those_of_keras(options):
    masks = MASKS if options["num_classes"] == 4 else np.minimum(MASKS, 2)
    theirs = keras.visualization.draw_segmentation_masks(IMAGES, masks, **options)
    ours = visualization.draw_segmentation_masks(IMAGES, masks, **options)
    assert ours.dtype == np.asarray(theirs).dtype
    np.testing.assert_allclose(ours.astype("float32"), np.asarray(theirs, "float32"), atol=1)  # halves are cut


def test_masks_by_the_formula():
    drawn = visualization.draw_segmentation_masks(IMAGES, MASKS[..., 0], alpha=0.25)
    colors = np.arange(4)[:, None] * np.array([2**25 - 1, 2**15 - 1, 2**21 - 1]) % 255
    np.testing.assert_allclose(drawn, IMAGES * 0.75 + colors[MASKS[..., 0]] * 0.25, atol=1)
    first = visualization.draw_segmentation_masks(
        IMAGES.transpose(0, 3, 1, 2), MASKS.transpose(0, 3, 1, 2), alpha=0.25, data_format="channels_first"
    )
    np.testing.assert_array_equal(first, drawn)


def test_the_largest_class_is_drawn_and_one_without_a_colour_is_not():
    masks = np.array([[[0, 1, 2]]])
    drawn = visualization.draw_segmentation_masks(np.zeros((1, 1, 3, 3)), masks, color_mapping={2: (9, 9, 9)}, alpha=1)
    assert drawn[0, 0].tolist() == [[0, 0, 0], [0, 0, 0], [9, 9, 9]]


# -- boxes ---------------------------------------------------------------------------------------------------------


def boxes(**more):
    return {"boxes": np.array([[[2, 3, 10, 8], [0, 0, 4, 4]]]), "labels": np.array([[1, -1]]), **more}


def test_a_box_is_drawn_and_what_is_none_is_not():
    drawn = visualization.draw_bounding_boxes(
        np.zeros((1, 12, 16, 3)), boxes(), "xyxy", color=(255, 9, 0), line_thickness=1
    )
    wanted = np.zeros((12, 16), bool)
    wanted[3:9, 2:11] = True
    wanted[4:8, 3:10] = False
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn[0, ..., 0] == 255, wanted)
    np.testing.assert_array_equal(drawn[0, ..., 1] == 9, wanted)


def test_formats_and_layouts_of_boxes():
    image = np.full((1, 12, 16, 3), 0.5)
    wanted = visualization.draw_bounding_boxes(image, boxes(), "xyxy")
    assert wanted[0, 11, 15].tolist() == [127, 127, 127]  # from 0 to 1, as Keras takes it too
    wide = boxes(boxes=np.array([[[2, 3, 8, 5], [0, 0, 4, 4]]]))
    np.testing.assert_array_equal(visualization.draw_bounding_boxes(image, wide, "xywh"), wanted)
    relative = boxes(boxes=boxes()["boxes"] / [16, 12, 16, 12])
    np.testing.assert_array_equal(visualization.draw_bounding_boxes(image, relative, "rel_xyxy"), wanted)
    first = image.transpose(0, 3, 1, 2)
    drawn = visualization.draw_bounding_boxes(first, boxes(), "xyxy", data_format="channels_first")
    np.testing.assert_array_equal(drawn, wanted)


def test_names_and_confidences_are_written():
    black = np.zeros((1, 60, 80, 3))
    low = boxes(boxes=np.array([[[10, 40, 60, 55], [0, 0, 1, 1]]]), confidences=np.array([[0.5, 0.1]]))
    plain = visualization.draw_bounding_boxes(black, low, "xyxy")
    named = visualization.draw_bounding_boxes(black, low, "xyxy", class_mapping={1: "cat"})
    bolder = visualization.draw_bounding_boxes(black, low, "xyxy", class_mapping={1: "cat"}, text_thickness=3)
    assert plain[0, :39].sum() == 0  # nothing stands above the box
    assert 0 < (named[0, :39] > 0).sum() < (bolder[0, :39] > 0).sum()
    assert visualization.draw_bounding_boxes(black, low, "xyxy", class_mapping={2: "dog"}).sum() == plain.sum()
    high = boxes(boxes=np.array([[[10, 2, 60, 55], [0, 0, 1, 1]]]))
    inside = visualization.draw_bounding_boxes(black, high, "xyxy", class_mapping={1: "cat"})
    assert inside[0, 5:20, 12:40].any()  # where there is no room above


# -- galleries -----------------------------------------------------------------------------------------------------


def shown(monkeypatch):
    """What galleries draw, in place of a window."""
    from matplotlib import pyplot

    figures = []
    monkeypatch.setattr(pyplot, "show", lambda: figures.append(pyplot.gcf()))
    return figures


def test_a_gallery_shows_all_images_with_their_labels(monkeypatch):
    figures = shown(monkeypatch)
    images = np.arange(5)[:, None, None, None] * np.ones((5, 4, 4, 3)) / 4
    visualization.plot_image_gallery(
        images, y_true=[0, 1, 0, 1, 0], y_pred=[1, 1, 7, 1, 0], label_map={0: "ant", 1: "bee"}, value_range=(0, 1)
    )
    (figure,) = figures
    pictures = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    assert [int(picture[0, 0, 0]) for picture in pictures] == [0, 63, 127, 191, 255]
    assert [axis.get_title() for axis in figure.axes if axis.images][:3] == [
        "Label: ant  Pred: bee", "Label: bee  Pred: bee", "Label: ant  Pred: Unknown"
    ]  # fmt: skip


def test_a_gallery_in_a_file(tmp_path, monkeypatch):
    figures, path = shown(monkeypatch), tmp_path / "gallery.png"
    visualization.plot_image_gallery(IMAGES, rows=1, path=path, scale=1, dpi=50)
    assert not figures
    with Image.open(path) as image:
        assert image.width > 1.5 * image.height
    with pytest.raises(errors.ArgumentError, match="take one of path= and show=True"):
        visualization.plot_image_gallery(IMAGES, path=path, show=True)
    visualization.plot_image_gallery(IMAGES[0, ..., :1], show=False)  # one image, of grey


def test_a_gallery_of_boxes(monkeypatch):
    figures = shown(monkeypatch)
    black = np.zeros((1, 12, 16, 3))
    visualization.plot_bounding_box_gallery(
        black, "xyxy", y_true=boxes(), y_pred=boxes(boxes=boxes()["boxes"] + 1), line_thickness=1, legend=True
    )
    pixels = figures[0].axes[0].images[0].get_array()
    assert tuple(pixels[3, 2]) == (0, 188, 212)
    assert tuple(pixels[4, 3]) == (255, 235, 59)
    assert [text.get_text() for text in figures[0].legends[0].texts] == ["Ground Truth", "Prediction"]
    with pytest.raises(errors.ArgumentError, match="Take one of legend=True and legend_handles"):
        visualization.plot_bounding_box_gallery(black, "xyxy", legend=True, legend_handles=[1])


def test_a_gallery_of_masks(monkeypatch):
    figures = shown(monkeypatch)
    first = {"images": IMAGES.transpose(0, 3, 1, 2), "y_true": MASKS.transpose(0, 3, 1, 2)}
    for given in ({"images": IMAGES, "y_true": MASKS}, first | {"data_format": "channels_first"}):
        visualization.plot_segmentation_mask_gallery(num_classes=3, y_pred=given["y_true"], **given)
        pictures = [axis.images[0].get_array() for axis in figures.pop().axes]
        drawn = visualization.draw_segmentation_masks(IMAGES.astype("uint8"), MASKS, 3)
        assert len(pictures) == 6
        for i in range(2):
            np.testing.assert_array_equal(pictures[3 * i], IMAGES[i].astype("uint8"))
            np.testing.assert_array_equal(pictures[3 * i + 1], drawn[i])
            np.testing.assert_array_equal(pictures[3 * i + 2], drawn[i])


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda: visualization.draw_bounding_boxes(IMAGES[0], boxes(), "xyxy"), r"4 axes; got \(5, 6, 3\)"),
        (lambda: visualization.draw_bounding_boxes(IMAGES, {"boxes": []}, "xyxy"), "it has no 'labels'"),
        (
            lambda: visualization.draw_segmentation_masks(IMAGES, MASKS.astype(float)),
            "the class of each pixel; got float64",
        ),
        (lambda: visualization.draw_segmentation_masks(IMAGES, MASKS[:1]), r"wants \(2, 5, 6\).*got \(1, 5, 6\)"),
        (lambda: visualization.plot_image_gallery(IMAGES, y_true=[0, 1]), "give label_map="),
        (lambda: visualization.plot_image_gallery(IMAGES, data_format="first"), "data_format is 'channels_last' or"),
    ],
)
def test_what_is_refused(use, said):
    with pytest.raises(errors.KeryxError, match=said):
        use()


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(errors.ConfigError, match=r"pip install 'keryx\[visualization\]'"):
        keryx.visualization.plot_image_gallery(IMAGES)
