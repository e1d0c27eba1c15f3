"""Small models to do wrong by, and what has to hold of them afterwards."""

from contextlib import contextmanager

import numpy as np
import pytest

import keryx
from keryx import layers

ROWS = 24
random = np.random.default_rng(0)
X = random.normal(size=(ROWS, 3)).astype(np.float32)
LABELS = random.integers(0, 3, ROWS)
Y = random.normal(size=(ROWS, 2)).astype(np.float32)
IDS = random.integers(0, 10, (ROWS, 4))


def compiled(inputs, outputs, loss, optimizer=None):
    model = keryx.Model(inputs, outputs)
    model.compile(optimizer or keryx.optimizers.SGD(0.1), loss)
    return model


def classifier():
    """x (3) to the probabilities of 3 classes."""
    x = keryx.Input((3,), name="x")
    probabilities = layers.Dense(3, activation="softmax", name="probabilities")(x)
    return compiled(x, probabilities, "sparse_categorical_crossentropy")


def regressor():
    """x (3) to y (2)."""
    x = keryx.Input((3,), name="x")
    return compiled(x, layers.Dense(2, name="y")(layers.Dense(4, activation="tanh")(x)), "mse")


def embedder():
    """4 ids below 10 to y (2)."""
    ids = keryx.Input((4,), dtype="int32", name="ids")
    vectors = layers.Embedding(10, 2, name="words")(ids)
    return compiled(ids, layers.Dense(2, name="y")(layers.Flatten()(vectors)), "mse")


def good_data(model):
    """Data that the model of a fixture can be trained on."""
    x = IDS if model.input_names == ["ids"] else X
    return x, LABELS if model.output_names == ["probabilities"] else Y


def assert_finite(model):
    assert all(np.isfinite(w).all() for w in model.get_weights())


def assert_whole(model):
    """Weights can be read and are finite; the model predicts, measures and trains."""
    x, y = good_data(model)
    assert_finite(model)
    assert np.isfinite(model.predict(x, batch_size=8, verbose=0)).all()
    assert np.isfinite(model.evaluate(x, y, verbose=0))
    before = model.get_weights()
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"]).all()
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


@contextmanager
def survives(model, error, *said, moved=False):
    """A block that raises `error`, saying these words, and after which the model is whole.

    Args:
        moved: Whether steps may have been taken before the error; else the weights are as before.
    """
    before = model.get_weights()
    with pytest.raises(error) as caught:
        yield caught
    text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    for words in said:
        assert words in text, text
    same = [np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert moved or all(same)
    assert_whole(model)


def batches(*parts, size=8):
    """A generator of batches of these arrays."""
    for first in range(0, len(parts[0]), size):
        yield tuple(part[first : first + size] for part in parts)


def with_value(array, place, value, dtype=None):
    """A copy of an array with another value at one place."""
    changed = np.array(array, dtype)
    changed[place] = value
    return changed
