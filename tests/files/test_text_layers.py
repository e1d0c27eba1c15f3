"""Layers of text and categories against what Keras over TensorFlow gives, and files of such layers."""

import json
from pathlib import Path

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
