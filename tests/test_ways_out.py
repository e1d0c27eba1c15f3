"""The way out of shapes that do not fit, case by case; docs/errors.md shows it in whole errors."""

import datetime

import numpy as np
import pytest

import keryx
from keryx import Input, Sequential, layers
from keryx.core import mistaken, ways_out
from keryx.errors import ArgumentError, DataError, ShapeError, did_you_mean
from keryx.training.data import ways_out as of_data


@pytest.mark.parametrize(
    ("data", "wanted", "said"),
    [
        ((28, 28, 1), (28, 28, 1), "x[None] for a single sample. For 28 samples, build the model with Input((28, 1))."),
        ((4,), (4,), "The batch axis is missing: give x[None] for a single sample."),
        ((28, 28), (28, 28, 1), "For a single sample, x = x.reshape(1, 28, 28, 1)."),
        ((28, 28), (784,), "For a single sample, x = x.reshape(1, 784)."),
        ((), (1,), "For a single sample, x = x.reshape(1, 1)."),
        ((3, 8, 8), (8, 8, 3), "For a single sample, x = np.moveaxis(x[None], 1, -1)."),
        ((5, 4), (1, 4), "x = x.reshape(-1, 1, 4)."),
        ((5, 32, 32, 3), (3, 32, 32), "x = np.moveaxis(x, -1, 1)."),
        ((5, 3, 32, 32), (32, 32, 3), "x = np.moveaxis(x, 1, -1)."),
        ((5, 3, 100), (100, 3), "x = np.swapaxes(x, 1, 2)."),
        ((5, 7, 3), (None, 7), "x = np.swapaxes(x, 1, 2)."),
        ((5, 2, 4, 3), (2, 3, 4), "x = np.transpose(x, (0, 1, 3, 2))."),
        ((5, 8, 8), (8, 8, 3), "Input((8, 8, 1)), or give np.repeat(x[..., None], 3, -1)."),
        ((5, 8, 8), (60000, 8, 8), "without the batch axis: Input((8, 8))."),
        ((5, 4, 4), (16,), "x = x.reshape(-1, 16)."),
        ((5, 16), (4, 4, 1), "x = x.reshape(-1, 4, 4, 1)."),
        ((5, 7), (4,), "build the model with Input((7,))."),
    ],
)
def test_data_for_an_input(data, wanted, said):
    symbol = Input(wanted)
    assert ways_out.into_input(data, symbol, [symbol]).endswith(said)
    single = "For a single sample, x = " in said
    if (single or said.startswith("x = ")) and None not in wanted:
        changed = eval(said.partition("x = ")[2][:-1], {"np": np, "x": np.zeros(data)})
        assert changed.shape == (1 if single else data[0], *wanted)


relu = layers.Activation("relu")


def flat(*shape):
    return layers.Flatten()(Input(shape))


@pytest.mark.parametrize(
    ("layer", "x", "said"),
    [
        (layers.LSTM(2), Input((6,)), "Input((6, 1)) for one feature."),
        (
            layers.LSTM(2),
            Input((None, 4, 4)),
            "Input((4, 4)). If axis 1 is time, TimeDistributed(LSTM(...))(x) runs it on each step.",
        ),
        (layers.LSTM(2), relu(Input((None, 4, 4))), "TimeDistributed(LSTM(...))(x) runs it on each step of axis 1."),
        (
            layers.LSTM(2),
            relu(Input((5, 4, 4))),
            "x = Reshape((5, 16))(x) makes a sequence of it.",
        ),
        (layers.LSTM(2), layers.Dense(6)(Input((6,))), "x = Reshape((6, 1))(x) makes one feature."),
        (layers.Conv2D(2, 3), layers.Dense(27)(Input((6,))), "x = Reshape((3, 3, 3))(x) gives it back its axes."),
        (
            layers.Conv2D(2, 3),
            layers.Dense(7)(Input((6,))),
            "x = Reshape((..., ..., channels))(x) gives it back its axes.",
        ),
        (layers.Conv3D(2, 3), layers.Dense(64)(Input((6,))), "x = Reshape((4, 4, 4, 1))(x) gives it back its axes."),
        (layers.Conv2D(2, 3), flat(8, 8, 1), "has taken axes away: call 'conv' before it."),
        (layers.Conv2D(2, 3), relu(flat(8, 8, 1)), "has taken axes away: call 'conv' before it."),
        (layers.Conv2D(2, 3), layers.Dense(64)(flat(8, 8, 1)), "x = Reshape((8, 8, 1))(x) gives it back its axes."),
        (layers.Conv2D(2, 3), layers.Dense(49)(flat(8, 8, 1)), "x = Reshape((7, 7, 1))(x) gives it back its axes."),
        (layers.Conv2D(2, 3, data_format="channels_first"), Input((8, 8)), "Input((1, 8, 8)) for one channel."),
        (layers.Conv2D(2, 3), Input((9, 8, 8, 3)), "TimeDistributed(Conv2D(...))(x) runs it on each step."),
        (layers.Conv2D(2, 3), np.zeros((8, 8, 3)), "give x[None]; if only its last axis is missing, x[..., None]."),
        (layers.RepeatVector(2), Input((8, 8, 3)), "x = Flatten()(x), or GlobalAveragePooling2D()(x)."),
    ],
)
def test_a_tensor_for_a_layer(layer, x, said):
    layer.name = "conv"
    with pytest.raises(ShapeError) as caught:
        layer(x)
    assert str(caught.value).endswith(said)


def test_a_bidirectional_layer_is_looked_into():
    steps = layers.Bidirectional(layers.GRU(3, return_sequences=True), name="both")(Input((5, 2)))
    last = layers.Bidirectional(layers.GRU(3), name="both")(Input((5, 2)))
    with pytest.raises(ValueError, match=r"'both' returns its last step; .* write GRU\(3, return_sequences=True\)\."):
        layers.LSTM(2)(last)
    with pytest.raises(ValueError, match=r"'both' returns all steps; for the last one write GRU\(3\)\."):
        layers.RepeatVector(2)(steps)


@pytest.mark.parametrize("between", [layers.Dropout(0.5), layers.BatchNormalization(), relu])
def test_what_keeps_a_shape_is_looked_through_for_a_recurrent_layer(between):
    last = layers.GRU(3, name="first")(Input((5, 2)))
    with pytest.raises(ValueError, match=r"'first' returns its last step; .* write GRU\(3, return_sequences=True\)\."):
        layers.LSTM(2)(between(last))


@pytest.mark.parametrize(
    ("targets", "outputs", "said"),
    [
        ((9, 8, 8, 1), (9, 6, 6, 1), "The targets have the axes (8, 8), the outputs (6, 6): padding='same'"),
        ((9, 8, 8), (9, 6, 6, 1), "The targets have the axes (8, 8), the outputs (6, 6): padding='same'"),
        ((9, 8, 8, 3), (9, 192), "y = y.reshape(-1, 192)."),
        ((9, 5, 1), (9, 1), "return_sequences=True in the recurrent layers."),
        ((9, 1), (9, 6, 6, 1), "before the last layer, x = Flatten()(x)"),
        ((9, 2), (9, 5, 2), "before the last layer, x = Flatten()(x)"),
        ((9, 2), (9, 3), "End the model in 2 units, Dense(2)"),
    ],
)
def test_targets_for_outputs(targets, outputs, said):
    assert said in ways_out.to_outputs(targets, outputs)


@pytest.mark.parametrize(
    ("labels", "outputs", "said"),
    [
        ((9, 8, 8), (9, 6, 6, 3), "The targets have the axes (8, 8), the outputs (6, 6): padding='same'"),
        ((9, 8, 8, 1), (9, 6, 6, 3), "The targets have the axes (8, 8), the outputs (6, 6): padding='same'"),
        ((9, 8, 8, 5), (9, 8, 8, 3), "For one-hot targets, end the model in 5 units, with loss='categorical_"),
        ((9, 5), (9, 3), "end the model in 5 units, with loss='categorical_crossentropy'. For a target at each step,"),
        ((9, 3), (9, 3), "For one-hot targets, use loss='categorical_crossentropy', or give y = np.argmax(y, -1)."),
        ((9, 1, 1), (9, 3), "y = y.reshape(-1)."),
        ((9, 64), (9, 8, 8, 3), "y = y.reshape(-1, 8, 8)."),
        ((9, 4), (9, 5, 3), "The targets have the axes (4,), the outputs (5,): padding='same'"),
        ((9, 1), (9, 5, 3), "before the last layer, x = Flatten()(x)"),
        ((9, 3), (9, 5, 3), "before the last layer, x = Flatten()(x)"),
        ((9, 5, 1), (9, 3), "return_sequences=True in the recurrent layers."),
        ((9,), (9, 6, 6, 3), "before the last layer, x = Flatten()(x)"),
    ],
)
def test_class_numbers_for_outputs(labels, outputs, said):
    assert said in ways_out.to_class_numbers(labels, outputs)


@pytest.mark.parametrize(
    ("shapes", "axes", "said"),
    [
        (((5, 3), (7, 3)), 1, "They would fit with Dot(axes=(2, 2))."),
        (((5, 3), (5,)), 2, "cannot sum along axis 2 of (None, 5)."),
        (((5, 3), (5,)), (2, 1), "They would fit with Dot(axes=(1, 1))."),
        (((3,), (4,)), 1, "Dense(3)(x)."),
        (((5, 3), (4, 2)), 1, "(None, 5, 3), (None, 4, 2)."),
    ],
)
def test_a_product_of_two_tensors(shapes, axes, said):
    inputs = [Input(shape) for shape in shapes]
    with pytest.raises(ShapeError) as caught:
        layers.Dot(axes)(inputs)
    message = str(caught.value)
    assert message.endswith(said)
    if "would fit" in said:
        assert layers.Dot(eval(message.partition("axes=")[2][:-2]))(inputs).shape[0] is None


@pytest.mark.parametrize(
    ("shapes", "joined", "said"),
    [
        ([(None, 4), (None, 5)], None, "To give the other 4 in the last axis: Dense(4)(x)."),
        ([(None, 8, 4), (None, 8, 5)], None, "Conv1D(4, 1)(x)."),
        ([(None, 8, 8, 4), (None, 6, 6, 4)], None, "Cropping and Resizing change them."),
        ([(None, 8, 4), (None, 6, 4)], -1, "They would fit with Concatenate(axis=1)."),
        ([(None, 8, 4), (None, 4)], -1, "Flatten()(x), or GlobalAveragePooling1D()(x), makes vectors of (None, 8, 4)."),
        ([(None, 8, 4), (None, 8, 4, 2)], None, "Reshape(...)(x) gives them as many axes."),
        ([(2, 4), (3, 4)], None, ""),
    ],
)
def test_tensors_that_become_one(shapes, joined, said):
    way_out = ways_out.together(shapes, joined)
    assert way_out.endswith(said) if said else way_out == ""


@pytest.mark.parametrize(
    ("values", "what", "said"),
    [
        (np.array([["1.5", 2], ["-3e2", 4]], object), "input", "written as text: x.astype('float32')."),
        (np.array([["1.5", "2"], ["3", "4"]]), "input", "written as text: x.astype('float32')."),
        (np.array([["1.5", "a"], ["3", "4"]], object), "input", "pandas.get_dummies(x), or use StringLookup."),
        (np.array([[True, 1.5]], object), "input", "x.astype('float32') makes numbers of it, if they are."),
        (np.array([[datetime.datetime(2020, 1, 1), 1]], object), "input", "such as the days since the first."),
        (np.array(["1", "3"]), "target", "classes, y = numpy.unique(y, return_inverse=True)."),
    ],
)
def test_data_that_holds_no_numbers(values, what, said):
    assert of_data.of_kind(values, what).endswith(said)
    if "written" in said:
        assert np.isfinite(values.astype("float32")).all()


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([1, 2, 3], "Classes count from 0: give y - 1."),
        ([-1, 0, 1], "Classes count from 0: give y + 1."),
        ([0, 100, 200], "classes, y = numpy.unique(y, return_inverse=True)."),
        ([0, 1, 2, 3], "For 4 classes, end the model in Dense(4)."),
        ([-1, 0, 1, 2], ""),
    ],
)
def test_labels_that_are_no_classes(labels, said):
    way_out = of_data.of_label(0, 3, np.array(labels), "target 'y'")
    assert way_out.endswith(said) if said else way_out == ""


@pytest.mark.parametrize("word", ["Relu", "ReLU", "RELU", "rleu"])
def test_a_word_in_other_letters(word):
    assert did_you_mean(word, ["celu", "elu", "relu", "relu6", "selu"]) == " Did you mean 'relu'?"


def test_rows_that_do_not_fill_a_fixed_batch():
    model = keryx.Sequential([keryx.Input(batch_shape=(8, 3, 2)), keryx.layers.LSTM(2, stateful=True)])
    with pytest.raises(ShapeError, match=r"for batches of 8 rows: give batch_size=8, and a number of rows"):
        model.predict(np.ones((5, 3, 2)), verbose=0)


def test_a_word_that_others_begin_with():
    assert did_you_mean("f1", ["fbeta_score", "f1_score"]) == " Did you mean 'f1_score'?"
    with pytest.raises(keryx.errors.ConfigError, match=r"There is no metric 'f1'\. Did you mean 'F1Score'"):
        keryx.metrics.get("f1")


def test_a_choice_by_the_values_of_a_tensor():
    class Positive(keryx.Layer):
        def call(self, x):
            return x if x > 0 else -x

    for x in (keryx.Input((3,)), np.ones((2, 3))):
        with pytest.raises(keryx.errors.SymbolicError, match=r"a tensor of many values whether it is true.*ops\.where"):
            Positive()(x)


@pytest.mark.parametrize(
    ("arguments", "ending"),
    [
        ({"class_weight": "balanced"}, "got str."),
        ({"class_weight": [1.0, 2.0]}, "got list. dict(enumerate(weights)) makes one of it."),
        ({"sample_weight": np.ones((8, 4))}, "Give one a row, (8,)."),
    ],
)
def test_weights_of_another_kind(arguments, ending):
    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(DataError if "class_weight" in arguments else ShapeError) as caught:
        model.fit(np.zeros((8, 4)), np.zeros(8), verbose=0, **arguments)
    assert str(caught.value).endswith(ending)


def test_a_metric_for_one_hot_targets_and_class_numbers():
    model = Sequential([Input((4,)), layers.Dense(3, activation="softmax")])
    x, y = np.zeros((6, 4)), np.arange(6) % 3
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["categorical_accuracy"])
    with pytest.raises(
        ShapeError, match=r"go with 'accuracy' and 'sparse_categorical_accuracy'; .*categorical\(y, 3\)"
    ):
        model.fit(x, y, verbose=0)
    for name in ("accuracy", "sparse_categorical_accuracy"):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=[name])
        model.fit(x, y, verbose=0)
    with pytest.raises(ShapeError, match=r"wants the same shape\.$"):
        keryx.metrics.F1Score()(np.zeros((6, 2)), np.zeros((6, 3)))


def test_rows_of_inputs_and_targets_and_numbers_that_are_whole():
    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    rows = [(np.zeros(4), 1.0), (np.ones(4), 2.0), (np.ones(4), 3.0)]
    with pytest.raises(DataError, match=r"one array: x, y = map\(np.stack, zip\(\*rows\)\)\."):
        model.fit(rows, verbose=0)
    x, y = map(np.stack, zip(*rows, strict=True))
    model.fit(x, y, verbose=0)
    with pytest.raises(ArgumentError, match=r"whole epochs above 0; got 2.0. .* math.ceil\(2.0\)\."):
        model.fit(x, y, epochs=2.0, verbose=0)
    with pytest.raises(
        ShapeError, match=r"'both' works along axis 4, which its inputs do not have; got \(None, 4, 3\)\."
    ):
        layers.Concatenate(4, name="both")([Input((4, 3)), Input((4, 3))])


def test_what_stands_in_the_place_of_something_else():
    x = Input((3,), name="x")
    said = {
        layers.Dense: "the class Dense. Make a layer of it: Dense(...)",
        int: "the class int",
        layers.Dense(2, name="d"): "Dense 'd', a layer that was not called. Call it on a tensor: Dense(...)(x)",
        x: "the tensor 'x'",
        x.node.operation: "InputLayer 'x', a layer. Its tensor is what Input(...) returns",
        "text": "'text'",
        None: "None",
        (1, 2): "a tuple of 2",
        object: "the class object",
    }
    for thing, words in said.items():
        assert mistaken.described(thing) == words
    assert mistaken.described(np.zeros((2, 3))) == "an array of shape (2, 3)"
    assert mistaken.described(2 * x).endswith("which the op 'multiply' returned")
