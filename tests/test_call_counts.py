"""How many calls of Keryx's own functions a warm call takes: time that compiled code cannot win back."""

import sys
from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import keryx
from keryx import layers

HOME = str(Path(keryx.__file__).parent) + "/"
ROWS = 32


def calls(run: Callable) -> list[str]:
    """The file of each call into a function of the package, warm: the second time that `run` runs."""
    run()
    files: list[str] = []

    def note(frame, event, argument):
        if event == "call" and frame.f_code.co_filename.startswith(HOME):
            files.append(frame.f_code.co_filename.removeprefix(HOME))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
    return files


@pytest.fixture
def model():
    model = keryx.Sequential([keryx.Input((3,)), layers.Dense(4, activation="relu"), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class EveryBatch(keryx.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1


def test_an_eager_layer_is_within_12_calls_in_3_files():
    layer, x = layers.Dense(4), jnp.ones((2, 3))
    found = calls(lambda: layer(x))
    assert len(found) <= 12
    assert len(set(found)) <= 3


def test_a_batch_that_every_callback_sees_is_within_60_calls(model):
    watching = EveryBatch()

    def fit(batches):
        x = np.ones((batches * ROWS, 3), np.float32)
        return lambda: model.fit(x, x[:, :1], batch_size=ROWS, verbose=0, callbacks=[watching])

    few, many = (len(calls(fit(batches))) for batches in (4, 14))
    assert watching.seen == 2 * (4 + 14)
    assert (many - few) / 10 <= 60


def test_predict_of_one_row_is_within_25_calls(model):
    row = np.ones((1, 3), np.float32)
    assert len(calls(lambda: model.predict(row, verbose=0))) <= 25


def test_a_batch_of_a_generator_is_within_80_calls(model):
    x = np.ones((ROWS, 3), np.float32)

    def fit(batches):
        return lambda: model.fit(((x, x[:, :1]) for _ in range(batches)), steps_per_epoch=batches, verbose=0)

    few, many = (len(calls(fit(batches))) for batches in (4, 14))
    assert (many - few) / 10 <= 80
