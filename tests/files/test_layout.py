"""Where files keep what: users' hooks and assets, old layouts, what does not fit."""

import warnings
from pathlib import Path

import jax
import numpy as np
import pytest

import keryx
from keryx.core.variable import made_later
from keryx.errors import FileError
from keryx.saving import layout
from keryx.saving.layout import stored
from keryx.saving.restoring import restore


def model_of(*units):
    return keryx.Sequential([keryx.Input((3,)), *(keryx.layers.Dense(n) for n in units)])


def values_of(model):
    return {path: np.asarray(value) for path, value in stored(model).items()}


class Table(keryx.layers.Layer):
    """Keeps its own variable under a name, and words in a file."""

    def __init__(self, words=(), **kwargs):
        super().__init__(**kwargs)
        self.words = list(words)

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(2, 2), initializer="ones", name="factor")

    def call(self, x):
        return x * self.factor.value[0, 0]

    def save_own_variables(self, store):
        store["flat"] = self.factor.numpy().reshape(-1)

    def load_own_variables(self, store):
        assert set(store.keys()) == {"flat"}
        self.factor.assign(store["flat"].reshape(2, 2))

    def save_assets(self, folder):
        (Path(folder) / "words.txt").write_text("\n".join(self.words))

    def load_assets(self, folder):
        self.words = (Path(folder) / "words.txt").read_text().split("\n")


def table_model(words, value):
    x = keryx.Input((3,))
    model = keryx.Model(x, keryx.layers.Dense(2)(Table(words)(x)))
    model.layers[1].factor.assign(np.full((2, 2), value))
    return model


@pytest.mark.parametrize("name", ["a.keras", "folder"])
def test_hooks_and_assets_of_a_user_s_layer(tmp_path, name):
    model = table_model(["one", "two"], 3.0)
    assert "layers/table/vars/flat" in stored(model)
    model.save(tmp_path / name, zipped=name.endswith(".keras"))
    again = keryx.models.load_model(tmp_path / name, {"Table": Table})
    assert again.layers[1].words == ["one", "two"]
    np.testing.assert_array_equal(again.layers[1].factor, np.full((2, 2), 3.0))


def test_a_hook_that_fails_changes_nothing():
    model, other = table_model([], 3.0), table_model([], 5.0)
    values = values_of(model) | {"layers/table/vars/flat": np.zeros(3, "float32")}
    before = other.get_weights()
    with pytest.raises(FileError, match="load_own_variables of Table 'table"):
        restore(other, values)
    assert all(map(np.array_equal, other.get_weights(), before))


def test_super_of_the_hooks():
    class Twice(keryx.layers.Dense):
        def save_own_variables(self, store):
            super().save_own_variables(store)
            store["more"] = np.float32(7)

        def load_own_variables(self, store):
            self.more = store.pop("more")
            super().load_own_variables(store)

    models = [keryx.Sequential([keryx.Input((3,)), Twice(2)]) for _ in range(2)]
    restore(models[1], values_of(models[0]))
    assert models[1].layers[0].more == 7
    assert all(map(np.array_equal, *(m.get_weights() for m in models)))


def test_every_difference_is_named_and_nothing_changes():
    model, other = model_of(2, 3), model_of(4, 3, 2)
    model.layers[0].name = "renamed"
    before = other.get_weights()
    values = values_of(model) | {"layers/gru/vars/0": np.zeros(2), "layers/dense_1/vars/1": np.zeros(3, "complex64")}
    with pytest.raises(FileError) as error:
        restore(other, values, path="a.weights.h5")
    for said in (
        "a.weights.h5 does not fit Sequential",
        "dense/kernel: wants (3, 4) float32; the file has (3, 2) float32 (layers/dense/vars/0)",
        "dense_1/bias: wants (3,) float32; the file has (3,) complex64",
        "dense_2/kernel: the file has no layers/dense_2/vars/0",
        "layers/gru/vars/0: the model has no such part",
        "skip_mismatch=True",
    ):
        assert said in str(error.value)
    assert all(map(np.array_equal, other.get_weights(), before))
    with pytest.warns(UserWarning, match="layers/gru/vars/0"):
        report = restore(other, values_of(model_of(4, 2)) | {"layers/gru/vars/0": np.zeros(2)}, skip_mismatch=True)
    assert report.matched == ("dense/kernel", "dense/bias")
    assert set(report.missing) == {"dense_1/kernel", "dense_1/bias", "dense_2/kernel", "dense_2/bias"}


def test_floats_of_any_width_and_integers_fit_floats_but_not_the_reverse():
    model = model_of(2)
    for dtype in ("float16", "float64", "int64", "bool", "bfloat16"):
        restore(model, {path: value.astype(dtype) for path, value in values_of(model).items()})
    assert {v.dtype for v in model.weights} == {"float32"}
    counter = keryx.layers.Layer()
    counter.count = counter.add_weight(shape=(), dtype="int32", initializer="zeros")
    with pytest.raises(FileError, match="int32"):
        restore(counter, {"vars/0": np.float32(1.5)})


def test_the_state_of_another_optimizer_is_left_out_with_a_warning():
    model, other = model_of(2), model_of(2)
    for one, name in ((model, "adam"), (other, "sgd")):
        one.compile(name, "mse")
        one.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    with pytest.warns(UserWarning, match="optimizer/vars: 6 arrays; SGD keeps 2"):
        restore(other, values_of(model))
    assert all(map(np.array_equal, model.get_weights(), other.get_weights()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        restore(model_of(2), values_of(model))  # not compiled: nobody asks for the state
        weights_alone = {path: value for path, value in values_of(model).items() if "optimizer" not in path}
        restore(other, weights_alone)


def test_layouts_of_keras_2_13_and_before_3_15():
    model, other = model_of(2, 2), model_of(2, 2)
    old = {path.replace("layers", "_layer_checkpoint_dependencies"): v for path, v in values_of(model).items()}
    restore(other, old)
    assert all(map(np.array_equal, model.get_weights(), other.get_weights()))

    class Deep(keryx.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.stack = [keryx.layers.Dense(2), [keryx.layers.Dense(2)]]

        def call(self, x):
            return self.stack[1][0](self.stack[0](x))

    models = []
    for _ in range(2):
        x = keryx.Input((3,))
        models.append(keryx.Model(x, Deep()(x)))
    before = models[1].get_weights()
    values = {path: value for path, value in values_of(models[0]).items() if "container" not in path}
    assert len(values) == 2
    with pytest.warns(UserWarning, match="nested"):
        report = restore(models[1], values)
    assert len(report.matched) == len(report.missing) == 2
    assert np.array_equal(models[1].get_weights()[0], models[0].get_weights()[0])
    assert np.array_equal(models[1].get_weights()[2], before[2])


def test_containers_in_a_circle_and_shared_layers_are_kept_once():
    class Round(keryx.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            dense = keryx.layers.Dense(2)
            self.loop = [dense]
            self.loop.append(self.loop)
            self.same = dense

        def call(self, x):
            return self.same(x)

    x = keryx.Input((3,))
    model = keryx.Model(x, Round()(x))
    assert [path for path, _ in layout.parts(model)][-2:] == ["layers/round", "layers/round/loop/dense"]


def test_weights_are_made_when_somebody_wants_them():
    calls = []

    def ones(shape, dtype=None):
        calls.append(shape)
        return jax.numpy.ones(shape, dtype)

    with made_later():
        model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2, kernel_initializer=ones)])
    assert not calls
    assert model.count_params() == 8
    model.layers[0].bias.assign(np.ones(2))
    restore(model, {"layers/dense/vars/0": np.zeros((3, 2)), "layers/dense/vars/1": np.zeros(2)})
    assert not calls
    with made_later():
        model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2, kernel_initializer=ones)])
    np.testing.assert_array_equal(model(np.ones((1, 3))), [[3.0, 3.0]])
    assert calls == [(3, 2)]
