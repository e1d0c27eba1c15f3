"""Recurrent layers against Keras at the same weights."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from oracle import array, close, compare, same_weights

import keryx
from keryx import layers
from keryx.core import scope
from keryx.errors import ArgumentError, ConfigError, ShapeError

BATCH, TIME, FEATURES, UNITS = 3, 5, 4, 2
KINDS = ["SimpleRNN", "GRU", "LSTM"]
X = array(BATCH, TIME, FEATURES)
MASK = np.ones((BATCH, TIME), bool)
MASK[0, 3:], MASK[1, :2], MASK[2, 2] = False, False, False


def pair(kind, *args, **words):
    return getattr(layers, kind)(*args, **words), getattr(keras.layers, kind)(*args, **words)


def states(kind):
    return [array(BATCH, UNITS, seed=s) for s in range(2 if kind == "LSTM" else 1)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("words", "called"),
    [
        ({}, {}),
        ({"return_sequences": True, "return_state": True}, {"mask": MASK, "initial_state": True}),
        ({"return_sequences": True, "return_state": True, "go_backwards": True}, {"mask": MASK}),
        ({"activation": "relu", "return_sequences": True, "zero_output_for_mask": True}, {"mask": MASK}),
        ({"activation": "softsign", "unroll": True, "go_backwards": True, "use_bias": False}, {"mask": MASK}),
        ({"use_bias": False, "zero_output_for_mask": True}, {"mask": MASK}),
    ],
    ids=["plain", "masked", "backwards", "zero_masked", "unrolled", "no_bias"],
)
def test_outputs_and_gradients(kind, words, called):
    called = dict(called)
    if called.get("initial_state"):
        called["initial_state"] = states(kind)
    compare(*pair(kind, UNITS, **words), X, **called)


@pytest.mark.parametrize(
    "words",
    [{"reset_after": False, "return_state": True}, {"reset_after": False, "activation": "relu", "use_bias": False},
     {"recurrent_activation": "hard_sigmoid"}],
)  # fmt: skip
def test_gru_variants(words):
    compare(*pair("GRU", UNITS, **words), X, mask=MASK)


def test_lstm_begins_as_in_keras():
    for forget in (True, False):
        ours, theirs = pair("LSTM", UNITS, unit_forget_bias=forget, bias_initializer="zeros")
        ours(X)
        theirs(X)
        np.testing.assert_array_equal(ours.weights[2].value, theirs.weights[2].value)
        assert [v.path.split("/", 1)[1] for v in ours.weights] == [v.path.split("/", 1)[1] for v in theirs.weights]


@pytest.mark.parametrize("kind", KINDS)
def test_stateful(kind):
    ours, theirs = pair(kind, UNITS, stateful=True, return_sequences=True)
    ours(X)
    theirs(X)
    same_weights(ours, theirs)
    ours.reset_states()
    theirs.reset_states()
    for i in range(3):
        x = array(BATCH, TIME, FEATURES, seed=i)
        close(ours(x), theirs(x))
    ours.reset_state()
    first = ours(X)
    ours.reset_state()
    close(ours(X), first)
    with pytest.raises(ShapeError, match=r"keeps the states of 3 samples; got a batch of 2"):
        ours(X[:2])


def test_stateful_wants_a_batch_size():
    with pytest.raises(ShapeError, match=r"stateful, so it has to know the batch size"):
        layers.LSTM(2, stateful=True)(keryx.Input((5, 4)))


def stacks():
    return [[m.LSTMCell(3), m.GRUCell(UNITS), m.SimpleRNNCell(3)] for m in (layers, keras.layers)]


def test_stacked_cells():
    one, other = stacks()
    words = {"return_sequences": True, "return_state": True}
    compare(layers.RNN(one, **words), keras.layers.RNN(other, **words), X)


class Own:
    """A cell of a user's own, for either library."""

    def __init__(self, units, **words):
        super().__init__(**words)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.built = True

    def call(self, inputs, states):
        output = jnp.tanh(inputs @ jnp.asarray(getattr(self.kernel, "value", self.kernel)) + states[0])
        return output, [output]


class OwnOurs(Own, layers.Layer):
    pass


class OwnTheirs(Own, keras.layers.Layer):
    pass


def test_a_cell_of_ones_own():
    compare(layers.RNN(OwnOurs(UNITS)), keras.layers.RNN(OwnTheirs(UNITS)), X, mask=MASK)


def test_masks_travel():
    for words, masks in (({}, [None]), ({"return_sequences": True}, [MASK])):
        x = jnp.asarray(np.where(MASK[..., None], X, 0))
        with scope.run(scope.Scope()):
            outputs = layers.LSTM(UNITS, **words)(layers.Masking()(x))
            found = scope.mask_of(outputs)
        assert (found is None) == (masks[0] is None)
        if found is not None:
            np.testing.assert_array_equal(found, MASK)
    assert layers.GRU(2, return_sequences=True, return_state=True).compute_mask(X, MASK)[1:] == [None]


@pytest.mark.parametrize("words", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}])
def test_dropout_is_the_same_at_all_steps(words):
    layer = layers.SimpleRNN(8, return_sequences=True, use_bias=False, recurrent_initializer="identity", **words)
    x = jnp.ones((2, 4, 6)) / 64
    np.testing.assert_array_equal(layer(x), layer(x))
    if "dropout" in words:  # with the state cut off, each step sees the same inputs
        layer(x)
        layer.cell.recurrent_kernel.assign(jnp.zeros((8, 8)))
        y = layer(x, training=True)
        np.testing.assert_allclose(y[:, 1:], y[:, :-1], rtol=1e-6)
        assert not np.allclose(y, layer(x))
    call = jax.jit(scope.pure(layer, layer.weights, True))
    values, key = [v.value for v in layer.weights], jnp.zeros(2, jnp.uint32)
    once, again = call(values, key, x)[0], call(values, key, x)[0]
    np.testing.assert_array_equal(once, again)
    assert not np.allclose(once, call(values, key + 1, x)[0])


def test_recurrent_dropout_keeps_one_mask():
    """With no input and a state of ones, a dropped unit stays dropped."""
    layer = layers.RNN(_Carry(16, recurrent_dropout=0.5), return_sequences=True)
    y = layer(jnp.zeros((2, 4, 1)), initial_state=jnp.ones((2, 16)), training=True)
    np.testing.assert_array_equal(y[:, 1:] == 0, y[:, :-1] == 0)
    assert 0 < float((y == 0).mean()) < 1


class _Carry(layers.SimpleRNNCell):
    def call(self, inputs, states, training=False):
        h = self.drop(states[0], self.recurrent_dropout, training)
        return h, [h]


def test_symbolic_states_and_unknown_sizes():
    sequence, h, c = keryx.Input((None, FEATURES)), keryx.Input((UNITS,)), keryx.Input((UNITS,))
    encoder = layers.LSTM(UNITS, return_sequences=True, return_state=True)
    outputs, *last = encoder(sequence, initial_state=[h, c])
    assert [o.shape for o in (outputs, *last)] == [(None, None, UNITS), (None, UNITS), (None, UNITS)]
    model = keryx.Model([sequence, h, c], [outputs, *last])
    begin = states("LSTM")
    close(model([X, *begin]), encoder(X, initial_state=begin))


@pytest.mark.parametrize("kind", [*KINDS, "LSTMCell", "GRUCell", "SimpleRNNCell"])
def test_config(kind):
    ours, theirs = pair(kind, UNITS, activation="relu", dropout=0.2, name="a")
    config = ours.get_config()
    assert theirs.get_config().keys() - config.keys() == set()
    assert config.keys() - theirs.get_config().keys() <= {"activity_regularizer", "seed"}
    assert type(ours).from_config(config).get_config() == config
    assert type(theirs).from_config(theirs.get_config()).units == UNITS


def test_config_of_stacked_cells():
    layer = layers.RNN(stacks()[0], return_sequences=True)
    assert layers.RNN.from_config(layer.get_config()).get_config() == layer.get_config()


def test_what_is_refused():
    with pytest.raises(ConfigError, match="at least 1; got 0"):
        layers.LSTM(0)
    with pytest.raises(ArgumentError, match=r"wants a cell; got <LSTM .* a layer with a cell in it"):
        layers.RNN(layers.LSTM(3))
    with pytest.raises(ArgumentError, match=r"wants a cell with a call"):
        layers.RNN(3)
    with pytest.raises(ShapeError, match="wants an input of 3 axes"):
        layers.LSTM(2)(jnp.ones((2, 3)))
    with pytest.raises(ShapeError, match="has 2 states; got 1 to begin with"):
        layers.LSTM(UNITS)(X, initial_state=[jnp.ones((BATCH, UNITS))])


def test_bfloat16():
    layer = layers.LSTM(UNITS, dtype="mixed_bfloat16", return_state=True)
    assert {y.dtype.name for y in layer(X, mask=MASK)} == {"bfloat16"}
