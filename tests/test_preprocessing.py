"""Layers of text, categories and numbers: what they adapt on, where they run, in training, and what they refuse."""

import copy
import os
import pickle

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pandas as pd
import pytest

import keryx
from keryx import errors, layers
from keryx.layers.preprocessing import adapting, hashes, text
from keryx.layers.preprocessing.encoding import encode
from keryx.utils import FeatureSpace

RNG = np.random.default_rng(0)
WORDS = np.array([["ant", "bee"], ["bee", "cat"], ["bee", "ant"], ["dog", "cat"]])
VOCABULARY = ["[UNK]", "bee", "cat", "ant", "dog"]


class Batches(keryx.utils.PyDataset):
    """Arrays in batches of two, with targets."""

    def __init__(self, x, y=None):
        super().__init__()
        self.x, self.y = x, np.zeros((len(x), 1), "float32") if y is None else y

    def __len__(self):
        return -(-len(self.x) // 2)

    def __getitem__(self, i):
        return self.x[2 * i : 2 * i + 2], self.y[2 * i : 2 * i + 2]


def sources(x):
    """The same rows as data of several kinds."""
    return {
        "array": x,
        "generator": (x[i : i + 2] for i in range(0, len(x), 2)),
        "pairs": ((x[i : i + 2], None) for i in range(0, len(x), 2)),
        "data set": Batches(x),
        "arrays": [x[:2], x[2:]],
        "jax" if x.dtype.kind != "U" else "list": jnp.asarray(x) if x.dtype.kind != "U" else x.tolist(),
        "table": pd.DataFrame(x),
    }


# -- adapting ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sources(WORDS))
def test_words_of_any_source(kind):
    layer = layers.StringLookup()
    layer.adapt(sources(WORDS)[kind])
    assert layer.get_vocabulary() == VOCABULARY
    documents = layers.TextVectorization(output_mode="tf_idf")
    lines = np.array([f"{a}, {b}!" for a, b in WORDS])[:, None]
    documents.adapt(sources(lines)[kind])
    assert documents.get_vocabulary() == VOCABULARY
    np.testing.assert_allclose(documents._lookup_layer.idf_weights[1], np.log(1 + 4 / (1 + 3)), rtol=1e-6)


@pytest.mark.parametrize("kind", sources(np.ones((4, 2))))
def test_numbers_of_any_source(kind):
    x = RNG.normal(5, 2, (40, 3)).astype("float32")
    ours, theirs = layers.Normalization(), keras.layers.Normalization()
    ours.adapt(sources(x)[kind])
    theirs.adapt(x)
    np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=1e-5, atol=1e-6)
    bins = layers.Discretization(num_bins=4)
    bins.adapt(sources(x)[kind])
    assert len(bins.bin_boundaries) == 3
    numbers = layers.IntegerLookup()
    numbers.adapt(sources(np.array([[7, 9], [9, 7], [9, 5], [9, 1]]))[kind])
    assert numbers.get_vocabulary() == [-1, 9, 7, 5, 1]


@pytest.mark.parametrize("axis", [-1, None, 1, (1, 2)])
def test_moments_are_those_of_keras(axis):
    batches = [RNG.normal(100, 3, (size, 4, 3)).astype("float32") for size in (5, 3, 8)]
    ours, theirs = layers.Normalization(axis), keras.layers.Normalization(axis)
    ours.adapt(iter(batches))
    theirs.build(batches[0].shape)
    theirs.adapt_mean.assign(np.mean(np.concatenate(batches), theirs._reduce_axis))
    theirs.adapt_variance.assign(np.var(np.concatenate(batches), theirs._reduce_axis))
    theirs.finalize_state()
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    for a, b in zip(ours.weights[:2], theirs.weights[:2], strict=True):
        np.testing.assert_allclose(a.numpy(), np.asarray(b.value), rtol=1e-4)
    whole = np.concatenate(batches).astype("float64")
    axes = tuple(i for i in range(3) if axis is None or i not in np.atleast_1d(axis) % 3)
    np.testing.assert_allclose(ours.adapt_variance.numpy(), whole.var(axes), rtol=1e-6)  # Keras's are float32 sums
    assert ours.mean.shape == theirs.mean.shape


@pytest.mark.parametrize(("bins", "epsilon"), [(3, 0.01), (10, 0.1), (1, 0.3)])
def test_boundaries_are_those_of_keras(bins, epsilon):
    batches = [RNG.exponential(size=(size, 2)) for size in (30, 1, 200)]
    ours, theirs = (module.layers.Discretization(num_bins=bins, epsilon=epsilon) for module in (keryx, keras))
    ours.adapt(batches)
    for batch in batches:
        theirs.update_state(batch)
    theirs.finalize_state()
    assert ours.bin_boundaries == theirs.bin_boundaries
    np.testing.assert_array_equal(ours(batches[0]), np.asarray(theirs(batches[0])))
    assert ours.get_config() == theirs.get_config() | {"name": ours.name}
    again = layers.Discretization.from_config(theirs.get_config())
    np.testing.assert_array_equal(again(batches[0]), ours(batches[0]))


def test_steps_and_rows_at_a_time():
    layer = layers.StringLookup()
    layer.adapt((batch for batch in [["a"], ["b"], ["c"]]), steps=2)
    assert layer.get_vocabulary(include_special_tokens=False) == ["b", "a"]
    layer.adapt(["a", "b", "b"], batch_size=1)
    assert layer.get_vocabulary(False) == ["b", "a"]
    endless = (np.full((2, 1), float(i)) for i in iter(int, 1))
    numbers = layers.Normalization()
    numbers.adapt(endless, steps=3)
    assert numbers.adapt_variance.numpy().tolist() == [0.0]


def test_a_bar(capsys):
    layer = layers.Normalization()
    layer.adapt([np.ones((2, 1))] * 3)
    assert capsys.readouterr().out == ""  # no terminal
    layer.adapt([np.ones((2, 1))] * 3, verbose=2)
    assert "3 steps" in capsys.readouterr().out
    assert sum(map(len, adapting.batches([1.0] * 10, "x", batch_size=4, verbose=0))) == 10


def test_many_words():
    words = np.array([f"word{i}" for i in range(50_000)] * 2, object)
    layer = layers.StringLookup(max_tokens=40_000)
    layer.adapt(words)
    assert layer.vocabulary_size() == 40_000
    assert layer(words[:2]).tolist() == [
        layer.get_vocabulary().index("word0") if "word0" in layer.get_vocabulary() else 0,
        0,
    ]


def test_what_is_not_adapted():
    x = np.array([["a"]])
    with pytest.raises(
        errors.StateError, match=r"'string_lookup\w*' has no vocabulary yet: give it one, or call adapt"
    ):
        layers.StringLookup(output_mode="multi_hot")(x)
    with pytest.raises(errors.StateError, match="has no boundaries yet"):
        layers.Discretization(num_bins=3)(np.ones(2))
    with pytest.raises(errors.StateError, match="knows nothing of 'a' yet"):
        FeatureSpace({"a": "string_categorical"})({"a": ["x"]})
    for layer in (
        layers.StringLookup(vocabulary=["a"]),
        layers.Normalization(mean=1.0, variance=1.0),
        layers.Discretization([1.0]),
    ):
        with pytest.raises((errors.StateError, errors.ConfigError), match="there is nothing to adapt"):
            layer.adapt(x if layer.on_host else np.ones((2, 1)))
    with pytest.raises(errors.DataError, match="was given no data"):
        layers.Normalization().adapt([])
    with pytest.raises(errors.DataError, match="data of StringLookup 'it' takes text; got int64"):
        layers.StringLookup(name="it").adapt(np.arange(3))
    with pytest.raises(errors.DataError, match="takes integers; got object"):
        layers.IntegerLookup().adapt(["a"])
    built = layers.Normalization()
    built.adapt(np.ones((4, 3)))
    with pytest.raises(errors.ShapeError, match=r"was built for \(4, 3\); adapt was given data of \(4, 2\)"):
        built.adapt(np.ones((4, 2)))


@pytest.mark.parametrize("kind", ["StringLookup", "TextVectorization"])
def test_a_vocabulary_that_would_change_a_model(kind):
    layer = getattr(layers, kind)(output_mode="tf_idf")
    layer.adapt(["a", "b"])
    layer.adapt(["a", "b", "c"])
    line = keryx.Input((1,), dtype="string")
    model = keryx.Model(line, layer(line))
    before = model.predict(np.array(["a"]), verbose=0)
    with pytest.raises(errors.StateError, match="gives vectors of 4; the new vocabulary would make them 2"):
        layer.adapt(["a"])
    np.testing.assert_array_equal(model.predict(np.array(["a"]), verbose=0), before)
    layer.adapt(["a", "a", "c", "b", "c"])
    assert model.predict(np.array(["a"]), verbose=0)[0, 2] == layer(np.array([["a"]]))[0, 2] != 0


# -- where they run ------------------------------------------------------------------------------------------------


def test_integers_and_ranges_run_where_their_inputs_are():
    x = keryx.Input((3,))
    bins, numbers = layers.Discretization([0.0, 1.0]), layers.IntegerLookup(vocabulary=[2, 0], num_oov_indices=2)
    dense = layers.Dense(3, kernel_initializer="identity", name="first")
    before, after = numbers(bins(x)), numbers(bins(dense(x)))
    model = keryx.Model(x, [before, after])
    host, device = ([node.operation.name for node in part.nodes] for part in model.halves)
    assert host == [bins.name, numbers.name]
    assert device == ["first", bins.name, numbers.name]
    data = RNG.normal(size=(5, 3))
    first, second = model.predict(data, verbose=0)
    np.testing.assert_array_equal(first, second)
    assert isinstance(bins(data), np.ndarray)
    assert isinstance(bins(jnp.asarray(data)), jax.Array)
    np.testing.assert_array_equal(jax.jit(numbers)(jnp.arange(-2, 4)), numbers(np.arange(-2, 4)))
    bins_late = layers.Discretization(num_bins=2)
    bins_late.adapt(data)
    late = keryx.Model(x, bins_late(layers.Dense(3, kernel_initializer="identity")(x)))
    assert late.predict(data, verbose=0).max() == 1
    bins_late.adapt(data + 100)
    assert late.predict(data, verbose=0).max() == 0  # the program of before is not used again


@pytest.mark.parametrize(
    "options", [{}, {"mask_token": 2}, {"output_mode": "count", "mask_token": 5}, {"invert": True}]
)
def test_integers_on_the_device(options):
    layer = layers.IntegerLookup(vocabulary=[7, 3, 11], num_oov_indices=2, **options)
    x = np.array([[7, 2, 5], [0, 4, -3]])
    np.testing.assert_array_equal(layer(jnp.asarray(x)), layer(x))


def test_integers_greater_than_a_device_holds():
    x = keryx.Input((1,), dtype="int64")
    lookup = layers.IntegerLookup(vocabulary=[2**40, 7])
    model = keryx.Model(x, layers.Flatten()(layers.Embedding(3, 2)(lookup(x))))
    ids = np.array([[7], [2**40], [2**41]])
    rows = model.get_layer(index=2).embeddings.numpy()
    np.testing.assert_array_equal(model.predict(ids, verbose=0), rows[[2, 1, 0]])
    np.testing.assert_array_equal(model(ids), rows[[2, 1, 0]])
    both = keryx.Model(x, [layers.Embedding(3, 2)(lookup(x)), x])
    with pytest.raises(errors.DataError, match="which int32 cannot hold"):
        both.predict(ids, verbose=0)
    with pytest.raises(errors.DataError, match=r"vocabulary of .* holds 1099511627776, which int32 cannot hold"):
        lookup(jnp.asarray([1]))


@pytest.mark.parametrize("mode", ["multi_hot", "count", "tf_idf"])
def test_long_vectors_are_made_behind_the_host_part(mode):
    line, ids = keryx.Input((1,), dtype="string"), keryx.Input((3,), dtype="int64")
    texts, numbers = layers.TextVectorization(output_mode=mode), layers.IntegerLookup(output_mode=mode, mask_token=0)
    texts.adapt(["an ant", "a bee"])
    numbers.adapt(np.array([[5, 7, 0], [9, 7, 7]]))
    both = [texts(line), numbers(ids), *([] if mode == "tf_idf" else [layers.Hashing(7, output_mode=mode)(ids)])]
    model = keryx.Model([line, ids], both)
    x = [np.array([["an ant or an elk " * 3], [""]]), np.array([[5, 0, 1], [7, 7, 7]])]
    fed = model.halves.feed(x)
    assert [(value.dtype, value.shape) for value in fed.values[:2]] == [("int32", (2, 16)), ("int32", (2, 3))]
    want = [texts(x[0]), numbers(x[1]), model.layers[-1](x[1])][: len(both)]
    for results in (model(x), model.predict(x, verbose=0), keryx.Model([line, ids], model([line, ids]))(x)):
        for a, b, symbol in zip(results, want, both, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
            assert (a.shape[1:], a.dtype) == (symbol.shape[1:], symbol.dtype)


def test_a_table_of_host_layers_feeds_a_crossing():
    number, word = keryx.Input((1,)), keryx.Input((1,), dtype="string")
    crossed = layers.HashedCrossing(9, output_mode="one_hot")([layers.Discretization([0.5])(number), word])
    model = keryx.Model([number, word], crossed)
    got = model.predict([np.array([0.0, 1.0]), np.array(["a", "a"])], verbose=0)
    np.testing.assert_array_equal(got.argmax(-1), hashes.crossed_bins([np.arange(2), np.array(["a", "a"], object)], 9))
    with pytest.raises(errors.DataError, match="takes text and integers; got float32"):
        layers.HashedCrossing(9)([np.ones(2, "float32"), np.array(["a", "b"])])
    with pytest.raises(errors.ShapeError, match="wants inputs that are all"):
        layers.HashedCrossing(9)([np.ones(2, int), np.ones(3, int)])
    with pytest.raises(errors.DataError, match="two inputs or more"):
        layers.HashedCrossing(9)([np.ones(2, int)])


def made():
    """Each layer, adapted, with inputs for it, and the size of what an Embedding behind it takes."""
    numbers, lines = RNG.normal(size=(8, 3)).astype("float32"), np.array([["an ant"], ["a bee"]] * 4)
    bins = layers.Discretization(num_bins=3)
    scaled, lookup, ids = layers.Normalization(), layers.StringLookup(), layers.IntegerLookup(output_mode="count")
    texts = layers.TextVectorization(output_mode="tf_idf")
    tokens = layers.TextVectorization(output_sequence_length=3)
    counts = RNG.integers(0, 4, (8, 2))
    for layer, data in ((bins, numbers), (scaled, numbers), (lookup, lines), (ids, counts)):
        layer.adapt(data)
    texts.adapt(lines)
    tokens.adapt(lines)
    return {
        "Normalization": (scaled, numbers, None),
        "Discretization": (bins, numbers, 3),
        "CategoryEncoding": (layers.CategoryEncoding(4), counts, None),
        "StringLookup": (lookup, lines, 4),
        "IntegerLookup": (ids, counts, None),
        "Hashing": (layers.Hashing(5), lines, 5),
        "TextVectorization": (texts, lines, None),
        "tokens": (tokens, lines, 6),
    }


@pytest.mark.parametrize("name", made())
def test_in_training_from_arrays_batches_and_data_sets(name):
    layer, x, size = made()[name]
    dtype = "string" if x.dtype.kind == "U" else x.dtype.name
    head = [layers.Flatten(), layers.Dense(1, kernel_initializer="ones")]
    embedding = [] if size is None else [layers.Embedding(size, 2)]
    model = keryx.Sequential([keryx.Input(x.shape[1:], dtype=dtype), layer, *embedding, *head])
    model.compile(keryx.optimizers.SGD(0.01), "mse")
    y, start, losses = np.ones((8, 1), "float32"), model.get_weights(), []
    for data in ((x, y), ((x[i : i + 2], y[i : i + 2]) for i in range(0, 8, 2)), Batches(x, y)):
        model.set_weights(start)
        given = {"x": data[0], "y": data[1], "batch_size": 2} if isinstance(data, tuple) else {"x": data}
        losses += model.fit(**given, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)
    by_hand = keryx.Sequential([*embedding, *head])
    np.testing.assert_allclose(model.predict(x, verbose=0), by_hand(np.asarray(layer(x))), rtol=1e-5, atol=1e-6)


def test_numbers_that_an_embedding_does_not_take():
    line = keryx.Input((1,), dtype="string")
    words = layers.StringLookup(vocabulary=["ant", "bee"], name="lookup")(line)
    model = keryx.Model(line, layers.Dense(1)(layers.Flatten()(layers.Embedding(2, 2, name="few")(words))))
    with pytest.raises(errors.DataError, match=r"output of 'lookup' holds 2 at \[1, 0\]; Embedding 'few' takes 0 to 1"):
        model.predict(np.array(["ant", "bee"]), verbose=0)
    outer = keryx.Model(line, model(line))
    with pytest.raises(errors.DataError, match="Embedding 'few' takes 0 to 1"):
        outer.predict(np.array(["ant", "bee"]), verbose=0)
    model.compile(keryx.optimizers.SGD(1e30), "mse")
    with pytest.raises(errors.NonFiniteLossError, match="The loss turned NaN or infinite at step"):
        model.fit(np.array(["ant", "cat"] * 20), np.full(40, 1e9), batch_size=2, verbose=0)


def test_text_begins_a_sequential():
    model = keryx.Sequential([layers.TextVectorization(vocabulary=["ant"]), layers.Embedding(3, 2), layers.LSTM(2)])
    assert model.predict(np.array(["ant bee", "ant"]), verbose=0).shape == (2, 2)
    words = keryx.Sequential([layers.StringLookup(vocabulary=["ant"], input_shape=(1,)), layers.Embedding(3, 2)])
    assert words.predict(np.array(["ant", "bee"]), verbose=0).shape == (2, 1, 2)
    with pytest.raises(errors.DataError, match=r"Text goes into keryx.Input\(shape, dtype='string'\)"):
        keryx.Sequential([layers.Dense(1)])(np.array([["a"]]))


def test_shapes_before_the_run():
    line = keryx.Input((1,), dtype="string")
    texts = layers.TextVectorization
    assert texts(vocabulary=["a"])(line).shape == (None, None)
    assert texts(vocabulary=["a"], output_sequence_length=5)(line).shape == (None, 5)
    assert texts(vocabulary=["a", "b"], output_mode="count")(line).shape == (None, 4 - 1)
    assert texts(vocabulary=["a"], split=None)(keryx.Input((7,), dtype="string")).shape == (None, 7)
    lookup = layers.StringLookup(vocabulary=["a"], num_oov_indices=0)
    assert (lookup(line).shape, lookup(line).dtype) == ((None, 1), "int32")
    assert layers.StringLookup(vocabulary=["a"], invert=True)(keryx.Input((3,), dtype="int32")).dtype == "string"
    assert layers.Discretization(num_bins=4)(keryx.Input((3,))).shape == (None, 3)  # adapted later
    assert layers.Discretization(num_bins=4, output_mode="one_hot")(keryx.Input((3,))).shape == (None, 3, 4)
    assert layers.Hashing(4, output_mode="one_hot")(keryx.Input((3,), dtype="string")).shape == (None, 3, 4)


def test_long_vectors_are_known_without_being_made():
    line, huge = keryx.Input((2,), dtype="string"), 2**31 - 1
    assert layers.Hashing(huge, output_mode="one_hot")(line).shape == (None, 2, huge)
    one = keryx.Input((1,), dtype="int32")
    assert layers.HashedCrossing(huge, output_mode="one_hot")([one, one]).shape == (None, huge)
    padded = layers.StringLookup(vocabulary=["a"], output_mode="count", max_tokens=huge, pad_to_max_tokens=True)
    assert padded(line).shape == (None, huge)
    lookup = layers.StringLookup(vocabulary=["a"], num_oov_indices=huge)
    assert lookup(line).shape == (None, 2)
    assert layers.StringLookup(vocabulary=["a"], num_oov_indices=huge, invert=True)(np.array([huge, 5])).tolist() == [
        "a", "[UNK]"
    ]  # fmt: skip
    layer = layers.TextVectorization(vocabulary=["a"], ngrams=huge)
    assert layer(["a a"]).tolist() == [[2, 2, 1]]
    config = keryx.Model(line, padded(line)).get_config()
    config["layers"][1]["config"] |= {"output_mode": "tf_idf", "idf_weights": [1.0], "max_tokens": 2**45}
    with pytest.raises(errors.ConfigError, match="describes a weight of shape"):
        keryx.Model.from_config(config)


# -- text ----------------------------------------------------------------------------------------------------------


def test_functions_of_yours():
    layer = layers.TextVectorization(
        standardize=lambda texts: np.char.replace(texts, "-", " "),
        split=lambda texts: [text.split("e") for text in texts.tolist()],
        vocabulary=["ant b", "", "x"][::2],
    )
    assert layer(np.array([["ant-be"], ["xe"]])).tolist() == [[2, 0], [3, 0]]
    with pytest.raises(errors.ShapeError, match=r"standardize was given texts of \(2,\) and returned \(\)"):
        text.standardized(np.array(["a", "b"], object), lambda texts: np.array("a"))
    with pytest.raises(errors.DataError, match="split was given 2 texts"):
        text.tokens_of(np.array(["a", "b"], object), lambda texts: texts)


def test_a_function_of_yours_in_a_config():
    @keryx.utils.register_keras_serializable("tests")
    def shout(texts):
        return np.char.upper(texts)

    layer = layers.TextVectorization(standardize=shout, vocabulary=["A"], ngrams=(1,))
    again = layers.TextVectorization.from_config(layer.get_config())
    assert again.standardize is shout
    assert again(np.array(["a b"])).tolist() == [[2, 1]]
    assert layers.TextVectorization.from_config(layer.get_config() | {"ngrams": [1, 2]}).ngrams == (1, 2)


def test_copies():
    layer = layers.TextVectorization(output_mode="tf_idf")
    layer.adapt(["ant bee", "bee"])
    want = layer(np.array(["bee bee"]))
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(again(np.array(["bee bee"])), want)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: layers.StringLookup(sparse=True), r"StringLookup\(sparse=True\) would give a sparse tensor"),
        (lambda: layers.TextVectorization(ragged=True), "rows are padded with 0 instead"),
        (lambda: layers.StringLookup(max_tokens=1), "max_tokens is 2 or more; got 1"),
        (lambda: layers.StringLookup(pad_to_max_tokens=True), "pad_to_max_tokens wants max_tokens"),
        (lambda: layers.StringLookup(num_oov_indices=-1), "num_oov_indices is 0 or more"),
        (lambda: layers.StringLookup(output_mode="counts"), "got 'counts'. Did you mean 'count'"),
        (lambda: layers.StringLookup(invert=True, output_mode="count"), "invert=True goes with output_mode='int'"),
        (lambda: layers.StringLookup(idf_weights=[1.0]), "idf_weights go with output_mode='tf_idf'"),
        (lambda: layers.StringLookup(vocabulary=["a"], output_mode="tf_idf"), "a vocabulary wants idf_weights too"),
        (lambda: layers.IntegerLookup(salt=3), "a salt goes with oov_method='farmhash'"),
        (lambda: layers.IntegerLookup(oov_method="md5"), "oov_method is 'floormod' or 'farmhash'"),
        (lambda: layers.IntegerLookup(vocabulary_dtype="string"), "vocabulary_dtype is 'int64'"),
        (lambda: layers.StringLookup(vocabulary=["a", "b", "a"]), "some terms more than once: 'a'"),
        (lambda: layers.StringLookup(vocabulary=[]), "an empty vocabulary"),
        (lambda: layers.StringLookup(vocabulary=["b", "m"], mask_token="m"), "has 'm', which stands for the mask"),
        (lambda: layers.StringLookup(vocabulary=["b", "[UNK]"], invert=True), "stands for the unknown terms"),
        (lambda: layers.StringLookup(vocabulary=["a", "b"], max_tokens=2), "has 3 terms, more than max_tokens=2"),
        (lambda: layers.StringLookup(vocabulary="no/such/file"), "The vocabulary no/such/file cannot be read"),
        (lambda: layers.StringLookup.from_config({"vocabulary": "/etc/passwd"}), "names a file as its vocabulary"),
        (lambda: layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(["x", "a"]), "not in its vocabulary: 'x'"),
        (lambda: layers.TextVectorization(standardize="upper"), "standardize is 'lower_and_strip_punctuation'"),
        (lambda: layers.TextVectorization(ngrams="2"), "ngrams is None, a number or a tuple"),
        (
            lambda: layers.TextVectorization(output_sequence_length=3, output_mode="count"),
            "goes with output_mode='int'",
        ),
        (lambda: layers.TextVectorization(vocabulary=["a"])(np.array([["a", "b"]])), "splits one text a row"),
        (lambda: layers.Hashing(0), "wants num_bins, 1 or more; got 0"),
        (lambda: layers.Hashing(3, salt="x"), "a salt is an integer, or two"),
        (lambda: layers.Hashing(3, dtype="float32"), "gives integers, int32 or int64"),
        (lambda: layers.CategoryEncoding(), "IntegerLookup finds out"),
        (
            lambda: layers.CategoryEncoding(3)(np.ones((1, 2), int), count_weights=np.ones((1, 2))),
            "count_weights go with",
        ),
        (lambda: layers.Discretization(), "wants bin_boundaries, or num_bins"),
        (lambda: layers.Discretization([1.0], num_bins=3), "one of them"),
        (lambda: layers.Normalization(mean=1.0), "wants both mean and variance"),
        (lambda: layers.Normalization(mean=[1.0], variance=1.0), "mean and variance have the same shape"),
        (lambda: layers.Normalization(axis=2)(np.ones((2, 2))), r"axis=\(2,\) is outside of an input of 2 axes"),
        (lambda: layers.Normalization()(keryx.Input((None,))), "have to be known"),
    ],
)
def test_what_is_refused(call, said):
    with pytest.raises(errors.KeryxError, match=said):
        call()


def test_a_vocabulary_in_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("ant\r\nbée\r\n\r\n".encode())
    layer = layers.StringLookup(vocabulary=str(path))
    assert layer.get_vocabulary() == ["[UNK]", "ant", "bée"]
    assert layer.get_config()["vocabulary"] is None
    path.write_text("12\n-3\n")
    assert layers.IntegerLookup(vocabulary=path)(np.array([-3, 5])).tolist() == [2, 0]
    path.write_text("12\nx\n")
    with pytest.raises(errors.FileError, match="holds what is no integer"):
        layers.IntegerLookup(vocabulary=path)


def test_weights_of_a_vocabulary():
    layer = layers.StringLookup(output_mode="tf_idf", max_tokens=5, pad_to_max_tokens=True)
    layer.set_vocabulary(["a", "b"], [1.0, 3.0])
    assert layer(np.array([["a", "b", "b", "z"]])).tolist() == [[2.0, 1.0, 6.0, 0.0, 0.0]]
    with pytest.raises(errors.ConfigError, match="idf_weights go with output_mode='tf_idf', and only with it"):
        layer.set_vocabulary(["a"])
    with pytest.raises(errors.ConfigError, match=r"wants idf_weights \(1,\), one a term; got \(2,\)"):
        layer.set_vocabulary(["a"], [1.0, 2.0])


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 1), (2, 3, 2)])
def test_host_and_device_encode_alike(mode, shape):
    ids = RNG.integers(-1, 5, shape)
    host, device = encode(ids, mode, 4, "float32"), encode(jnp.asarray(ids), mode, 4, "float32")
    assert host.dtype == device.dtype
    np.testing.assert_array_equal(host, device)
    np.testing.assert_array_equal(device, np.asarray(keras.layers.CategoryEncoding(4, mode)(ids)))
