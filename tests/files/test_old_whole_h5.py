"""Whole models in `.h5` files as Keras 3 writes them, both ways; files that are damaged or hostile."""

import json
import pickle

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format as theirs

import keryx
from keryx import layers
from keryx.errors import ConfigError, FileError, KeryxError
from keryx.saving import load_model, save_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras on h5py

X = [np.random.default_rng(i).normal(size=shape).astype(np.float32) for i, shape in enumerate([(8, 5, 4), (8, 4)])]
Y = np.random.default_rng(2).normal(size=(8, 2)).astype(np.float32)


def built(k, optimizer):
    """The same model of either library."""
    z = k.Input((4,))
    inner = k.Model(
        z, k.layers.Dense(3, activation="tanh", name="deep")(k.layers.BatchNormalization()(z)), name="inner"
    )
    x, w = k.Input((5, 4)), k.Input((4,))
    y = k.layers.Flatten()(k.layers.Conv1D(2, 3)(x))
    y = k.layers.Concatenate()([y, inner(w)])
    model = k.Model([x, w], k.layers.Dense(2, kernel_regularizer="l2", name="last")(y))
    model.compile(optimizer, "mean_squared_error", metrics=["mean_absolute_error"])
    for _ in range(3):
        model.train_on_batch(X, Y)
    return model


def state_put(model, path):
    """What Keras 3.15 means to do with the state of the optimizer, and does not: it asks a model for no weights."""
    model.compile(type(model.optimizer).from_config(model.optimizer.get_config()), "mean_squared_error")
    model.optimizer.build(model.trainable_variables)
    with h5py.File(path) as file:
        values = [value[()] for value in theirs.load_optimizer_weights_from_hdf5_group(file)]
        model.optimizer.set_weights(values)


OPTIMIZERS = [
    ("Adam", {"learning_rate": 0.01, "amsgrad": True}),
    ("RMSprop", {"momentum": 0.5, "centered": True}),
    ("SGD", {"momentum": 0.9}),
    ("Nadam", {}),
]


@pytest.mark.parametrize(("name", "arguments"), OPTIMIZERS[:2])
def test_a_file_of_keras_3_is_read_and_training_goes_on(name, arguments, tmp_path):
    theirs_ = built(keras, getattr(keras.optimizers, name)(**arguments))
    theirs_.save(tmp_path / "k.h5")
    model = load_model(tmp_path / "k.h5")
    np.testing.assert_allclose(model.predict(X, verbose=0), theirs_.predict(X, verbose=0), atol=1e-5)
    for _ in range(5):
        theirs_.train_on_batch(X, Y)
        model.train_on_batch(X, Y)
    np.testing.assert_allclose(model.predict(X, verbose=0), theirs_.predict(X, verbose=0), atol=1e-5)


@pytest.mark.parametrize(("name", "arguments"), OPTIMIZERS[1:])
def test_keras_3_reads_a_file_of_ours_and_training_goes_on(name, arguments, tmp_path):
    model = built(keryx, getattr(keryx.optimizers, name)(**arguments))
    model.save(tmp_path / "ours.h5")
    read = keras.models.load_model(tmp_path / "ours.h5")
    np.testing.assert_allclose(read.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-5)
    state_put(read, tmp_path / "ours.h5")
    for _ in range(5):
        read.train_on_batch(X, Y)
        model.train_on_batch(X, Y)
    np.testing.assert_allclose(read.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-5)


def test_keras_3_finds_what_it_would_have_written_itself(tmp_path):
    built(keryx, "adam").save(tmp_path / "ours.h5")
    built(keras, "adam").save(tmp_path / "k.h5")

    def told(path):
        with h5py.File(path) as file:
            group = file["model_weights"]
            arrays = {}
            group.visititems(lambda name, one: arrays.update({name: one.shape}) if hasattr(one, "shape") else None)
            shapes = sorted(arrays.values())
            state = [file["optimizer_weights"][name].shape for name in file["optimizer_weights"].attrs["weight_names"]]
            return sorted(file.attrs), sorted(group.attrs), len(group), shapes, state

    assert told(tmp_path / "ours.h5") == told(tmp_path / "k.h5")


def with_ops(k):
    x = k.Input((4,))
    y = k.layers.Dense(3)(x) * 2 + 1
    y = k.ops.concatenate([y, x[:, :2]], axis=-1)
    return k.Model(x, k.layers.Dense(2)(k.ops.mean(y[:, None], axis=1)))


def test_ops_are_read_although_the_file_does_not_say_that_they_are_ops(tmp_path):
    model = with_ops(keras)
    model.save(tmp_path / "k.h5")
    with pytest.raises(ValueError, match="GetItem"):  # Keras itself does not
        keras.models.load_model(tmp_path / "k.h5")
    np.testing.assert_allclose(load_model(tmp_path / "k.h5")(X[1]), model(X[1]), atol=1e-6)


def test_keras_3_reads_the_ops_of_a_file_of_ours(tmp_path):
    model = with_ops(keryx)
    save_model(model, tmp_path / "ours.h5")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "ours.h5")(X[1]), model(X[1]), atol=1e-6)


@pytest.mark.parametrize("k", [keras, keryx])
def test_names_above_an_attributes_size_are_cut_into_pieces(k, tmp_path):
    x = y = k.Input((1,))
    for i in range(150):
        y = k.layers.Activation("linear", name=f"{'long' * 125}_{i}")(y)
    k.Model(x, k.layers.Dense(1)(y)).save(tmp_path / "long.h5")
    with h5py.File(tmp_path / "long.h5") as file:
        assert {"layer_names0", "layer_names1"} <= set(file["model_weights"].attrs)
    assert len(load_model(tmp_path / "long.h5").layers) == 152
    assert len(keras.models.load_model(tmp_path / "long.h5").layers) == 152


def test_the_old_file_stays_where_a_model_cannot_be_written(tmp_path):
    save_model(with_ops(keryx), tmp_path / "m.h5")
    before = (tmp_path / "m.h5").read_bytes()
    x = keryx.Input((2,))
    with pytest.raises(ConfigError, match="lambda"):
        save_model(keryx.Model(x, layers.Lambda(lambda v: v)(x)), tmp_path / "m.h5")
    with pytest.raises(FileError, match="exists"):
        save_model(with_ops(keryx), tmp_path / "m.h5", overwrite=False)
    assert (tmp_path / "m.h5").read_bytes() == before


# -- damaged and hostile files -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "k.h5"
    x = keras.Input((4,))
    model = keras.Model(x, keras.layers.Dense(2, name="last")(keras.layers.Dense(3, name="first")(x)))
    model.compile("adam", "mean_squared_error")
    model.optimizer.build(model.trainable_variables)
    model.save(path)
    return path.read_bytes()


def config_with(file, **changes):
    """The model's config with other arguments of its last layer."""
    config = json.loads(file.attrs["model_config"])
    config["config"]["layers"][-1]["config"].update(changes)
    file.attrs["model_config"] = json.dumps(config)


def linked(file):
    del file["model_weights/last"]
    file["model_weights/last"] = h5py.ExternalLink("/etc/passwd", "/")


def twice(file):
    file["model_weights"].attrs["layer_names"] = [b"last", b"last"]


BROKEN = {
    "no config": (lambda f: f.attrs.__delitem__("model_config"), "holds no whole model"),
    "a number for a config": (lambda f: f.attrs.__setitem__("model_config", 3), "no text"),
    "a pickle": (lambda f: f.attrs.__setitem__("model_config", np.void(pickle.dumps(1))), "opaque|no text"),
    "no JSON": (lambda f: f.attrs.__setitem__("model_config", "{"), "JSON"),
    "a deep config": (lambda f: f.attrs.__setitem__("model_config", "[" * 10_000 + "]" * 10_000), "deep"),
    "a list": (lambda f: f.attrs.__setitem__("model_config", "[]"), "holds a list|list"),
    "a layer of 32 TB": (lambda f: config_with(f, units=10**12), "bytes"),
    "an unknown layer": (lambda f: config_with(f, activation="os.system"), "os.system"),
    "no weights": (lambda f: f.__delitem__("model_weights"), "holds no whole model"),
    "a layer too few": (lambda f: f["model_weights"].attrs.__setitem__("layer_names", [b"last"]), "do not fit"),
    "a layer twice": (twice, "twice"),
    "a layer that is none": (lambda f: f["model_weights"].attrs.__setitem__("layer_names", [b"none"]), "'none'"),
    "a weight that is none": (lambda f: f["model_weights/last"].attrs.__setitem__("weight_names", [b"w"]), "'w'"),
    "names that are numbers": (lambda f: f["model_weights"].attrs.__setitem__("layer_names", [1, 2]), "list of names"),
    "a link": (linked, "link"),
    "a training config of no optimizer": (lambda f: f.attrs.__setitem__("training_config", "{}"), "which optimizer"),
    "an optimizer that is none": (
        lambda f: f.attrs.__setitem__("training_config", '{"optimizer_config": {"class_name": "open", "config": {}}}'),
        "open",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_with_a_word_on_why(name, good, tmp_path):
    break_it, said = BROKEN[name]
    path = tmp_path / "k.h5"
    path.write_bytes(good)
    with h5py.File(path, "r+") as file:
        break_it(file)
    with pytest.raises(KeryxError, match=said):
        load_model(path)


def test_a_state_that_does_not_fit_is_left_out_with_a_warning(good, tmp_path):
    path = tmp_path / "k.h5"
    path.write_bytes(good)
    with h5py.File(path, "r+") as file:
        names = file["optimizer_weights"].attrs["weight_names"]
        file["optimizer_weights"].attrs["weight_names"] = names[:-1]
    with pytest.warns(UserWarning, match="does not fit Adam here"):
        model = load_model(path)
    assert model.optimizer.iterations == 0
    assert np.isfinite(model.train_on_batch(X[1], Y)).all()


def test_weights_alone_are_told_from_a_whole_model(tmp_path):
    model = with_ops(keryx)
    model.save_weights(tmp_path / "w.h5")
    with pytest.raises(FileError, match=r"It holds weights alone: build the model, and call model.load_weights"):
        load_model(tmp_path / "w.h5")
