"""Models of text: layers that run on the host, and the graph in its two parts."""

import copy
import pickle

import jax
import numpy as np
import pandas as pd
import pytest

import keryx
from keryx import errors, layers, ops
from keryx.core import host
from keryx.core.split import Fed
from keryx.utils import register_keras_serializable

WORDS = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen"]


@register_keras_serializable("tests")
class Lookup(keryx.Layer):
    """The number of each word, 0 for others."""

    on_host = True

    def __init__(self, words, **kwargs):
        super().__init__(**kwargs)
        self.words = words

    def call(self, inputs):
        assert isinstance(inputs, np.ndarray)
        assert inputs.dtype == object
        numbers = {word: i + 1 for i, word in enumerate(self.words)}
        return np.array([numbers.get(word, 0) for word in inputs.ravel()], "int64").reshape(inputs.shape)


@register_keras_serializable("tests")
class Split(keryx.Layer):
    """(batch, 1) -> (batch, length): words and their lengths."""

    on_host = True

    def __init__(self, length, **kwargs):
        super().__init__(**kwargs)
        self.length = length

    def call(self, inputs):
        rows = [(row.split() + [""] * self.length)[: self.length] for row in inputs[:, 0]]
        words = np.array(rows, object).reshape(len(inputs), self.length)
        return words, np.array([[float(len(w)) for w in row] for row in words]).reshape(words.shape)


def text_model(name="animals"):
    """Sentences and two numbers."""
    text, extra = keryx.Input((1,), dtype="string", name="text"), keryx.Input((2,), name="extra")
    words, lengths = Split(3, name="split")(text)
    vectors = layers.Embedding(len(WORDS) + 1, 4, name="embedding")(Lookup(WORDS, name="lookup")(words))
    x = layers.Concatenate(name="all")([layers.Flatten(name="flat")(vectors), lengths, extra])
    return keryx.Model([text, extra], layers.Dense(1, name="dense")(x), name=name)


def sentences(rows, seed=0):
    random = np.random.default_rng(seed)
    return np.array([" ".join(random.choice(WORDS, 3)) for _ in range(rows)])[:, None]


def data(rows, seed=0):
    text = sentences(rows, seed)
    return [text, np.random.default_rng(seed).normal(size=(rows, 2)).astype("float32")]


def by_hand(model, x):
    """The same model on the numbers that its host part makes."""
    words, lengths = Split(3)(x[0])
    ids = keryx.Input((3,), dtype="int32")
    more, extra = keryx.Input((3,)), keryx.Input((2,))
    get = model.get_layer
    y = get("dense")(get("all")([get("flat")(get("embedding")(ids)), more, extra]))
    return keryx.Model([ids, more, extra], y), [Lookup(WORDS)(words), lengths, x[1]]


# -- layers on the host --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["ant", "cat"],
        ("ant", "cat"),
        np.array(["ant", "cat"]),
        np.array(["ant", "cat"], object),
        np.array([b"ant", b"cat"]),
        np.array([b"ant", "cat"], object),
        np.array(["ant", "cat"], np.dtypes.StringDType()),
        pd.Series(["ant", "cat"]),
        pd.Series(["ant", "cat"], dtype="string"),
        pd.Categorical(["ant", "cat"]),
    ],
)
def test_text_of_any_kind(words):
    assert Lookup(WORDS)(words).tolist() == [1, 3]


def test_a_table_and_nested_lists():
    frame = pd.DataFrame({"a": ["ant", "bee"], "b": ["cat", "dog"]})
    assert Lookup(WORDS)(frame).tolist() == Lookup(WORDS)([["ant", "cat"], ["bee", "dog"]]).tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ant", None], "a missing value"),
        (np.array(["ant", np.nan], object), "a missing value"),
        (pd.Series(["ant", None], dtype="string"), "a missing value"),
        (np.array(["ant", 3], object), r"it holds 3 \(int\)"),
        ([b"ant", b"\xff"], r"no UTF-8: b'\\xff'"),
    ],
)
def test_what_is_no_text(words, said):
    with pytest.raises(errors.DataError, match=said):
        host.as_text(words)
    with pytest.raises(errors.DataError, match="The input takes text; got float64"):
        host.as_text(np.ones(2))


def test_outputs_are_known_from_a_trial():
    text = keryx.Input((1,), dtype="string")
    words, lengths = Split(3)(text)
    assert (words.shape, words.dtype) == ((None, 3), "string")
    assert (lengths.shape, lengths.dtype) == ((None, 3), "float32")
    numbers = Lookup(WORDS)(keryx.Input((None, 5), dtype=str))
    assert (numbers.shape, numbers.dtype) == ((None, None, 5), "int32")
    fixed = Lookup(WORDS)(keryx.Input((1,), batch_size=4, dtype="string"))
    assert fixed.shape == (4, 1)


def test_what_a_layer_says_of_its_shapes_counts():
    class Padded(Lookup):
        def compute_output_shape(self, input_shape):
            return (*input_shape[:-1], None)

    class Told(Lookup):
        def compute_output_spec(self, inputs):
            return keryx.KerasTensor((*inputs.shape, 7), dtype="int32", name="told")

    text = keryx.Input((2,), dtype="string")
    assert Padded(WORDS)(text).shape == (None, None)
    assert Told(WORDS)(text).shape == (None, 2, 7)


def test_a_layer_of_numbers_may_run_on_the_host_too():
    class Bins(keryx.Layer):
        on_host = True

        def call(self, inputs):
            assert isinstance(inputs, np.ndarray)
            return np.digitize(inputs, [0.0, 1.0])

    x = keryx.Input((2,))
    model = keryx.Model(x, layers.Embedding(3, 4)(Bins()(x)))
    assert model(np.array([[-1.0, 5.0]])).shape == (1, 2, 4)
    assert Bins()(jax.numpy.array([-1.0, 0.5])).tolist() == [0, 1]


# -- what is refused -----------------------------------------------------------------------------------------------


def test_text_on_the_device_is_refused():
    text = keryx.Input((1,), dtype="string", name="text")
    with pytest.raises(errors.DataError, match=r"'dense' runs on the device, which holds no text.*text \(batch, 1\)"):
        layers.Dense(3, name="dense")(text)
    with pytest.raises(errors.DataError, match="'exp' runs on the device"):
        ops.exp(text)
    with pytest.raises(errors.DataError, match="'concatenate' runs on the device"):
        layers.Concatenate(name="concatenate")([text, text])
    words, _ = Split(3)(text)
    with pytest.raises(errors.DataError, match=r"An output of a model is numbers.*is text"):
        keryx.Model(text, words)


def test_a_host_layer_after_a_device_layer_is_refused():
    class Round(keryx.Layer):
        on_host = True

        def call(self, inputs):
            return np.round(inputs)

    x = keryx.Input((2,))
    with pytest.raises(
        errors.DataError, match=r"'late' runs on the host.*the output of 'dense', which runs on the dev"
    ):
        Round(name="late")(layers.Dense(2, name="dense")(x))
    inner = keryx.Model(x, Round()(x), name="inner")
    with pytest.raises(errors.DataError, match=r"'inner' runs on the host.*the output of 'dense'"):
        inner(layers.Dense(2, name="dense")(keryx.Input((2,))))


def test_a_host_layer_within_compiled_code_is_refused():
    class Own(keryx.Model):
        def __init__(self):
            super().__init__()
            self.lookup = Lookup(WORDS, name="lookup")

        def call(self, x):
            return self.lookup(x)

    with pytest.raises(errors.DataError, match=r"'lookup' runs on the host.*was called within compiled code"):
        Own().predict(np.ones((2, 1)), verbose=0)


def test_numbers_for_text_and_text_for_numbers():
    model = text_model()
    text, extra = data(2)
    with pytest.raises(errors.DataError, match="The input 'text' takes text; got float32"):
        model([extra[:, :1], extra])
    with pytest.raises(errors.DataError, match="The input 'text' takes text; got float32"):
        model.predict([extra[:, :1], extra])
    with pytest.raises(errors.DataError, match=r"The input 'extra' holds <U.*, not numbers"):
        model.predict([text, np.array([["a", "b"]] * 2)])
    with pytest.raises(errors.ShapeError, match=r"Input 'text' wants \(batch, 1\); got \(2, 3\)"):
        model([np.array([["ant"] * 3] * 2), extra])
    with pytest.raises(errors.DataError, match="a missing value"):
        model.predict([np.array([["ant"], [None]], object), extra])


def test_text_as_a_tensor_stays_on_the_host():
    for words in ([["ant bee"], ["cat"]], np.array([["ant bee"], ["cat"]]), np.array([[b"ant bee"], ["cat"]], object)):
        held = ops.convert_to_tensor(words)
        assert isinstance(held, np.ndarray)
        assert held.tolist() == [["ant bee"], ["cat"]]
    assert ops.convert_to_tensor("ant").tolist() == "ant"
    assert isinstance(ops.convert_to_tensor([[1, 2]]), jax.Array)


def test_rows_of_words_that_differ_in_length():
    rows, lookup = [["ant", "bee"], ["bee"]], layers.StringLookup(mask_token="", output_mode="multi_hot")
    with pytest.raises(errors.DataError, match=r"differ in length.*pad_sequences\(x, dtype=object, value=''\)"):
        lookup.adapt(rows)
    filled = keryx.utils.pad_sequences(rows, dtype=object, value="")
    lookup.adapt(filled)
    assert lookup.get_vocabulary() == ["[UNK]", "bee", "ant"]
    assert lookup(filled).tolist() == [[0, 1, 1], [0, 1, 0]]


def test_one_text_or_number_by_itself():
    text = layers.TextVectorization(vocabulary=["i", "write"])
    assert text("I write, and still write").tolist() == [2, 3, 1, 1, 3]
    assert text(b"write").tolist() == [3]
    assert layers.TextVectorization(vocabulary=["a"], output_mode="count")("a b a").tolist() == [1, 2]
    assert layers.StringLookup(vocabulary=["a", "b"])("b") == 2
    assert layers.IntegerLookup(vocabulary=[5, 7])(7) == 2
    with pytest.raises(errors.DataError, match="takes text; got int64"):
        text(3)
    with pytest.raises(errors.ArgumentError, match="'dense' is called on tensors; got 'a'"):
        layers.Dense(2, name="dense")("a")


# -- models --------------------------------------------------------------------------------------------------------


def test_the_two_parts():
    model = text_model()
    names = [[node.operation.name for node in part.nodes] for part in model.halves]
    assert names == [["split", "lookup"], ["embedding", "flat", "all", "dense"]]
    assert [symbol.dtype for symbol in model.halves.device.flat_inputs] == ["int32", "float32", "float32"]
    fed = model.halves.feed(data(5))
    assert isinstance(fed, Fed)
    assert [value.shape for value in fed.values] == [(5, 3), (5, 3), (5, 2)]
    assert keryx.Sequential([layers.Dense(1)]).halves == (None, None)
    numbers = keryx.Model(model.inputs[1], layers.Dense(1)(model.inputs[1]))
    assert (numbers.halves.host, numbers.halves.device.flat_outputs) == (None, numbers.outputs)


def test_a_model_called_on_text():
    model, x = text_model(), data(5)
    numbers, fed = by_hand(model, x)
    want = np.asarray(numbers(fed))
    for given in (
        x,
        {"text": x[0], "extra": x[1]},
        [x[0][:, 0], x[1]],
        [x[0].astype("S"), x[1]],
        [x[0].tolist(), x[1]],
    ):
        np.testing.assert_allclose(model(given), want, rtol=1e-6)
    trained, rest = model.trainable_variables, model.non_trainable_variables
    values = [[v.value for v in variables] for variables in (trained, rest)]
    np.testing.assert_allclose(model.stateless_call(*values, x)[0], want, rtol=1e-6)


def test_predict():
    model, x = text_model(), data(100)
    numbers, fed = by_hand(model, x)
    want = numbers.predict(fed, verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), want, rtol=1e-5)
    np.testing.assert_allclose(model.predict(x, batch_size=7, verbose=0), want, rtol=1e-5)
    few = [part[:3] for part in x]
    np.testing.assert_allclose(model.predict(few, verbose=0), want[:3], rtol=1e-5)
    np.testing.assert_allclose(model.predict_on_batch(few), want[:3], rtol=1e-5)
    frame = {"text": pd.Series(x[0][:, 0]), "extra": pd.DataFrame(x[1])}
    np.testing.assert_allclose(model.predict(frame, verbose=0), want, rtol=1e-5)

    def batches():
        for i in range(0, 100, 20):
            yield ([part[i : i + 20] for part in x],)

    np.testing.assert_allclose(model.predict(batches(), verbose=0), want, rtol=1e-5)


def test_training():
    """The same losses and weights as on the numbers, by arrays, by batches and one batch at a time."""
    x, y = data(60), np.random.default_rng(1).normal(size=(60, 1)).astype("float32")
    start = text_model()

    def losses(train):
        model = keryx.models.clone_model(start)
        model.set_weights(start.get_weights())
        model, given = train(model)
        model.compile(keryx.optimizers.SGD(0.005), "mse", metrics=["mae"])
        history = model.fit(given, y, batch_size=20, epochs=3, shuffle=False, verbose=0, validation_split=0.2).history
        logs = model.evaluate(given, y, batch_size=16, verbose=0)
        head = jax.tree.map(lambda part: part[:20], given)
        return history, logs, model.train_on_batch(head, y[:20]), model.test_on_batch(head, y[:20]), model.get_weights()

    ours = losses(lambda model: (model, x))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), ours, losses(lambda m: by_hand(m, x))
    )
    assert ours[0]["loss"][-1] < ours[0]["loss"][0]


def test_training_from_batches():
    x, y = data(64), np.ones((64, 1), "float32")

    class Batches(keryx.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, i):
            rows = slice(16 * i, 16 * i + 16)
            return {"text": x[0][rows].tolist(), "extra": x[1][rows]}, y[rows]

    model = text_model()
    model.compile("sgd", "mse")
    history = model.fit(Batches(), epochs=2, verbose=0, validation_data=(x, y)).history
    assert history["loss"][1] < history["loss"][0]
    np.testing.assert_allclose(history["val_loss"][-1], model.evaluate(Batches(), verbose=0), rtol=1e-5)


def test_a_model_of_text_within_another():
    inner, x = text_model("inner"), data(8)
    text, extra = keryx.Input((1,), dtype="string", name="text"), keryx.Input((2,), name="extra")
    y = layers.Dense(2, name="head")(inner([text, extra]))
    model = keryx.Model([text, extra], y)
    head = model.get_layer("head")
    np.testing.assert_allclose(model(x), np.asarray(inner(x)) @ head.kernel.numpy() + head.bias.numpy(), rtol=1e-5)
    model.compile("sgd", "mse")
    before = inner.get_weights()
    model.fit(x, np.ones((8, 2)), verbose=0)
    assert all(np.any(a != b) for a, b in zip(before, inner.get_weights(), strict=True))
    twice = keryx.Model([text, extra], layers.Add()([inner([text, extra]), inner([text, extra])]))
    np.testing.assert_allclose(twice(x), 2 * np.asarray(inner(x)), rtol=1e-5)
    outer = keryx.Model([text, extra], layers.Dense(1)(model([text, extra])))
    assert outer.predict(x, verbose=0).shape == (8, 1)


def test_a_sequential_of_text():
    model = keryx.Sequential(
        [keryx.Input((2,), dtype="string"), Lookup(WORDS), layers.Embedding(9, 3, mask_zero=True), layers.LSTM(4)]
    )
    words = np.array([["ant", "none"], ["ant", "ant"]])
    model.compile("sgd", "mse")
    model.fit(words, np.ones((2, 4)), verbose=0)
    y = model.predict(words, verbose=0)
    ids = keryx.Sequential([keryx.Input((2,), dtype="int32"), *model.layers[1:]])
    np.testing.assert_allclose(y, ids.predict(Lookup(WORDS)(words), verbose=0), rtol=1e-5)  # the mask counts


def test_an_input_of_text_that_nothing_reads():
    text, extra = keryx.Input((1,), dtype="string"), keryx.Input((2,))
    model = keryx.Model([text, extra], layers.Dense(1)(extra))
    assert model.predict(data(3), verbose=0).shape == (3, 1)


def test_configs_and_clones():
    model, x = text_model(), data(4)
    config = model.get_config()
    entry = next(layer for layer in config["layers"] if layer["config"]["name"] == "text")
    assert entry["config"]["dtype"] == "string"
    again = keryx.Model.from_config(config)
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(x), model(x))
    clone = keryx.models.clone_model(keryx.models.model_from_json(model.to_json()))
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(x), model(x))


def test_copies():
    model, x = text_model(), data(4)
    want = np.asarray(model(x))
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again(x), want)
        again.set_weights([w + 1 for w in again.get_weights()])
    np.testing.assert_array_equal(model(x), want)


def test_summary(capsys):
    text_model().summary()
    shown = capsys.readouterr().out
    assert "lookup (Lookup)" in shown
    assert "split (Split)" in shown
