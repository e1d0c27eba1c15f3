"""copy.copy, copy.deepcopy and pickle: copies compute the same, share nothing, and go on as the original does."""

import copy
import multiprocessing
import pickle
from operator import methodcaller

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from specs import SPECS
from test_specs import call, inputs_of, made

import keryx
from keryx import layers, ops


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


ways = pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickled])
X = np.random.default_rng(0).random((32, 6), np.float32)
Y = X[:, :2] - X[:, 2:4]
ONE_A_CLASS = list({spec.layer: spec for spec in SPECS if spec.config}.values())


class Swish(layers.Layer):
    """A layer of the user's own, with a weight and a nest of layers."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = {"first": [layers.Dense(units)]}

    def build(self, input_shape):
        self.slope = self.add_weight((self.units,), "ones", name="slope")

    def call(self, inputs):
        x = self.inner["first"][0](inputs)
        return x * jax.nn.sigmoid(self.slope.value * x)


class Subclassed(keryx.Model):
    """A model with a call of its own."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = Swish(4), layers.Dense(2)

    def call(self, inputs):
        return self.out(self.hidden(inputs))


@ways
def test_a_layer_that_wants_arguments(way):
    layer = way(layers.Conv2D(4, 3, name="edges"))
    assert (layer.name, layer.filters, layer.kernel_size, layer.built) == ("edges", 4, (3, 3), False)


def functional():
    inputs = keryx.Input((6,), name="features")
    inner = keryx.Sequential([keryx.Input((6,)), layers.Dense(6, activation="tanh"), Swish(6)])
    x = inner(inputs) + np.exp(inputs)
    return keryx.Model(inputs, layers.Dense(2)(ops.concatenate([x, ops.mean(x, axis=1, keepdims=True)], axis=1)))


def sequential():
    return keryx.Sequential([layers.Dense(4, activation="relu"), layers.BatchNormalization(), layers.Dense(2)])


models = pytest.mark.parametrize("make", [functional, sequential, Subclassed])


@pytest.mark.parametrize("spec", ONE_A_CLASS, ids=lambda spec: spec.layer)
def test_every_layer(spec):
    layer = made(spec, keryx)
    inputs = [jnp.asarray(x) for x in inputs_of(spec)]
    wanted = call(layer, spec, inputs)
    for way in (copy.deepcopy, pickled):
        again = way(layer)
        assert not {*map(id, again.weights)} & {*map(id, layer.weights)}
        for got, want in zip(jax.tree.leaves(call(again, spec, inputs)), jax.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(got, want, atol=1e-6)


@ways
@models
def test_a_model_computes_the_same_and_shares_nothing(make, way):
    model = make()
    wanted = model.predict(X, verbose=0)
    again = way(model)
    assert np.allclose(again.predict(X, verbose=0), wanted, atol=1e-6)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert [v.path for v in again.variables] == [v.path for v in model.variables]
    again.set_weights([0 * w for w in again.get_weights()])
    assert np.allclose(model.predict(X, verbose=0), wanted)


@ways
def test_what_is_not_built_yet(way):
    model = way(sequential())
    assert not model.built
    assert model.predict(X, verbose=0).shape == (32, 2)
    assert way(layers.Dense(3))(X).shape == (32, 3)


def test_the_graph_of_a_copy_is_a_graph_of_its_own():
    model = pickled(functional())
    dense = model.layers[-1]
    assert len(dense.nodes) == 1
    encoder = keryx.Model(model.input, dense.input)
    assert encoder.predict(X, verbose=0).shape == (32, 7)
    assert keryx.Model.from_config(model.get_config(), custom_objects={"Swish": Swish}).output_shape == (None, 2)


def test_models_that_share_layers_go_on_sharing_them():
    model = functional()
    head = keryx.Model(model.input, model.layers[-1].input)
    both, again = copy.deepcopy([model, head])
    assert again.layers[1] is both.layers[1]
    assert len(both.layers[-1].nodes) == 1


def test_a_deep_model_and_a_deeply_nested_one():
    x = inputs = keryx.Input((4,))
    for _ in range(300):
        x = layers.Activation("relu")(x)
    assert len(pickled(keryx.Model(inputs, x)).layers) == 301
    model = keryx.Model(inputs, layers.Activation("relu")(inputs))
    for _ in range(150):
        inputs = keryx.Input((4,))
        model = keryx.Model(inputs, model(inputs))
    for way in (copy.deepcopy, pickled):
        assert np.allclose(way(model).predict(X[:, :4], verbose=0), X[:, :4])


@ways
def test_a_metric_counts_on_its_own(way):
    metric = keryx.metrics.MeanSquaredError()
    metric.update_state([[1.0]], [[3.0]])
    again = way(metric)
    metric.reset_state()
    assert float(again.result()) == 4.0
    again.update_state([[1.0]], [[1.0]])
    assert float(again.result()) == 2.0
    assert float(metric.result()) == 0.0


@ways
def test_a_loss_an_initializer_and_a_variable(way):
    assert float(way(keryx.losses.Huber(delta=2.0))(np.ones((2, 1)), np.zeros((2, 1)))) == 0.5
    assert np.allclose(
        way(keryx.initializers.GlorotUniform(seed=3))((2, 2)), keryx.initializers.GlorotUniform(3)((2, 2))
    )
    variable = keryx.Variable(np.ones(2), dtype="bfloat16", name="v")
    again = copy.deepcopy(variable) if way is copy.copy else way(variable)
    again.assign_add([1.0, 1.0])
    assert (variable.numpy().tolist(), again.numpy().tolist()) == ([1.0, 1.0], [2.0, 2.0])
    assert again.dtype == "bfloat16"


def compiled(make, optimizer):
    model = make()
    model.compile(optimizer, "mse", metrics=["mae", keryx.metrics.MeanSquaredError(name="squared")])
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    return model


def noisy():
    return keryx.Sequential(
        [keryx.Input((6,)), layers.Dense(8, activation="relu"), layers.Dropout(0.5), layers.Dense(2)]
    )


def decaying():
    return keryx.optimizers.SGD(keryx.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9), momentum=0.9)


@ways
@pytest.mark.parametrize("make", [functional, Subclassed, noisy])
def test_training_goes_on_to_the_same_numbers(make, way):
    model = compiled(make, decaying() if make is noisy else "adam")
    again = way(model)
    histories = [
        one.fit(X, Y, batch_size=8, epochs=2, verbose=0, validation_data=(X, Y)).history for one in (model, again)
    ]
    assert histories[0] == histories[1]
    assert np.array_equal(model.predict(X, verbose=0), again.predict(X, verbose=0))
    assert again.optimizer is not model.optimizer
    assert again.optimizer.iterations == model.optimizer.iterations == 16
    assert again.evaluate(X, Y, verbose=0, return_dict=True).keys() == {"loss", "mae", "squared"}


@ways
def test_a_copy_trains_alone(way):
    model = compiled(noisy, "adam")
    before, state = model.get_weights(), [v.numpy() for v in model.optimizer.variables]
    way(model).fit(X, Y, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), before))
    assert all(map(np.array_equal, [v.numpy() for v in model.optimizer.variables], state))


@ways
def test_an_optimizer_by_itself(way):
    optimizer, weight = keryx.optimizers.Adam(0.1), keryx.Variable(np.ones(3))
    optimizer.apply([np.ones(3)], [weight])
    again = way(optimizer)
    assert (again.iterations, float(again.learning_rate.numpy())) == (1, np.float32(0.1))
    assert [v.path for v in again.variables] == [v.path for v in optimizer.variables]
    again.apply([np.ones(3)])
    assert (again.iterations, optimizer.iterations) == (2, 1)
    assert way(keryx.optimizers.RMSprop()).built is False


def test_a_model_that_another_process_is_given():
    model = compiled(noisy, "adam")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.apply(methodcaller("predict", X, verbose=0), (model,))
    assert np.array_equal(there, model.predict(X, verbose=0))


def test_a_model_is_copied_within_a_callback():
    copies = []

    class Copying(keryx.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            copies.append(copy.deepcopy(self.model))

    model = noisy()
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=16, verbose=0, callbacks=[Copying()])
    assert len(copies) == 2
    assert np.array_equal(copies[1].predict(X, verbose=0), model.predict(X, verbose=0))
