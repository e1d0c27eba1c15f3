"""What the layers that draw random numbers do in training: how often, how much, and with which keys."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from keryx import layers
from keryx.core import scope
from keryx.core.seeds import set_seed

ONES = jnp.ones((40, 50, 4))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_drops_its_share(rate):
    set_seed(0)
    outputs = np.asarray(layers.Dropout(rate)(ONES, training=True))
    assert np.mean(outputs == 0) == pytest.approx(rate, abs=0.02)
    assert np.unique(outputs) == pytest.approx([0, 1 / (1 - rate)])


def test_dropout_of_all_and_of_none():
    assert not layers.Dropout(1)(ONES, training=True).any()
    assert (layers.Dropout(0)(ONES, training=True) == ONES).all()
    assert (layers.Dropout(0.5)(ONES) == ONES).all()


def test_noise_shape_and_spatial_dropout_drop_whole_channels():
    set_seed(0)
    for layer in (layers.Dropout(0.5, noise_shape=(None, 1, None)), layers.SpatialDropout1D(0.5)):
        outputs = np.asarray(layer(ONES, training=True))
        assert (outputs == outputs[:, :1]).all()
        assert {0.0, 2.0} == set(outputs[:, 0].ravel())
    outputs = np.asarray(layers.SpatialDropout2D(0.5, "channels_first")(ONES.reshape(40, 4, 10, 5), training=True))
    assert (outputs == outputs[:, :, :1, :1]).all()


@pytest.mark.parametrize(
    ("layer", "mean", "stddev"),
    [
        (layers.GaussianNoise(0.5), 1, 0.5),
        (layers.GaussianDropout(0.2), 1, 0.5),
        (layers.AlphaDropout(0.3), None, None),
    ],
    ids=["GaussianNoise", "GaussianDropout", "AlphaDropout"],
)
def test_noise_has_its_moments(layer, mean, stddev):
    set_seed(0)
    x = ONES if mean is not None else jax.random.normal(jax.random.key(1), ONES.shape)
    outputs = layer(x, training=True)
    assert float(outputs.mean()) == pytest.approx(mean or 0, abs=0.03)
    assert float(outputs.std()) == pytest.approx(stddev or 1, abs=0.03)


def test_each_call_and_each_layer_draws_anew_and_a_seed_repeats_the_run():
    first, second = layers.Dropout(0.5, seed=1), layers.Dropout(0.5, seed=2)

    def run():
        set_seed(7)
        return [np.asarray(layer(ONES, training=True)) for layer in (first, first, second)]

    a, b, c = run()
    assert not (a == b).all()
    assert not (a == c).all()
    assert all((x == y).all() for x, y in zip(run(), (a, b, c), strict=True))


def test_in_a_pure_function_the_draws_follow_from_its_key():
    layer = layers.Dropout(0.5)
    program = jax.jit(scope.pure(layer, [], training=True))
    keys = [jax.random.key_data(jax.random.key(i)) for i in (0, 0, 1)]
    a, b, c = (np.asarray(program([], key, ONES)[0]) for key in keys)
    assert (a == b).all()
    assert not (a == c).all()


def test_attention_drops_scores_in_training_only():
    x = jax.random.normal(jax.random.key(0), (2, 5, 8))
    for layer in (layers.MultiHeadAttention(2, 4, dropout=0.5), layers.Attention(dropout=0.5)):
        args = (x, x) if isinstance(layer, layers.MultiHeadAttention) else ([x, x],)
        calm, again, noisy = layer(*args), layer(*args), layer(*args, training=True)
        assert (calm == again).all()
        assert not jnp.allclose(calm, noisy)


WITHOUT_A_SEED = """
import random
import numpy as np
import keryx

def trained():
    layers = keryx.layers.Dense(3), keryx.layers.Dropout(0.5), keryx.layers.Dense(1)
    model = keryx.Sequential([keryx.Input((4,)), *layers])
    model.compile("adam", "mse")
    x = np.eye(4, dtype="float32")
    model.fit(x, x[:, :1], batch_size=2, epochs=2, verbose=0)
    return model.get_weights()[0].tobytes()

def seeded(seed):
    random.seed(seed)
    return trained()

def compiled_before(seed):
    random.seed(seed)
    model = keryx.Sequential([keryx.Input((4,)), keryx.layers.Dropout(0.5), keryx.layers.Dense(1)])
    random.seed()
    model.compile("adam", "mse")
    random.seed(seed)
    x = np.eye(4, dtype="float32")
    model.fit(x, x[:, :1], batch_size=2, verbose=0)
    return model.get_weights()[0].tobytes()

assert seeded(1) == seeded(1)
assert seeded(1) != seeded(2)
assert compiled_before(1) == compiled_before(1)
assert seeded(1) != trained()
model = keryx.Sequential([keryx.Input((4,)), keryx.layers.Dense(1)])
random.seed(3)
expected = random.random()
random.seed(3)
model.predict(np.ones((2, 4)), verbose=0)
assert random.random() == expected, "a prediction draws from the user's numbers"
keryx.utils.set_random_seed(0)
assert seeded(1) != seeded(1), "a seed that was set gives way to another's"
"""


def test_without_a_seed_of_its_own_python_s_decides_as_in_keras():
    """In a child, for the tests set seeds."""
    subprocess.run([sys.executable, "-c", WITHOUT_A_SEED], check=True, timeout=300)
