"""The loss is scaled before it is differentiated, and the gradients are brought back to size."""

import jax.numpy as jnp
import numpy as np
import pytest

import keryx
from keryx import layers, optimizers
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ConfigError


def fitted(optimizer, steps=3):
    model = keryx.Sequential([keryx.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(optimizer, "mse")
    history = model.fit(np.ones((8, 2)), np.zeros((8, 1)), epochs=steps, verbose=0)
    return model.get_weights()[0], history.history["loss"]


@pytest.fixture
def half_precision():
    keryx.config.set_dtype_policy("mixed_float16")
    yield
    keryx.config.set_dtype_policy("float32")


def test_fit_scales_the_loss_by_the_factor_that_the_gradients_are_divided_by():
    plain, losses = fitted(optimizers.SGD(0.1))
    scaled, scaled_losses = fitted(optimizers.SGD(0.1, loss_scale_factor=1024.0))
    np.testing.assert_allclose(scaled, plain, rtol=1e-6)
    np.testing.assert_allclose(scaled_losses, losses, rtol=1e-6)  # what is logged is the loss itself


def test_the_scale_moves_as_in_keras():
    import keras

    start = np.array([1.0, -2.0], "float32")
    ours = optimizers.LossScaleOptimizer(optimizers.Adam(0.1), initial_scale=8.0, dynamic_growth_steps=2)
    theirs = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1), 8.0, 2)
    weights, state = [jnp.asarray(start)], ours.init([jnp.asarray(start)])
    theirs.build([keras.Variable(start)])
    slots, want = [v.value for v in theirs.variables], [jnp.asarray(start)]
    at = theirs.variables.index(theirs.dynamic_scale)
    for gradient in ([1.0, 2.0], [1.0, np.inf], [0.5, 1.0], [2.0, 1.0], [1.0, 1.0], [np.nan, 1.0], [3.0, 1.0]):
        scaled = [jnp.array(gradient, "float32") * slots[at]]
        weights, state = ours.update(scaled, state, weights)
        want, slots = theirs.stateless_apply(slots, scaled, want)
        np.testing.assert_allclose(weights[0], want[0], rtol=1e-5)
        assert float(ours.loss_scale(state)) == float(slots[at])
    assert int(state["iteration"]) == 5  # two of the seven were left out


@pytest.mark.usefixtures("half_precision")
def test_a_gradient_below_half_precision_is_learnt_from():
    def learnt(**words):
        x = keryx.Input((1,))
        y = layers.Dense(1, use_bias=False, kernel_initializer="ones")(x)
        model = keryx.Model(x, layers.Dense(1, use_bias=False, kernel_initializer="ones", trainable=False)(y))
        model.compile(optimizers.SGD(1e7), "mae", loss_weights=1e-8, **words)
        model.fit(np.ones((4, 1)), np.zeros((4, 1)), verbose=0)
        return model.get_weights()[0].item()

    assert learnt(auto_scale_loss=False) == 1.0  # 1e-8 is 0 in float16
    assert learnt() == pytest.approx(0.9, abs=1e-3)


@pytest.mark.usefixtures("half_precision")
def test_compile_scales_the_loss_of_a_model_of_mixed_float16_as_keras_does():
    import keras

    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        losses = model.fit(np.ones((8, 2)), np.zeros((8, 1)), epochs=4, verbose=0).history["loss"]
    finally:
        keras.config.set_dtype_policy("float32")
    weights, ours = fitted(optimizers.SGD(0.1), steps=4)
    np.testing.assert_allclose(ours, losses, rtol=1e-2)
    np.testing.assert_allclose(weights, model.weights[0].value, rtol=1e-2)


@pytest.mark.usefixtures("half_precision")
def test_an_optimizer_that_scales_is_not_put_into_another():
    for optimizer in (optimizers.SGD(0.1, loss_scale_factor=4.0), optimizers.LossScaleOptimizer(optimizers.SGD())):
        model = keryx.Sequential([keryx.Input((2,)), layers.Dense(1)])
        model.compile(optimizer, "mse")
        assert model.optimizer is optimizer


def test_both_optimizers_have_one_learning_rate():
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.5), initial_scale=2.0)
    optimizer.learning_rate = 0.25
    assert float(optimizer.inner_optimizer.learning_rate) == 0.25
    w = Variable(np.ones(1))
    optimizer.apply([np.full(1, 2.0)], [w])
    assert w.numpy() == 0.75
    assert optimizer.scale_loss(jnp.ones(())) == 2.0
    assert optimizer.iterations == 1


def test_options_of_the_steps_are_kept_by_the_optimizer_within():
    inner = optimizers.SGD(0.5, weight_decay=0.1, use_ema=True, ema_momentum=0.5)
    optimizer = optimizers.LossScaleOptimizer(inner, initial_scale=2.0)
    first, other = Variable(np.ones(1), name="first"), Variable(np.ones(1), name="other")
    optimizer.exclude_from_weight_decay(var_names=["other"])
    optimizer.apply([np.zeros(1), np.zeros(1)], [first, other])
    assert (first.numpy().item(), other.numpy().item()) == (pytest.approx(0.95), 1.0)
    kept = optimizer.finalize(optimizer.state, {"first": first.value, "other": other.value})
    assert float(kept["first"][0]) == pytest.approx(0.95)


def test_its_config_makes_it_anew():
    optimizer = optimizers.LossScaleOptimizer(optimizers.Adam(0.5), 16.0, 7)
    copy = optimizers.deserialize(optimizers.serialize(optimizer))
    assert copy.get_config() == optimizer.get_config()
    assert (type(copy.inner_optimizer), copy.initial_scale) == (optimizers.Adam, 16.0)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: optimizers.LossScaleOptimizer("adam"), ArgumentError, "got 'adam'"),
        (lambda: optimizers.LossScaleOptimizer(optimizers.SGD(loss_scale_factor=2.0)), ArgumentError, "leave one"),
        (lambda: optimizers.LossScaleOptimizer(optimizers.SGD(), -1.0), ConfigError, "above 0; got -1.0"),
        (lambda: optimizers.LossScaleOptimizer(optimizers.SGD(), clipnorm=1.0), ConfigError, "optimizer within"),
    ],
)
def test_what_it_does_not_take(make, error, text):
    with pytest.raises(error, match=text):
        make()
