"""ConvLSTM, SpectralNormalization, ReversibleEmbedding and old words, beyond the rows of tests/specs_more.py."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from oracle import array, close, same_weights

import keryx
from keryx import layers
from keryx.core import scope
from keryx.errors import ArgumentError, ConfigError, ShapeError
from keryx.layers.recurrent.conv_lstm import ConvLSTMCell

# -- ConvLSTM --------------------------------------------------------------------------------------------------------

FRAMES = array(2, 4, 5, 3)  # (batch, time, space, channels)


@pytest.mark.parametrize("go_backwards", [False, True])
def test_a_masked_step_is_as_if_it_were_not_there(go_backwards):
    """Keras 3.15 fails on masks here, or broadcasts them along the axes of space."""
    layer = layers.ConvLSTM1D(2, 2, return_sequences=True, return_state=True, go_backwards=go_backwards)
    mask = np.array([[1, 0, 1, 0], [0, 1, 1, 1]], bool)
    outputs, h, c = layer(FRAMES, mask=mask)
    for i in range(2):
        kept, h_kept, c_kept = layer(FRAMES[i : i + 1, mask[i]])
        close((h[i : i + 1], c[i : i + 1]), (h_kept, c_kept))
        at = mask[i, ::-1] if go_backwards else mask[i]
        close(outputs[i, at], kept[0])
    layer.zero_output_for_mask = True
    zeroed = layer(FRAMES, mask=mask)[0]
    assert not np.any(zeroed[0, [0, 2] if go_backwards else [1, 3]])


def test_states_of_a_conv_lstm_are_kept_and_given():
    ours, theirs = (m.ConvLSTM1D(2, 2, stateful=True, return_state=True) for m in (layers, keras.layers))
    ours(FRAMES)
    theirs(FRAMES)
    same_weights(ours, theirs)
    ours.reset_state()
    theirs.reset_state()
    for seed in range(2):
        close(ours(array(2, 4, 5, 3, seed=seed)), theirs(array(2, 4, 5, 3, seed=seed)))
    first = [array(2, 4, 2, seed=5), array(2, 4, 2, seed=6)]
    close(ours(FRAMES, initial_state=first), theirs(FRAMES, initial_state=first))
    with pytest.raises(ShapeError, match=r"begins with states of \(batch, 4, 2\); got \(2, 5, 2\)"):
        ours(FRAMES, initial_state=[first[0], np.zeros((2, 5, 2), "float32")])


def test_a_conv_lstm_within_other_layers():
    x = keryx.Input((4, 5, 3))
    both = layers.Bidirectional(layers.ConvLSTM1D(2, 2, return_sequences=True))
    assert both(x).shape == (None, 4, 4, 4)
    np.testing.assert_allclose(both(FRAMES)[..., :2], both.forward_layer(FRAMES), rtol=1e-6)
    with pytest.raises(ShapeError, match="known size of all axes but batch and time"):
        layers.ConvLSTM1D(2, 2)(keryx.Input((4, None, 3)))
    assert ConvLSTMCell(1, 2, 2).state_size == [None, None]


def test_dropout_of_a_conv_lstm():
    """A mask for each gate, the same at all steps; what is left is scaled up; nothing is dropped but in training."""
    cell = ConvLSTMCell(1, 64, 1, dropout=0.5, use_bias=False)
    cell.build((2, 5, 1))
    cell.kernel.assign(jnp.ones(cell.kernel.shape))
    z = cell.drive(jnp.ones((2, 3, 5, 1)), True)
    gates = np.array(jnp.split(z, 4, -1))
    assert set(np.unique(gates)) == {0.0, 2.0}
    assert (gates == gates[:, :, :1]).all()  # at all steps
    assert not (gates[0] == gates[1]).all()
    assert (cell.drive(jnp.ones((2, 3, 5, 1)), False) == 1).all()
    layer = layers.ConvLSTM1D(2, 2, recurrent_dropout=0.5)
    assert not np.allclose(layer(FRAMES, training=True), layer(FRAMES))
    close(layer(FRAMES), layer(FRAMES))


# -- SpectralNormalization -------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
@pytest.mark.parametrize(
    ("kind", "arguments", "x"),
    [("Dense", (3,), array(4, 5)), ("Conv2D", (2, 2), array(2, 4, 4, 3)), ("Embedding", (6, 3), np.array([[1, 5, 1]]))],
)
def test_spectral_normalization(kind, arguments, x):
    keras.utils.clear_session(free_memory=False)
    keryx.utils.clear_session(free_memory=False)
    ours, theirs = (
        m.SpectralNormalization(getattr(m, kind)(*arguments), power_iterations=2) for m in (layers, keras.layers)
    )
    ours(x)
    theirs(x)
    assert [w.path.split("/")[1:] for w in ours.weights] == [w.path.split("/")[1:] for w in theirs.weights]
    same_weights(ours, theirs)
    assert type(ours).from_config(theirs.get_config()).get_config() == ours.get_config()
    if kind != "Embedding":  # Keras casts vectors to integers there
        close(ours(x), theirs(x))
        fixed = [v.value for v in theirs.non_trainable_variables]

        def their_loss(values):
            with keras.StatelessScope(list(zip(theirs.trainable_variables, values, strict=True))):
                return jnp.sum(theirs(x, training=True) ** 2)

        def our_loss(values):
            outputs, updates, _ = scope.pure(ours, [*ours.trainable_weights, *ours.non_trainable_weights], True)(
                [*values, *fixed], None, x
            )
            return jnp.sum(outputs**2), updates

        values = [v.value for v in ours.trainable_weights]
        got, updates = jax.grad(our_loss, has_aux=True)(values)
        close(got, jax.grad(their_loss)([jnp.asarray(v.value) for v in theirs.trainable_variables]))
        close(ours(x, training=True), theirs(x, training=True))
        close(updates[len(values)], theirs.vector_u.value)
    else:
        ours(x, training=True)
        theirs(x, training=True)
    close(ours.get_weights(), theirs.get_weights())
    for _ in range(20):
        ours(x, training=True)
    kernel = np.asarray(ours.kernel.value)
    np.testing.assert_allclose(np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), 2), 1, rtol=1e-4)


def test_spectral_normalization_leaves_a_kernel_of_zeros():
    layer = layers.SpectralNormalization(layers.Dense(2, kernel_initializer="zeros"))
    assert not np.any(layer(np.ones((1, 3), "float32"), training=True))
    assert np.isfinite(layer.vector_u.numpy()).all()
    with pytest.raises(ConfigError, match="a ReLU has neither"):
        layers.SpectralNormalization(layers.ReLU())(np.ones((1, 3), "float32"))


# -- the rest --------------------------------------------------------------------------------------------------------


def test_a_reversible_embedding_in_a_model():
    """The ids of the way there are checked, the vectors of the way back are not; a mask comes with the first alone."""
    embedding = layers.ReversibleEmbedding(7, 3, mask_zero=True)
    ids, vectors = keryx.Input((4,), dtype="int32"), keryx.Input((4, 3))
    model = keryx.Model([ids, vectors], [embedding(ids), embedding(vectors, reverse=True)])
    assert model.input_ranges()[0][1:] == (0, 7)
    assert model.input_ranges()[1] is None
    there, back = model.predict([np.ones((2, 4), "int32"), array(2, 4, 3)], verbose=0)
    close(back, array(2, 4, 3) @ embedding.embeddings.numpy().T)
    assert there.shape == (2, 4, 3)
    with scope.run(scope.Scope()):
        words = embedding(jnp.array([[0, 3]]))
        assert scope.mask_of(words).tolist() == [[False, True]]
        assert scope.mask_of(embedding(words, reverse=True)) is None
    half = layers.ReversibleEmbedding(7, 3, reverse_dtype="float32", dtype="mixed_bfloat16")
    assert half(jnp.array([[1]])).dtype == "bfloat16"
    assert half(half(jnp.array([[1]])), reverse=True).dtype == "float32"


@pytest.mark.filterwarnings("ignore:You passed")  # Keras's
@pytest.mark.parametrize("init", [{}, {"axis": 1, "center": False, "scale": False}])
def test_rms_scaling(init):
    ours, theirs = (m.LayerNormalization(rms_scaling=True, **init) for m in (layers, keras.layers))
    assert type(ours).from_config(theirs.get_config()).rms_scaling is ours.get_config()["rms_scaling"] is True
    x = array(2, 3, 4)
    ours(x)
    theirs(x)
    same_weights(ours, theirs)
    close(ours(x), theirs(x))


def test_a_synchronized_batch_is_the_batch():
    x = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    one, other = (layers.BatchNormalization(synchronized=value) for value in (True, False))
    np.testing.assert_array_equal(one(x, training=True), other(x, training=True))
    assert one.get_config()["synchronized"] is True


def test_places_of_arguments():
    assert layers.GRUCell(2, "relu", "sigmoid", False, "ones", "zeros", "ones", reset_after=False).reset_after is False
    assert layers.InputLayer((3,), 4, "int32", False, False).output.shape == (4, 3)
    for word in ("sparse", "ragged", "optional"):
        with pytest.raises(ArgumentError, match=rf"Input\({word}=True\) is not offered"):
            layers.InputLayer((3,), **{word: True})
    with pytest.raises(ArgumentError, match="use the tensor itself"):
        layers.InputLayer(input_tensor=keryx.Input((3,)))


WHOLE = np.random.default_rng(0).integers(0, 9, (2, 8, 8, 3)).astype("uint8")


@pytest.mark.parametrize(
    ("make", "x"),
    [
        (lambda: layers.Conv1D(2, 3, use_bias=False), WHOLE[0]),
        (lambda: layers.Conv2D(2, 3, activation="relu"), WHOLE),
        (lambda: layers.DepthwiseConv2D(3), WHOLE > 4),
        (lambda: layers.SeparableConv2D(2, 3), WHOLE.astype("int32")),
        (lambda: layers.Conv2DTranspose(2, 3), WHOLE),
        (lambda: layers.ConvLSTM2D(2, 3), WHOLE[:, None]),
    ],
    ids=["Conv1D", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose", "ConvLSTM2D"],
)
def test_convolutions_take_images_of_whole_numbers(make, x):
    layer = make()
    np.testing.assert_allclose(layer(x), layer(x.astype("float32")), 1e-6, 1e-6)
    assert layer(keryx.Input(x.shape[1:], dtype=x.dtype.name)).dtype == "float32"


def test_a_subclass_learns_from_images_that_nobody_has_scaled():
    class Net(keryx.Model):
        def __init__(self):
            super().__init__()
            self.conv, self.dense = layers.Conv2D(2, 3, dtype="mixed_bfloat16"), layers.Dense(1)

        def call(self, x):
            return self.dense(keryx.ops.mean(self.conv(x), (1, 2)))

    net = Net()
    net.compile("sgd", "mse")
    before = net.predict(WHOLE, verbose=0)
    net.fit(WHOLE, np.zeros((2, 1)), verbose=0)
    assert (net.predict(WHOLE, verbose=0) != before).all()
