"""OrbaxCheckpoint: what it saves loads again; without the package it says what to install."""

import sys

import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.callbacks import OrbaxCheckpoint
from keryx.errors import ConfigError

X, Y = np.random.default_rng(0).normal(size=(64, 4)).astype("float32"), np.zeros((64, 1), "float32")


def model_of():
    model = keryx.Sequential([keryx.Input((4,)), layers.Dense(8), layers.BatchNormalization(), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
    with pytest.raises(ConfigError, match=r"pip install 'keryx\[orbax\]'"):
        OrbaxCheckpoint(tmp_path)


@pytest.fixture
def orbax():
    return pytest.importorskip("orbax.checkpoint")


pytestmark = pytest.mark.filterwarnings("ignore")  # of the package's own


@pytest.mark.parametrize("background", [True, False])
def test_after_each_epoch(tmp_path, orbax, background):
    model, other = model_of(), model_of()
    checkpoint = OrbaxCheckpoint(tmp_path / "c", save_on_background=background, max_to_keep=2)
    model.fit(X, Y, epochs=4, verbose=0, callbacks=checkpoint)
    assert sorted(path.name for path in (tmp_path / "c").iterdir() if path.name.isdigit()) == ["2", "3"]
    assert other.load_weights(tmp_path / "c").is_whole
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    other.load_weights(tmp_path / "c" / "2")
    assert any((a != b).any() for a, b in zip(model.get_weights(), other.get_weights(), strict=True))
    loaded = orbax.v1.load_checkpointables(tmp_path / "c" / "3", {"pytree": None, "model_config": None})
    assert int(loaded["pytree"]["optimizer_variables"]["iteration"]) == 8
    assert '"Sequential"' in loaded["model_config"]["config"]


def test_what_is_saved_is_of_its_moment(tmp_path, orbax):
    """Training takes the buffers over that the background still writes."""
    model, other, kept = model_of(), model_of(), []
    see = keryx.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()))
    model.fit(X, Y, epochs=6, verbose=0, callbacks=[OrbaxCheckpoint(tmp_path, max_to_keep=None), see])
    for epoch, weights in enumerate(kept):
        other.load_weights(tmp_path / str(epoch))
        for a, b in zip(weights, other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_after_every_so_many_batches_and_only_the_best(tmp_path, orbax):
    model = model_of()
    checkpoint = OrbaxCheckpoint(tmp_path / "a", save_freq=3, max_to_keep=None, save_weights_only=True)
    model.fit(X, Y, batch_size=8, epochs=1, verbose=0, callbacks=checkpoint)
    assert sorted(path.name for path in (tmp_path / "a").iterdir() if path.name.isdigit()) == ["3", "6"]
    checkpoint = OrbaxCheckpoint(tmp_path / "b", "loss", save_best_only=True, initial_value_threshold=-1.0)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=checkpoint)
    assert not [path for path in (tmp_path / "b").glob("*") if path.name.isdigit()]
    assert OrbaxCheckpoint(tmp_path / "b").get_state() == {"best": None, "seen": 0}


def test_arguments(tmp_path, orbax):
    with pytest.raises(ConfigError, match="max_to_keep"):
        OrbaxCheckpoint(tmp_path, max_to_keep=0)
