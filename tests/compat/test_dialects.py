"""What a dialect takes, what it makes of it, what it refuses, and that nothing of it stays when it ends."""

import inspect
import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import keryx
from keryx import layers, old_words, optimizers
from keryx.compat import use
from keryx.compat.dialects import active, module, name
from keryx.errors import ArgumentError, ConfigError
from keryx.layers import Dense
from keryx.models import Model, Sequential

# -- beginning and ending ----------------------------------------------------------------------------------------------


def state():
    """What a dialect stands in front of, as far as it can be seen."""
    classes = {*layers.registry.table.values(), *optimizers.registry.table.values(), Model, layers.Layer}
    members = [(cls, word, vars(cls)[word]) for cls in classes if isinstance(cls, type) for word in vars(cls)]
    modules = [(keryx.backend, word, thing) for word, thing in vars(keryx.backend).items()]
    return {(str(owner), word): thing for owner, word, thing in members + modules if word != "__abstractmethods__"}


def test_nothing_stays_of_a_dialect_that_has_ended():
    dense, seed = inspect.signature(Dense), np.random.seed
    for version in (1, 2):
        with use(version):
            pass  # what is imported when it is asked for is there now
    before, check = state(), old_words.check_layer_arguments
    with use(1):
        assert inspect.signature(Dense) == dense
        keryx.backend.set_image_dim_ordering("th")
        assert np.random.seed is not seed
        with use(2):
            assert active() == 2
        assert active() == 1
    assert active() is None
    assert np.random.seed is seed
    assert old_words.check_layer_arguments is check
    assert keryx.config.image_data_format() == "channels_last"
    after = state()
    assert after.keys() == before.keys()
    assert [key for key, thing in before.items() if after[key] is not thing] == []


def test_an_error_in_its_block_ends_it():
    with pytest.raises(ZeroDivisionError), use(1):
        raise ZeroDivisionError
    with pytest.raises(ArgumentError, match="it is 'units' now"):
        Dense(output_dim=3)


@pytest.mark.parametrize("version", [0, 4, "1", 2.3, True])
def test_other_versions_are_refused(version):
    with pytest.raises(ConfigError, match="1, 2 or 3"):
        use(version)


def test_it_is_taken_at_once_and_until_it_is_taken_back():
    use(1)
    try:
        assert Dense(3, "uniform").kernel_initializer.get_config()["maxval"] == 0.05
    finally:
        use(3)
    assert active() is None
    with pytest.raises(AttributeError, match="none is active"):
        name("keras.layers", "Merge")
    assert module("keras.layers.core") is None


def test_the_settings_of_keras_1_say_where_the_channels_are(tmp_path, monkeypatch):
    (tmp_path / "keras.json").write_text('{"image_dim_ordering": "th", "backend": "theano"}')
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with use(1):
        assert layers.Convolution2D(4, 3, 3).data_format == "channels_first"
    with use(2):
        assert layers.Conv2D(4, 3).data_format == "channels_last"


# -- what is said then and today ---------------------------------------------------------------------------------------

ORTHOGONAL = "recurrent_initializer=keryx.initializers.Orthogonal(1.1), recurrent_activation='old_hard_sigmoid'"
SAME = [
    (1, "Dense(3, 'he_uniform', 'relu')", "Dense(3, 'relu', kernel_initializer='he_uniform')"),
    (1, "Dense(output_dim=3, bias=False)", "Dense(3, use_bias=False)"),
    (1, "Dense(3, W_regularizer='l2', b_constraint='nonneg')",
     "Dense(3, kernel_regularizer='l2', bias_constraint='NonNeg')"),
    (1, "Dense(3, init='orthogonal')", "Dense(3, kernel_initializer=keryx.initializers.Orthogonal(1.1))"),
    (1, "Convolution2D(8, 3, 5)", "Conv2D(8, (3, 5))"),
    (1, "Convolution2D(8, nb_row=3, nb_col=5)", "Conv2D(8, (3, 5))"),
    (1, "Convolution2D(8, 3, 3, 'uniform', 'relu', None, 'same', (2, 2), 'th')",
     "Conv2D(8, 3, (2, 2), 'same', 'channels_first', activation='relu', kernel_initializer='uniform')"),
    (1, "Convolution1D(4, 3, border_mode='causal', subsample_length=1)", "Conv1D(4, 3, padding='causal')"),
    (1, "Convolution3D(4, 3, 2, 1)", "Conv3D(4, (3, 2, 1))"),
    (1, "AtrousConvolution2D(4, 3, 3, atrous_rate=(2, 2))", "Conv2D(4, (3, 3), dilation_rate=(2, 2))"),
    (1, "Deconvolution2D(4, 3, 3, (None, 8, 8, 4), subsample=(2, 2))", "Conv2DTranspose(4, (3, 3), strides=(2, 2))"),
    (1, "SeparableConvolution2D(4, 3, 3, depth_multiplier=2)", "SeparableConv2D(4, (3, 3), depth_multiplier=2)"),
    (1, "MaxPooling2D((2, 2), None, 'same', 'tf')", "MaxPooling2D((2, 2), None, 'same', 'channels_last')"),
    (1, "MaxPooling1D(pool_length=3, stride=2)", "MaxPooling1D(3, 2)"),
    (1, "UpSampling1D(length=3)", "UpSampling1D(3)"),
    (1, "ZeroPadding2D((1, 2, 0, 3))", "ZeroPadding2D(((1, 2), (0, 3)))"),
    (1, "ZeroPadding2D({'top_pad': 1, 'right_pad': 2})", "ZeroPadding2D(((1, 0), (0, 2)))"),
    (1, "ZeroPadding2D((1, 2))", "ZeroPadding2D((1, 2))"),
    (1, "ZeroPadding1D({'left_pad': 1})", "ZeroPadding1D((1, 0))"),
    (1, "Dropout(p=0.3)", "Dropout(0.3)"),
    (1, "GaussianNoise(sigma=0.1)", "GaussianNoise(0.1)"),
    (1, "SpatialDropout2D(0.2, 'th')", "SpatialDropout2D(0.2, 'channels_first')"),
    (1, "BatchNormalization(1e-5, 0, 1, 0.9)", "BatchNormalization(1, 0.9, 1e-5)"),
    (1, "LSTM(4, 'uniform')", f"LSTM(4, kernel_initializer='uniform', {ORTHOGONAL})"),
    (1, "LSTM(4, inner_init='normal', forget_bias_init='zero', inner_activation='sigmoid', dropout_U=0.1)",
     "LSTM(4, recurrent_initializer='normal', unit_forget_bias=False, recurrent_activation='sigmoid', "
     "recurrent_dropout=0.1)"),
    (1, "GRU(4)", f"GRU(4, reset_after=False, {ORTHOGONAL})"),
    (1, "SimpleRNN(4)", "SimpleRNN(4, recurrent_initializer=keryx.initializers.Orthogonal(1.1))"),
    (1, "Embedding(9, 4, 'normal', mask_zero=True)", "Embedding(9, 4, 'normal', mask_zero=True)"),
    (1, "LeakyReLU(alpha=0.1)", "LeakyReLU(0.1)"),
    (1, "PReLU('one', shared_axes=[1])", "PReLU('ones', shared_axes=[1])"),
    (1, "Flatten()", "Flatten('channels_last')"),
    (1, "Activation('hard_sigmoid')", "Activation('old_hard_sigmoid')"),
    (1, "TimeDistributedDense(3, input_dim=4)", "Dense(3, input_shape=(None, 4))"),
    (2, "Conv2D(8, 3, 3)", "Conv2D(8, (3, 3))"),
    (2, "Conv2D(8, 3, 2, padding='same')", "Conv2D(8, 3, 2, 'same')"),
    (2, "Conv2D(8, (3, 3), (1, 1), 'same', None, (1, 1), 'relu')",
     "Conv2D(8, (3, 3), padding='same', activation='relu')"),
    (2, "LSTM(4, implementation=2)", "LSTM(4, recurrent_activation='old_hard_sigmoid')"),
    (2, "LSTM(4, 'tanh', 'sigmoid')", "LSTM(4)"),
    (2, "GRU(4)", "GRU(4, recurrent_activation='old_hard_sigmoid', reset_after=False)"),
    (2, "CuDNNGRU(4)", "GRU(4)"),
    (2, "CuDNNLSTM(4, return_sequences=True)", "LSTM(4, return_sequences=True)"),
    (2, "ConvLSTM2D(4, 3)", "ConvLSTM2D(4, 3, recurrent_activation='old_hard_sigmoid')"),
    (2, "ConvLSTM2D(4, 3, recurrent_activation='hard_sigmoid')",
     "ConvLSTM2D(4, 3, recurrent_activation='old_hard_sigmoid')"),
    (2, "Dense(output_dim=3, init='uniform', activation='relu')", "Dense(3, 'relu', kernel_initializer='uniform')"),
    (2, "Flatten()", "Flatten()"),
    (2, "LeakyReLU(alpha=0.2)", "LeakyReLU(0.2)"),
    (2, "UpSampling2D((2, 2), None, 'bilinear')", "UpSampling2D((2, 2), None, 'bilinear')"),
]  # fmt: skip


def config(layer):
    found = layer.get_config()
    found.pop("name")
    return found


@pytest.mark.parametrize(("age", "then", "today"), SAME)
def test_a_layer_is_the_one_that_was_meant(age, then, today):
    with use(age):
        made = eval(f"layers.{then}")
    wanted = eval(f"layers.{today}")
    assert type(made) is type(wanted)
    assert config(made) == config(wanted)


@pytest.mark.parametrize(
    ("age", "shape"),
    [
        ("Dense(3, input_dim=4)", (None, 4)),
        ("LSTM(3, input_dim=4, input_length=5)", (None, 5, 4)),
        ("LSTM(3, input_dim=4)", (None, None, 4)),
        ("Convolution1D(3, 2, input_dim=4, input_length=6)", (None, 6, 4)),
        ("Embedding(9, 4, input_length=5)", (None, 5)),
        ("Dense(3, batch_input_shape=(2, 4))", (2, 4)),
        ("MaxoutDense(3, input_dim=4)", (None, 4)),
    ],
)
def test_a_first_layer_says_the_shape_that_comes_in(age, shape):
    with use(1):
        model = Sequential([eval(f"layers.{age}")])
    assert model.input_shape == shape


def test_what_keryx_itself_makes_is_in_todays_words():
    plain = layers.LSTM(3)
    with use(1):
        made = layers.Bidirectional(layers.LSTM(3, inner_activation="sigmoid"))
        again = layers.deserialize(layers.serialize(plain))
    assert made.backward_layer.recurrent_activation is keryx.activations.sigmoid
    assert config(again) == config(plain)


@pytest.mark.parametrize(
    ("age", "names"),
    [
        (1, "input_1 convolution2d_1 maxpooling2d_1 merge_1 merge_2 dense_2 dense_1 model_1"),
        (2, "input_1 conv2d_1 max_pooling2d_1 concatenate_1 add_1 dense_2 dense_1 model_1"),
    ],
)
def test_layers_are_numbered_from_1(age, names):
    keryx.utils.clear_session()
    with use(age):
        x = layers.Input((6, 6, 1))
        y = layers.MaxPooling2D()(layers.Conv2D(2, 3, 3)(x))
        y = layers.add([layers.concatenate([y, y]), layers.concatenate([y, y], name="own")])
        model = Model(x, layers.Dense(1)(layers.Dense(2)(y)))
        found = [layer.name for layer in model.layers] + [model.name]
    assert [one for one in found if one != "own"] == names.split()
    keryx.utils.clear_session()
    assert layers.Dense(1).name == "dense"


def test_a_class_of_ones_own_hands_old_words_to_the_layer_above():
    class Wide(layers.Dense):
        def __init__(self, size, **kwargs):
            super().__init__(output_dim=2 * size, **kwargs)

    with use(1):
        layer = Wide(3, init="zero", W_regularizer="l2", input_dim=2)
    assert (layer.units, type(layer.kernel_initializer).__name__) == (6, "Zeros")
    assert isinstance(layer.kernel_regularizer, keryx.regularizers.L2)


def test_an_initializer_may_be_a_function_of_the_shape():
    with use(1):
        model = Sequential([layers.Dense(2, input_dim=3, init=lambda shape, name=None: 2 * np.ones(shape))])
    assert (model.get_weights()[0] == 2).all()


@pytest.mark.parametrize("own", [True, False])
def test_initializations_make_variables_and_are_initializers(own, tmp_path):
    with use(1):
        initializations = module("keras.initializations")
        glorot = initializations["get"]("glorot_uniform") if own else initializations["glorot_uniform"]
        variable = glorot((3, 2), name="own_W")
        assert (variable.name, variable.shape) == ("own_W", (3, 2))
        assert np.abs(np.asarray(initializations["get"]("normal")((50, 50), scale=0.01))).max() < 0.1
        model = Sequential([layers.Dense(2, input_dim=3, init=glorot)])
    assert isinstance(model.layers[0].kernel_initializer, keryx.initializers.GlorotUniform)
    model.save(tmp_path / "model.keras")


def test_a_layer_that_is_popped_from_the_list_is_gone_from_it():
    with use(2):
        model = Sequential([layers.Dense(3, input_dim=2), layers.Dense(1)])
        last = model.layers.pop()
        assert [layer.units for layer in model.layers] == [3]
        assert Model(model.input, model.layers[-1].output).output_shape == (None, 3)
        assert model.predict(np.ones((1, 2))).shape == (1, 1)
    assert model.layers[-1] is last


def test_a_merge_of_ones_own():
    with use(2):

        class Product(name("keras.layers.merge", "_Merge")):
            def _merge_function(self, inputs):
                return inputs[0] * inputs[1]

        assert Product()([layers.Input((3,)), layers.Input((3,))]).shape == (None, 3)
        assert Product()([jnp.ones((2, 3)), 2 * jnp.ones((2, 3))]).tolist() == [[2.0] * 3] * 2


def test_weights_are_given_to_a_layer_that_is_not_built_yet():
    kernel, bias = np.arange(6.0).reshape(3, 2), np.array([1.0, 2.0])
    with use(2):
        model = Sequential([layers.Dense(2, input_shape=(3,), weights=[kernel, bias])])
    np.testing.assert_array_equal(model.get_weights()[0], kernel)
    np.testing.assert_array_equal(model.get_weights()[1], bias)


def test_a_penalty_of_outputs_is_that_of_the_whole_batch():
    with use(2):
        model = Sequential([layers.Dense(1, input_shape=(2,), kernel_initializer="ones", activity_regularizer="l2")])
        model.compile("sgd", "mse")
    x = np.ones((8, 2))
    assert model.evaluate(x, 2 * np.ones((8, 1)), verbose=0) == pytest.approx(8 * 0.01 * 4)
    assert keryx.models.clone_model(model).layers[0].activity_regularizer(jnp.ones((2, 1))) == pytest.approx(0.04)


# -- what is refused ---------------------------------------------------------------------------------------------------

REFUSED = [
    ("layers.Dense(3, foo=1)", "no argument 'foo', of any age"),
    ("layers.Dense(3, ini='uniform')", "Did you mean 'init'"),
    ("layers.Dense(3, output_dim=4)", "given 'output_dim' twice"),
    ("layers.Dropout(0.5, None, 1, 2)", "takes 3 arguments by position; got 4"),
    ("layers.Embedding(3, 2, dropout=0.5)", "SpatialDropout1D"),
    ("layers.BatchNormalization(mode=1)", "LayerNormalization"),
    ("layers.merge([1, 2], mode='plus')", "'concat'"),
    ("name('keras.models', 'Graph')()", "Model\\(inputs, outputs\\)"),
    ("name('keras.models', 'model_from_yaml')('')", "model_from_json"),
    ("name('keras.optimizers', 'TFOptimizer')(1)", "Optax"),
    ("keryx.backend.get_session()", "there is no session"),
    ("keryx.backend.sum(1, axsi=0)", "axsi"),
    ("keryx.backend.clip(1, minimum=0)", "no argument 'minimum'"),
    ("name('keras.preprocessing.text', 'Tokenizer')(nb_word=3)", "nb_word"),
    ("name('keras.preprocessing.image', 'ImageDataGenerator')(rotation=3)", "rotation_range"),
]


@pytest.mark.parametrize(("code", "told"), REFUSED)
def test_what_cannot_be_is_refused_with_what_to_write(code, told):
    with use(1), pytest.raises((ArgumentError, TypeError), match=told):
        eval(code)


def test_names_that_no_age_has_are_no_attributes():
    with use(2):
        for path, word in (("keras.layers", "Dens"), ("keras.layers.corr", "Dense"), ("keras.backend", "nothing")):
            with pytest.raises(AttributeError):
                name(path, word)
        assert name("keras.layers.core", "Dense") is Dense


# -- models of several branches ----------------------------------------------------------------------------------------

A, B = np.arange(6.0).reshape(2, 3), np.ones((2, 3)) * 2
MERGED = {
    "sum": A + B,
    "mul": A * B,
    "ave": (A + B) / 2,
    "max": np.maximum(A, B),
    "concat": np.hstack([A, B]),
    "dot": (A * B).sum(1, keepdims=True),
    "cos": ((A * B).sum(1) / np.sqrt((A * A).sum(1) * (B * B).sum(1)))[:, None, None],
}


@pytest.mark.parametrize("mode", MERGED)
def test_merge(mode):
    with use(1):
        a, b = layers.Input(shape=(3,)), layers.Input(shape=(3,))
        model = Model(input=[a, b], output=layers.merge([a, b], mode=mode, dot_axes=1))
        branch, other = (
            Sequential([layers.Activation("linear", input_shape=(3,))]),
            layers.Dropout(0.5, input_shape=(3,)),
        )
        stacked = Sequential([layers.Merge([branch, other], mode=mode, dot_axes=1)])
    np.testing.assert_allclose(model.predict([A, B], verbose=0), MERGED[mode], rtol=1e-5)
    np.testing.assert_allclose(stacked.predict([A, B], verbose=0), MERGED[mode], rtol=1e-5)


def test_merge_by_a_function_and_of_one_model_with_itself():
    with use(1):
        a = layers.Input(shape=(3,))
        made = layers.merge([a, a], mode=lambda pair, by: pair[0] * by - pair[1], arguments={"by": 3})
        branch = Sequential([layers.Activation("linear", input_shape=(3,))])
        stacked = Sequential([layers.Merge([branch, branch], mode="sum")])
    np.testing.assert_allclose(Model(a, made).predict(A, verbose=0), 2 * A)
    assert len(stacked.inputs) == 1


def test_a_sequential_whose_first_layer_is_a_model_of_several_inputs_goes_through_a_file(tmp_path):
    a, b = keryx.Input((3,)), keryx.Input((2,))
    model = Sequential([Model([a, b], layers.concatenate([a, b])), Dense(2)])
    assert (model.output_shape, len(model.inputs)) == ((None, 2), 2)
    model.save(tmp_path / "model.keras")
    again = keryx.models.load_model(tmp_path / "model.keras")
    x = [A, np.ones((2, 2))]
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


# -- names -------------------------------------------------------------------------------------------------------------

NAMES = json.loads((Path(__file__).parent / "names_of_ages.json").read_text())  # what users of an age imported


@pytest.mark.parametrize(("age", "path"), [(int(age), path) for age in NAMES for path in NAMES[age]])
def test_each_public_name_of_an_age_is_found(age, path):
    missing = []
    with use(age):
        for word in NAMES[str(age)][path].split():
            try:
                name(f"keras.{path}", word)
            except AttributeError:
                missing.append(word)
    assert missing == []
