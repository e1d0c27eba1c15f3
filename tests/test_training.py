"""Ten steps with each optimizer, beside Keras; single batches; a step of one's own."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from twin_models import For, compile_both, same_logs, same_weights, twins

import keryx

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
rng = np.random.default_rng(1)
X = rng.normal(size=(12, 5, 2)).astype("float32")
Y = rng.normal(size=(12, 1)).astype("float32")
L = keryx.layers


def small(K):
    x = K.Input((5, 2), name="x")
    h = K.layers.Conv1D(3, 3, activation="relu", name="conv")(x)
    h = K.layers.BatchNormalization(name="norm")(h)
    h = K.layers.Dense(2, activation="tanh", kernel_constraint="max_norm", name="hidden")(K.layers.Flatten()(h))
    return K.Model(x, K.layers.Dense(1, name="out")(h))


OPTIMIZERS = {
    "SGD": lambda o: o.SGD(0.05),
    "nesterov": lambda o: o.SGD(0.05, momentum=0.9, nesterov=True),
    "RMSprop": lambda o: o.RMSprop(0.01),
    "Adam": lambda o: o.Adam(0.01),
    "AdamW": lambda o: o.AdamW(0.01, weight_decay=0.1),
    "clipnorm": lambda o: o.Adam(0.01, clipnorm=0.1),
    "schedule": lambda o: o.SGD(o.schedules.ExponentialDecay(0.1, 3, 0.5)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_ten_steps(name):
    theirs, ours = twins(small)
    make = OPTIMIZERS[name]
    compile_both(theirs, ours, optimizer=For(lambda K: make(K.optimizers)), loss="mse", metrics=["mae"])
    options = {"batch_size": 6, "epochs": 5, "shuffle": False, "verbose": 0}
    history = [model.fit(X, Y, **options).history for model in (theirs, ours)]
    same_logs(history[1], history[0])
    same_weights(ours, theirs)  # the moving statistics are among them


def test_a_transformation_of_optax():
    theirs, ours = twins(small)
    theirs.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse")
    ours.compile(optax.sgd(0.05, momentum=0.9), "mse")
    for model in (theirs, ours):
        model.fit(X, Y, batch_size=6, epochs=5, shuffle=False, verbose=0)
    same_weights(ours, theirs)


def test_frozen_layers():
    theirs, ours = twins(small)
    compile_both(theirs, ours, loss="mse")
    before = ours.get_weights()
    for model in (theirs, ours):
        model.get_layer("conv").trainable = False
        model.get_layer("norm").trainable = False
        model.compile("sgd", "mse")
        model.fit(X, Y, batch_size=6, epochs=2, shuffle=False, verbose=0)
    same_weights(ours, theirs)
    for old, new in zip(before[:6], ours.get_weights()[:6], strict=True):  # also the moving statistics
        np.testing.assert_array_equal(old, new)
    assert [len(m.trainable_weights) for m in (ours, theirs)] == [4, 4]
    for model in (theirs, ours):
        model.trainable = True
        model.compile("sgd", "mse")
        model.fit(X, Y, batch_size=6, epochs=2, shuffle=False, verbose=0)
    same_weights(ours, theirs)


def test_dropout_keeps_the_mean_and_drops_its_share():
    x = keryx.Input((4000,))
    out = np.asarray(keryx.Model(x, L.Dropout(0.3)(x))(np.ones((2, 4000), "float32"), training=True))
    assert abs((out == 0).mean() - 0.3) < 0.03
    assert abs(out.mean() - 1) < 0.05
    assert not np.array_equal(out[0], out[1])


def test_single_batches():
    theirs, ours = twins(small)
    compile_both(theirs, ours, loss="mse", metrics=["mae"])
    weight = rng.uniform(0, 2, 12).astype("float32")
    for options in ({}, {"sample_weight": weight}):
        for _ in range(2):
            found = [m.train_on_batch(X, Y, return_dict=True, **options) for m in (theirs, ours)]
            same_logs(found[1], found[0])
        np.testing.assert_allclose(ours.train_on_batch(X, Y), theirs.train_on_batch(X, Y), 1e-4, 1e-5)
        for model in (theirs, ours):
            model.reset_metrics()
        np.testing.assert_allclose(
            ours.test_on_batch(X, Y, **options), theirs.test_on_batch(X, Y, **options), 1e-4, 1e-5
        )
        for model in (theirs, ours):
            model.reset_metrics()
    np.testing.assert_allclose(ours.predict_on_batch(X), theirs.predict_on_batch(X), 1e-4, 1e-5)
    same_weights(ours, theirs)


def test_stateless_call():
    theirs, ours = twins(small)
    values = [
        [np.asarray(v.value) for v in group] for group in (ours.trainable_variables, ours.non_trainable_variables)
    ]
    for training in (False, True):
        out, rest = ours.stateless_call(*values, X, training=training)
        want, want_rest = theirs.stateless_call(*values, X, training=training)
        np.testing.assert_allclose(out, want, 1e-5, 1e-5)
        for a, b in zip(rest, want_rest, strict=True):
            np.testing.assert_allclose(a, b, 1e-5, 1e-5)
    before = ours.get_weights()
    gradient = jax.grad(lambda v: ours.stateless_call(v, values[1], X, training=True)[0].sum())(values[0])
    assert all(np.isfinite(g).all() for g in gradient)
    for old, new in zip(before, ours.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_run_eagerly_shows_values():
    seen = []

    class Look(keryx.Layer):
        def call(self, x):
            seen.append(isinstance(x, jax.core.Tracer) or float(x.sum()))
            return x

    x = keryx.Input((3,))
    model = keryx.Model(x, L.Dense(1)(Look()(x)))
    model.compile("sgd", "mse", run_eagerly=True)
    data = np.ones((6, 3), "float32")
    logs = model.fit(data, data[:, :1], batch_size=2, epochs=1, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    seen.clear()
    model.evaluate(data, data[:, :1], verbose=0)
    assert 18.0 in seen


class Halved(keryx.Model):
    def train_step(self, state, batch):
        new, logs = super().train_step(state, batch)
        weights = jax.tree.map(lambda a, b: (a + b) / 2, new.trainable, state.trainable)
        return new._replace(trainable=weights), logs | {"size": sum(jnp.sum(w * w) for w in weights.values())}


def test_a_step_of_ones_own():
    x = keryx.Input((3,))
    out = L.Dense(1)(x)
    plain, halved = keryx.Model(x, out), Halved(x, out)
    data = rng.normal(size=(8, 3)).astype("float32")
    start = plain.get_weights()
    plain.compile(keryx.optimizers.SGD(0.1), "mse")
    plain.train_on_batch(data, data[:, :1])
    full = plain.get_weights()
    plain.set_weights(start)
    halved.compile(keryx.optimizers.SGD(0.1), "mse", metrics=["mae"])
    history = halved.fit(data, data[:, :1], batch_size=8, validation_data=(data, data[:, :1]), verbose=0).history
    for new, a, b in zip(halved.get_weights(), start, full, strict=True):
        np.testing.assert_allclose(new, (a + b) / 2, 1e-5, 1e-6)
    assert list(history) == ["loss", "mae", "size", "val_loss", "val_mae"]
    np.testing.assert_allclose(history["size"], [sum((w**2).sum() for w in halved.get_weights())], 1e-5)


class Shrink(keryx.Model):
    def train_step(self, state, batch):
        loss, gradients = jax.value_and_grad(lambda ws: sum(jnp.sum(w * w) for w in ws.values()))(state.trainable)
        weights = jax.tree.map(lambda w, g: w - 0.1 * g, state.trainable, gradients)
        return state._replace(trainable=weights, step=state.step + 1), {"loss": loss}


def test_a_step_that_knows_no_metrics():
    x = keryx.Input((3,))
    model = Shrink(x, L.Dense(1, use_bias=False)(x))
    model.compile(loss="mse")
    first = (model.get_weights()[0] ** 2).sum()
    history = model.fit(np.ones((8, 3)), np.ones((8, 1)), batch_size=4, verbose=0).history
    np.testing.assert_allclose(history["loss"], [(first + 0.64 * first) / 2], 1e-5)  # two steps, each times 0.8


class Silent(keryx.Model):
    def train_step(self, state, batch):
        return state, {"mine": 0.0}


def test_a_step_that_logs_no_loss():
    x = keryx.Input((3,))
    model = Silent(x, L.Dense(1)(x))
    model.compile(loss="mse")
    with pytest.raises(keryx.errors.StateError, match="'mine'"):
        model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0)


@pytest.mark.parametrize("dtype", ["int32", "float64", "float16", "uint8", "bool"])
def test_dtypes_of_data(dtype):
    x = keryx.Input((3,))
    model = keryx.Model(x, L.Dense(1)(x))
    model.compile("sgd", "mse")
    data = rng.integers(0, 2, (4, 3)).astype(dtype)
    model.fit(data, data[:, :1], verbose=0)
    assert model.predict(data).dtype == "float32"


def test_mixed_bfloat16():
    def build(K):
        x = K.Input((4,))
        h = K.layers.Dense(8, activation="relu", dtype="mixed_bfloat16")(x)
        return K.Model(x, K.layers.Dense(1, dtype="mixed_bfloat16")(h))

    theirs, ours = twins(build)
    compile_both(theirs, ours, loss="mse")
    x, y = X[:, :2].reshape(12, 4), Y
    history = [m.fit(x, y, batch_size=6, epochs=3, shuffle=False, verbose=0).history for m in (theirs, ours)]
    same_logs(history[1], history[0], 3e-2)
    assert all(w.dtype == "float32" for w in ours.get_weights())
    assert ours.predict(x).dtype == "float32"


def test_validation_does_not_touch_the_state():
    theirs, ours = twins(small)
    compile_both(theirs, ours, loss="mse")
    before = ours.get_weights()
    ours.evaluate(X, Y, verbose=0)
    ours.predict(X)
    for old, new in zip(before, ours.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("source", ["arrays", "stream"])
def test_each_step_drops_others(source):
    """With one mask for all steps, half of the features would never be trained."""
    x = keryx.Input((64,))
    model = keryx.Model(x, L.Dense(1, use_bias=False)(L.Dropout(0.5)(x)))
    model.compile("sgd", "mse")
    before = model.get_weights()[0]
    ones, target = np.ones((1, 64), "float32"), np.full((1, 1), 1e3, "float32")
    if source == "arrays":
        model.fit(np.tile(ones, (20, 1)), np.tile(target, (20, 1)), batch_size=1, verbose=0)
    else:
        model.fit(iter(lambda: (ones, target), None), steps_per_epoch=20, verbose=0)
    assert (model.get_weights()[0] != before).all()


def test_two_fits_shuffle_differently():
    orders = []
    for fits in (1, 2):
        keryx.utils.set_random_seed(5)
        x = keryx.Input((1,))
        model = keryx.Model(x, L.Dense(1)(x))
        model.compile("sgd", "mse")
        begun = []
        for _ in range(fits):
            model.fit(np.ones((8, 1)), np.ones((8, 1)), batch_size=8, verbose=0)
            begun.append(model.session.order_key)
        orders.append(begun)
    assert orders[0][0] == orders[1][0] != orders[1][1]
