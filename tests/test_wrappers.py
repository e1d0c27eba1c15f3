"""TimeDistributed and Bidirectional against Keras at the same weights."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from oracle import array, close, compare, same_weights

import keryx
from keryx import layers
from keryx.core import scope
from keryx.errors import ArgumentError, ShapeError
from keryx.layers import wrappers

X = array(3, 5, 4)
MASK = np.ones((3, 5), bool)
MASK[0, 3:], MASK[1, :2], MASK[2, 2] = False, False, False


def pair(inner, units, inner_words, **words):
    return [m.Bidirectional(getattr(m, inner)(units, **inner_words), **words) for m in (layers, keras.layers)]


@pytest.mark.parametrize(
    ("merge", "inner", "words", "called"),
    [
        ("concat", "LSTM", {"return_sequences": True, "return_state": True}, {"mask": MASK}),
        ("sum", "GRU", {}, {"mask": MASK}),
        ("mul", "GRU", {"return_sequences": True}, {}),
        ("ave", "SimpleRNN", {"return_sequences": True}, {"mask": MASK}),
        (None, "LSTM", {"return_sequences": True}, {"mask": MASK}),
        ("concat", "LSTM", {}, {"initial_state": [array(3, 2, seed=s) for s in range(4)]}),
    ],
)
def test_bidirectional(merge, inner, words, called):
    compare(*pair(inner, 2, words, merge_mode=merge), X, **called)


def test_bidirectional_with_a_backward_layer():
    built = [m.Bidirectional(m.LSTM(2), backward_layer=m.GRU(3, go_backwards=True)) for m in (layers, keras.layers)]
    compare(*built, X)
    config = built[0].get_config()
    assert config.keys() == built[1].get_config().keys()
    assert layers.Bidirectional.from_config(config).get_config() == config
    with pytest.raises(ArgumentError, match="wants go_backwards=True"):
        layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2))
    with pytest.raises(ArgumentError, match="merge_mode is"):
        layers.Bidirectional(layers.LSTM(2), merge_mode="max")
    with pytest.raises(ArgumentError, match="wants recurrent layers"):
        layers.Bidirectional(layers.Dense(2))


def test_stateful_bidirectional():
    ours, theirs = pair("LSTM", 2, {"stateful": True})
    ours(X)
    theirs(X)
    same_weights(ours, theirs)
    ours.reset_states()
    theirs.reset_states()
    for i in range(2):
        close(ours(X + i), theirs(X + i))


def test_bidirectional_mask_travels_on():
    with scope.run(scope.Scope()):
        masked = layers.Masking()(jnp.asarray(np.where(MASK[..., None], X, 0)))
        outputs = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(masked)
        np.testing.assert_array_equal(scope.mask_of(outputs), MASK)


def test_time_distributed_dense():
    ours, theirs = (m.TimeDistributed(m.Dense(2, activation="tanh")) for m in (layers, keras.layers))
    compare(ours, theirs, X)
    assert theirs.get_config().keys() <= ours.get_config().keys()
    assert layers.TimeDistributed.from_config(ours.get_config()).get_config() == ours.get_config()
    with pytest.raises(ShapeError, match=r"alike in the first two; got \(2, 3, 4\), \(2, 4, 4\)"):
        layers.TimeDistributed(layers.Dense(2))([jnp.ones((2, 3, 4)), jnp.ones((2, 4, 4))])
    with pytest.raises(ArgumentError, match="wants a layer or a model"):
        layers.TimeDistributed(np.tanh)


def two_headed():
    x = keryx.Input((4,))
    h = layers.BatchNormalization()(x)
    return keryx.Model(x, {"a": layers.Dense(2)(h), "b": [layers.Dense(3)(h)]})


def test_time_distributed_model_with_state():
    """The folded call is the model's own call: nested outputs, and one update of the moving averages."""
    model = two_headed()
    layer = layers.TimeDistributed(model)
    frames = X.reshape(15, 4)
    call, direct = (scope.pure(f, model.weights, True) for f in (layer, model))
    values = [v.value for v in model.weights]
    key = jnp.zeros(2, jnp.uint32)
    outputs, updates, _ = call(values, key, X, training=True)
    want, want_updates, _ = direct(values, key, frames, training=True)
    close(jax.tree.map(lambda y: y.reshape(15, -1), outputs), want)
    assert updates.keys() == want_updates.keys()
    assert len(updates) == 2
    close(updates, want_updates)


def test_time_distributed_passes_masks_on():
    with scope.run(scope.Scope()):
        x = layers.Masking()(jnp.asarray(np.where(MASK[..., None], X, 0)))
        np.testing.assert_array_equal(scope.mask_of(layers.TimeDistributed(layers.Dense(2))(x)), MASK)


def test_large_inputs_run_in_parts(monkeypatch):
    layer = layers.TimeDistributed(two_headed())
    whole = layer(X)
    monkeypatch.setattr(wrappers, "_INPUT_BYTES_AT_ONCE", 80)  # five frames of four floats
    assert wrappers._parts(jnp.ones((15, 4))) == 3
    assert wrappers._parts(jnp.ones((13, 4))) == 13
    close(layer(X), whole)
    jaxpr = str(jax.make_jaxpr(lambda x: layer(x))(X))
    assert "scan" in jaxpr
    assert "scan" not in str(jax.make_jaxpr(lambda x: layers.TimeDistributed(layers.Dense(2))(x, training=True))(X))


def test_a_video_is_split_and_the_guide_s_small_model_is_not():
    video, digits = (jax.eval_shape(lambda s=s: jnp.zeros(s)) for s in ((100, 224, 224, 3), (32 * 20, 784)))
    assert wrappers._parts([video]) == 10
    assert wrappers._parts([digits]) == 1
