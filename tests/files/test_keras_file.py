"""Whole models in .keras files: structures both ways with Keras, training that goes on to the same bits, faults."""

import io
import json
import os
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import keryx
from keryx.errors import ConfigError, FileError
from keryx.saving import atomic
from tests.twin_models import trees_close, twins

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 4)).astype("float32")
SEQUENCES = RNG.normal(size=(8, 5, 4)).astype("float32")
WORDS = RNG.integers(0, 9, size=(8, 5)).astype("int32")


def shared(K):
    a, b = K.Input((4,), name="a"), K.Input((4,), name="b")
    dense, other = K.layers.Dense(3, "tanh"), K.layers.Dense(3)
    return K.Model([a, b], K.layers.Concatenate()([dense(a), other(dense(b)[:, :2] if False else b), dense(b)]))


def nested_twice(K):
    i = K.Input((4,))
    inner = K.Model(i, K.layers.Dense(4, "tanh")(i))
    j = K.Input((4,))
    outer = K.Model(j, [inner(j), K.layers.Dense(4)(inner(inner(j)))])
    x = K.Input((4,))
    first, second = outer(x)
    return K.Model(x, [K.layers.Dense(2)(first), outer(second)[1]])


def sequential_inside(K):
    x = K.Input((4,))
    stack = K.Sequential([K.Input((4,)), K.layers.Dense(3, "relu"), K.layers.BatchNormalization(), K.layers.Dense(2)])
    return K.Model(x, K.layers.Add()([stack(x), K.layers.Dense(2)(x)]))


def recurrent(K):
    L, x = K.layers, K.Input((5, 4))
    y = L.Bidirectional(L.LSTM(2, return_sequences=True))(x)
    y = L.RNN([L.SimpleRNNCell(3), L.GRUCell(2)], return_sequences=True)(y)
    return K.Model(x, L.TimeDistributed(L.Dense(3))(y))


def attention(K):
    L, x = K.layers, K.Input((5, 4))
    y = L.MultiHeadAttention(2, 3, use_gate=True)(x, x)
    y = L.LayerNormalization()(L.Add()([x, y]))
    return K.Model(x, L.MultiHeadAttention(1, 2, value_dim=2, use_bias=False)(y, x))


def embedded(K):
    x = K.Input((5,), dtype="int32")
    return K.Model(x, K.layers.LSTM(3)(K.layers.Embedding(9, 4, mask_zero=True)(x)))


def halves(K):
    x = K.Input((4,))
    y = K.layers.Dense(3, "relu", dtype="mixed_float16")(x)
    return K.Model(x, K.layers.Dense(2, dtype="float32")(y))


def bfloat16(K):
    x = K.Input((4,), dtype="bfloat16")
    return K.Model(x, K.layers.Dense(2, dtype="bfloat16")(x))


def unfrozen(K):
    x = K.Input((4,))
    y = K.layers.Dense(4, trainable=False)(x)
    return K.Model(x, K.layers.Dense(2)(K.layers.BatchNormalization(trainable=False)(y)))


def spectral(K):
    x = K.Input((4,))
    return K.Model(x, K.layers.SpectralNormalization(K.layers.Dense(3), power_iterations=2)(x))


STRUCTURES = {f.__name__: f for f in (
    shared, nested_twice, sequential_inside, recurrent, attention, embedded, halves, bfloat16, unfrozen,
    spectral,
)}  # fmt: skip
DATA = {"shared": [X, 2 * X], "recurrent": SEQUENCES, "attention": SEQUENCES, "embedded": WORDS}


def arrays_in(path):
    """The shapes and dtypes of a .keras file's weights by path."""
    found = {}
    with h5py.File(io.BytesIO(zipfile.ZipFile(path).read("model.weights.h5"))) as file:
        file.visititems(
            lambda name, one: found.__setitem__(name, (one.shape, str(one.dtype))) if hasattr(one, "shape") else None
        )
    return {name: told for name, told in found.items() if not name.startswith("keryx/")}


def fitted(model, x, steps):
    y = [np.zeros(output.shape, "float32") for output in np_list(model.predict(x, verbose=0))]
    model.fit(x, y if len(y) > 1 else y[0], batch_size=8, epochs=steps, shuffle=False, verbose=0)
    return model


def np_list(outputs):
    return [np.asarray(output) for output in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


@pytest.mark.slow
@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_are_exchanged_with_keras(tmp_path, name):
    theirs, ours = twins(STRUCTURES[name])
    x, tolerance = DATA.get(name, X), 0.02 if name in ("bfloat16", "halves") else 1e-5
    for K, model in ((keras, theirs), (keryx, ours)):
        model.compile(K.optimizers.SGD(0.05, momentum=0.9), "mse")
        fitted(model, x, 2)
    theirs.save(tmp_path / "theirs.keras")
    ours.save(tmp_path / "ours.keras")
    assert arrays_in(tmp_path / "ours.keras") == arrays_in(tmp_path / "theirs.keras")
    read, loaded = keras.models.load_model(tmp_path / "ours.keras"), keryx.models.load_model(tmp_path / "theirs.keras")
    for one, other in ((ours, read), (loaded, theirs)):
        trees_close(*[[a.astype("float32") for a in np_list(m.predict(x, verbose=0))] for m in (one, other)], tolerance)
        for model in (one, other):
            fitted(model, x, 10)
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(a.astype("float32"), b.astype("float32"), tolerance, tolerance)


def subclass(K):
    class Mine(K.Model):
        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.zed, self.a, self._hidden = K.layers.Dense(units), K.layers.Dense(4), K.layers.Dense(units)
            self.stack = [K.layers.Dense(4), [K.layers.Dense(4), (K.layers.LayerNormalization(),)]]
            self.by_name = {"x": K.layers.Dense(units), "y": {"z": K.layers.Dense(units)}}
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        @property
        def best(self):
            return self.by_name["y"]["z"]

        def call(self, x):
            y = self.stack[1][1][0](self.stack[1][0](self.stack[0](self.a(x))))
            y = self.zed(y) + self._hidden(y) + self.by_name["x"](y) + self.best(y)
            return y * self.scale

        def get_config(self):
            return super().get_config() | {"units": self.units}

    return Mine


def test_a_subclass_is_exchanged_with_keras(tmp_path):
    theirs, ours = twins(lambda K: subclass(K)(3, name="mine"), weights=False)
    for K, model in ((keras, theirs), (keryx, ours)):
        model.compile(K.optimizers.SGD(0.05, momentum=0.9), "mse", metrics=["mae"])
        fitted(model, X, 1)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    assert arrays_in(tmp_path / "ours.keras") == arrays_in(tmp_path / "theirs.keras")
    read = keras.models.load_model(tmp_path / "ours.keras", custom_objects={"Mine": subclass(keras)})
    loaded = keryx.models.load_model(tmp_path / "theirs.keras", custom_objects={"Mine": subclass(keryx)})
    for one, other in ((ours, read), (loaded, theirs)):
        trees_close(one.predict(X, verbose=0), other.predict(X, verbose=0))
        fitted(one, X, 10)
        fitted(other, X, 10)
        trees_close(one.predict(X, verbose=0), other.predict(X, verbose=0))
    again = keryx.models.load_model(tmp_path / "ours.keras", {"Mine": subclass(keryx)}, compile=False)
    assert (again.units, again.compiled) == (3, False)
    with pytest.raises(ConfigError, match="'Mine'"):
        keryx.models.load_model(tmp_path / "ours.keras")


# -- training goes on ----------------------------------------------------------------------------------------------


class Noisy(keryx.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seeds = keryx.random.SeedGenerator()

    def call(self, x, training=False):
        return x + keryx.random.normal(x.shape, stddev=0.1, seed=self.seeds) if training else x


def noisy():
    layers = [
        keryx.Input((4,)),
        keryx.layers.Dense(8, "relu"),
        keryx.layers.Dropout(0.5),
        Noisy(),
        keryx.layers.Dense(1),
    ]
    model = keryx.Sequential(layers)
    model.compile("adam", "mse", metrics=["mae"])
    return model


@pytest.mark.parametrize("folder", [False, True])
def test_a_loaded_model_goes_on_to_the_same_bits(tmp_path, folder):
    model = noisy()
    x, y = RNG.normal(size=(50, 4)), RNG.normal(size=(50, 1))
    model.fit(x, y, epochs=2, batch_size=8, verbose=0)
    path = tmp_path / ("model" if folder else "model.keras")
    for _ in range(2):  # the second takes the place of the first
        model.save(path, zipped=not folder)
    keryx.utils.set_random_seed(99)
    again = keryx.models.load_model(path, custom_objects={"Noisy": Noisy})
    assert again.get_metrics_result() == model.get_metrics_result()
    assert again.get_metrics_result()["mae"] > 0
    histories = [m.fit(x, y, epochs=3, batch_size=8, verbose=0).history for m in (model, again)]
    assert histories[0] == histories[1]
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("K", [keras, keryx])
def test_an_optimizer_that_has_taken_no_step_begins_at_the_first(tmp_path, K):
    model = K.Sequential([K.Input((4,)), K.layers.Dense(3)])
    model.compile(K.optimizers.Adam(0.25), "mse")
    model.save(tmp_path / "a.keras")
    again = keryx.models.load_model(tmp_path / "a.keras")
    assert float(again.optimizer.learning_rate) == 0.25
    assert not again.optimizer.built
    fitted(again, X, 3)
    again.save(tmp_path / "a.keras")
    assert keryx.models.load_model(tmp_path / "a.keras").optimizer.iterations == 3


def test_what_code_says_is_left_out_and_said(tmp_path):
    model = keryx.Sequential([keryx.Input((4,)), keryx.layers.Dense(1)])
    model.compile("adam", lambda t, p: (t - p) ** 2)
    with pytest.warns(UserWarning, match="saved without what it was compiled with"):
        model.save(tmp_path / "a.keras")
    assert not keryx.models.load_model(tmp_path / "a.keras").compiled


def test_a_compile_of_ones_own_is_the_class_s_business(tmp_path):
    class Mine(keryx.Model):
        def compile(self, extra=0, **kwargs):
            super().compile(**kwargs)
            self.extra = extra

    class Whole(Mine):
        def get_compile_config(self):
            return {"extra": self.extra, "optimizer": "sgd", "loss": "mse"}

        def compile_from_config(self, config):
            self.compile(**config)

    for cls in (Mine, Whole):
        x = keryx.Input((4,))
        model = cls(x, keryx.layers.Dense(1)(x))
        model.compile(extra=7, optimizer="sgd", loss="mse")
        model.save(tmp_path / "a.keras")
        if cls is Whole:
            assert keryx.models.load_model(tmp_path / "a.keras", {"Whole": Whole}).extra == 7
        else:
            with pytest.warns(UserWarning, match="has a compile\\(\\) of its own"):
                assert not keryx.models.load_model(tmp_path / "a.keras", {"Mine": Mine}).compiled


# -- faults --------------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    model = keryx.Sequential([keryx.Input((4,)), keryx.layers.Dense(3), keryx.layers.Dense(2)])
    model.compile("adam", "mse")
    fitted(model, X, 1)
    model.save(tmp_path / "a.keras")
    return model, tmp_path / "a.keras"


def rewritten(path, change):
    """The archive with its parts changed by `change(parts)`."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def test_a_flipped_bit_is_named_by_tensor(saved):
    model, path = saved
    data = bytearray(path.read_bytes())
    at = data.index(model.layers[1].kernel.numpy().tobytes())
    data[at + 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(FileError, match="layers/dense_1/vars/0"):
        keryx.models.load_model(path)


def test_no_flipped_bit_goes_unseen(saved):
    model, path = saved
    whole, unseen = path.read_bytes(), []
    for at in range(0, len(whole), 89):
        data = bytearray(whole)
        data[at] ^= 4
        path.write_bytes(data)
        try:
            again = keryx.models.load_model(path)
        except (FileError, ConfigError, UserWarning):
            continue
        if not all(map(np.array_equal, again.get_weights(), model.get_weights())) or (
            again.session.clock["step"] != model.session.clock["step"]
        ):
            unseen.append(at)
    assert not unseen


def test_keras_s_own_files_are_checked_too(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.save(tmp_path / "a.keras")
    data = bytearray((tmp_path / "a.keras").read_bytes())
    data[data.index(np.asarray(model.weights[0].value).tobytes())] ^= 1
    (tmp_path / "a.keras").write_bytes(data)
    with pytest.raises(FileError, match="damaged"):
        keryx.models.load_model(tmp_path / "a.keras")


def test_a_truncated_file_and_others_are_told(saved, tmp_path):
    _, path = saved
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with pytest.raises(FileError, match="truncated"):
        keryx.models.load_model(path)
    path.write_bytes(b"hello")
    with pytest.raises(FileError, match="no file of a model"):
        keryx.models.load_model(path)
    with pytest.raises(FileError, match="There is no file"):
        keryx.models.load_model(tmp_path / "other.keras")
    with pytest.raises(FileError, match="no model of Keras 3"):
        keryx.models.load_model(tmp_path)
    path.write_bytes(whole)
    rewritten(path, lambda parts: parts.pop("model.weights.h5"))
    with pytest.raises(FileError, match=r"no 'model\.weights\.h5'"):
        keryx.models.load_model(path)


def test_a_config_that_does_not_fit_the_weights_builds_nothing(saved):
    _, path = saved

    def wider(parts):
        parts["config.json"] = parts["config.json"].replace(b'"units": 3', b'"units": 5')

    rewritten(path, wider)
    with pytest.raises(FileError) as error:
        keryx.models.load_model(path)
    for said in (
        "dense/kernel: wants (4, 5) float32; the file has (4, 3) float32 (layers/dense/vars/0)",
        "dense_1/kernel",
    ):
        assert said in str(error.value)


def test_code_is_refused_by_name_whatever_safe_mode_says(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x + 1)])
    model.save(tmp_path / "a.keras")
    for safe_mode in (True, False):
        with pytest.raises(ConfigError, match="lambda, which is never run"):
            keryx.models.load_model(tmp_path / "a.keras", safe_mode=safe_mode)


def test_names_and_places(saved, tmp_path):
    model, path = saved
    for name, zipped in (("a.h6", None), ("a.keras", False), ("folder", True)):
        with pytest.raises(FileError, match="ends in"):
            model.save(tmp_path / name, zipped=zipped)
    before = path.read_bytes()
    with pytest.raises(FileError, match="overwrite=True"):
        model.save(path, overwrite=False)
    assert path.read_bytes() == before
    (tmp_path / "documents").mkdir()
    with pytest.raises(FileError, match="no folder of a model"):
        model.save(tmp_path / "documents", zipped=False)
    with pytest.raises(FileError, match="there is no folder"):
        model.save(tmp_path / "nowhere" / "a.keras")
    metadata = json.loads(zipfile.ZipFile(path).read("metadata.json"))
    assert metadata["keras_version"] == keras.__version__
    assert metadata["keryx_version"] == keryx.__version__


def test_a_save_that_fails_leaves_the_old_file(saved, monkeypatch):
    model, path = saved
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(FileError, match="the disk is full"):
        model.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in Path(path).parent.iterdir()] == ["a.keras"]


# -- files that are open -------------------------------------------------------------------------------------------


def test_an_open_file_takes_and_gives_the_bytes_of_a_path(tmp_path):
    model = nested_twice(keryx)
    model.compile("adam", "mse")
    file = io.BytesIO()
    keryx.saving.save_model(model, file)
    (tmp_path / "m.keras").write_bytes(file.getvalue())
    file.seek(0)
    with open(tmp_path / "m.keras", "rb") as opened:
        for source in (file, opened, tmp_path / "m.keras"):
            again = keryx.saving.load_model(source)
            assert again.optimizer.name == "adam"
            np.testing.assert_array_equal(again.predict(X, verbose=0)[0], model.predict(X, verbose=0)[0])
    theirs = keras.models.load_model(tmp_path / "m.keras", compile=False)
    np.testing.assert_allclose(theirs.predict(X, verbose=0)[0], model.predict(X, verbose=0)[0], 1e-5, 1e-6)


def test_an_open_hdf5_file_is_read(tmp_path):
    model = keryx.Sequential([keryx.Input((4,)), keryx.layers.Dense(2)])
    model.save(tmp_path / "m.h5")
    with open(tmp_path / "m.h5", "rb") as file:
        np.testing.assert_array_equal(keryx.saving.load_model(file).get_weights()[0], model.get_weights()[0])


def test_an_open_file_is_written_at_once_or_not_at_all(monkeypatch):
    model = keryx.Sequential([keryx.Input((4,)), keryx.layers.Dense(2)])

    class Pipe:
        """It cannot seek."""

        name = "pipe"

        def __init__(self):
            self.written = []

        def write(self, data):
            self.written.append(bytes(data))

    pipe = Pipe()
    model.save(pipe)
    assert len(pipe.written) == 1
    assert keryx.saving.load_model(io.BytesIO(pipe.written[0])).count_params() == 10
    monkeypatch.setattr("keryx.saving.hdf5_writer.write", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.save(pipe)
    assert len(pipe.written) == 1
    with pytest.raises(FileError, match="leave zipped=False out"):
        model.save(pipe, zipped=False)


def test_an_open_file_is_read_as_warily_as_a_path(saved):
    model, path = saved
    data = bytearray(path.read_bytes())
    data[data.index(model.get_weights()[0].tobytes())] ^= 1
    for bytes_, message in ((data, "damaged"), (data[:-40], "BytesIO.* is no archive"), (b"no model", "begins with")):
        with pytest.raises(FileError, match=message):
            keryx.saving.load_model(io.BytesIO(bytes_))
