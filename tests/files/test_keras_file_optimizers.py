"""Every optimizer: a model that one library has trained is trained on by the other, to the same numbers."""

import keras
import numpy as np
import pytest

import keryx
from keryx.saving import layout
from tests.test_optimizers import RULES


def scheduled(K, name):
    return getattr(K.optimizers, name)(K.optimizers.schedules.ExponentialDecay(0.05, 3, 0.7))


def scaled(K, name):
    inner = getattr(K.optimizers, name)(0.01)
    return K.optimizers.LossScaleOptimizer(inner, initial_scale=8.0, dynamic_growth_steps=3)


CASES = [(name, arguments) for name, arguments in RULES if not {"epsilon", "rho", "beta_2"} & arguments.keys()]
CASES += [
    ("Adam", {"use_ema": True, "ema_momentum": 0.7}),
    ("SGD", {"momentum": 0.5, "use_ema": True, "gradient_accumulation_steps": 2}),
    ("Adam", {"gradient_accumulation_steps": 3, "clipnorm": 0.5, "weight_decay": 0.01}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "use_ema": True, "ema_overwrite_frequency": 3}),
    ("Adam", scheduled),
    ("SGD", scheduled),
    ("Adam", scaled),
]
RATE = {"learning_rate": 0.01}
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(8, 4)).astype("float32"), rng.normal(size=(8, 2)).astype("float32")


def trained(model, steps=5):
    model.fit(X, Y, batch_size=8, epochs=steps, shuffle=False, verbose=0)
    return model


def model_of(K, name, arguments):
    K.utils.clear_session(free_memory=False)
    K.utils.set_random_seed(0)
    model = K.Sequential([K.Input((4,)), K.layers.Dense(3, "tanh"), K.layers.Dense(2)])
    optimizer = (
        arguments(K, name)
        if callable(arguments)
        else getattr(K.optimizers, name)(**{"learning_rate": 0.01} | arguments)
    )
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def same(ours, theirs):
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-5)
    kept = {name: v for name, v in layout.kept_by(ours.optimizer).items() if name.startswith("vars/")}
    assert len(kept) == len(theirs.optimizer.variables)
    for v, w in zip(kept.values(), theirs.optimizer.variables, strict=True):
        np.testing.assert_allclose(np.asarray(v), np.asarray(w), 1e-5, 1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_an_optimizer_goes_on_in_the_other_library(tmp_path, name, arguments):
    ours = trained(model_of(keryx, name, arguments))
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    assert type(theirs.optimizer).__name__ == type(ours.optimizer).__name__
    same(ours, theirs)
    trained(ours, 10)
    trained(theirs, 10)
    same(ours, theirs)
    theirs.save(tmp_path / "theirs.keras")
    again = keryx.models.load_model(tmp_path / "theirs.keras")
    theirs = keras.models.load_model(tmp_path / "theirs.keras")  # Keras cannot fit a second time with use_ema
    same(again, theirs)
    trained(again, 10)
    trained(theirs, 10)
    same(again, theirs)
