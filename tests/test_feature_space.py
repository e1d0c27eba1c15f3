"""FeatureSpace: columns of a table from any source, in a model, of every kind; its files: files/test_text_layers.py."""

import jax
import numpy as np
import pandas as pd
import pytest

import keryx
from keryx import errors, layers
from keryx.utils import FeatureSpace

TABLE = {"age": [31.0, 50.0, 22.0], "city": ["Rome", "Oslo", "Rome"], "code": [3, 5, 3]}


def space(**options):
    kinds = {"age": "float_normalized", "city": "string_categorical", "code": "integer_categorical"}
    return FeatureSpace(kinds, crosses=[("city", "code")], crossing_dim=4, **options)


def rows(table):
    return [{name: column[i] for name, column in table.items()} for i in range(3)]


@pytest.mark.parametrize(
    "data",
    [TABLE, pd.DataFrame(TABLE), rows(TABLE), ({k: np.array(v)[:2] for k, v in TABLE.items()} for _ in range(2))],
    ids=["dict", "table", "rows", "batches"],
)
def test_a_feature_space_of_any_source(data):
    made = space(output_mode="dict")
    made.adapt(data)
    assert made.preprocessors["city"].get_vocabulary()[0] == "[UNK]"
    encoded = made(TABLE)
    assert {name: part.shape for name, part in encoded.items()} == {
        "age": (3, 1), "city": (3, 3), "code": (3, 3), "city_X_code": (3, 4)
    }  # fmt: skip
    one = made({"age": 31.0, "city": "Rome", "code": 3})
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[0], b), encoded, one)


def test_a_feature_space_in_a_model():
    made = space()
    made.adapt(TABLE)
    inputs = made.get_inputs()
    model = keryx.Model(inputs, layers.Dense(1)(made.get_encoded_features()))
    other = {name: keryx.Input((1,), dtype=symbol.dtype, name=name) for name, symbol in inputs.items()}
    same = keryx.Model(other, model.layers[-1](made(other)))
    table = {name: np.array(column) for name, column in TABLE.items()}
    model.compile("sgd", "mse")
    begin, ends = model.get_weights(), []

    class Rows(keryx.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return {name: column[i : i + 1] for name, column in table.items()}, np.ones((1, 1))

    data = Rows()
    for given in (
        {"x": table, "y": np.ones((3, 1)), "batch_size": 1},
        {"x": map(data.__getitem__, range(3))},
        {"x": data},
    ):
        model.set_weights(begin)
        model.fit(**given, shuffle=False, verbose=0)
        ends.append(model.get_weights()[-2])
    assert np.any(ends[0] != begin[-2])
    np.testing.assert_allclose(ends[1:], ends[:1] * 2, rtol=1e-5)
    np.testing.assert_allclose(model.predict(table, verbose=0), same.predict(table, verbose=0), rtol=1e-6)


def test_kinds_of_columns():
    texts = layers.TextVectorization(output_mode="count")
    made = FeatureSpace(
        {
            "a": FeatureSpace.float_discretized(None, bin_boundaries=[0.0, 1.0]),
            "b": FeatureSpace.string_hashed(3, output_mode="int"),
            "c": FeatureSpace.feature("string", texts, "float"),
            "d": "float",
            "e": FeatureSpace.float_rescaled(scale=2.0, offset=1.0),
        },
        crosses=[FeatureSpace.cross(("a", "b"), 5, output_mode="int")],
        output_mode="dict",
    )
    data = {"a": [0.5, 2.0], "b": ["x", "y"], "c": ["an ant", "an elk"], "d": [1.0, 2.0], "e": [3.0, 4.0]}
    made.adapt(data)
    encoded = made(data)
    assert encoded["a"].tolist() == [[0, 1, 0], [0, 0, 1]]
    assert encoded["c"].tolist() == [[0, 1, 0, 1], [0, 1, 1, 0]]
    assert encoded["e"].tolist() == [[7.0], [9.0]]
    assert encoded["b"].dtype == encoded["a_X_b"].dtype == "int32"
    assert texts.get_vocabulary() == ["[UNK]", "an", "elk", "ant"]
    again = FeatureSpace.from_config(made.get_config())
    assert again.get_config().keys() == made.get_config().keys()
    assert [f.output_mode for f in again.features.values()] == ["one_hot", "int", "float", "float", "float"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: FeatureSpace({}), "wants features"),
        (lambda: FeatureSpace({"a": "floats"}), "Did you mean 'float'"),
        (lambda: FeatureSpace({"a": "float"}, output_mode="list"), "output_mode is 'concat' or 'dict'"),
        (lambda: FeatureSpace({"a": "float"}, crosses=[("a", "z")]), "crosses 'z'; its columns are 'a'"),
        (lambda: FeatureSpace({"a": FeatureSpace.string_hashed(3, "int")})({"a": ["x"]}), "not joined with numbers"),
        (lambda: FeatureSpace({"a": "float"})({"b": [1.0]}), "wants the column 'a'; the data has 'b'"),
        (lambda: FeatureSpace({"a": "float"})([1.0]), "is called on a dict of columns"),
        (lambda: FeatureSpace({"a": FeatureSpace.feature("int32", layers.ReLU(), "one_hot")})({"a": [1]}), "a size"),
        (lambda: FeatureSpace.feature("int32", layers.Identity(), "two_hot"), "got 'two_hot'"),
    ],
)  # fmt: skip
def test_what_a_feature_space_refuses(call, said):
    with pytest.raises(errors.KeryxError, match=said):
        call()
