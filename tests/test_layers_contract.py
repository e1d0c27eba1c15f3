"""What a layer says of itself before and after it is built, and the forms in which sizes may be given."""

import keras
import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.errors import ArgumentError, ConfigError, KeryxError, ShapeError, did_you_mean


class Plain(layers.Layer):
    def call(self, inputs):
        return inputs


class Owning(layers.Layer):
    def __init__(self, **words):
        super().__init__(**words)
        self.scale = self.add_weight((2,), "ones", name="scale")
        self.inner = layers.Dense(2, name="inner")

    def call(self, inputs):
        return self.inner(inputs) * self.scale


def test_a_layer_is_built_after_build_whether_or_not_it_has_one():
    layer = Plain()
    assert not layer.built
    layer.build((None, 3))
    assert layer.built


@pytest.mark.parametrize(
    "make",
    [
        lambda module: module.layers.Activation("relu"),
        lambda module: module.layers.Dropout(0.5),
        lambda module: module.layers.Dense(2),
        lambda module: module.layers.BatchNormalization(),
        lambda module: module.layers.LSTM(2),
        lambda module: module.layers.TimeDistributed(module.layers.Dense(2)),
        lambda module: module.layers.MultiHeadAttention(2, 2),
    ],
)
def test_what_has_nothing_to_build_is_built_from_the_first(make):
    assert make(keryx).built == make(keras).built


@pytest.mark.parametrize(
    ("make", "shape", "names"),
    [
        (lambda: layers.Dense(2, use_bias=False), (None, 3), ["bias"]),
        (lambda: layers.Conv2D(2, 3, use_bias=False), (None, 8, 8, 3), ["bias"]),
        (lambda: layers.DepthwiseConv2D(3, use_bias=False), (None, 8, 8, 3), ["bias"]),
        (lambda: layers.Conv2DTranspose(2, 3, use_bias=False), (None, 8, 8, 3), ["bias"]),
        (lambda: layers.EinsumDense("ab,bc->ac", 2), (None, 3), ["bias"]),
        (lambda: layers.GRUCell(2, use_bias=False), (None, 3), ["bias"]),
        (lambda: layers.BatchNormalization(center=False, scale=False), (None, 3), ["gamma", "beta"]),
        (lambda: layers.LayerNormalization(center=False, scale=False), (None, 3), ["gamma", "beta"]),
    ],
)
def test_a_weight_that_is_left_out_is_none(make, shape, names):
    layer = make()
    layer.build(shape)
    assert [getattr(layer, name) for name in names] == [None] * len(names)


def test_the_layer_is_in_the_paths_of_its_weights_wherever_they_are_added():
    layer = Owning(name="mine")
    layer(np.ones((1, 2), "float32"))
    assert [w.path for w in layer.weights] == ["mine/scale", "mine/inner/kernel", "mine/inner/bias"]
    dense = layers.Dense(2, name="dense")
    dense.build((None, 3))
    assert [w.path for w in dense.weights] == ["dense/kernel", "dense/bias"]


def test_the_dtype_policy_can_be_set():
    layer = layers.Dense(2)
    layer.dtype_policy = "mixed_bfloat16"
    assert layer.dtype_policy.name == "mixed_bfloat16"
    assert (layer(np.ones((1, 2), "float32")).dtype, layer.kernel.dtype) == ("bfloat16", "float32")
    with pytest.raises(ConfigError, match="no dtype 'float33'"):
        layer.dtype_policy = "float33"


N = np.int64


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: keryx.Input((N(3), np.int32(4))), (None, 3, 4)),
        (lambda: keryx.Input(np.array([3, 4])), (None, 3, 4)),
        (lambda: keryx.Input(N(3), batch_size=N(2)), (2, 3)),
        (lambda: layers.Reshape((N(3), 2))(keryx.Input((6,))), (None, 3, 2)),
        (lambda: layers.Reshape(np.array([3, -1]))(keryx.Input((6,))), (None, 3, 2)),
        (lambda: layers.Dense(N(3))(keryx.Input((6,))), (None, 3)),
        (lambda: layers.LSTM(N(3))(keryx.Input((6, 2))), (None, 3)),
        (lambda: layers.Conv2D(N(4), np.array([3, 3]))(keryx.Input((6, 6, 1))), (None, 4, 4, 4)),
        (lambda: layers.ZeroPadding2D(N(2))(keryx.Input((6, 2, 1))), (None, 10, 6, 1)),
        (lambda: layers.GroupNormalization(N(2))(keryx.Input((6, 2))), (None, 6, 2)),
        (lambda: layers.LayerNormalization(axis=N(-1))(keryx.Input((6,))), (None, 6)),
        (lambda: layers.Dot(axes=N(1))([keryx.Input((6,)), keryx.Input((6,))]), (None, 1)),
        (lambda: layers.EinsumDense("ab,bd->ad", N(3))(keryx.Input((6,))), (None, 3)),
        (lambda: Plain().add_weight(N(3)), (3,)),
    ],
)
def test_whole_numbers_of_numpy_are_sizes(make, shape):
    made = make()
    assert made.shape == shape
    assert all(n is None or type(n) is int for n in made.shape)


@pytest.mark.parametrize("units", [3.0, "3", None, True, 0, -1, N(-1)])
def test_what_is_no_size(units):
    with pytest.raises(ConfigError, match=r"Dense\(\) wants units= as an integer of at least 1; got"):
        layers.Dense(units)


@pytest.mark.parametrize("arguments", [(8, 3, 1), (8, 3, 2), (8, 3, 1, "same"), (8, 3, 2, "same"), (8, 5, 2, "valid")])
@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose", "SeparableConv2D"])
def test_a_third_number_is_a_stride(name, arguments):
    x = (8, 8, 3)
    ours = getattr(layers, name)(*arguments)(keryx.Input(x))
    assert ours.shape == getattr(keras.layers, name)(*arguments)(keras.Input(x)).shape


def test_a_kernel_as_keras_1_wrote_it_is_refused():
    with pytest.raises(ArgumentError, match=r"Conv2D\(8, 3, 3, 'same'\) was a kernel of \(3, 3\) in Keras 1"):
        layers.Conv2D(8, 3, 3, "same")


def test_an_input_takes_one_shape():
    with pytest.raises(ArgumentError, match=r"shape=\(3,\) and batch_shape=\(2, 3\).* Give one of them"):
        keryx.Input(shape=(3,), batch_shape=(2, 3))


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (lambda m: m.layers.Dense(3), [None, 4]),
        (lambda m: m.layers.Conv2D(3, 3), [None, 8, 8, 1]),
        (lambda m: m.layers.Add(), [[None, 4], [None, 4]]),
        (lambda m: m.layers.Concatenate(), [(None, 4), (None, 2)]),
        (lambda m: m.Sequential([m.layers.Dense(2)]), [5, 3]),
    ],
)
def test_the_output_shape_of_shapes_given_as_lists(make, given):
    assert make(keryx).compute_output_shape(given) == tuple(make(keras).compute_output_shape(given))


CELLS = [
    lambda: layers.RNN(layers.LSTMCell(2)),
    lambda: layers.GRU(2, reset_after=False),
    lambda: layers.LSTM(2, activation="relu"),
    lambda: layers.Bidirectional(layers.SimpleRNN(2, activation="relu")),
]


@pytest.mark.parametrize("make", CELLS)
def test_a_recurrent_layer_without_dropout_draws_nothing(make):
    import jax

    x = keryx.Input((3, 2))
    model = keryx.Model(x, make()(x))
    data = np.ones((2, 3, 2), "float32")
    outputs = jax.jit(lambda t, x: model.stateless_call(t, [], x)[0])(model.trainable_variables, data)
    np.testing.assert_allclose(outputs, model(data), rtol=1e-5)


def test_a_cell_that_drops_still_wants_a_key():
    import jax

    x = keryx.Input((3, 2))
    model = keryx.Model(x, layers.RNN(layers.LSTMCell(2, dropout=0.5))(x))
    call = jax.jit(lambda t, x: model.stateless_call(t, [], x, training=True)[0])
    with pytest.raises(keryx.errors.StateError, match="draws random numbers"):
        call(model.trainable_variables, np.ones((2, 3, 2), "float32"))


@pytest.mark.parametrize("length", [3, None])
def test_penalties_within_time_distributed_are_summed_over_the_steps_as_in_keras(length):
    def losses(module):
        x = module.Input((2,))
        dense = module.layers.Dense(2, activity_regularizer="l2", kernel_initializer="ones")
        inner, steps = module.Model(x, dense(x)), module.Input((length, 2))
        model = module.Model(steps, module.layers.TimeDistributed(inner)(steps))
        model.compile("sgd", "mse")
        return model.evaluate(np.ones((4, 3, 2)), np.full((4, 3, 2), 2.0), verbose=0)

    assert losses(keryx) == pytest.approx(losses(keras), rel=1e-5)


def test_penalties_are_the_same_where_frames_are_taken_in_parts(monkeypatch):
    layer = layers.TimeDistributed(layers.Dense(2, activity_regularizer="l2"))
    x = np.random.default_rng(0).normal(size=(4, 6, 2)).astype("float32")
    layer(x)
    whole = [float(loss) for loss in layer.losses]
    monkeypatch.setattr("keryx.layers.wrappers._INPUT_BYTES_AT_ONCE", 64)
    layer(x)
    assert [float(loss) for loss in layer.losses] == pytest.approx(whole, rel=1e-5)


def test_errors_are_caught_as_those_of_keras():
    for words in ({"foo": 1}, {"units": -1}):
        with pytest.raises(ValueError, match="Dense"):
            layers.Dense(**{"units": 2} | words)
    with pytest.raises(ValueError, match="not compiled"):
        keryx.Sequential([keryx.Input((2,)), layers.Dense(1)]).fit(np.ones((2, 2)), np.ones((2, 1)))
    with pytest.raises(ValueError, match="wants a layer"):
        keryx.Sequential([3])
    with pytest.raises(AttributeError, match=r"LSTM '.*' was not called on symbolic tensors, so it has no \.output"):
        _ = layers.LSTM(2).output
    assert not hasattr(layers.Dense(2), "input")
    assert all(issubclass(e, KeryxError) for e in (ArgumentError, ConfigError, ShapeError))


def test_input_and_output_are_those_of_the_first_call():
    shared, double = layers.Dense(2, name="shared"), Double(name="double")
    first, second = keryx.Input((3,)), keryx.Input((3,))
    for called in (shared, double):
        outputs = called(first)
        assert (called.input, called.output) == (first, outputs)  # of one call, without a word
        called(second)
        with pytest.warns(UserWarning, match=f"{called.name}'? was called 2 times: .output is that of the first call"):
            assert called.output is outputs
        with pytest.warns(UserWarning, match=rf".input is that of the first.*{called.name}\.nodes"):
            assert called.input is first
        assert called.nodes[1].args[0] is second


class Double(keryx.Operation):
    def call(self, x):
        return 2 * x


def test_a_word_with_swapped_letters_is_known():
    assert did_you_mean("adma", ["adamax", "adam"]) == " Did you mean 'adam'?"
    with pytest.raises(ConfigError, match="Did you mean 'adam'"):
        keryx.optimizers.get("adma")


def test_an_input_spec_has_a_config():
    spec = keryx.InputSpec(shape=(None, 3), dtype="float32", axes={-1: 3})
    assert spec.get_config() == {
        "dtype": "float32", "shape": (None, 3), "ndim": 2, "max_ndim": None, "min_ndim": None, "axes": {-1: 3},
        "optional": False,
    }  # fmt: skip
    assert vars(keryx.InputSpec.from_config(spec.get_config())) == vars(spec)
