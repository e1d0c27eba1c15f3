"""Every schedule is Keras's, step by step, under jit too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import keryx
from keryx.errors import ConfigError, SymbolicError
from keryx.optimizers import schedules

SCHEDULES = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.9}),
    (
        "ExponentialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.9, "staircase": True},
    ),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}),
    (
        "InverseTimeDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True},
    ),
    ("PiecewiseConstantDecay", {"boundaries": [3, 9, 20], "values": [1.0, 0.5, 0.25, 0.1]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10}),
    (
        "PolynomialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 10, "end_learning_rate": 0.02, "power": 2.0},
    ),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "power": 0.5, "cycle": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "alpha": 0.1}),
    (
        "CosineDecay",
        {"initial_learning_rate": 0.0, "decay_steps": 20, "warmup_target": 0.1, "warmup_steps": 5},
    ),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 6}),
    (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.1, "first_decay_steps": 6, "t_mul": 1.0, "m_mul": 0.8, "alpha": 0.1},
    ),
    (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.1, "first_decay_steps": 6, "t_mul": 1.5, "m_mul": 0.5},
    ),
]


@pytest.mark.parametrize(("name", "arguments"), SCHEDULES)
def test_schedule_equals_keras(name, arguments):
    import keras

    ours = getattr(schedules, name)(**arguments)
    theirs = getattr(keras.optimizers.schedules, name)(**arguments)
    steps = np.arange(45)
    expected = [float(theirs(int(step))) for step in steps]
    np.testing.assert_allclose([float(ours(int(step))) for step in steps], expected, rtol=2e-6, atol=1e-8)
    # Inside a program the logarithm of a restart may round to the other side, as it does in Keras.
    compiled = jax.jit(jax.vmap(ours))(jnp.asarray(steps, jnp.int32))
    assert compiled.dtype == jnp.float32
    if name != "CosineDecayRestarts":
        np.testing.assert_allclose(compiled, expected, rtol=2e-6, atol=1e-8)


@pytest.mark.parametrize(("name", "arguments"), SCHEDULES)
def test_schedule_round_trips_in_keras_words(name, arguments):
    import keras

    ours = getattr(schedules, name)(**arguments)
    config = schedules.serialize(ours)
    assert schedules.deserialize(config).get_config() == ours.get_config()
    theirs = keras.optimizers.schedules.serialize(getattr(keras.optimizers.schedules, name)(**arguments))
    assert theirs["class_name"] == config["class_name"]
    assert theirs["module"] == config["module"]
    assert theirs["config"] == config["config"]
    assert schedules.deserialize(theirs).get_config() == ours.get_config()


def test_a_schedule_without_length_is_refused():
    with pytest.raises(ConfigError, match="decay_steps is a number above 0; got 0"):
        schedules.ExponentialDecay(0.1, 0, 0.5)
    with pytest.raises(ConfigError, match="got 2 values and 2 boundaries"):
        schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2])


def test_a_schedule_that_a_callback_sets_is_followed_from_the_next_epoch_on():
    class Other(keryx.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.optimizer.learning_rate = keryx.optimizers.schedules.PiecewiseConstantDecay([9], [0.25, 0.0])

    first = keryx.optimizers.schedules.PiecewiseConstantDecay([9], [0.5, 0.0])
    model = keryx.Sequential(
        [keryx.Input((1,)), keryx.layers.Dense(1, use_bias=False, kernel_initializer="ones")],
    )
    model.compile(keryx.optimizers.SGD(first), lambda y_true, y_pred: y_pred)
    model.fit(np.ones((2, 1)), np.ones((2, 1)), batch_size=2, epochs=2, verbose=0, callbacks=[Other()])
    assert float(model.get_weights()[0][0, 0]) == pytest.approx(1 - 0.5 - 0.25)


def test_a_schedule_that_decides_by_if():
    class Steps(schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1 if step < 10 else 0.01

    model = keryx.Sequential([keryx.Input((1,)), keryx.layers.Dense(1)])
    model.compile(keryx.optimizers.SGD(Steps()), "mse")
    with pytest.raises(SymbolicError, match=r"The learning rate 'Steps' asks a tensor whether it is true.*ops.where"):
        model.fit(np.ones((2, 1)), np.ones((2, 1)), verbose=0)
