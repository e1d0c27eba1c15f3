"""Muon by path, MultiOptimizer and OptimizerMap: which weight is trained by what, beside Keras."""

import copy

import keras
import numpy as np
import pytest

import keryx
from keryx import optimizers
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, StateError
from tests.oracle import array

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras's
X, Y = np.random.default_rng(0).normal(size=(8, 4)).astype("float32"), np.ones((8, 2), "float32")


def twins(make):
    """A model of each library with the same weights, compiled with `make(library)`."""
    made = []
    for K in (keryx, keras):
        K.utils.clear_session(free_memory=False)
        layers = [K.Input((4,)), K.layers.Dense(3, "tanh", name="body"), K.layers.Dense(2, name="head")]
        model = K.Sequential(layers)
        model.compile(make(K), "mse")
        made.append(model)
    values = [array(*v.shape, seed=i) for i, v in enumerate(made[0].weights)]
    for model in made:
        model.set_weights(values)
    return made


def two(K, body, head):
    return K.optimizers.MultiOptimizer(K.optimizers.OptimizerMap(head(K), {".*body/.*": body(K)}))


MAPS = {
    "adam and momentum": lambda K: two(K, lambda K: K.optimizers.Adam(0.05), lambda K: K.optimizers.SGD(0.1, 0.9)),
    "one that has no weights": lambda K: K.optimizers.MultiOptimizer(
        K.optimizers.OptimizerMap(K.optimizers.SGD(0.1), {".*": K.optimizers.RMSprop(0.01)})
    ),
    "options within": lambda K: two(
        K,
        lambda K: K.optimizers.Adam(0.05, clipnorm=0.1, weight_decay=0.1),
        lambda K: K.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, gradient_accumulation_steps=2),
    ),
    "a schedule": lambda K: two(
        K,
        lambda K: K.optimizers.Adam(K.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)),
        lambda K: K.optimizers.SGD(0.1),
    ),
    "a loss scale": lambda K: K.optimizers.LossScaleOptimizer(
        two(K, lambda K: K.optimizers.Adam(0.05), lambda K: K.optimizers.SGD(0.1, 0.9)), initial_scale=8.0
    ),
    "the same twice": lambda K: two(K, lambda K: K.optimizers.SGD(0.1), lambda K: K.optimizers.SGD(0.01)),
}


@pytest.mark.parametrize("name", MAPS)
def test_ten_steps_and_files_equal_keras(tmp_path, name):
    ours, theirs = twins(MAPS[name])
    ours.fit(X, Y, batch_size=8, epochs=10, verbose=0)
    theirs.fit(X, Y, batch_size=8, epochs=10, verbose=0)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-5)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    crossed = keras.models.load_model(tmp_path / "ours.keras"), keryx.models.load_model(tmp_path / "theirs.keras")
    for model in crossed:
        model.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    for a, b in zip(*(model.get_weights() for model in crossed), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-5)


@pytest.mark.parametrize(
    "words", [{}, {"exclude_layers": ["head"]}, {"exclude_layers": ["b.dy"], "weight_decay": None}]
)
def test_muon_leaves_to_adam_what_is_excluded_by_path(words):
    ours, theirs = twins(lambda K: K.optimizers.Muon(0.01, **words))
    for model in (ours, theirs):
        model.fit(X, Y, batch_size=8, epochs=5, verbose=0)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-5)
    kept = [v.shape for v in theirs.optimizer.variables]
    assert sorted(v.shape for v in ours.optimizer.variables) == sorted(kept)


def test_muon_leaves_embeddings_to_adam():
    table = Variable(np.ones((3, 2)), name="Embeddings")
    for given, has in ((True, True), (False, False)):
        optimizer = optimizers.Muon(exclude_embeddings=given)
        optimizer.build([table])
        assert (optimizer.state["velocity"]["Embeddings"] is not None) is has


def test_a_map_gives_an_optimizer_for_each_path():
    adam, sgd, default = optimizers.Adam(), optimizers.SGD(), optimizers.RMSprop()
    chosen = optimizers.OptimizerMap(default, {"encoder/.*": sgd})
    chosen["encoder/dense/kernel"] = adam
    assert [*chosen] == ["encoder/.*", "encoder/dense/kernel"]
    assert chosen["encoder/dense/kernel"] is adam
    assert chosen["encoder/dense/bias"] is sgd
    assert chosen["decoder/encoder/dense"] is default
    chosen[".*/bias"] = adam
    with pytest.raises(ArgumentError, match=r"'encoder/dense/bias' matches 'encoder/\.\*', '\.\*/bias'"):
        chosen["encoder/dense/bias"]
    del chosen[".*/bias"]
    assert len(chosen) == 2
    again = keryx.saving.deserialize_keras_object(keryx.saving.serialize_keras_object(chosen))
    assert type(again["encoder/dense/kernel"]) is optimizers.Adam
    assert type(again.default_optimizer) is optimizers.RMSprop


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: optimizers.OptimizerMap("adam"), "its default; got 'adam'"),
        (lambda: optimizers.OptimizerMap(optimizers.SGD(), [1]), r"a dict of optimizers by key; got \[1\]"),
        (lambda: optimizers.OptimizerMap(optimizers.SGD(), {"a": "adam"}), r"\['a'\] wants an optimizer of its own"),
        (lambda: optimizers.OptimizerMap(optimizers.SGD(), {2: optimizers.SGD()}), "a key is a string"),
        (
            lambda: optimizers.OptimizerMap(optimizers.SGD(), {"a": optimizers.LossScaleOptimizer(optimizers.SGD())}),
            "goes around a MultiOptimizer",
        ),
        (lambda: optimizers.MultiOptimizer("adam"), "wants an OptimizerMap or a function; got 'adam'"),
        (lambda: optimizers.MultiOptimizer(lambda v: "adam").build([Variable([1.0])]), "of its own; got 'adam'"),
    ],
)
def test_what_is_no_map_of_optimizers(make, text):
    with pytest.raises(ArgumentError, match=text):
        make()


def test_a_key_is_taken_once():
    chosen = optimizers.OptimizerMap(optimizers.SGD(), {"a": optimizers.SGD()})
    with pytest.raises(ArgumentError, match="there is one for it already"):
        chosen["a"] = optimizers.Adam()


def test_a_function_chooses_too():
    fast, slow = optimizers.SGD(2.0), optimizers.SGD(1.0)
    optimizer = optimizers.MultiOptimizer(lambda v: fast if v.name == "a" else slow, loss_scale_factor=4.0)
    a, b = Variable([1.0], name="a"), Variable([1.0], name="b")
    with pytest.raises(StateError, match=r"call build\(variables\)"):
        optimizer.init([a.value, b.value])
    optimizer.apply([np.ones(1), np.ones(1)], [a, b])
    assert (a.numpy(), b.numpy()) == (0.5, 0.75)
    assert optimizer.optimizers == [fast, slow]
    assert (optimizer.iterations, fast.iterations) == (1, 1)
    fast.learning_rate = 4.0
    with pytest.warns(UserWarning, match="No gradient came for 'b'"):
        optimizer.apply([np.ones(1), None], [a, b])
    assert (a.numpy(), b.numpy()) == (-0.5, 0.75)
    assert float(optimizer.scale_loss(1.0)) == 4.0
    for use in (lambda: optimizer.learning_rate, lambda: setattr(optimizer, "learning_rate", 0.1)):
        with pytest.raises(AttributeError, match="those of its `optimizers`"):
            use()


def test_a_copy_trains_by_itself():
    model, _ = twins(MAPS["adam and momentum"])
    model.fit(X, Y, verbose=0)
    twin = copy.deepcopy(model)
    for one in (model, twin):
        one.fit(X, Y, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    twin.optimizer.optimizers[0].learning_rate = 0.5
    assert float(model.optimizer.optimizers[0].learning_rate) == pytest.approx(0.05)
    model.layers[0].trainable = False  # other weights: it begins anew
    model.compile(model.optimizer, "mse")
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert not np.array_equal(model.get_weights()[2], before[2])


def test_each_optimizer_has_a_rate_in_callbacks_and_logs():
    model, _ = twins(MAPS["the same twice"])
    halve = keryx.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    logs = model.fit(X, Y, epochs=2, verbose=0, callbacks=[halve]).history
    np.testing.assert_allclose(logs["learning_rate_sgd"], [0.05, 0.025], rtol=1e-6)
    np.testing.assert_allclose(logs["learning_rate_sgd_1"], [0.005, 0.0025], rtol=1e-6)
    plateau = keryx.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100.0, min_lr=0.0025)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[plateau])
    np.testing.assert_allclose([float(one.learning_rate) for one in model.optimizer.optimizers], [0.0125, 0.0025])


@pytest.mark.parametrize("name", ["Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop", "SGD"])
def test_legacy_names_say_what_to_use(name):
    with pytest.raises(ImportError, match=rf"legacy\.{name} went with Keras 2\. Use keryx\.optimizers\.{name}"):
        getattr(optimizers.legacy, name)(learning_rate=0.1)


def test_names_in_any_case_find_what_is_imported_late():
    assert type(optimizers.get("schedulefreeadamw")).__name__ == "ScheduleFreeAdamW"
    assert type(optimizers.get("Muon")) is optimizers.Muon
    assert "Adafactor" in dir(optimizers)


@pytest.mark.parametrize("pattern", ["(a+)+b", ".*.*.*b", "(a|a)*b", "(?=a)b", r"(a)\1", "x" * 2000, "(a*)*"])
def test_patterns_of_a_config_that_might_take_for_ever_are_refused(pattern):
    config = keryx.optimizers.OptimizerMap(keryx.optimizers.SGD(), {"a": keryx.optimizers.Adam()}).get_config()
    config["optimizer_map"] = {pattern: config["optimizer_map"]["a"]}
    with pytest.raises(keryx.errors.ConfigError, match="which might take for ever to match"):
        keryx.optimizers.OptimizerMap.from_config(config)


def test_plain_patterns_of_a_config_are_taken():
    made = keryx.optimizers.OptimizerMap(keryx.optimizers.SGD(), {r"enc/.*/ker\w+|[ab]/c": keryx.optimizers.Adam()})
    read = keryx.optimizers.OptimizerMap.from_config(made.get_config())
    assert read["enc/dense/kernel"].name == read["b/c"].name == "adam"
    assert read["dec/dense/kernel"].name == "sgd"
