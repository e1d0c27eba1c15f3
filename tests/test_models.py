"""Sequential, subclasses, freezing, names and errors of models, beside Keras."""

import jax.numpy as jnp
import numpy as np
import pytest
from twin_models import compile_both, same_logs, same_weights, trees_close, twins

import keryx
from keryx.errors import ArgumentError, ConfigError, StateError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
L = keryx.layers


def table(model):
    lines = []
    model.summary(print_fn=lines.append)
    return "\n".join(lines)


# -- Sequential --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
def test_add_and_pop(known):
    def build(K):
        model = K.Sequential([K.Input((4,))] if known else [], name="s")
        model.add(K.layers.Dense(3, name="a"))
        model.add(K.layers.Dropout(0.5, name="d"))
        model.add(K.layers.Dense(2, name="b"))
        model.add(K.layers.Dense(5, name="c"))
        model.pop()
        model.build((None, 4))
        return model

    theirs, ours = twins(build)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    trees_close(ours.predict(X), theirs.predict(X, verbose=0))
    for model in (theirs, ours):
        model.pop()
        model.add(type(model.layers[0])(1, name="e", kernel_initializer="ones"))
        model.compile("sgd", "mse")
        model.layers[-2].rate = 0.0  # no dropout: one outcome
    trees_close(ours(X), np.asarray(theirs(X)))
    assert ours.output_shape == theirs.output_shape == (None, 1)
    assert "Total params" in table(ours)


def test_sequential_is_built_by_its_first_data():
    model = keryx.Sequential([L.Dense(3), L.Dense(1)])
    assert not model.built
    assert table(model)
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], verbose=0)
    assert model.built
    assert model.count_params() == 19
    again = keryx.Sequential.from_config(model.get_config())
    again.set_weights(model.get_weights())
    trees_close(again.predict(X), model.predict(X))


def test_sequential_refuses():
    model = keryx.Sequential([L.Dense(3, name="a")])
    with pytest.raises(ArgumentError, match="already has a layer named 'a'"):
        model.add(L.Dense(3, name="a"))
    with pytest.raises(ArgumentError, match="wants a layer; got 3"):
        model.add(3)
    model.pop()
    with pytest.raises(ArgumentError, match="no layer to take off"):
        model.pop()


def test_sequential_in_a_graph_shares_its_weights():
    def build(K):
        inner = K.Sequential([K.Input((4,)), K.layers.Dense(3, activation="relu"), K.layers.Dense(2)])
        a, b = K.Input((4,)), K.Input((4,))
        return K.Model([a, b], K.layers.Add()([inner(a), inner(b)]))

    theirs, ours = twins(build)
    compile_both(theirs, ours, loss="mse")
    history = [
        m.fit([X, X + 1], X[:, :2], epochs=3, batch_size=3, shuffle=False, verbose=0).history for m in (theirs, ours)
    ]
    same_logs(history[1], history[0])
    same_weights(ours, theirs)


# -- subclasses --------------------------------------------------------------------------------------------------


def lists_and_dicts(K):
    class Mine(K.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.stack = [K.layers.Dense(3, activation="tanh") for _ in range(2)]
            self.heads = {"a": K.layers.Dense(1), "b": K.layers.Dense(2)}
            self.norm = K.layers.BatchNormalization()

        def call(self, x, training=None):
            for layer in self.stack:
                x = layer(x)
            x = self.norm(x, training=training)
            return [self.heads["a"](x), self.heads["b"](x)]

    model = Mine()
    model(X)
    return model


def graph_inside(K):
    class Mine(K.Model):
        def __init__(self):
            super().__init__()
            i = K.Input((4,))
            self.trunk = K.Model(i, K.layers.Dense(3, activation="tanh")(i))
            self.head = K.layers.Dense(1)

        def call(self, x):
            return self.head(self.trunk(x))

    model = Mine()
    model(X)
    return model


@pytest.mark.parametrize("build", [lists_and_dicts, graph_inside])
def test_subclasses_train(build):
    theirs, ours = twins(build)
    assert [v.shape for v in ours.weights] == [tuple(v.shape) for v in theirs.weights]
    compile_both(theirs, ours, loss="mse")
    y = [X[:, :1], X[:, :2]] if build is lists_and_dicts else X[:, :1]
    for model in (theirs, ours):
        model.fit(X, y, epochs=3, batch_size=3, shuffle=False, verbose=0)
    same_weights(ours, theirs)
    trees_close(ours.predict(X), theirs.predict(X, verbose=0), 1e-4)
    assert "Total params" in table(ours)


def test_a_subclass_is_built_by_fit():
    class Mine(keryx.Model):
        def __init__(self):
            super().__init__()
            self.dense = L.Dense(1)

        def call(self, inputs):
            return self.dense(inputs["a"]) + self.dense(inputs["b"])

    model = Mine()
    model.compile("sgd", "mse")
    model.fit({"a": X, "b": X}, X[:, :1], verbose=0)
    assert model.predict({"a": X, "b": X}).shape == (6, 1)


def test_super_init_is_missed():
    class Mine(keryx.Model):
        def __init__(self):
            self.dense = L.Dense(1)

        def call(self, x):
            return self.dense(x)

    with pytest.raises(StateError, match=r"Mine.__init__ has to call super\(\).__init__\(\)"):
        Mine()(X)


def test_no_call():
    class Mine(keryx.Model):
        pass

    with pytest.raises(StateError, match="call"):
        Mine()(X)


def test_not_compiled():
    x = keryx.Input((4,))
    with pytest.raises(StateError, match=r"call compile\(optimizer, loss\) first"):
        keryx.Model(x, L.Dense(1)(x)).fit(X, X)
    with pytest.raises(ArgumentError, match="both inputs= and outputs="):
        keryx.Model(x)


# -- freezing, weights -------------------------------------------------------------------------------------------


def test_trainable_flags():
    def build(K):
        i = K.Input((4,))
        inner = K.Model(i, K.layers.BatchNormalization(name="norm")(K.layers.Dense(3, name="d")(i)), name="inner")
        x = K.Input((4,))
        return K.Model(x, K.layers.Dense(1, name="head")(inner(x)))

    theirs, ours = twins(build)

    def counts(model):
        return (
            len(model.trainable_weights),
            len(model.non_trainable_weights),
            [layer.trainable for layer in model.layers],
        )

    def change(f):
        for model in (theirs, ours):
            f(model)
        assert counts(ours) == counts(theirs)

    change(lambda m: None)
    change(lambda m: setattr(m.get_layer("inner"), "trainable", False))
    change(lambda m: setattr(m.get_layer("inner").get_layer("d"), "trainable", True))
    change(lambda m: setattr(m, "trainable", False))
    change(lambda m: setattr(m.get_layer("head"), "trainable", True))
    change(lambda m: setattr(m, "trainable", True))
    change(lambda m: setattr(m.get_layer("inner").get_layer("norm"), "trainable", False))


def test_set_weights_is_all_or_nothing():
    x = keryx.Input((4,))
    model = keryx.Model(x, L.Dense(2)(x))
    before = model.get_weights()
    with pytest.raises(keryx.errors.ShapeError, match=r"\(2,\); got an array of \(3,\)"):
        model.set_weights([before[0] + 1, np.zeros(3)])
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_the_order_of_weights_does_not_change_by_running():
    x = keryx.Input((4,))
    model = keryx.Model(x, L.Dense(2)(L.BatchNormalization()(x)))
    before = [v.path for v in model.weights]
    model.predict(X)
    model(X, training=True)
    assert [v.path for v in model.weights] == before


def test_a_model_with_arguments_round_trips():
    @keryx.utils.register_keras_serializable("test_models")
    class Wide(keryx.Model):
        def __init__(self, units=2, act="relu", **kwargs):
            super().__init__(**kwargs)
            self.units, self.act = units, act
            self.dense = L.Dense(units, activation=act)

        def call(self, x):
            return self.dense(x)

    model = Wide(5, name="w")
    model(X)
    config = model.get_config()
    assert (config["units"], config["act"], config["name"]) == (5, "relu", "w")
    again = keryx.models.model_from_json(model.to_json())
    again(X)
    again.set_weights(model.get_weights())
    trees_close(again.predict(X), model.predict(X))


def test_layers_are_found():
    x = keryx.Input((4,))
    model = keryx.Model(x, L.Dense(2, name="d")(x))
    assert model.get_layer(index=1).name == "d"
    with pytest.raises(ArgumentError, match="name or an index"):
        model.get_layer()
    with pytest.raises(ConfigError, match="has no layer 'e'"):
        model.get_layer("e")
    assert jnp.allclose(model(X), model.call(X))


def test_build_makes_the_weights_of_a_subclass():
    class Two(keryx.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = L.Dense(3), L.Dense(2)

        def call(self, inputs):
            return self.second(self.first(inputs["a"]) + inputs["b"])

    model = Two()
    model.build({"a": (None, 4), "b": (None, 3)})
    assert [w.shape for w in model.weights] == [(4, 3), (3,), (3, 2), (2,)]
    weights = model.get_weights()
    model.build({"a": (None, 4), "b": (None, 3)})
    assert model({"a": np.ones((2, 4)), "b": np.ones((2, 3))}).shape == (2, 2)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    with pytest.raises(TypeError, match=r"\(batch, 3\), \(batch, 7\)"):
        Two().build({"a": (None, 4), "b": (None, 7)})


def test_build_of_ones_own_is_left_alone():
    class Own(keryx.Model):
        def build(self, input_shape):
            self.inner = L.Dense(2)
            self.inner.build(input_shape)
            super().build(input_shape)

        def call(self, inputs):
            return self.inner(inputs)

    model = Own()
    model.build((None, 3))
    kernel = model.inner.kernel
    assert model(np.ones((1, 3))).shape == (1, 2)
    assert model.inner.kernel is kernel
    assert "(None, 2)" in table(model)
