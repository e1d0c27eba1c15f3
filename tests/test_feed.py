"""Every source of data gives the same training, whatever it is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import keryx
from keryx import layers
from keryx.errors import ArgumentError, DataError
from keryx.training.data.checks import Checks
from keryx.training.data.door import source_of
from keryx.training.data.source import Arrays
from keryx.training.data.streams import Stream
from keryx.training.state import shuffled
from keryx.training.step import Batch
from keryx.utils import PyDataset

ROWS, SIZE = 20, 8  # the last batch has 4 rows
random = np.random.default_rng(0)
A = random.normal(size=(ROWS, 3)).astype(np.float32)
B = random.integers(0, 5, (ROWS, 1)).astype(np.int32)
Y = random.normal(size=(ROWS, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    """Inputs a (3) and b (1) to y (2)."""
    a, b = keryx.Input((3,), name="a"), keryx.Input((1,), name="b", dtype="int32")
    joined = layers.Concatenate()([a, b.astype("float32")])
    made = keryx.Model([a, b], layers.Dense(2, name="y")(layers.Dense(4, activation="tanh")(joined)))
    made.compile(keryx.optimizers.SGD(0.1), "mse")
    made.start = made.get_weights()
    return made


@pytest.fixture(scope="module")
def plain():
    """x (3) to y (2)."""
    x = keryx.Input((3,), name="x")
    made = keryx.Model(x, layers.Dense(2, name="y")(x))
    made.compile(keryx.optimizers.SGD(0.1), "mse")
    made.start = made.get_weights()
    return made


def trained(model, *data, **options):
    """The losses and the weights after training from the model's first weights."""
    model.set_weights(model.start)
    history = model.fit(*data, verbose=0, **options)
    return history.history["loss"], model.get_weights()


def assert_same(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def cut(*arrays):
    """Batches of arrays, in order."""
    for first in range(0, ROWS, SIZE):
        yield tuple(array[first : first + SIZE] for array in arrays)


# -- arrays ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([A, B], Y),
        ((A, B), [Y]),
        ({"b": B, "a": A}, {"y": Y}),
        ([A.astype(np.float64), B.astype(np.int64)], Y.astype(np.float64)),
        ([A, B[:, 0]], Y),
        ([jnp.asarray(A), jnp.asarray(B)], jnp.asarray(Y)),
        ([A.tolist(), B.tolist()], Y.tolist()),
        ({"a": pd.DataFrame(A), "b": pd.Series(B[:, 0])}, pd.DataFrame(Y, columns=["one", "two"])),
        ([np.asfortranarray(A), B[::-1][::-1]], Y[:, ::-1][:, ::-1]),
    ],
    ids=["list", "tuple", "dict", "wide", "flat", "jax", "numbers", "pandas", "strided"],
)
def test_arrays(model, x, y):
    expected = trained(model, [A, B], Y, batch_size=SIZE, epochs=2, shuffle=False)
    assert_same(trained(model, x, y, batch_size=SIZE, epochs=2, shuffle=False), expected)
    assert model.predict(x, verbose=0).shape == (ROWS, 2)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate([A, B], Y, verbose=0), rel=1e-5)


def test_a_list_of_numbers_for_one_input(plain):
    assert_same(trained(plain, A.tolist(), Y.tolist(), shuffle=False), trained(plain, A, Y, shuffle=False))
    frame = pd.DataFrame({"p": A[:, 0], "q": A[:, 1] > 0, "r": B[:, 0]})
    columns = np.stack([A[:, 0], A[:, 1] > 0, B[:, 0]], axis=1)
    assert_same(plain.predict(frame, verbose=0), plain.predict(columns, verbose=0))


def test_a_nest_of_inputs():
    a, b, c = (keryx.Input((1,), name=name) for name in "abc")
    nested = keryx.Model({"one": a, "two": [b, c]}, layers.Concatenate()([a, b, c]))
    data = {"one": np.zeros((4, 1)), "two": [np.ones((4, 1)), np.full((4, 1), 2)]}
    assert nested.predict(data, verbose=0)[0].tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="another structure"):
        nested.predict({"one": np.zeros((4, 1)), "two": [np.ones((4, 1))]}, verbose=0)


def test_targets_without_their_last_axis():
    x = keryx.Input((3,))
    model = keryx.Model(x, layers.Dense(1)(x))
    model.compile("sgd", "mse", metrics=["mae"])
    flat, column = A[:, 0] * 2, A[:, :1] * 2
    expected = np.mean((model.predict(A, verbose=0) - column) ** 2)
    assert model.evaluate(A, flat, verbose=0)[0] == pytest.approx(expected, rel=1e-5)
    assert model.evaluate(A, flat, verbose=0) == model.evaluate(A, column, verbose=0)


def test_dtypes_on_the_device():
    images = np.zeros((4, 2, 2, 3), np.uint8)
    admit = Checks(None, None).batch
    given = [images, np.zeros((4, 3)), np.zeros(4, np.int64), np.zeros(4, bool)]
    source = source_of(given, None, None, admit, who="fit()")
    assert [leaf.dtype for leaf in jax.tree.leaves(source.data())] == ["uint8", "float32", "int32", "bool"]
    with pytest.raises(DataError, match="holds 2147483648, which int32 cannot hold"):
        source_of(np.array([2**31]), None, None, admit, who="fit()")


def test_fit_leaves_the_users_arrays_as_they_are(plain):
    x, y = A.copy(), Y.copy()
    trained(plain, x, y, batch_size=SIZE, epochs=3)
    trained(plain, [x], y, batch_size=ROWS)
    assert np.array_equal(x, A)
    assert np.array_equal(y, Y)


# -- the order of the rows -------------------------------------------------------------------------------------------


def test_the_order_is_a_function_of_seed_and_epoch(plain):
    keys = [np.array([1, 2], np.uint32), np.array([1, 3], np.uint32)]
    orders = [shuffled(key, epoch, ROWS).tolist() for key in keys for epoch in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4
    assert all(sorted(order) == list(range(ROWS)) for order in orders)
    assert orders[1] == shuffled(keys[0], 1, ROWS).tolist()

    results = []
    for seed in (7, 7, 8):
        keryx.utils.set_random_seed(seed)
        plain.compile(keryx.optimizers.SGD(0.1), "mse")
        results.append(trained(plain, A, Y, batch_size=SIZE, epochs=3)[1][0])
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


@pytest.mark.parametrize("shuffle", [False, True])
def test_arrays_that_stay_on_the_host_give_the_same_numbers(plain, monkeypatch, shuffle):
    def run():
        keryx.utils.set_random_seed(3)
        plain.compile(keryx.optimizers.SGD(0.1), "mse")
        weight = random_weights
        return trained(
            plain, A, Y, batch_size=SIZE, epochs=3, shuffle=shuffle, sample_weight=weight, validation_split=0.25
        )

    random_weights = np.linspace(0, 2, ROWS)
    resident = run()
    monkeypatch.setattr("keryx.training.data.source.RESIDENT_BYTES", 0)
    assert_same(run(), resident)


def arrays(limit, around=True, shuffle=False):
    return Arrays(Batch(np.arange(10), [], []), 4, shuffle, limit, around)


def test_steps_per_epoch_go_on_where_the_last_epoch_stopped_and_begin_again():
    source = arrays(limit=2)
    assert [source.order(None, epoch).tolist() for epoch in range(3)] == [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [8, 9, 0, 1, 2, 3, 4, 5],
        [6, 7, 8, 9, 0, 1, 2, 3],
    ]
    assert arrays(limit=4).order(None, 1).tolist() == [6, 7, 8, 9, *range(10), 0, 1]
    assert arrays(limit=4, around=False).end == 10
    assert arrays(limit=2, around=False).order(None, 0).tolist() == list(range(8))
    key = np.array([1, 2], np.uint32)
    source = arrays(limit=5, shuffle=True)
    assert sorted(source.order(key, 0)) == sorted([*range(10)] * 2)
    assert source.order(key, 1)[:10].tolist() == shuffled(key, 2, 10).tolist()


def test_steps_of_arrays(plain):
    (one, two, _) = cut(A, Y)
    by_hand = [*one, *two]
    plain.set_weights(plain.start)
    for x, y in ((by_hand[0], by_hand[1]), (by_hand[2], by_hand[3])):
        plain.train_on_batch(x, y)
    expected = plain.get_weights()
    assert_same(trained(plain, A, Y, batch_size=SIZE, steps_per_epoch=2, shuffle=False)[1], expected)
    assert_same(trained(plain, A, Y, batch_size=SIZE, steps_per_epoch=1, epochs=2, shuffle=False)[1], expected)
    assert len(plain.predict(A, batch_size=SIZE, steps=2, verbose=0)) == 2 * SIZE
    assert len(plain.predict(A, batch_size=SIZE, steps=99, verbose=0)) == ROWS


def test_many_epochs_of_one_step(plain):
    assert len(trained(plain, A, Y, batch_size=ROWS, epochs=400)[0]) == 400


# -- streams ---------------------------------------------------------------------------------------------------------


class Squares(PyDataset):
    """Batches of the arrays, with a record of what is asked of it."""

    def __init__(self, x=A, y=Y, **options):
        super().__init__(**options)
        self.x, self.y, self.order, self.asked = x, y, np.arange(len(x)), []

    def __len__(self):
        return -(-len(self.x) // SIZE)

    def __getitem__(self, index):
        self.asked.append(index)
        rows = self.order[index * SIZE : (index + 1) * SIZE]
        return self.x[rows], self.y[rows]

    def on_epoch_begin(self):
        self.asked.append("begin")

    def on_epoch_end(self):
        self.asked.append("end")


class Shuffled(Squares):
    def on_epoch_end(self):
        super().on_epoch_end()
        self.order = self.order[::-1]


class Tensor:
    """As much of a PyTorch or TensorFlow tensor as is asked for."""

    def __init__(self, array, grad=False):
        self.array, self.grad, self.shape = array, grad, array.shape

    def detach(self):
        return Tensor(self.array)

    def cpu(self):
        return self

    def __array__(self, dtype=None, copy=None):
        if self.grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return np.asarray(self.array, dtype)

    def __iter__(self):
        return iter(self.array)

    def __len__(self):
        return len(self.array)


class DataLoader:
    """PyTorch's: lists of tensors, with a length."""

    def __iter__(self):
        return ([Tensor(x, grad=True), Tensor(y)] for x, y in cut(A, Y))

    def __len__(self):
        return 3


class Dataset:
    """TensorFlow's: tuples of tensors, whose number is asked for by `cardinality()`."""

    def __init__(self, count=3):
        self.count = count

    def __iter__(self):
        return ((Tensor(x), Tensor(y)) for x, y in cut(A, Y))

    def __len__(self):
        raise TypeError("The dataset length is unknown.")

    def cardinality(self):
        return np.int64(self.count)


class Grain:
    """Grain's: random access, without `__iter__`."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return list(cut(A, Y))[index]


class Iterable:
    """No more than `__iter__`."""

    def __iter__(self):
        return cut(A, Y)


STREAMS = [Squares, DataLoader, Dataset, lambda: Dataset(-2), Grain, Iterable]
NAMES = ["PyDataset", "DataLoader", "tf.data", "tf.data of unknown size", "Grain", "iterable"]


@pytest.mark.parametrize("source", STREAMS, ids=NAMES)
def test_streams(plain, source):
    expected = trained(plain, A, Y, batch_size=SIZE, epochs=2, shuffle=False, validation_data=(A, Y))
    assert_same(trained(plain, source(), epochs=2, shuffle=False, validation_data=source()), expected)
    assert plain.evaluate(source(), verbose=0) == pytest.approx(plain.evaluate(A, Y, verbose=0), rel=1e-5)
    assert_same(plain.predict(source(), verbose=0), plain.predict(A, verbose=0))


@pytest.mark.parametrize("source", STREAMS, ids=NAMES)
def test_steps_of_streams(plain, source):
    parts = list(cut(A, Y))

    def by_hand(numbers):
        plain.set_weights(plain.start)
        for number in numbers:
            plain.train_on_batch(*parts[number])
        return plain.get_weights()

    assert_same(trained(plain, source(), steps_per_epoch=2, shuffle=False)[1], by_hand([0, 1]))
    assert_same(trained(plain, source(), steps_per_epoch=2, epochs=2, shuffle=False)[1], by_hand([0, 1, 2, 0]))
    assert_same(trained(plain, source(), steps_per_epoch=4, shuffle=False)[1], by_hand([0, 1, 2, 0]))
    assert len(plain.predict(source(), steps=2, verbose=0)) == 2 * SIZE
    first_two = plain.evaluate(A[: 2 * SIZE], Y[: 2 * SIZE], verbose=0)
    assert plain.evaluate(source(), steps=2, verbose=0) == pytest.approx(first_two, rel=1e-5)
    plain.set_weights(plain.start)
    history = plain.fit(A, Y, epochs=2, validation_data=source(), validation_steps=2, verbose=0).history
    first_two = plain.evaluate(A[: 2 * SIZE], Y[: 2 * SIZE], verbose=0)
    assert history["val_loss"][-1] == pytest.approx(first_two, rel=1e-5)


def test_generators(plain):
    expected = trained(plain, A, Y, batch_size=SIZE, epochs=2, shuffle=False)
    twice = (part for _ in range(2) for part in cut(A, Y))
    assert_same(trained(plain, twice, steps_per_epoch=3, epochs=2), expected)
    assert plain.evaluate(cut(A, Y), verbose=0) == pytest.approx(plain.evaluate(A, Y, verbose=0), rel=1e-5)
    assert_same(plain.predict(cut(A), verbose=0), plain.predict(A, verbose=0))
    assert_same(plain.predict((x for (x,) in cut(A)), verbose=0), plain.predict(A, verbose=0))


def test_streams_of_dicts_and_of_weights(model):
    weight = np.linspace(0, 1, ROWS)
    expected = trained(model, [A, B], Y, sample_weight=weight, batch_size=SIZE, shuffle=False)
    dicts = (({"b": b, "a": a}, {"y": y}, w) for a, b, y, w in cut(A, B, Y, weight))
    assert_same(trained(model, dicts, steps_per_epoch=3), expected)
    lists = (([a, b], [y], [w]) for a, b, y, w in cut(A, B, Y, weight))
    assert_same(trained(model, lists, steps_per_epoch=3), expected)


def test_a_generator_that_fills_one_buffer_again_and_again():
    x = keryx.Input((256,))
    wide = keryx.Model(x, layers.Dense(256)(layers.Dense(256)(x)))
    wide.compile(keryx.optimizers.SGD(0.001), "mse")
    rows = random.normal(size=(40, 512, 256)).astype(np.float32)

    def fresh():
        return ((batch, batch) for batch in rows)

    def reused():
        buffer = np.empty((512, 256), np.float32)
        for batch in rows:
            buffer[...] = batch
            yield buffer, buffer
            buffer[...] = np.nan

    wide.start = wide.get_weights()
    expected = trained(wide, fresh(), steps_per_epoch=40)
    assert_same(trained(wide, reused(), steps_per_epoch=40), expected)


def test_a_py_dataset_is_told_of_its_epochs(plain):
    data = Squares()
    trained(plain, data, epochs=2, shuffle=False)
    assert data.asked == ["begin", 0, 1, 2, "end"] * 2
    data = Squares()
    trained(plain, data, steps_per_epoch=2, epochs=3, shuffle=False)
    assert data.asked == ["begin", 0, 1, "end", "begin", 2, 0, "end", "begin", 1, 2, "end"]


def test_a_py_dataset_that_shuffles_at_the_end_of_an_epoch(plain):
    one = trained(plain, A, Y, batch_size=SIZE, shuffle=False)
    plain.fit(A[::-1], Y[::-1], batch_size=SIZE, shuffle=False, verbose=0)
    expected = plain.get_weights()
    losses, weights = trained(plain, Shuffled(), epochs=2, shuffle=False)
    assert_same(weights, expected)
    assert losses[0] == pytest.approx(one[0][0], rel=1e-5)


def test_a_data_set_that_never_ends():
    class Endless(PyDataset):
        num_batches = None

        def __getitem__(self, index):
            return A, Y

    x = keryx.Input((3,))
    model = keryx.Model(x, layers.Dense(2)(x))
    model.compile("sgd", "mse")
    for endless in (Endless(), Dataset(-1)):
        with pytest.raises(DataError, match=r"fit\(\): the \w+ never ends: give steps_per_epoch"):
            model.fit(endless, verbose=0)
        with pytest.raises(DataError, match="never ends: give steps"):
            model.evaluate(endless, verbose=0)
    assert len(model.fit(Endless(), steps_per_epoch=2, epochs=2, verbose=0).epoch) == 2
    assert np.isfinite(model.evaluate(Endless(), steps=2, verbose=0))


def test_a_stream_brings_its_own_targets(plain):
    with pytest.raises(DataError, match=r"fit\(\): where x is a Squares, it yields the y itself: \(x, y\)"):
        plain.fit(Squares(), Y, verbose=0)
    with pytest.raises(DataError, match=r"A batch is \(x, y\) or \(x, y, sample_weight\); got 4 parts"):
        plain.fit(((A, Y, Y, Y) for _ in range(2)), steps_per_epoch=1, verbose=0)
    with pytest.raises(ArgumentError, match="validation_split takes the last rows of arrays"):
        plain.fit(Squares(), validation_split=0.5, verbose=0)


def test_batches_of_a_stream_may_differ_in_size(plain):
    parts = [(A[:3], Y[:3]), (A[3:4], Y[3:4]), (A[4:], Y[4:])]
    assert plain.evaluate(iter(parts), verbose=0) == pytest.approx(plain.evaluate(A, Y, verbose=0), rel=1e-5)


def test_a_subclass_without_a_graph_takes_the_first_batch_of_a_stream_once():
    class Own(keryx.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, inputs):
            return self.dense(inputs)

    seen = []

    def parts():
        for number, part in enumerate(cut(A, Y)):
            seen.append(number)
            yield part

    model = Own()
    model.compile("sgd", "mse")
    model.fit(parts(), steps_per_epoch=3, verbose=0)
    assert seen == [0, 1, 2]
    assert model.predict(A.tolist(), verbose=0).shape == (ROWS, 2)


# -- validation ------------------------------------------------------------------------------------------------------


def test_validation_data_of_each_kind(plain):
    weight = np.linspace(0, 1, ROWS)
    kinds = {
        "tuple": (A, Y),
        "list": [A, Y],
        "numbers": (A.tolist(), Y.tolist()),
        "stream": Squares(),
        "generator": (part for _ in range(2) for part in cut(A, Y)),
    }
    for kind, data in kinds.items():
        steps = {"validation_steps": 3} if kind == "generator" else {}
        plain.set_weights(plain.start)
        options = {"validation_data": data, "validation_batch_size": SIZE, "verbose": 0, "epochs": 2}
        history = plain.fit(A, Y, **options, **steps).history
        assert history["val_loss"][-1] == pytest.approx(plain.evaluate(A, Y, verbose=0), rel=1e-5), kind
    history = plain.fit(A, Y, validation_data=(A, Y, weight), verbose=0).history
    expected = plain.evaluate(A, Y, sample_weight=weight, verbose=0)
    assert history["val_loss"] == pytest.approx([expected], rel=1e-5)


def test_validation_split_takes_the_last_rows(plain):
    history = plain.fit(A, Y, validation_split=0.25, verbose=0).history
    assert history["val_loss"] == pytest.approx([plain.evaluate(A[15:], Y[15:], verbose=0)], rel=1e-5)
    for share, said in ((1.5, "between 0 and 1"), (0.99, "leaves no row for training")):
        with pytest.raises(ValueError if share < 1 else TypeError, match=said):
            plain.fit(A, Y, validation_split=share, verbose=0)


def test_a_validation_generator_that_has_ended_says_so(plain):
    with pytest.raises(DataError, match="No batch came to evaluate: the data is empty, or a generator that has ended"):
        plain.fit(A, Y, epochs=2, validation_data=cut(A, Y), validation_steps=3, verbose=0)


def test_a_stream_says_where_a_row_stands():
    stream = Stream(cut(A, Y), Checks(None, None).batch, None)
    assert stream.place(None, 0, 3, 5) == "row 5 of batch 3"
    assert arrays(limit=2).place(None, 1, 0, 2) == "row 0"
