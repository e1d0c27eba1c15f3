"""Models of tf_keras 2.21, in both forms, and of tf.keras 2.3: they compute the same, and train on to the same."""

import json
import warnings

import numpy as np
import pytest
from old_fixtures import Record, folder, names

from keryx.saving import load_model

# Where training goes on to other numbers, and why.
APART = {
    # The moving variance is the unbiased one there, for images; RMSprop added epsilon outside of the root.
    ("tf_keras_2_3", "images"): 1e-3,
    ("tf_keras_2_3", "mlp"): 1e-4,
    # tf_keras multiplies Nadam's momenta up more than once a step when it is compiled; before, they grew more slowly.
    ("tf_keras_2_21", "waves"): 0.1,
    ("tf_keras_2_3", "waves"): 0.1,
}


def test_there_are_eleven_models_in_each_form():
    assert len(names("tf_keras_2_21", ".h5")) == len(names("tf_keras_2_21", ".keras")) == 11


@pytest.mark.parametrize("name", names("tf_keras_2_21", ".h5"))
@pytest.mark.parametrize(
    ("age", "suffix"), [("tf_keras_2_21", ".keras"), ("tf_keras_2_21", ".h5"), ("tf_keras_2_3", ".h5")]
)
def test_a_model_computes_the_same_and_trains_on_to_the_same(name, age, suffix):
    record = Record(age, name)
    model = load_model(folder(age) / f"{name}{suffix}")
    assert record.difference(model, record.before) < 1e-5
    record.train(model)
    assert record.difference(model, record.after) < APART.get((age, name), 1e-5)


def test_training_would_not_go_on_to_the_same_without_the_state_of_the_optimizer():
    record = Record("tf_keras_2_21", "mlp")
    model = load_model(folder("tf_keras_2_21") / "mlp.h5")
    model.optimizer.forget()
    record.train(model)
    assert record.difference(model, record.after) > 1e-3


def test_the_slots_of_nadam_are_those_of_the_file():
    one, other = (load_model(folder("tf_keras_2_21") / f"waves{suffix}").optimizer for suffix in (".h5", ".keras"))
    for a, b in zip(one.variables, other.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert one.iterations == 5
    assert max(abs(v.numpy()).max() for v in one.variables[2:]) > 0


def test_without_compiling_nothing_of_training_is_read():
    for suffix in (".h5", ".keras"):
        model = load_model(folder("tf_keras_2_21") / f"mlp{suffix}", compile=False)
        assert not model.compiled
        assert Record("tf_keras_2_21", "mlp").difference(model, Record("tf_keras_2_21", "mlp").before) < 1e-5


def test_what_was_compiled_comes_back():
    for suffix in (".h5", ".keras"):
        model = load_model(folder("tf_keras_2_21") / f"outputs{suffix}")
        record = Record("tf_keras_2_21", "outputs")
        logs = model.evaluate(record.x[0], record.y, verbose=0, return_dict=True)
        assert sorted(logs) == ["kind_acc", "kind_loss", "loss", "size_loss"]
        assert model.optimizer.schedule.get_config()["decay_rate"] == pytest.approx(0.9)


def test_a_read_model_is_saved_and_read_again_as_todays(tmp_path):
    record = Record("tf_keras_2_21", "operations")
    model = load_model(folder("tf_keras_2_21") / "operations.h5")
    model.save(tmp_path / "today.keras")
    assert record.difference(load_model(tmp_path / "today.keras"), record.before) < 1e-5
    assert json.loads(model.to_json())["class_name"] == "Functional"


def test_reading_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(folder("tf_keras_2_21") / "nested.h5")
