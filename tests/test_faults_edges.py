"""What is out of the ordinary, and has an error that says so: axes that are not there, no steps, no value, no name."""

import gc
import re
import weakref

import keras
import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.errors import ArgumentError, ConfigError, ShapeError, SymbolicError

X, Y = np.ones((8, 3), "float32"), np.ones((8, 2), "float32")


def model(loss="mse", **words):
    made = keryx.Sequential([keryx.Input((3,)), layers.Dense(2)])
    made.compile("sgd", loss, **words)
    return made


# -- axes and sizes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda axis: layers.BatchNormalization(axis=axis),
        lambda axis: layers.LayerNormalization(axis=axis),
        lambda axis: layers.LayerNormalization(axis=[1, axis]),
        lambda axis: layers.GroupNormalization(1, axis=axis),
        lambda axis: layers.RMSNormalization(axis=axis),
    ],
)
@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_that_the_inputs_do_not_have(make, axis):
    with pytest.raises(ShapeError, match=rf"along axis {axis}, which its inputs do not have; got \(None, 3\)"):
        make(axis)(keryx.Input((3,)))


@pytest.mark.parametrize("axis", [0, 2, -1])
def test_a_shared_axis_that_the_inputs_do_not_have(axis):
    with pytest.raises(ShapeError, match=re.escape("shared_axes= from 1 to 1, the axes of (None, 3)")):
        layers.PReLU(shared_axes=[axis])(keryx.Input((3,)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.EinsumDense("abc,cd->abd", (None, 4)),
        lambda: layers.EinsumDense("...x,xy->...y", 4),
        lambda: layers.LayerNormalization(),
        lambda: layers.RMSNormalization(),
        lambda: layers.LSTM(4),
        lambda: layers.RNN(layers.SimpleRNNCell(4)),
        lambda: layers.Bidirectional(layers.GRU(4)),
    ],
)
def test_a_shared_layer_on_another_width(make):
    layer = make()
    layer(keryx.Input((3, 5)))
    with pytest.raises(ShapeError, match=r"wants an input of 5 in axis (2|-1); got \(batch, 3, 6\)"):
        layer(keryx.Input((3, 6)))
    with pytest.raises(ShapeError, match=r"wants an input of 5 in axis (2|-1); got \(2, 3, 6\)"):
        layer(np.ones((2, 3, 6)))
    layer(keryx.Input((7, 5)))  # another length is no matter


@pytest.mark.parametrize(
    "make", [lambda: layers.LSTM(2), lambda: layers.GRU(2), lambda: layers.RNN(layers.SimpleRNNCell(2))]
)
def test_a_recurrent_layer_on_no_steps(make):
    with pytest.raises(ShapeError, match=r"wants at least one time step; got \(batch, 0, 3\)"):
        make()(keryx.Input((0, 3)))
    x = keryx.Input((None, 3))
    with pytest.raises(ShapeError, match=r"wants at least one time step; got \(2, 0, 3\)"):
        keryx.Model(x, make()(x)).predict(np.ones((2, 0, 3)), verbose=0)


def test_the_maximum_of_nothing():
    with pytest.raises(ShapeError, match=r"nothing to take the maximum of; got \(2, 0, 3\)"):
        layers.GlobalMaxPooling1D()(np.ones((2, 0, 3)))
    with pytest.raises(ShapeError, match=r"nothing to take the maximum of; got \(batch, 4, 0, 3\)"):
        layers.GlobalMaxPooling2D()(keryx.Input((4, 0, 3)))


def test_first_states_of_another_size():
    with pytest.raises(ShapeError, match=r"begins with states of \(batch, 3\); got \(batch, 4\)"):
        layers.LSTM(3)(keryx.Input((2, 5)), initial_state=[keryx.Input((4,)), keryx.Input((4,))])


def test_time_distributed_wants_a_time_axis():
    with pytest.raises(ShapeError, match=r"at least 3 axes; got \(batch, 3\).*Input\(\(3, 1\)\)"):
        layers.TimeDistributed(layers.Dense(2))(keryx.Input((3,)))


def test_a_time_mask_does_not_fit_a_softmax_over_features():
    x = layers.Embedding(5, 3, mask_zero=True)(keryx.Input((4,)))
    with pytest.raises(ShapeError, match="cannot be laid over the inputs"):  # now, not in predict
        layers.Softmax()(x)


def test_a_number_of_numpy_is_shown_as_a_number():
    with pytest.raises(ConfigError, match="an integer of at least 1; got 0"):
        layers.Dense(np.int64(0))


# -- names, losses, activations ------------------------------------------------------------------------------------


def test_a_loss_that_returns_nothing():
    def forgetful(y_true, y_pred):
        keryx.ops.mean(y_true - y_pred)

    with pytest.raises(ConfigError, match="The loss 'forgetful' returned None"):
        model(forgetful).fit(X, Y, verbose=0)


def test_an_activation_that_wants_more_than_its_input():
    with pytest.raises(ConfigError, match="'threshold' has no defaults: give a function"):
        layers.Dense(2, activation="threshold")
    cut = layers.Dense(2, activation=lambda x: keryx.activations.threshold(x, 0.5, 0.0))
    assert cut(X).shape == (8, 2)


def test_an_index_of_no_layer():
    with pytest.raises(ArgumentError, match="has 1 layers; got index=1"):
        model().get_layer(index=1)
    assert model().get_layer(index=0).units == 2


@pytest.mark.parametrize(
    "use",
    [
        lambda K: float(K.Input((3,))),
        lambda K: np.asarray(K.Input((3,))),
        lambda K: bool(K.Input((3,))),
        lambda K: len(K.Input((3,))),
        lambda K: K.layers.deserialize({"class_name": "Foo", "config": {}}),
        lambda K: K.layers.Dense.from_config({"units": 3, "foo": 4}),
        lambda K: K.layers.Add()(K.Input((3,))),
        lambda K: K.Sequential([K.Input((3,))]).get_layer(index=9),
        lambda K: K.Sequential([K.Input((3,))]).get_layer("nobody"),
        lambda K: K.Sequential([K.Input((3,)), K.layers.Dense(2)]).fit(X, Y),
        lambda K: K.layers.LSTM(2).output,
        lambda K: K.layers.Dense(2).kernel,
        lambda K: K.optimizers.get("adma"),
        lambda K: K.losses.get(5),
    ],
)
def test_who_catches_the_error_of_keras_catches_ours(use):
    with pytest.raises((ValueError, TypeError, AttributeError)) as theirs:
        use(keras)
    with pytest.raises(theirs.type):
        use(keryx)


def test_who_asks_a_symbol_for_values():
    with pytest.raises(SymbolicError, match="has no values yet"):
        float(keryx.Input((3,)))


# -- what is shared and kept ---------------------------------------------------------------------------------------


def test_both_directions_use_what_was_asked_for():
    both = layers.Bidirectional(layers.LSTM(2, use_cudnn=False))
    assert both.forward_layer.use_cudnn is False
    assert both.backward_layer.use_cudnn is False


def test_a_batch_within_a_fit_leaves_the_means_of_the_epoch_alone():
    trained = keryx.Sequential([keryx.Input((3,)), layers.Dense(2, kernel_initializer="zeros")])
    trained.compile(keryx.optimizers.SGD(0.0), "mse", metrics=["mae"])
    targets = np.repeat(np.arange(8.0), 2).reshape(8, 2)
    inner = []

    class Within(keryx.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            inner.append(trained.train_on_batch(X, targets + 100, return_dict=True))

    history = trained.fit(X, targets, batch_size=2, shuffle=False, verbose=0, callbacks=[Within()]).history
    assert history["loss"] == pytest.approx([np.mean(targets**2)])
    assert history["mae"] == pytest.approx([np.mean(targets)])
    assert [logs["mae"] for logs in inner] == pytest.approx([np.mean(targets) + 100] * 4)
    trained.train_on_batch(X, targets + 1)
    assert float(trained.metrics[0].result()) == pytest.approx(np.mean((targets + 1) ** 2))  # shown where no fit runs


def test_a_fit_that_fails_while_it_is_traced_leaves_nothing_behind():
    traced = []

    def loss(y_true, y_pred):
        traced.append(weakref.ref(y_true))
        _ = y_true - 1  # a step of the program that was to be
        raise ZeroDivisionError

    failing = model(loss)
    for x, words in ((X, {}), (iter([(X, Y)]), {"steps_per_epoch": 1})):
        with pytest.raises(ZeroDivisionError):
            failing.fit(x, Y if x is X else None, verbose=0, **words)
    gc.collect()
    assert traced
    assert not [ref for ref in traced if ref() is not None]


@pytest.mark.parametrize("stream", [False, True])
def test_a_callback_stops_evaluate_and_predict_as_in_keras(stream):
    def run(K):
        made = K.Sequential([K.Input((3,)), K.layers.Dense(2, kernel_initializer="ones")])
        made.compile("sgd", "mse")
        x = np.arange(24.0, dtype="float32").reshape(8, 3)
        batches = [(x[i : i + 2], Y[i : i + 2]) for i in range(0, 8, 2)]

        class Stop(K.callbacks.Callback):
            def on_test_batch_end(self, batch, logs=None):
                self.model.stop_evaluating = batch == 1

            def on_predict_batch_end(self, batch, logs=None):
                self.model.stop_predicting = batch == 1

        given = ((b for b in batches),) if stream else (x, Y)
        loss = made.evaluate(*given, batch_size=None if stream else 2, verbose=0, callbacks=[Stop()])
        given = (b[:1] for b in batches) if stream else x
        rows = made.predict(given, batch_size=None if stream else 2, verbose=0, callbacks=[Stop()])
        again = made.evaluate(x, Y, batch_size=2, verbose=0)  # it is not stopped for good
        return loss, rows, again

    ours, theirs = run(keryx), run(keras)
    assert len(ours[1]) == 4
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
