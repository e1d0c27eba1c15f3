"""Layers of text and categories against what Keras over TensorFlow gives, and files of such layers."""

import copy
import json
import os
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
import pytest
from fixtures import text_cases

import keryx

HERE = Path(__file__).parent / "fixtures"
KERAS = json.loads((HERE / "text.json").read_text())
CASES = list(text_cases.cases())


def case_id(number):
    name, options, *_ = CASES[number]
    return f"{name}-{number}-" + ",".join(options)


@pytest.mark.parametrize("number", range(len(CASES)), ids=case_id)
def test_outputs_vocabulary_and_config_are_those_of_keras(number):
    (name, options, data, inputs), wanted = CASES[number], KERAS["cases"][number]
    layer = getattr(keryx.layers, name)(**options)
    if data is not None:
        layer.adapt(np.array(data))
    arrays = [np.array(x) for x in inputs] if name == "HashedCrossing" else np.array(inputs)
    outputs = layer(arrays)
    assert isinstance(outputs, np.ndarray)
    if outputs.dtype == object:
        assert outputs.tolist() == wanted["outputs"]
    else:
        assert outputs.shape == np.shape(wanted["outputs"])
        np.testing.assert_allclose(outputs, wanted["outputs"], rtol=1e-6)
    if "vocabulary" in wanted:
        assert layer.get_vocabulary() == wanted["vocabulary"]
        assert layer.vocabulary_size() == len(wanted["vocabulary"])
    config = json.loads(json.dumps(layer.get_config()))
    assert {key: config[key] for key in wanted["config"]} == wanted["config"]
    assert config.keys() - wanted["config"].keys() <= {"name", "activity_regularizer"}
    twin = type(layer).from_config({**wanted["config"], "name": "twin"})
    if data is None:
        np.testing.assert_array_equal(twin(arrays), outputs)


# -- files ---------------------------------------------------------------------------------------------------------


def test_a_model_that_keras_wrote():
    model, record = keryx.models.load_model(HERE / "text_model.keras"), KERAS["model"]
    x = [np.array(part) for part in record["inputs"]]
    for a, b, c in zip(model(x), model.predict(x, verbose=0), record["outputs"], strict=True):
        np.testing.assert_allclose(a, c, rtol=1e-5)
        np.testing.assert_allclose(b, c, rtol=1e-5)
    again = copy.deepcopy(model)
    lookup, same = (next(x for x in m.layers if isinstance(x, keryx.layers.StringLookup)) for m in (again, model))
    lookup.adapt(["new words"])
    assert lookup.get_vocabulary() == ["", "[UNK]", "new words"] != same.get_vocabulary()


def test_a_feature_space_that_keras_wrote(tmp_path):
    record = KERAS["feature_space"]
    space = keryx.models.load_model(HERE / "feature_space.keras")
    np.testing.assert_allclose(space(record["inputs"]), record["outputs"], rtol=1e-5)
    new = type(space).from_config(space.get_config())
    with pytest.raises(keryx.errors.StateError, match="call adapt"):
        new(record["inputs"])
    new.adapt(record["data"])
    np.testing.assert_allclose(new(record["inputs"]), record["outputs"], rtol=1e-5, atol=1e-6)
    new.save(tmp_path / "space.keras")
    again = keryx.models.load_model(tmp_path / "space.keras")
    np.testing.assert_array_equal(again(record["inputs"]), new(record["inputs"]))
    model = keryx.Model(again.get_inputs(), again.get_encoded_features())
    model.save(tmp_path / "model.keras")
    table = {name: np.array(column) for name, column in record["inputs"].items()}
    loaded = keryx.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(table, verbose=0), record["outputs"], rtol=1e-5)


def text_model():
    line, number = keryx.Input((1,), dtype="string"), keryx.Input((2,), dtype="int64")
    layers = keryx.layers
    learned = [
        layers.TextVectorization(output_mode="tf_idf"),
        layers.TextVectorization(output_sequence_length=3),
        layers.StringLookup(num_oov_indices=2),
        layers.StringLookup(vocabulary=["ant", "eel"], output_mode="multi_hot"),
        layers.Hashing(4, salt=3),
    ]
    numbers = [layers.IntegerLookup(mask_token=0), layers.IntegerLookup(output_mode="count"), layers.Normalization()]
    for layer in learned[:3]:
        layer.adapt(np.array(text_cases.TEXTS)[:, None])
    for layer in numbers:
        layer.adapt(np.array(text_cases.NUMBERS)[:, :2])
    return keryx.Model([line, number], [layer(line) for layer in learned] + [layer(number) for layer in numbers])


def test_saved_and_loaded(tmp_path):
    model = text_model()
    x = [np.array(text_cases.TEXTS[:3])[:, None], np.array([[5, 7], [0, 13], [1, 1]])]
    wanted = [np.asarray(part) for part in model(x)]
    model.save(tmp_path / "model.keras")
    keryx.saving.save_model(model, tmp_path / "folder", zipped=False)
    for path in ("model.keras", "folder"):
        loaded = keryx.models.load_model(tmp_path / path)
        for a, b in zip(loaded(x), wanted, strict=True):
            np.testing.assert_array_equal(a, b)
        assert loaded.get_config()["layers"] == model.get_config()["layers"]
    model.save_weights(tmp_path / "model.weights.h5")
    loaded.load_weights(tmp_path / "model.weights.h5")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        names = [name for name in archive.namelist() if name.startswith("assets/")]
        assert "assets/layers/text_vectorization/vocabulary.txt" in names
        words = archive.read("assets/layers/string_lookup/vocabulary.txt").decode().split("\n")
        assert words == next(layer for layer in model.layers if layer.name.startswith("string")).get_vocabulary()


def test_words_with_line_breaks_are_kept(tmp_path):
    line = keryx.Input((1,), dtype="string")
    for options in ({}, {"output_mode": "tf_idf", "mask_token": "m"}):
        layer = keryx.layers.StringLookup(**options)
        layer.adapt(np.array([["a\nb"], ["c\r"], ["d"], ["d"]]))
        model = keryx.Model(line, layer(line))
        model.save(tmp_path / "model.keras")
        loaded = keryx.models.load_model(tmp_path / "model.keras")
        x = np.array(["a\nb", "c\r", "d", "?"])
        np.testing.assert_allclose(loaded(x), model(x), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
@pytest.mark.parametrize("first", ["keras", "keryx"])
def test_layers_of_numbers_in_files_of_both(tmp_path, first):
    """Keras runs these without TensorFlow."""
    x = np.random.default_rng(0).normal(3, 2, (20, 3)).astype("float32")
    one, other = (keras, keryx) if first == "keras" else (keryx, keras)
    inputs = one.Input((3,))
    scaled, bins = one.layers.Normalization(), one.layers.Discretization(num_bins=4)
    scaled.adapt(x)
    bins.update_state(x)
    bins.finalize_state()
    encoded = one.layers.CategoryEncoding(4, output_mode="count")(bins(inputs))
    fixed = one.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0], invert=True)
    model = one.Model(inputs, [scaled(inputs), encoded, fixed(inputs)])
    wanted = [np.asarray(part) for part in model(x)]
    model.save(tmp_path / "model.keras")
    for module in (keryx, other):
        loaded = module.models.load_model(tmp_path / "model.keras")
        for a, b in zip(loaded(x), wanted, strict=True):
            np.testing.assert_allclose(np.asarray(a), b, rtol=1e-5, atol=1e-6)
