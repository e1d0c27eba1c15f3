"""Models of Keras 2.3, 1.2 and 0.3, on TensorFlow and on Theano: their layouts, their words, what is refused."""

import numpy as np
import pytest
from old_fixtures import Record, folder, names

import keryx
from keryx import layers
from keryx.errors import ConfigError, FileError
from keryx.saving import hdf5, load_model
from keryx.saving.old import weights_h5

# Where training goes on to other numbers, and why.
APART = {
    # The moving variance was the unbiased one of TensorFlow's operation for images; RMSprop added epsilon outside of
    # the root; Nadam's momenta grew more slowly.
    ("keras_2_3", "images"): 1e-3,
    ("keras_2_3", "series"): 1e-3,
    ("keras_2_3", "nested"): 0.2,
    ("keras_1_2_theano", "images"): 1e-3,
    ("keras_1_2_theano", "series"): 1e-3,
    # Adam makes steps of full length out of the rounding in gradients that are 0: of a bias before BatchNormalization.
    ("keras_1_2_theano", "nested"): 0.1,
    ("keras_1_2_theano", "text"): 5e-4,
}


@pytest.mark.parametrize("name", [name for name in names("keras_2_3", ".h5") if name != "code"])
def test_a_model_of_keras_2_computes_the_same(name):
    record = Record("keras_2_3", name)
    model = load_model(folder("keras_2_3") / f"{name}.h5")
    assert record.difference(model, record.before) < 1e-5
    if record.after:
        record.train(model)
        assert record.difference(model, record.after) < APART.get(("keras_2_3", name), 1e-5)


def test_layers_of_cudnn_are_the_plain_ones():
    model = load_model(folder("keras_2_3") / "cudnn.h5")
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["InputLayer", "Bidirectional", "LSTM", "GRU", "Dense"]
    assert model.layers[3].reset_after


def test_a_lambda_is_refused_by_its_name_before_anything_is_built(monkeypatch):
    monkeypatch.setattr(layers.Layer, "__new__", lambda *args, **kwargs: pytest.fail("a layer was built"))
    with pytest.raises(ConfigError, match="'doubled' is a Lambda that holds Python code, which is never run") as caught:
        load_model(folder("keras_2_3") / "code.h5")
    assert "load_weights" in str(caught.value)


def test_a_file_of_keras_2_on_theano_has_its_kernels_turned():
    record = Record("keras_2_3_theano", "images")
    model = load_model(folder("keras_2_3_theano") / "images.h5")
    assert record.difference(model, record.before) < 1e-5
    record.train(model)
    assert record.difference(model, record.after) < 1e-3


@pytest.mark.parametrize("name", names("keras_1_2_theano", ".h5"))
def test_a_model_of_keras_1_computes_the_same(name):
    record = Record("keras_1_2_theano", name)
    model = load_model(folder("keras_1_2_theano") / f"{name}.h5")
    assert record.difference(model, record.before) < 1e-5
    if record.after:
        record.train(model)
        assert record.difference(model, record.after) < APART.get(("keras_1_2_theano", name), 1e-5)


def test_the_gates_of_keras_1_stand_in_todays_order():
    model = load_model(folder("keras_1_2_theano") / "text.h5")
    group = hdf5.read(folder("keras_1_2_theano") / "text.h5")["model_weights"]
    kept = next(one for one in weights_h5.layers_of(group) if one.name.startswith("lstm"))
    assert len(kept.arrays) == 12
    first = next(layer for layer in model.layers if isinstance(layer, layers.LSTM))
    values = {name.rpartition("lstm_1_")[2]: node.array() for name, node in kept.arrays.items()}
    kernel = np.concatenate([values[f"W_{gate}"] for gate in "ifco"], -1)
    np.testing.assert_array_equal(first.cell.kernel.numpy(), kernel)


def of_keras_0(name):
    if name == "text":
        inputs = keryx.Input((6,), dtype="int32")
        hard = {"recurrent_activation": "old_hard_sigmoid"}
        return keryx.Model(inputs, layers.Dense(2)(layers.LSTM(4, **hard)(layers.Embedding(9, 5)(inputs))))
    inputs = keryx.Input((2, 5, 6))
    first = layers.Conv2D(3, (2, 3), data_format="channels_first")
    return keryx.Model(inputs, layers.Dense(2)(layers.Flatten()(first(inputs))))


def test_numbered_layers_and_parameters_of_keras_0_find_their_variables():
    record, model = Record("keras_0_3_theano", "text"), of_keras_0("text")
    report = model.load_weights(folder("keras_0_3_theano") / "text.h5")
    assert report.is_whole
    assert record.difference(model, record.before) < 1e-5


def test_kernels_of_keras_0_are_not_turned_for_the_file_does_not_say_whose_they_are():
    record, model = Record("keras_0_3_theano", "image"), of_keras_0("image")
    assert model.load_weights(folder("keras_0_3_theano") / "image.h5").is_whole
    assert record.difference(model, record.before) > 1e-2
    kernel = model.layers[1].kernel
    kernel.assign(kernel.numpy()[::-1, ::-1])  # what Theano's convolution did
    assert record.difference(model, record.before) < 1e-5


@pytest.mark.parametrize("by_name", [False, True])
def test_a_file_of_weights_of_keras_1_loads_into_a_model_that_was_built_here(by_name):
    whole = load_model(folder("keras_1_2_theano") / "text.h5", compile=False)
    model = keryx.models.clone_model(whole)
    assert not np.allclose(model.get_weights()[0], whole.get_weights()[0])
    report = model.load_weights(folder("keras_1_2_theano") / "text.weights.h5", by_name=by_name)
    assert report.is_whole
    for one, other in zip(model.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_that_do_not_fit_change_nothing_and_are_all_named():
    inputs = keryx.Input((6,), dtype="int32")
    model = keryx.Model(inputs, layers.Dense(3)(layers.LSTM(5)(layers.Embedding(9, 5)(inputs))))
    before = model.get_weights()
    with pytest.raises(FileError) as caught:
        model.load_weights(folder("keras_1_2_theano") / "text.weights.h5")
    for told in ("lstm/lstm_cell/kernel", "the file 4"):
        assert told in str(caught.value)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
