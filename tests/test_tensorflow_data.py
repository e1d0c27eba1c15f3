"""Layers within data sets of TensorFlow's: `dataset.map(layer)`, and `adapt` on data sets."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.utils import FeatureSpace

tf = pytest.importorskip("tensorflow")

LINES, NUMBERS = np.array(["an ant", "a bee", "an elk"]), np.arange(12.0).reshape(3, 4).astype("float32")


def batches(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0]).batch(2)


def joined(data):
    return np.concatenate([np.asarray(batch) for batch in data])


def adapted(layer, data):
    layer.adapt(data)
    return layer


@pytest.mark.parametrize(
    ("layer", "data"),
    [
        (lambda: adapted(layers.TextVectorization(output_sequence_length=3), batches(LINES)), LINES),
        (lambda: adapted(layers.TextVectorization(output_mode="count"), batches(LINES)), LINES),
        (lambda: adapted(layers.StringLookup(), batches(LINES)), LINES),
        (lambda: adapted(layers.IntegerLookup(), batches(np.arange(3))), np.arange(3)),
        (lambda: layers.Hashing(9), LINES),
        (lambda: adapted(layers.Normalization(), batches(NUMBERS)), NUMBERS),
        (lambda: adapted(layers.Discretization(num_bins=3), batches(NUMBERS)), NUMBERS),
        (lambda: layers.CategoryEncoding(5), np.arange(12).reshape(3, 4) % 5),
        (lambda: keryx.Sequential([keryx.Input((4,)), layers.Dense(2)]), NUMBERS),
    ],
)
def test_a_map(layer, data):
    layer = layer()
    mapped = batches(data).map(lambda x: layer(x))
    assert all(n in (None, m) for n, m in zip(mapped.element_spec.shape, joined(mapped).shape, strict=True))
    np.testing.assert_allclose(joined(mapped), layer(data), rtol=1e-6)
    np.testing.assert_allclose(joined(batches(data).map(layer)), layer(data), rtol=1e-6)


def test_words_of_numbers():
    back = layers.StringLookup(vocabulary=["ant"], invert=True)
    assert joined(batches(np.array([1, 0])).map(back)).tolist() == [b"ant", b"[UNK]"]


def test_a_feature_space():
    table = {"number": np.arange(4.0), "word": np.array(["a", "b", "a", "c"])}
    space = FeatureSpace({"number": "float_normalized", "word": "string_categorical"})
    space.adapt(tf.data.Dataset.from_tensor_slices(table))
    want = np.asarray(space(table))
    np.testing.assert_allclose(joined(batches(table).map(space)), want, rtol=1e-6)
    single = tf.data.Dataset.from_tensor_slices(table).map(space)
    assert single.element_spec.shape == want.shape[1:]
    np.testing.assert_allclose([np.asarray(row) for row in single], want, rtol=1e-6)


def test_training_on_a_mapped_data_set():
    texts = adapted(layers.TextVectorization(output_sequence_length=2), batches(LINES))
    data = batches(LINES, np.ones((3, 1), "float32")).map(lambda x, y: (texts(x), y))
    model = keryx.Sequential([layers.Embedding(9, 2), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(data, verbose=0).history["loss"][0])
