"""Layers of images: Keras's numbers where a transformation is given, and the contract of what is random."""

import functools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.core import scope
from keryx.errors import ConfigError, DataError, ShapeError

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0, 255, (3, 8, 10, 3)).astype("float32")
MASKS = RNG.integers(0, 3, (3, 8, 10, 1)).astype("float32")
BOXES = np.array([[[1, 2, 4, 6], [0, 0, 10, 8]], [[3, 3, 9, 5], [0, 0, 0, 0]], [[2, 1, 5, 4], [6, 2, 9, 7]]], "float32")
CLASSES = np.array([[1, 2], [3, -1], [0, 4]])
LABELS = np.eye(3, dtype="float32")
DATA = {"images": IMAGES, "labels": LABELS, "segmentation_masks": MASKS}
BOXED = {**DATA, "bounding_boxes": {"boxes": BOXES, "labels": CLASSES}}

RANDOM = {
    "RandomFlip": {"mode": "horizontal"},
    "RandomRotation": {"factor": 0.2},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.2, "fill_mode": "constant"},
    "RandomZoom": {"height_factor": 0.3, "width_factor": (-0.2, 0.4)},
    "RandomShear": {"x_factor": 0.3, "y_factor": 0.2},
    "RandomPerspective": {"factor": (1, 1), "scale": 0.6},
    "RandomElasticTransform": {"factor": (1, 1)},
    "RandomBrightness": {"factor": 0.4},
    "RandomContrast": {"factor": 0.6},
    "RandomInvert": {"factor": 1.0},
    "RandomPosterization": {"factor": (2, 7)},
    "Solarization": {"addition_factor": 0.2, "threshold_factor": 0.8},
    "RandomColorDegeneration": {"factor": 0.8},
    "RandomGrayscale": {"factor": 0.5},
    "RandomHue": {"factor": 0.7},
    "RandomSaturation": {"factor": (0.2, 0.8), "value_range": (0, 1)},
    "RandomColorJitter": {"brightness_factor": 0.2, "contrast_factor": 0.3, "hue_factor": 0.2},
    "RandomSharpness": {"factor": 1.0},
    "RandomGaussianBlur": {"factor": (1, 1), "kernel_size": (3, 5)},
    "RandomErasing": {"factor": (1, 1), "scale": (0.1, 0.4), "fill_value": 7},
    "RandomCrop": {"height": 5, "width": 4},
    "CutMix": {},
    "MixUp": {},
    "RandAugment": {},
    "AugMix": {},
}
FIXED = {
    "Resizing": {"height": 6, "width": 5},
    "CenterCrop": {"height": 5, "width": 4},
    "AutoContrast": {},
    "Equalization": {"bins": 8},
    "ContrastLimitedAdaptiveHistogramEqualization": {"tile_grid_size": (3, 4), "clip_limit": 2.0},
}
MOVING = ("Flip", "Rotation", "Translation", "Zoom", "Shear", "Perspective", "Crop")
every_random = pytest.mark.parametrize("name", RANDOM)
every = pytest.mark.parametrize("name", RANDOM | FIXED)


def made(name, **more):
    return getattr(layers, name)(**(RANDOM | FIXED)[name] | {"data_format": "channels_last"} | more)


def of_keras(name, **more):
    return getattr(keras.layers, name)(**(RANDOM | FIXED)[name] | {"seed": 1} | more)


def close(got, wanted, tolerance=1e-5):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(np.asarray(a, "float64"), np.asarray(b, "float64"), tolerance, tolerance * 255)


# Keras draws these within the change itself, or shapes what it draws in another way.
DRAWN_OTHERWISE = {"RandomElasticTransform", "RandomColorJitter", "AugMix", "RandAugment"}


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64")  # by Keras
@pytest.mark.parametrize("name", [name for name in RANDOM if name not in DRAWN_OTHERWISE])
def test_what_keras_has_drawn_changes_images_and_masks_as_in_keras(name):
    images = jnp.asarray(IMAGES / 255 if name == "RandomSaturation" else IMAGES)
    data = images if name == "RandomGrayscale" else {"images": images}
    transformation = of_keras(name).get_random_transformation(data, training=True)

    def changed(layer):
        def program(images, masks, labels):
            parts = [layer.transform_images(images, transformation, training=True)]
            if name in ("MixUp", "CutMix"):
                parts.append(layer.transform_labels(labels, transformation, training=True))
            if name != "MixUp":  # of which Keras takes from the flat masks
                parts.append(layer.transform_segmentation_masks(masks, transformation, training=True))
            return parts

        run = program if name == "RandomCrop" else jax.jit(program)  # Keras's cannot be compiled
        return run(images, jnp.asarray(MASKS), jnp.asarray(LABELS))

    close(changed(made(name)), changed(of_keras(name)))


@pytest.mark.parametrize("name", [f"Random{part}" for part in MOVING[:-1]])
def test_what_keras_has_drawn_moves_boxes_as_in_keras(name):
    theirs, ours = (make(name, bounding_box_format="xyxy") for make in (of_keras, made))
    transformation = theirs.get_random_transformation({"images": jnp.asarray(IMAGES)}, training=True)
    boxes = {"boxes": jnp.asarray(BOXES), "labels": jnp.asarray(CLASSES)}

    def moved(layer):
        move = jax.jit(lambda boxes: layer.transform_bounding_boxes(boxes, transformation, training=True))
        return move(dict(boxes))

    close(moved(ours), moved(theirs))


@pytest.mark.parametrize(
    ("name", "init"),
    [
        *FIXED.items(),
        ("Resizing", {"height": 6, "width": 13, "pad_to_aspect_ratio": True}),
        ("Resizing", {"height": 6, "width": 13, "crop_to_aspect_ratio": True, "interpolation": "bicubic"}),
        ("CenterCrop", {"height": 9, "width": 5}),
        ("AutoContrast", {"value_range": (0, 300)}),
        ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (2, 2), "clip_limit": 0}),
    ],
)
def test_what_is_not_random_is_that_of_keras(name, init):
    flat = np.where(np.arange(3)[:, None, None, None] == 0, np.float32(9), IMAGES)  # one without any contrast
    theirs, ours = (jax.jit(getattr(module.layers, name)(**init)) for module in (keras, keryx))
    for images in (flat, IMAGES[1]):
        close(ours(images), theirs(images))


@pytest.mark.parametrize("name", ["Resizing", "ContrastLimitedAdaptiveHistogramEqualization"])
def test_integers_stay_integers(name):
    made_by = [jax.jit(getattr(module.layers, name)(**FIXED[name])) for module in (keryx, keras)]
    got, wanted = (layer(IMAGES[0].astype("uint8")) for layer in made_by)
    assert got.dtype == wanted.dtype == "uint8"
    # They are cut off: what is an integer but for the rounding may become the one below.
    assert abs(np.asarray(got, int) - np.asarray(wanted, int)).max() <= (name != "Resizing")


def test_a_crop_of_small_images_is_stretched_evenly():
    layer = layers.RandomCrop(5, 12)
    top, left, height, width, *_ = layer.get_random_transformation(IMAGES, training=True)
    assert (top, left, height, width) == (2, 0, 4, 10)
    close(layer(IMAGES), keras.ops.image.resize(IMAGES[:, 2:6], (5, 12)))


@pytest.mark.parametrize("name", ["Resizing", "CenterCrop"])
@pytest.mark.parametrize("init", [{}, {"pad_to_aspect_ratio": True}, {"crop_to_aspect_ratio": True}, {"height": 12}])
@pytest.mark.parametrize("form", ["xyxy", "rel_center_xywh"])
def test_boxes_go_along_to_another_size(name, init, form):
    if name == "CenterCrop" and any("ratio" in word for word in init):
        pytest.skip("has no such option")
    given = keryx.utils.bounding_boxes.convert_format(BOXES, "xyxy", form, 8, 10)
    boxes = {"boxes": given, "labels": jnp.asarray(CLASSES)}
    arguments = FIXED[name] | init | {"bounding_box_format": form}
    theirs = getattr(keras.layers, name)(**arguments)({"images": IMAGES, "bounding_boxes": dict(boxes)})
    ours = getattr(layers, name)(**arguments)({"images": IMAGES, "bounding_boxes": dict(boxes)})
    close(ours, theirs)


# -- the contract --------------------------------------------------------------------------------------------------


def compiled(layer, training=True):
    """A compiled `(key, data) -> data` of a layer."""

    def called(key, data):
        with scope.run(scope.Scope({}, jax.random.key_data(key), training)):
            return layer(data)

    return jax.jit(called)


@functools.cache
def run(name, training, data_format="channels_last"):
    """That of the layer of this name."""
    return compiled(made(name, data_format=data_format), training)


def data_of(name):
    return DATA | {"images": IMAGES / 255} if name == "RandomSaturation" else DATA


@every_random
def test_the_same_key_gives_the_same_bits_and_another_one_others(name):
    program, data = run(name, True), data_of(name)
    once, again = (program(jax.random.key(1), data) for _ in range(2))
    for a, b in zip(jax.tree.leaves(once), jax.tree.leaves(again), strict=True):
        assert (np.asarray(a) == np.asarray(b)).all()
    others = [program(jax.random.key(n), data)["images"] for n in (2, 3, 4)]
    assert any((np.asarray(once["images"]) != np.asarray(other)).any() for other in others)
    assert once["segmentation_masks"].shape[:3] == once["images"].shape[:3]
    assert np.isfinite(once["images"]).all()


@every_random
def test_outside_of_training_nothing_is_changed(name):
    out = run(name, False)(jax.random.key(1), data_of(name))
    if name == "RandomCrop":
        wanted = keras.ops.image.resize(IMAGES, (5, 4), crop_to_aspect_ratio=True)
        close(out["images"], wanted)
        return
    for part, value in data_of(name).items():
        np.testing.assert_array_equal(out[part], value)


@pytest.mark.parametrize("name", [name for name in RANDOM | FIXED if not name.endswith(("Augment", "Mix", "MixUp"))])
def test_channels_first_is_the_same_transposed(name):
    first = jax.tree.map(lambda x: x.transpose(0, 3, 1, 2) if x.ndim == 4 else x, data_of(name))
    last = run(name, True)(jax.random.key(5), data_of(name))
    turned = run(name, True, "channels_first")(jax.random.key(5), first)
    close(turned, jax.tree.map(lambda x: x.transpose(0, 3, 1, 2) if x.ndim == 4 else x, last), 2e-5)


@every
def test_symbols_come_out_as_the_arrays_do(name):
    arrays = run(name, True)(jax.random.key(1), data_of(name))["images"]
    symbol = made(name)(keryx.Input((8, 10, 3)))
    assert symbol.shape == (None, *arrays.shape[1:])
    assert symbol.dtype == arrays.dtype


@pytest.mark.parametrize("name", ["RandomFlip", "RandomErasing"])
def test_one_image_is_a_batch_of_one(name):
    batch = run(name, True)(jax.random.key(1), {part: value[:1] for part, value in DATA.items()})
    one = run(name, True)(jax.random.key(1), {part: value[0] for part, value in DATA.items()})
    for part, value in one.items():
        np.testing.assert_allclose(value, batch[part][0], 1e-6)


def test_the_parts_of_one_image_are_changed_as_a_batch_of_one():
    layer = made("RandomTranslation", height_factor=(0.25, 0.25), width_factor=0.0, bounding_box_format="xyxy")
    drawn = layer.get_random_transformation(IMAGES[:1], seed=1)
    boxes = jax.tree.map(lambda x: x[0], BOXED["bounding_boxes"])
    for name, part, whole in [
        ("image", IMAGES[0], layer.transform_images(IMAGES[:1], drawn)[0]),
        ("label", LABELS[0], LABELS[0]),
        ("segmentation_mask", MASKS[0], layer.transform_segmentation_masks(MASKS[:1], drawn)[0]),
    ]:
        np.testing.assert_allclose(getattr(layer, f"transform_single_{name}")(part, drawn), whole, 1e-6)
    moved = layer.transform_single_bounding_box(boxes, drawn)
    assert moved["boxes"].tolist() == [[1, 4, 4, 8], [0, 2, 10, 8]]
    assert moved["labels"].tolist() == [1, 2]


def test_by_itself_a_layer_works_as_in_training():
    layer = made("RandomInvert", factor=(1, 1))
    np.testing.assert_allclose(layer(IMAGES), 255 - IMAGES, 1e-6)
    np.testing.assert_array_equal(layer(IMAGES, training=False), IMAGES)
    np.testing.assert_array_equal(layer(IMAGES, False), IMAGES)
    assert layer(IMAGES.astype("uint8")).dtype == "float32"
    assert made("RandomInvert", dtype="mixed_bfloat16")(IMAGES).dtype == "bfloat16"


@every
def test_a_config_makes_the_same_layer_here_and_in_keras(name):
    layer = made(name, bounding_box_format="xywh")
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config
    theirs = getattr(keras.layers, name)(**(RANDOM | FIXED)[name])
    read = type(layer).from_config(theirs.get_config()).get_config()
    assert {word: read[word] for word in theirs.get_config()} == theirs.get_config() | {"dtype": read["dtype"]}
    if name != "RandomShear":  # Keras does not read what it writes itself
        getattr(keras.layers, name).from_config({**config, "dtype": "float32"})


@pytest.mark.parametrize("name", [f"Random{part}" for part in MOVING])
@pytest.mark.parametrize("form", ["xyxy", "yxyx", "rel_xywh"])
def test_boxes_move_the_same_in_every_format(name, form):
    convert = keryx.utils.bounding_boxes.convert_format
    transformation = made(name).get_random_transformation(IMAGES, seed=4)
    size = (5, 4) if name == "RandomCrop" else (8, 10)
    moved = []
    for own in ("xyxy", form):
        boxes = {"boxes": convert(BOXES, "xyxy", own, 8, 10), "labels": CLASSES}
        found = made(name, bounding_box_format=own).transform_bounding_boxes(boxes, transformation)
        moved.append(convert(found, own, "xyxy", *size))
    close(*moved)
    assert (moved[0]["boxes"] >= 0).all()
    assert (moved[0]["boxes"] <= np.array([size[1], size[0]] * 2)).all()


@pytest.mark.parametrize("name", ["RandomFlip", "RandomTranslation", "RandomZoom", "RandomCrop", "RandomRotation"])
def test_a_box_stays_around_what_is_in_it(name):
    images = np.zeros((1, 40, 40, 1), "float32")
    images[0, 12:20, 14:26] = 1
    boxes = {"boxes": np.array([[[14, 12, 26, 20]]], "float32"), "labels": np.array([[5]])}
    init = {"RandomCrop": {"height": 30, "width": 28}, "RandomFlip": {"mode": "vertical"}}.get(name, RANDOM[name])
    layer = getattr(layers, name)(**init, bounding_box_format="xyxy")
    move = compiled(layer)
    for seed in range(4):
        data = move(jax.random.key(seed), {"images": images, "bounding_boxes": boxes})
        moved, box = np.asarray(data["images"])[0, :, :, 0], data["bounding_boxes"]
        rows, columns = np.nonzero(moved > 0.5)
        around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(box["boxes"][0, 0], around, atol=1.6)
        assert box["labels"][0, 0] == 5


# -- single layers -------------------------------------------------------------------------------------------------


def test_draws_lie_where_they_should():
    many = np.zeros((2000, 1, 1, 3), "float32")
    others = "RandomCrop RandomElasticTransform RandomErasing RandomColorJitter CutMix MixUp AugMix RandAugment"
    names = [name for name in RANDOM if name not in others]
    draw = jax.jit(lambda: {name: made(name).get_random_transformation(many, seed=1) for name in names})()
    assert 0.45 < np.mean(draw["RandomFlip"]["flips"]) < 0.55
    angles = np.asarray(draw["RandomRotation"]["angle"])
    assert -72 <= angles.min() < -65 < 65 < angles.max() <= 72
    assert abs(angles.mean()) < 3
    zooms = draw["RandomZoom"]
    assert 0.7 <= zooms["height_zoom"].min() < zooms["height_zoom"].max() <= 1.3
    assert 0.8 <= zooms["width_zoom"].min() < zooms["width_zoom"].max() <= 1.4
    deltas = np.asarray(draw["RandomBrightness"]["rgb_delta"])
    assert -102 <= deltas.min() < -95 < 95 < deltas.max() <= 102
    contrasts = np.asarray(draw["RandomContrast"]["contrast_factor"])
    assert 1 <= contrasts.min() < 1.05
    assert 1.55 < contrasts.max() <= 1.6
    assert 0.45 < np.mean(draw["RandomInvert"]["apply_inversion"]) < 0.55  # the probability itself is drawn
    assert set(np.ravel(draw["RandomPosterization"]["shift_factor"]).tolist()) == {2, 3, 4, 5, 6}
    assert 0 <= np.min(draw["Solarization"]["thresholds"]) < np.max(draw["Solarization"]["thresholds"]) <= 204
    assert 0.45 < np.mean(draw["RandomGrayscale"]) < 0.55
    hues = np.asarray(draw["RandomHue"]["factor"])
    assert -0.35 <= hues.min() < -0.3 < 0.3 < hues.max() <= 0.35
    shear = np.asarray(draw["RandomShear"]["shear_factor"])
    assert (abs(shear).max(0) <= [0.3, 0.2]).all()
    corners = draw["RandomPerspective"]
    assert np.abs(corners["end_points"] - corners["start_points"]).max() <= 0.3 * 10


def test_what_is_erased_is_as_large_as_it_should_be():
    layer = made("RandomErasing", scale=(0.25, 0.25))
    masks = jax.jit(lambda: layer.get_random_transformation(np.zeros((200, 40, 40, 3)), seed=1)["batch_masks"])()
    np.testing.assert_allclose(np.asarray(masks, float).mean((1, 2, 3)), 0.25, atol=0.02)
    rows = np.asarray(masks).any((2, 3)).argmax(1)
    assert rows.min() <= 1
    assert rows.max() >= 19
    noise = made("RandomErasing", fill_value=None)(IMAGES)
    assert noise.min() >= 0
    assert noise.max() <= 255


def test_cut_mix_mixes_labels_as_it_mixes_images():
    layer = made("CutMix", factor=(1, 1))
    images = np.arange(4.0)[:, None, None, None] * np.ones((4, 40, 40, 3), "float32")
    mixed = compiled(layer)(jax.random.key(2), {"images": images, "labels": np.eye(4)})
    for image, share in zip(mixed["images"], mixed["labels"], strict=True):
        seen = [(np.asarray(image) == n).mean() for n in range(4)]
        np.testing.assert_allclose(share, seen, atol=0.06)


def test_masks_are_bent_as_the_images_are():
    layer = made("RandomElasticTransform", scale=(1, 1), interpolation="nearest", value_range=(0, 1))
    masks = (np.arange(40)[:, None] // 4 + np.arange(40) // 4)[None, :, :, None] % 3
    out = layer({"images": masks.astype("float32") / 2, "segmentation_masks": masks})
    np.testing.assert_allclose(np.asarray(out["images"]) * 2, out["segmentation_masks"], atol=1e-6)
    assert out["segmentation_masks"].dtype == "int32"
    assert (np.asarray(out["segmentation_masks"]) != masks).any()


def test_rand_augment_with_every_choice():
    layer = made("RandAugment", num_ops=1, bounding_box_format="xyxy")
    boxes = {"boxes": BOXES, "labels": CLASSES}

    def changed(number):
        drawn = layer.get_random_transformation(IMAGES, seed=1) | {"layer_idxes": number[None]}
        parts = (IMAGES, "images"), (MASKS, "segmentation_masks"), (boxes, "bounding_boxes")
        return [getattr(layer, f"transform_{name}")(part, drawn) for part, name in parts]

    def by_itself(step):
        drawn = layer.get_random_transformation(IMAGES, seed=1)["transforms"]
        own = drawn[keryx.core.names.snake_case(type(step).__name__)]
        parts = (IMAGES, "images"), (MASKS, "segmentation_masks"), (boxes, "bounding_boxes")
        return [getattr(step, f"transform_{name}")(part, own) for part, name in parts]

    chosen = jax.jit(changed)
    wanted = jax.jit(lambda: [by_itself(step) for step in layer._choices])()
    for number, parts in enumerate(wanted):
        close(chosen(jnp.array(number)), parts)


def test_aug_mix_of_no_change_changes_nothing():
    layer = made("AugMix", num_chains=2, chain_depth=2)
    drawn = jax.jit(lambda: layer.get_random_transformation(IMAGES, seed=1))() | {"input_shape": IMAGES.shape}
    nothing = np.full((2, 2), len(layer._choices))
    drawn["chain_transforms"] = drawn["chain_transforms"] | {"layer_idxes": nothing}
    close(layer.transform_images(IMAGES, drawn), IMAGES)
    assert sum(drawn["chain_mixing_weights"]) == pytest.approx(1)
    assert len(made("AugMix", all_ops=False)._choices) == 7


def test_boxes_come_as_lists_of_any_length_too():
    boxes = {"boxes": [[[1, 2, 4, 6], [0, 0, 10, 8]], [], [[2, 1, 5, 4]]], "labels": [[1, 2], [], [4]]}
    layer = layers.RandomTranslation((0.25, 0.25), 0.0, bounding_box_format="xyxy")
    out = layer({"images": IMAGES, "bounding_boxes": boxes, "ids": np.arange(3)})
    assert out["bounding_boxes"]["labels"].tolist() == [[1, 2], [-1, -1], [4, -1]]
    assert out["bounding_boxes"]["boxes"][0].tolist() == [[1, 4, 4, 8], [0, 2, 10, 8]]
    assert out["ids"].tolist() == [0, 1, 2]
    assert boxes["labels"] == [[1, 2], [], [4]]
    one = layer({"images": IMAGES[0], "bounding_boxes": {"boxes": [[1, 2, 4, 6]], "labels": [3]}})
    assert one["bounding_boxes"]["boxes"].tolist() == [[1, 4, 4, 8]]
    fixed = layers.MaxNumBoundingBoxes(1, bounding_box_format="xyxy")({"images": IMAGES, "bounding_boxes": boxes})
    assert fixed["bounding_boxes"]["labels"].tolist() == [[1], [-1], [4]]
    mixed = layers.MixUp(bounding_box_format="xyxy")({"images": IMAGES, "bounding_boxes": boxes})
    assert mixed["bounding_boxes"]["boxes"].shape == (3, 4, 4)
    assert mixed["bounding_boxes"]["labels"].shape == (3, 4)


def test_masks_keep_their_dtype_and_their_classes():
    masks = MASKS.astype("uint8")
    for name in ("RandomFlip", "RandomRotation", "RandomCrop", "Resizing", "CenterCrop"):
        out = made(name)({"images": IMAGES, "segmentation_masks": masks})["segmentation_masks"]
        assert out.dtype == "uint8"
        assert set(np.unique(out)) <= {0, 1, 2}


def test_a_model_augments_in_training_alone():
    image = keryx.Input((6, 6, 3))
    x = layers.RandomBrightness((1.0, 1.0), value_range=(0, 1))(image)
    x = layers.RandomFlip()(layers.RandomCrop(4, 4)(x))
    outputs = layers.Dense(1, kernel_initializer="ones", use_bias=False)(layers.Flatten()(x))
    model = keryx.Model(image, outputs)
    model.compile(keryx.optimizers.SGD(0.0), "mse")
    images = np.zeros((8, 6, 6, 3), "float32")
    assert model.predict(images).tolist() == [[0.0]] * 8
    assert model(images).tolist() == [[0.0]] * 8
    assert model(images, training=True).tolist() == [[48.0]] * 8
    history = model.fit(images, np.full((8, 1), 48.0), batch_size=4, epochs=2, verbose=0)
    assert history.history["loss"] == [0.0, 0.0]
    again = keryx.Model.from_config(model.get_config())
    assert again.predict(images).tolist() == [[0.0]] * 8


def test_a_model_of_dicts():
    boxes = {"boxes": keryx.Input((2, 4)), "labels": keryx.Input((2,), dtype="int32")}
    inputs = {"images": keryx.Input((8, 10, 3)), "bounding_boxes": boxes}
    outputs = layers.Resizing(4, 5, bounding_box_format="xyxy")(inputs)
    assert outputs["images"].shape == (None, 4, 5, 3)
    assert outputs["bounding_boxes"]["boxes"].shape == (None, 2, 4)
    model = keryx.Model(inputs, outputs)
    out = model({"images": IMAGES, "bounding_boxes": {"boxes": BOXES, "labels": CLASSES}})
    np.testing.assert_allclose(out["bounding_boxes"]["boxes"], BOXES / 2)


def test_pipeline_runs_its_layers_as_it_is_run():
    pipeline = layers.Pipeline([layers.RandomInvert((1, 1)), layers.CenterCrop(4, 4)])
    assert [layer.name.split("_")[0] for layer in pipeline.layers] == ["random", "center"]
    np.testing.assert_allclose(pipeline(IMAGES), 255 - IMAGES[:, 2:6, 3:7], 1e-6)
    np.testing.assert_allclose(pipeline(IMAGES, training=False), IMAGES[:, 2:6, 3:7])
    config = pipeline.get_config()
    assert set(config) == {"layers", "name"}
    np.testing.assert_allclose(layers.Pipeline.from_config(config)(IMAGES), pipeline(IMAGES))
    assert keras.layers.Pipeline.from_config(config)(IMAGES).shape == (3, 4, 4, 3)
    theirs = keras.layers.Pipeline([keras.layers.RandomInvert((1, 1)), keras.layers.CenterCrop(4, 4)]).get_config()
    np.testing.assert_allclose(layers.Pipeline.from_config(theirs)(IMAGES), pipeline(IMAGES))
    assert pipeline(keryx.Input((8, 10, 3))).shape == (None, 4, 4, 3)
    with pytest.raises(ConfigError, match="list of layers"):
        layers.Pipeline.from_config({"name": "test"})
    with pytest.raises(ConfigError, match="list of layers"):
        layers.Pipeline([3])


def test_rescaling_of_channels_that_come_first():
    keryx.config.set_image_data_format("channels_first")
    try:
        out = layers.Rescaling([1, 2, 3], offset=[0, 0, 1])(np.ones((1, 3, 2, 2)))
    finally:
        keryx.config.set_image_data_format("channels_last")
    assert out[0, :, 0, 0].tolist() == [1, 2, 4]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: layers.RandomRotation(2), ConfigError, "factor= as a number, or two of them, from -1 to 1; got 2"),
        (lambda: layers.RandomZoom((0.1, 0.2, 0.3)), ConfigError, "height_factor="),
        (lambda: layers.RandomTranslation("a", 0), ConfigError, "height_factor="),
        (lambda: layers.RandomFlip("sideways"), ConfigError, "'horizontal', 'vertical'"),
        (lambda: layers.RandomShear(0.1, fill_mode="mirror"), ConfigError, "fill_mode="),
        (lambda: layers.RandomPerspective(scale=2), ConfigError, "scale= from 0 to 1"),
        (lambda: layers.RandomBrightness(0.1, value_range=(1, 2, 3)), ConfigError, "value_range= as two numbers"),
        (lambda: layers.RandomGaussianBlur(kernel_size=4), ConfigError, "odd number"),
        (lambda: layers.RandomGrayscale(1.5), ConfigError, "between 0 and 1"),
        (lambda: layers.MixUp(alpha=0), ConfigError, "alpha= above 0"),
        (lambda: layers.Resizing(0, 1), ConfigError, "height= as an integer of at least 1"),
        (lambda: layers.Resizing(1, 1, bounding_box_format="xxyy"), ConfigError, "bounding_box_format="),
        (lambda: made("RandomFlip")(IMAGES[0, 0]), ShapeError, "rank 4, or 3 for one"),
        (lambda: made("RandomFlip")({"labels": LABELS}), DataError, "a dict with 'images'; got 'labels'"),
        (lambda: made("RandomFlip")(BOXED), DataError, "bounding_box_format='xyxy'"),
        (lambda: made("CutMix", bounding_box_format="xyxy")(BOXED), DataError, "takes no bounding boxes"),
        (lambda: made("MixUp")({"images": IMAGES, "labels": np.arange(3)}), ShapeError, "to_categorical"),
        (
            lambda: made("RandomFlip", bounding_box_format="xyxy")(
                {"images": IMAGES, "bounding_boxes": {"boxes": [[[1, 2, 3, 4]]], "labels": [[1, 2]]}}
            ),
            DataError,
            "Each box has a label",
        ),
        (lambda: layers.MelSpectrogram(64, sequence_length=65), ConfigError, "at least sequence_length=65"),
        (lambda: layers.STFTSpectrogram(mode="power"), ConfigError, "mode="),
        (lambda: layers.STFTSpectrogram(frame_length=4, frame_step=5), ConfigError, "from 1 to frame_length=4"),
        (lambda: layers.STFTSpectrogram(frame_length=8, fft_length=4), ConfigError, "at least frame_length=8"),
        (lambda: layers.STFTSpectrogram(scaling="half"), ConfigError, "'density', 'spectrum' or None"),
    ],
)
def test_errors_say_what_is_wanted(call, error, words):
    with pytest.raises(error, match=words):
        call()
