"""SavedModels, where TensorFlow is installed: it runs them as the models run here."""

import jax
import numpy as np
import pytest

import keryx
from keryx import layers

tf = pytest.importorskip("tensorflow")

X = np.random.default_rng(0).normal(size=(3, 7, 8)).astype("float32")
E = np.ones((3, 2), "float32")


def close(theirs, ours):
    for a, b in zip(jax.tree.leaves(theirs), jax.tree.leaves(ours), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-6)


def test_any_batch_and_length_and_a_nest_of_inputs(tmp_path):
    x, extra = keryx.Input((None, 8), name="x"), keryx.Input((2,), name="extra")
    y = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(x)
    y = layers.BatchNormalization()(layers.Conv1D(4, 3, padding="same", activation="relu")(y))
    y = layers.Concatenate()([layers.GRU(4)(y), extra])
    model = keryx.Model([x, extra], [layers.Dense(3, activation="softmax")(y), y])
    model.export(tmp_path / "m", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    close(loaded.serve([X, E]), model([X, E]))
    close(loaded.serve([X[:1, :5], E[:1]]), model([X[:1, :5], E[:1]]))
    served = loaded.signatures["serving_default"](x=tf.constant(X), extra=tf.constant(E))
    close([served["output_0"], served["output_1"]], model([X, E]))


def test_one_input(tmp_path):
    model = keryx.Sequential([keryx.Input((8,)), layers.Dense(2, activation="relu")])
    model.export(tmp_path / "m", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    close(loaded.serve(X[0]), model(X[0]))
