"""Layers around functions of JAX and around modules of Flax and Equinox."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from oracle import array, close

import keryx
from keryx import layers
from keryx.errors import ArgumentError, ConfigError, StateError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's

X, Y = array(8, 3), array(8, 2, seed=1)


def init(rng, inputs):
    key_1, key_2 = jax.random.split(rng)
    kernel = jax.random.normal(key_1, (inputs.shape[-1], 2))
    return {"kernel": kernel, "more": (jax.random.normal(key_2, (2,)), None)}, {"count": 0, "mean": jnp.zeros(2)}


def apply(params, state, rng, inputs, training):
    outputs = inputs @ params["kernel"] + params["more"][0]
    if training:
        assert rng.shape == (2,)
        state = {"count": state["count"] + 1, "mean": 0.5 * state["mean"] + 0.5 * outputs.mean(0)}
    return outputs, state


def model_around(layer, K=keryx):
    x = K.Input((3,))
    model = K.Model(x, layer(x))
    model.compile(K.optimizers.SGD(0.1), "mse")
    return model


def trained(model, steps=3):
    model.fit(X, Y, batch_size=8, epochs=steps, shuffle=False, verbose=0)
    return model


def test_a_function_of_jax_trains_as_in_keras():
    params, state = init(jax.random.key(0), X)
    theirs = keras.layers.JaxLayer(apply, params=params, state=state)  # with init_fn Keras 3.15 wants TensorFlow
    ours = layers.JaxLayer(apply, init)
    models = model_around(theirs, keras), model_around(ours)
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights] == [(3, 2), (2,), (), (2,)]
    assert [v.path.split("/")[1] for v in ours.weights] == ["kernel", "more.0", "count", "mean"]
    ours.set_weights(theirs.get_weights())
    for model in models:
        trained(model)
    close(ours.get_weights(), theirs.get_weights())
    assert ours.state["count"].numpy() == 3
    assert ours.params["more"][1] is None
    close(models[1].predict(X, verbose=0), models[0].predict(X, verbose=0))
    assert ours.state["count"].numpy() == 3


def test_functions_without_state():
    doubled = layers.JaxLayer(lambda inputs: inputs["a"] * 2 - inputs["b"])
    assert doubled({"a": jnp.ones(2), "b": jnp.ones(2)}).tolist() == [1, 1]
    assert doubled.weights == []
    given = layers.JaxLayer(lambda params, inputs: inputs * params[0] + params[1], params=[np.float32(2), 3])
    assert given(jnp.ones(2)).tolist() == [5, 5]
    assert [w.dtype for w in given.trainable_weights] == ["float32"]
    ids = layers.JaxLayer(lambda params, inputs: params[inputs], lambda inputs: jnp.zeros(inputs.dtype.itemsize))
    assert ids(keryx.Input((5,), dtype="int32")).shape == (None, 5)  # made for the dtype that it is called on


def test_functions_that_cannot_be_called():
    with pytest.raises(ArgumentError, match="'rng', 'inputs', 'training'; this one has 'x'"):
        layers.JaxLayer(lambda x: x)
    with pytest.raises(ArgumentError, match="this one has no 'inputs'"):
        layers.JaxLayer(lambda params: params, params=1.0)
    with pytest.raises(ArgumentError, match="nothing to begin with: give init_fn="):
        layers.JaxLayer(lambda params, inputs: inputs)
    grows = layers.JaxLayer(lambda state, inputs: (inputs, [*state, 1]), state=[1])
    with pytest.raises(StateError, match="a state of another structure than it began with"):
        grows(X)


def test_a_function_of_jax_in_files_of_both(tmp_path):
    for K in (keras, keryx):
        K.utils.register_keras_serializable("mine")(init)
        K.utils.register_keras_serializable("mine")(apply)
    params, state = init(jax.random.key(0), X)
    ours = trained(model_around(layers.JaxLayer(apply, init, name="f")))
    theirs = model_around(keras.layers.JaxLayer(apply, init, params, state, name="f"), keras)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    again = keryx.models.load_model(tmp_path / "ours.keras")
    close(again.predict(X, verbose=0), ours.predict(X, verbose=0))
    close(again.get_weights(), ours.get_weights())
    again = keryx.models.load_model(tmp_path / "theirs.keras")
    close(again.predict(X, verbose=0), theirs.predict(X, verbose=0))
    theirs.load_weights(tmp_path / "ours.keras")
    close(theirs.get_weights(), ours.get_weights())


# -- Flax Linen ------------------------------------------------------------------------------------------------------


def linen():
    nn = pytest.importorskip("flax.linen")

    class Net(nn.Module):
        units: int = 2

        @nn.compact
        def __call__(self, inputs, training=False):
            x = nn.Dense(4)(inputs)
            x = nn.BatchNorm(use_running_average=not training, momentum=0.5)(x)
            x = nn.Dropout(0.5, deterministic=not training)(x) if self.units > 2 else x
            return nn.Dense(self.units)(x)

        def get_config(self):
            return {"units": self.units}

        @classmethod
        def from_config(cls, config):
            return cls(**config)

    return Net


def test_a_module_of_linen_trains_as_in_keras():
    module = linen()()
    variables = module.init(jax.random.key(0), X)
    theirs, ours = keras.layers.FlaxLayer(module, variables=variables), layers.FlaxLayer(module)
    models = model_around(theirs, keras), model_around(ours)
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    assert len(ours.non_trainable_weights) == 2
    ours.set_weights(theirs.get_weights())
    for model in models:
        trained(model)
    close(ours.get_weights(), theirs.get_weights(), 1e-4)
    close(models[1].predict(X, verbose=0), models[0].predict(X, verbose=0), 1e-4)


def test_dropout_of_linen_is_drawn_in_training():
    layer = layers.FlaxLayer(linen()(16))
    close(layer(X), layer(X))
    assert not np.allclose(layer(X, training=True), layer(X, training=True))


def test_a_module_of_linen_in_a_config():
    cls = linen()
    keryx.utils.register_keras_serializable("mine", "Net")(cls)
    layer = layers.FlaxLayer(cls(5), name="net")
    again = layers.FlaxLayer.from_config(layer.get_config())
    assert again(X).shape == (8, 5)
    assert again.get_config() == layer.get_config()
    variables = cls().init(jax.random.key(0), X)
    close(layers.FlaxLayer(cls(), variables=variables)(X), cls().apply(variables, X))


# -- Flax NNX --------------------------------------------------------------------------------------------------------


def test_a_module_of_nnx_is_trained_with_the_rest():
    nnx = pytest.importorskip("flax.nnx")
    optax = pytest.importorskip("optax")

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.linear, self.norm = nnx.Linear(3, 4, rngs=rngs), nnx.BatchNorm(4, momentum=0.5, rngs=rngs)
            self.dropout, self.out = nnx.Dropout(0.0, rngs=rngs), nnx.Linear(4, 2, rngs=rngs)

        def __call__(self, x):
            return self.out(self.dropout(self.norm(self.linear(x))))

    module = Net(nnx.Rngs(0))
    layer = layers.from_nnx(module, name="net")
    assert layer.name == "net"
    assert len(layer.trainable_weights) == 6
    before = np.asarray(module.linear.kernel[...])
    model = trained(model_around(layer))
    np.testing.assert_array_equal(module.linear.kernel[...], before)  # it is not changed

    optimizer = nnx.Optimizer(module, optax.sgd(0.1), wrt=nnx.Param)
    for _ in range(3):
        optimizer.update(module, nnx.grad(lambda m: jnp.mean((m(X) - Y) ** 2))(module))
    close(jax.tree.leaves(nnx.state(layer.module, nnx.Param)), jax.tree.leaves(nnx.state(module, nnx.Param)))
    close(layer.module.norm.mean[...], module.norm.mean[...])
    module.eval()
    close(model.predict(X, verbose=0), module(X))
    with pytest.raises(ConfigError, match="holds a module of another library"):
        layer.get_config()


def test_random_streams_of_nnx_go_on():
    nnx = pytest.importorskip("flax.nnx")
    layer = layers.from_nnx(nnx.Dropout(0.5, rngs=nnx.Rngs(0)))
    x = jnp.ones((4, 50))
    first, second = layer(x, training=True), layer(x, training=True)
    assert not np.array_equal(first, second)
    close(layer(x), x)
    with pytest.raises(ArgumentError, match="wants a module of Flax NNX; got <"):
        layers.from_nnx(object())


def test_several_inputs_of_nnx():
    nnx = pytest.importorskip("flax.nnx")
    bilinear = layers.from_nnx(nnx.Einsum("bi,ij->bj", (3, 2), rngs=nnx.Rngs(0)))
    assert bilinear(keryx.Input((3,))).shape == (None, 2)
    attention = layers.from_nnx(nnx.MultiHeadAttention(2, 4, 4, decode=False, rngs=nnx.Rngs(0)))
    q, kv = array(2, 3, 4), array(2, 5, 4)
    close(attention([q, kv]), attention({"inputs_q": q, "inputs_k": kv}))


# -- Equinox ---------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_module_of_equinox_is_trained_with_the_rest():
    eqx = pytest.importorskip("equinox")
    optax = pytest.importorskip("optax")
    module = eqx.nn.MLP(3, 2, 4, 1, key=jax.random.key(0))
    layer = layers.from_equinox(module)
    model = trained(model_around(layer))

    optimizer = optax.sgd(0.1)
    params, static = eqx.partition(module, eqx.is_inexact_array)
    state = optimizer.init(params)
    for _ in range(3):
        grads = jax.grad(lambda p: jnp.mean((jax.vmap(eqx.combine(p, static))(X) - Y) ** 2))(params)
        updates, state = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    wanted = eqx.combine(params, static)
    close(model.predict(X, verbose=0), jax.vmap(wanted)(X))
    close(jax.tree.leaves(eqx.filter(layer.module, eqx.is_array)), jax.tree.leaves(eqx.filter(wanted, eqx.is_array)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_state_and_keys_of_equinox():
    eqx = pytest.importorskip("equinox")

    class Net(eqx.Module):
        norm: eqx.nn.BatchNorm
        dropout: eqx.nn.Dropout

        def __init__(self):
            self.norm, self.dropout = eqx.nn.BatchNorm(3, "batch", momentum=0.5, mode="ema"), eqx.nn.Dropout(0.5)

        def __call__(self, x, state, key=None):
            x, state = self.norm(x, state)
            return self.dropout(x, key=key), state

    module, state = eqx.nn.make_with_state(Net)()
    layer = layers.from_equinox(module, state)
    first = layer(X, training=True)
    assert (np.asarray(first) == 0).any()
    before = [w.numpy() for w in layer.non_trainable_weights]
    assert not np.array_equal(first, layer(2 * X, training=True))
    after = [w.numpy() for w in layer.non_trainable_weights]
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    close(layer(X), layer(X))
    assert not (np.asarray(layer(X)) == 0).any()
    whole = layers.from_equinox(eqx.nn.Lambda(lambda x: x - x.mean(0)), vmap=False)
    np.testing.assert_allclose(whole(X).mean(0), 0, atol=1e-6)
    with pytest.raises(ArgumentError, match="module of Equinox that can be called"):
        layers.from_equinox(3)
