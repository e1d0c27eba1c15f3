"""Applications beside Keras's: what they are made of, their numbers, their weights in files, what they refuse."""

import importlib
import inspect
import json
import warnings
from unittest import mock

import applications_facts
import h5py
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from applications_facts import FILE, SMALLEST, VARIANTS, draw_weights, facts, outputs
from keras.src.legacy.saving import legacy_h5_format
from keras.src.utils import file_utils
from oracle import array, close

import keryx
from keryx import applications
from keryx.core.variable import made_later
from keryx.errors import ArgumentError, ShapeError

WANTED = json.loads(FILE.read_text())
NAMES = [name for name in WANTED if name[0].isupper()]
MODULES = [name for name, home in vars(keras.applications).items() if inspect.ismodule(home)]


class Fetched(Exception):
    """What a call of get_file asked for."""


def get_file(name, url, cache_subdir, file_hash=None):
    assert cache_subdir == "models"
    raise Fetched([name, url, file_hash])


@pytest.fixture
def no_download(monkeypatch):
    monkeypatch.setattr("keryx.utils.get_file", get_file, raising=False)


SMALL = {"weights": None, "include_top": False, "pooling": "avg", "input_shape": (32, 32, 3), "alpha": 0.25}


def small(**more):
    """A network that is built and compiled quickly."""
    return applications.MobileNet(**SMALL | more)


# -- beside Keras --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_layers_connections_weights_and_settings_are_those_of_keras(name, monkeypatch):
    monkeypatch.setattr("keryx.utils.get_file", lambda *_, **__: "", raising=False)
    monkeypatch.setattr(keryx.Model, "load_weights", lambda *_: None)
    keryx.utils.clear_session()
    with made_later():  # no weight is drawn: nobody looks at one
        found = facts(getattr(applications, name)())
    assert found == {key: WANTED[name][key] for key in found}


@pytest.mark.parametrize("name", SMALLEST)
def test_the_numbers_are_those_of_keras(name):
    close(outputs(getattr(applications, name), SMALLEST[name]), WANTED[name]["outputs"], 1e-4)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("MobileNet", {"alpha": 0.25, "depth_multiplier": 2, "classes": 10, "input_shape": (32, 32, 3)}),
        ("MobileNetV2", {"alpha": 1.3, "include_top": False, "pooling": "max", "input_shape": (33, 47, 1)}),
        ("MobileNetV3Small", {"minimalistic": True, "alpha": 0.75, "include_preprocessing": False, "dropout_rate": 0}),
        ("MobileNetV3Large", {"alpha": 1.25, "include_top": False, "pooling": "avg"}),
        ("EfficientNetV2B0", {"include_preprocessing": False, "include_top": False, "pooling": "max"}),
        ("EfficientNetB0", {"input_shape": (33, 64, 1), "classes": 3, "classifier_activation": None}),
        ("ConvNeXtTiny", {"include_top": False, "pooling": "max", "input_shape": (32, 32, 1), "name": "mine"}),
        ("VGG16", {"include_top": False, "pooling": "max"}),
    ],
)
def test_arguments_mean_what_they_mean_in_keras(name, options):
    keryx.utils.clear_session()
    keras.utils.clear_session()
    with applications_facts.drawn_quickly():
        wanted = facts(getattr(keras.applications, name)(weights=None, **options))
    assert facts(getattr(applications, name)(weights=None, **options)) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_those_of_keras(name):
    ours, theirs = (inspect.signature(getattr(home, name)) for home in (applications, keras.applications))
    assert [(p.name, p.default, p.kind) for p in ours.parameters.values()] == [
        (p.name, p.default, p.kind) for p in theirs.parameters.values()
    ]
    assert all(f"    {p}: " in getattr(applications, name).__doc__ for p in ours.parameters)


@pytest.mark.parametrize("module", MODULES)
def test_modules_have_the_names_of_keras(module):
    ours = importlib.import_module(f"keryx.applications.{module}")
    assert ours is getattr(applications, module)
    for name, thing in vars(getattr(keras.applications, module)).items():
        if name[0] != "_":
            assert getattr(ours, name).__name__ == thing.__name__


# -- what goes in and comes out ------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
def test_preprocess_input(module):
    ours, theirs = (getattr(home, module).preprocess_input for home in (applications, keras.applications))
    image = np.random.default_rng(0).uniform(0, 255, (2, 4, 5, 3)).astype("float32")
    before = image.copy()
    close(ours(image), theirs(image.copy()), 1e-6)
    np.testing.assert_array_equal(image, before)  # Keras writes into it
    close(ours(image[0].astype("uint8")), theirs(image[0].astype("uint8")), 1e-6)
    first = image.transpose(0, 3, 1, 2)
    close(ours(first, data_format="channels_first"), theirs(first.copy(), data_format="channels_first"), 1e-6)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_preprocess_input_of_other_kinds(mode):
    ours, theirs = (home.imagenet_utils.preprocess_input for home in (applications, keras.applications))
    image = np.random.default_rng(0).uniform(0, 255, (2, 4, 5, 3))
    assert ours(image, mode=mode).dtype == theirs(image.copy(), mode=mode).dtype == "float64"
    half = ours(jnp.asarray(image, "bfloat16"), mode=mode)
    assert isinstance(half, jnp.ndarray)
    assert half.dtype == "bfloat16"
    for dtype in ("float32", "uint8"):
        x = keryx.Input((4, 5, 3), dtype=dtype)
        model = keryx.Model(x, ours(x, mode=mode))
        given = image.astype(dtype)
        close(model(given), theirs(given.copy(), mode=mode), 1e-5)
    first = image[0].transpose(2, 0, 1)
    close(ours(first, "channels_first", mode), theirs(first.copy(), "channels_first", mode), 1e-6)


def test_preprocess_input_says_what_it_wants():
    preprocess = applications.imagenet_utils.preprocess_input
    with pytest.raises(ArgumentError, match="mode is one of 'caffe', 'tf', 'torch'; got 'tff'"):
        preprocess(np.zeros((1, 1, 3)), mode="tff")
    with pytest.raises(ArgumentError, match="'channels_last' or 'channels_first'; got 'last'"):
        preprocess(np.zeros((1, 1, 3)), "last")
    with pytest.raises(ShapeError, match=r"an image \(height, width, 3\) or a batch of them; got \(3, 3\)"):
        preprocess(np.zeros((3, 3)))


def test_decode_predictions(monkeypatch, tmp_path):
    path = tmp_path / "imagenet_class_index.json"
    path.write_text(json.dumps({str(i): [f"n{i:08}", f"class {i}"] for i in range(1000)}))
    asked = []

    def get_file(*args, **kwargs):
        asked.append((args, kwargs))
        return str(path)

    monkeypatch.setattr("keryx.utils.get_file", get_file, raising=False)
    monkeypatch.setattr(file_utils, "get_file", get_file)
    applications.imagenet_utils._classes.cache_clear()
    predictions = array(3, 1000)
    ours = applications.resnet50.decode_predictions(predictions, top=4)
    theirs = keras.applications.resnet50.decode_predictions(predictions, top=4)
    applications.imagenet_utils._classes.cache_clear()
    assert ours == theirs
    assert asked[0] == asked[1]
    assert len(applications.vgg16.decode_predictions(jnp.asarray(predictions))[0]) == 5
    applications.imagenet_utils._classes.cache_clear()
    with pytest.raises(ShapeError, match=r"\(batch, 1000\); got \(1, 10\)"):
        applications.vgg16.decode_predictions(np.zeros((1, 10)))


# -- weights -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_files_of_weights_are_those_that_keras_publishes(name, no_download):
    for top, wanted in zip((True, False), WANTED[name]["files"], strict=True):
        with pytest.raises(Fetched) as found:
            getattr(applications, name)(include_top=top)
        assert found.value.args[0] == wanted


@pytest.mark.parametrize(
    ("name", "options", "wanted"), [(*call, file) for call, file in zip(VARIANTS, WANTED["variants"], strict=True)]
)
def test_the_files_of_other_sizes(name, options, wanted, no_download):
    with pytest.raises(Fetched) as found:
        getattr(applications, name)(**options)
    assert found.value.args[0] == wanted


def theirs_and_x():
    with applications_facts.drawn_quickly():
        theirs = keras.applications.MobileNet(**SMALL)
    draw_weights(theirs)
    x = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype("float32")
    return theirs, x


@pytest.fixture(scope="module")
def keras_files(tmp_path_factory):
    """The files that Keras writes, the one of its releases included, an image, and what Keras makes of it."""
    folder = tmp_path_factory.mktemp("keras")
    theirs, x = theirs_and_x()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras asks NumPy in an old way
        theirs.save_weights(folder / "new.weights.h5")
        with h5py.File(folder / "released.h5", "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, theirs)
    return folder, x, np.asarray(theirs(x))


@pytest.mark.parametrize("file", ["new.weights.h5", "released.h5"])
def test_weights_from_a_file_of_keras(file, keras_files):
    folder, x, wanted = keras_files
    for path in (folder / file, str(folder / file)):
        model = small(weights=path)
    close(model(x), wanted, 1e-4)


def test_imagenet_weights_are_loaded_from_the_file_that_get_file_gives(monkeypatch, keras_files):
    folder, x, wanted = keras_files
    monkeypatch.setattr("keryx.utils.get_file", lambda *_, **__: str(folder / "released.h5"), raising=False)
    model = small(weights="imagenet")
    assert model.name == "mobilenet_0.25_224"  # no weights were trained on images of 32x32
    close(model(x), wanted, 1e-4)


def test_no_weights_are_drawn_where_a_file_brings_them(keras_files):
    with mock.patch("keryx.initializers.GlorotUniform.__call__") as draw:
        small(weights=keras_files[0] / "new.weights.h5")
    draw.assert_not_called()


def test_a_file_of_another_network_is_refused(keras_files):
    with pytest.raises(keryx.errors.FileError, match="does not fit"):
        small(weights=keras_files[0] / "new.weights.h5", alpha=0.5)


# -- in models of one's own ----------------------------------------------------------------------------------------


def test_two_instances_in_one_model_keep_apart(tmp_path):
    x = keryx.Input((32, 32, 3))
    left, right = (applications.MobileNet(**SMALL, name=name) for name in ("left", "right"))
    model = keryx.Model(x, keryx.layers.concatenate([left(x), right(x)]))
    assert len(model.named_variables) == len(model.weights) == len(left.weights) + len(right.weights)
    assert {path.partition("/")[0] for path in model.named_variables} == {"left", "right"}
    draw_weights(model)
    image = array(1, 32, 32, 3)
    wanted = model(image)
    model.save(tmp_path / "model.keras")
    close(keryx.models.load_model(tmp_path / "model.keras")(image), wanted)
    for file in ("model.weights.h5", "model.h5", "model.safetensors"):
        model.save_weights(tmp_path / file)
        other = keryx.models.clone_model(model)
        other.load_weights(tmp_path / file)
        close(other(image), wanted)


def test_an_input_tensor_takes_the_place_of_the_input():
    x = keryx.Input((40, 40, 3))
    model = small(input_shape=None, input_tensor=keryx.layers.Cropping2D(4)(x))
    assert model.inputs == [x]
    assert model.layers[1].name.startswith("cropping2d")
    assert model.name == "mobilenet_0.25_32"
    assert model(array(1, 40, 40, 3)).shape == (1, 256)


def test_it_trains():
    model = small(include_top=True, classes=3)
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.layers[1].kernel.numpy()
    model.fit(array(2, 32, 32, 3), np.array([0, 2]), epochs=1, verbose=0)
    assert np.abs(model.layers[1].kernel.numpy() - before).max() > 0


@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0", "Xception"])
def test_channels_first(name):
    options = {"weights": None, "include_top": False, "input_shape": (3, 75, 80)}
    with applications_facts.drawn_quickly():
        try:
            for library in (keras, keryx):
                library.config.set_image_data_format("channels_first")
                library.utils.clear_session()
            wanted = facts(getattr(keras.applications, name)(**options))
            assert facts(getattr(applications, name)(**options)) == wanted
        finally:
            for library in (keras, keryx):
                library.config.set_image_data_format("channels_last")


@pytest.mark.parametrize(
    ("make", "config"),
    [
        ("convnext.LayerScale", {"init_values": 0.5, "projection_dim": 3}),
        ("inception_resnet_v2.CustomScaleLayer", {"scale": 2.0}),
    ],
)
def test_their_own_layers_go_to_keras_and_back(make, config):
    module, _, name = make.partition(".")
    ours = getattr(getattr(applications, module), name)(**config)
    theirs = keras.saving.deserialize_keras_object(keryx.layers.serialize(ours))
    again = keryx.layers.deserialize(keras.saving.serialize_keras_object(theirs))
    assert {k: again.get_config()[k] for k in config} == config
    x = array(2, 3)
    x = [x, x + 1] if "scale" in config else x
    close(ours(x), theirs(x))
    close(again(x), ours(x))


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"weights": "imagnet"},
            ArgumentError,
            "weights= is 'imagenet', None or the path of a file that is there; got",
        ),
        (
            {"weights": "imagenet", "include_top": True, "classes": 10},
            ArgumentError,
            "include_top=False takes its feat",
        ),
        ({"pooling": "sum"}, ArgumentError, "pooling is 'avg', 'max' or None; got 'sum'"),
        ({"poling": "avg"}, ArgumentError, "MobileNet.. has no argument 'poling'. Did you mean 'pooling'?"),
        ({"weights": "imagenet", "alpha": 0.3}, ArgumentError, "alpha is 0.25, 0.5, 0.75 or 1"),
        (
            {"weights": "imagenet", "include_top": True, "classifier_activation": "relu", "input_shape": None},
            ArgumentError,
            "classifier_activation is 'softmax' or None; got 'relu'",
        ),
        ({"input_shape": (31, 64, 3)}, ShapeError, r"takes images of 32x32 pixels and more, .* got \(31, 64, 3\)"),
        ({"input_shape": (32, 32)}, ShapeError, r"an image is \(height, width, channels\), without the batch; got"),
        ({"input_shape": (None, 32, 32, 3)}, ShapeError, "without the batch"),
        ({"input_shape": (32, 32, None)}, ShapeError, "the number of channels has to be known"),
        ({"weights": "imagenet", "input_shape": (32, 32, 1)}, ShapeError, "takes images of 3 channels"),
        ({"include_top": True, "input_shape": (None, 32, 3)}, ShapeError, "wants a known height and width"),
        (
            {"include_top": True, "weights": "imagenet", "input_shape": (100, 100, 3)},
            ShapeError,
            "wants images of 224x224 or 128x128 or 160x160 or 192x192 pixels; got",
        ),
        ({"input_tensor": np.zeros((1, 32, 32, 3))}, ArgumentError, "input_tensor= is a symbolic tensor"),
    ],
)
def test_what_is_refused(options, error, message, no_download):
    with pytest.raises(error, match=message):
        small(**options)
