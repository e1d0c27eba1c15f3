"""K, `keras.backend` as Keras 1 and 2 had it, and the layers that Keras 3 has dropped."""

import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.compat import use
from keryx.compat.dialects import backend
from keryx.compat.dialects.backend.words import REFUSED
from keryx.errors import SymbolicError
from keryx.models import Model, Sequential

RANDOM = np.random.default_rng(0)
X = np.arange(24.0, dtype="float32").reshape(2, 3, 4) / 24
M = X[0]
IMAGE = np.arange(2 * 4 * 4 * 1, dtype="float32").reshape(2, 4, 4, 1)
KERNEL = np.ones((2, 2, 1, 1), "float32")
WINDOWS = IMAGE[:, :-1, :-1] + IMAGE[:, 1:, :-1] + IMAGE[:, :-1, 1:] + IMAGE[:, 1:, 1:]

CASES = [
    ("K.mean(X, axis=-1)", X.mean(-1)),
    ("K.std(X, axis=1, keepdims=True)", X.std(1, keepdims=True)),
    ("K.argmax(X)", X.argmax(-1)),
    ("K.cumsum(X)", X.cumsum(0)),
    ("K.expand_dims(M).shape", (3, 4, 1)),
    ("K.expand_dims(M, dim=1).shape", (3, 1, 4)),
    ("K.clip(X, min_value=0.2, max_value=0.5)", X.clip(0.2, 0.5)),
    ("K.dot(X, M.T)", X @ M.T),
    ("K.batch_dot(X, X, axes=2)", np.einsum("btc,bsc->bts", X, X)),
    ("K.batch_dot(X, X, axes=[1, 1])", np.einsum("btc,btd->bcd", X, X)),
    ("K.batch_dot(M, M, axes=1)", (M * M).sum(1, keepdims=True)),
    ("K.permute_dimensions(X, (0, 2, 1))", X.transpose(0, 2, 1)),
    ("K.transpose(M)", M.T),
    ("K.gather(M, np.array([2, 0]))", M[[2, 0]]),
    ("K.repeat_elements(M, 2, axis=1)", M.repeat(2, 1)),
    ("K.repeat(M, 2)", np.stack([M, M], 1)),
    ("K.flatten(X)", X.ravel()),
    ("K.batch_flatten(X)", X.reshape(2, 12)),
    ("K.one_hot(np.array([1, 0]), nb_classes=2)", np.array([[0, 1], [1, 0]])),
    ("K.reverse(X, axes=1)", X[:, ::-1]),
    ("K.slice(X, [0, 1, 0], [-1, 2, 2])", X[:, 1:3, :2]),
    ("K.l2_normalize(M, axis=1)", M / np.linalg.norm(M, axis=1, keepdims=True)),
    ("K.switch(M > 0.2, M, 0 * M)", np.where(M > 0.2, M, 0)),
    ("K.switch(np.array([True, False, True]), lambda: M, lambda: -M)", M * np.array([[1], [-1], [1]])),
    ("K.pow(M, 2)", M**2),
    ("K.pow(M, a=2)", M**2),
    ("K.concatenate([X, X])", np.concatenate([X, X], -1)),
    ("K.concatenate(tensors=[X, X], axis=1)", np.concatenate([X, X], 1)),
    ("K.dot(X, y=M.T)", X @ M.T),
    ("K.maximum(x=M, y=0.2)", np.maximum(M, 0.2)),
    ("K.tile(M, n=(1, 2))", np.tile(M, (1, 2))),
    ("K.sum(x=M, axis=[0, 1])", M.sum()),
    ("K.lesser(M, 0.2)", M < 0.2),
    ("K.arange(3)", np.arange(3)),
    ("K.relu(M - 0.2, alpha=0.1, max_value=0.1)", np.where(M > 0.2, np.minimum(M - 0.2, 0.1), 0.1 * (M - 0.2))),
    ("K.hard_sigmoid(M * 10)", np.clip(0.2 * M * 10 + 0.5, 0, 1)),
    ("K.softmax(M)", np.exp(M) / np.exp(M).sum(-1, keepdims=True)),
    ("K.binary_crossentropy(T, M)", -np.log(1 - M.clip(1e-7, 1 - 1e-7))),
    ("K.bias_add(X, np.arange(4))", X + np.arange(4)),
    ("K.batch_normalization(M, 0.1, 0.5, 1.0, 2.0, epsilon=0.25)", (M - 0.1) / np.sqrt(0.75) * 2 + 1),
    ("K.batch_normalization(M, M[:, 0], np.ones(3), None, None, axis=0, epsilon=0.0)", M - M[:, :1]),
    ("K.normalize_batch_in_training(M, None, None, [0])[0]", (M - M.mean(0)) / np.sqrt(M.var(0) + 1e-3)),
    ("K.conv2d(IMAGE, KERNEL)", WINDOWS),
    ("K.conv2d(IMAGE.transpose(0, 3, 1, 2), KERNEL, dim_ordering='th')", WINDOWS.transpose(0, 3, 1, 2)),
    ("K.conv2d(IMAGE, KERNEL, border_mode='same').shape", (2, 4, 4, 1)),
    ("K.depthwise_conv2d(IMAGE, KERNEL)", WINDOWS),
    ("K.conv1d(X, np.ones((1, 4, 2))).shape", (2, 3, 2)),
    ("K.pool2d(IMAGE, (2, 2), (2, 2), pool_mode='avg')[0, 0, 0]", [2.5]),
    ("K.resize_images(IMAGE, 2, 2, 'channels_last')[0, 0, :, 0]", IMAGE[0, 0, :, 0].repeat(2)),
    ("K.temporal_padding(X, padding=1).shape", (2, 5, 4)),
    ("K.spatial_2d_padding(IMAGE, ((1, 0), (0, 2))).shape", (2, 5, 6, 1)),
    ("K.in_top_k(M, np.array([3, 3, 0]), 1)", [True, True, False]),
    ("K.map_fn(lambda row: row.sum(), M)", M.sum(1)),
    ("K.foldl(lambda so_far, row: so_far + row, M)", M.sum(0)),
    ("K.foldr(lambda so_far, row: so_far * 2 + row, M)", 4 * M[2] + 2 * M[1] + M[0]),
    ("K.eval(K.ones((2, 3)))", np.ones((2, 3))),
    ("K.eval(K.eye(2))", np.eye(2)),
    ("K.constant([1, 2], shape=(2,))", [1, 2]),
    ("K.int_shape(K.placeholder(ndim=2))", (None, None)),
    ("K.ndim(X)", 3),
    ("K.count_params(K.zeros((2, 3)))", 6),
    ("K.cast_to_floatx([1, 2]).dtype.name", "float32"),
    ("K.ctc_batch_cost(np.array([[0]]), P, np.array([[2]]), np.array([[1]]))", [[-np.log(0.5 * 0.5 * 3)]]),
]


@pytest.mark.parametrize(("code", "wanted"), CASES)
def test_a_function_of_k(code, wanted):
    names = {"X": X, "M": M, "T": np.zeros_like(M), "IMAGE": IMAGE, "KERNEL": KERNEL, "P": np.full((1, 2, 2), 0.5)}
    with use(2):
        found = eval(code, globals() | names | {"K": keryx.backend})
    if isinstance(wanted, (str, tuple)):
        assert found == wanted
    else:
        np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-4, atol=1e-5)


def test_keras_1_had_the_output_of_a_crossentropy_first():
    p, t = np.array([[0.3, 0.7]], "float32"), np.array([[0.0, 1.0]], "float32")
    with use(1):
        first = keryx.backend.categorical_crossentropy(p, t)
    with use(2):
        second = keryx.backend.categorical_crossentropy(t, p)
    np.testing.assert_allclose([first, second], -np.log(0.7), rtol=1e-5)


def test_functions_of_symbols_are_layers_of_a_graph():
    with use(2):
        K = keryx.backend
        x = layers.Input((4,))
        y = K.sum(K.square(x), axis=-1, keepdims=True) + K.variable([1.0])
        model = Model(x, y)
        np.testing.assert_allclose(model.predict(M, verbose=0), (M * M).sum(-1, keepdims=True) + 1, rtol=1e-5)
        with pytest.raises(SymbolicError, match=r"K\.function"):
            K.get_value(y)


def test_the_shape_of_a_symbol_is_a_tuple_and_a_tensor():
    with use(2):
        K = keryx.backend
        x = layers.Input((3, 4))
        flat = K.reshape(x, (K.shape(x)[0], 12))
        share = K.sum(flat, axis=1) / K.prod(K.cast(K.shape(x), "float32"))
        assert (K.shape(x), flat.shape) == ((None, 3, 4), (None, 12))
        assert (x._keras_shape, x.get_shape().as_list()) == ((None, 3, 4), [None, 3, 4])
        layer = layers.Flatten()
        assert layer(x)._keras_history == (layer, 0, 0)
        assert (layer.output_shape, layer.get_output_at(0).shape, layer.get_input_shape_at(0)) == (
            (None, 12),
            (None, 12),
            (None, 3, 4),
        )
        np.testing.assert_allclose(Model(x, share).predict(X, verbose=0), X.sum((1, 2)) / 24, rtol=1e-5)


def test_k_function_follows_the_weights_and_updates_variables():
    with use(2):
        K = keryx.backend
        model = Sequential([layers.Dense(2, input_shape=(4,), use_bias=False)])
        count = K.variable(0.0)
        run = K.function([model.input], [model.output, count], updates=[(count, K.sum(model.input))])
        for factor in (1, 2):
            kernel = np.full((4, 2), factor)
            model.set_weights([kernel])
            np.testing.assert_allclose(run([M])[0], M @ kernel, rtol=1e-5)
        assert K.get_value(count) == pytest.approx(M.sum(), rel=1e-5)


def test_what_goes_into_an_input_layer_is_what_comes_out():
    with use(1):
        x = layers.Input((3,))
        model = Model(input=x, output=layers.Dense(2)(x))
        function = keryx.backend.function([model.layers[0].input, keryx.backend.learning_phase()], [model.output])
        assert function([np.ones((4, 3)), 0])[0].shape == (4, 2)
        assert model.layers[0].input_shape == (None, 3)


def test_gradients_of_weights_and_inputs():
    with use(2):
        K = keryx.backend
        model = Sequential([layers.Dense(1, input_shape=(4,), kernel_initializer="ones")])
        loss = K.sum(K.square(model.output))
        of_input, of_kernel, of_bias = K.function(
            [model.input], K.gradients(loss, model.input) + K.gradients(loss, model.trainable_weights)
        )([M])
    total = M.sum(1, keepdims=True)
    np.testing.assert_allclose(of_input, 2 * total.repeat(4, 1), rtol=1e-5)
    np.testing.assert_allclose(of_kernel, 2 * M.T @ total, rtol=1e-5)
    np.testing.assert_allclose(of_bias, 2 * total.sum(0), rtol=1e-5)


def test_rnn_keeps_output_and_states_where_the_mask_is_off():
    with use(2):
        step = lambda x, states: (x + states[0], [x + states[0]])  # noqa: E731
        mask = np.array([[True, True, False], [True, False, True]])
        last, outputs, (state,) = keryx.backend.rnn(step, X, [np.zeros((2, 4), "float32")], mask=mask)
        backwards, _, _ = keryx.backend.rnn(step, X, [np.zeros((2, 4), "float32")], go_backwards=True)
    np.testing.assert_allclose(last, [X[0, 0] + X[0, 1], X[1, 0] + X[1, 2]], rtol=1e-5)
    np.testing.assert_allclose(outputs[0, 2], outputs[0, 1])
    np.testing.assert_allclose(state, last)
    np.testing.assert_allclose(backwards, X.sum(1), rtol=1e-5)


def test_the_phase_is_that_of_the_run_or_fixed():
    with use(2):
        K = keryx.backend
        x = layers.Input((4,))
        model = Model(x, layers.Lambda(lambda v: K.in_train_phase(v * 2, lambda: v))(x))
        assert K.function([x, K.learning_phase()], [model.output])([M, 1])[0] == pytest.approx(2 * M)
        assert model.predict(M, verbose=0) == pytest.approx(M)
        K.set_learning_phase(1)
        noisy = Sequential([layers.Dropout(0.5, input_shape=(4,))])
        assert (noisy.predict(np.ones((9, 4)), verbose=0) == 0).any()
        assert K.learning_phase() == 1
    with use(2):
        assert (Sequential([layers.Dropout(0.5, input_shape=(4,))]).predict(np.ones((9, 4)), verbose=0) == 1).all()


def test_updates_of_a_layer_come_with_training_alone():
    class Mean(layers.Layer):
        def build(self, input_shape):
            self.mean = self.add_weight("mean", (input_shape[-1],), initializer="zeros", trainable=False)

        def call(self, x):
            K = keryx.backend
            self.add_update([K.moving_average_update(self.mean, K.mean(x, axis=0), 0.75)], x)
            return x

    with use(2):
        model = Sequential([Mean(input_shape=(4,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        model.predict(M, verbose=0)
        assert (model.get_weights()[-1] == 0).all()
        model.train_on_batch(M, np.zeros((3, 1)))
    np.testing.assert_allclose(model.layers[0].get_weights()[0], 0.25 * M.mean(0), rtol=1e-5)


def test_what_is_refused_says_why():
    for word in REFUSED:
        with pytest.raises(ValueError, match=f"keras.backend.{word}"):
            backend.NAMES[word]()


# -- layers that Keras 3 has dropped -----------------------------------------------------------------------------------


def test_locally_connected_layers_have_a_kernel_for_every_place():
    with use(2):
        series = Sequential([layers.LocallyConnected1D(2, 2, input_shape=(3, 4))])
        images = Sequential([layers.LocallyConnected2D(3, (2, 2), strides=2, input_shape=(4, 4, 2))])
    with use(1):
        first = Sequential([layers.LocallyConnected2D(3, 2, 2, dim_ordering="th", input_shape=(2, 3, 3))])
    kernel, bias = series.get_weights()
    wanted = [X[:, i : i + 2].reshape(2, -1) @ kernel[i] + bias[i] for i in range(2)]
    np.testing.assert_allclose(series.predict(X, verbose=0), np.stack(wanted, 1), rtol=1e-4, atol=1e-5)
    x, (kernel, bias) = RANDOM.random((2, 4, 4, 2)), images.get_weights()
    found = images.predict(x, verbose=0)
    for i, j in np.ndindex(2, 2):
        patch = x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].reshape(2, -1)
        np.testing.assert_allclose(found[:, i, j], patch @ kernel[2 * i + j] + bias[i, j], rtol=1e-4, atol=1e-5)
    x, (kernel, bias) = RANDOM.random((2, 2, 3, 3)), first.get_weights()
    patch = x[:, :, 1:3, 0:2].reshape(2, -1)
    wanted = patch @ kernel[2] + bias[1, 0]
    np.testing.assert_allclose(first.predict(x, verbose=0)[:, :, 1, 0], wanted, rtol=1e-4, atol=1e-5)


def test_maxout_and_highway():
    with use(1):
        maxout = Sequential([layers.MaxoutDense(2, nb_feature=3, input_dim=4)])
        highway = Sequential([layers.Highway(activation="tanh", input_dim=4)])
    kernel, bias = maxout.get_weights()
    wanted = np.max([M @ kernel[k] + bias[k] for k in range(3)], axis=0)
    np.testing.assert_allclose(maxout.predict(M, verbose=0), wanted, rtol=1e-4, atol=1e-5)
    kernel, carry, bias, carry_bias = highway.get_weights()
    gate = 1 / (1 + np.exp(-(M @ carry + carry_bias)))
    assert (carry_bias == 1).all()
    wanted = gate * np.tanh(M @ kernel + bias) + (1 - gate) * M
    np.testing.assert_allclose(highway.predict(M, verbose=0), wanted, rtol=1e-4, atol=1e-5)


def test_activations_with_weights():
    with use(1):
        soft = Sequential([layers.ParametricSoftplus(0.5, 2.0, shared_axes=[1], input_shape=(3, 4))])
        s = Sequential([layers.SReLU(a_left_init="one", t_right_init="one", a_right_init="zero", input_shape=(4,))])
        sharp = Sequential([layers.ThresholdedReLU(0.2, input_shape=(4,))])
    assert [w.shape for w in soft.get_weights()] == [(1, 4), (1, 4)]
    np.testing.assert_allclose(soft.predict(X, verbose=0), 0.5 * np.log1p(np.exp(2 * X)), rtol=1e-5)
    np.testing.assert_allclose(s.predict(4 * M - 1, verbose=0), np.minimum(4 * M - 1, 1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sharp.predict(M, verbose=0), np.where(M > 0.2, M, 0))
