"""Where batches come from: positions in an epoch, rows that no program depends on, and what a door lets in."""

import gc

import jax
import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.callbacks import LambdaCallback
from keryx.errors import DataError, ShapeError
from keryx.training import loop
from keryx.training.data import source
from keryx.training.data.checks import Checks
from keryx.training.data.door import source_of
from keryx.training.data.source import Arrays, capacity
from keryx.training.options import FitOptions
from keryx.training.state import CLOCK
from keryx.training.step import Batch
from keryx.utils import PyDataset

ROWS, SIZE = 20, 8  # the last batch has 4 rows
random = np.random.default_rng(0)
X = random.normal(size=(ROWS, 3)).astype(np.float32)
Y = random.normal(size=(ROWS, 2)).astype(np.float32)


class Batches(PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        rows = slice(index * SIZE, (index + 1) * SIZE)
        return X[rows], Y[rows]


class Noted(Batches):
    """Eight batches of one row; notes which are asked for."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def __len__(self):
        return 8

    def __getitem__(self, index):
        self.asked.append(index)
        return X[index : index + 1], Y[index : index + 1]


class Loader:
    """No more than `__iter__`."""

    def __iter__(self):
        return (Batches()[i] for i in range(3))


def model_of(optimizer="adam"):
    """x (3) to y (2), with dropout and moving means."""
    keryx.utils.set_random_seed(1)
    x = keryx.Input((3,), name="x")
    h = layers.BatchNormalization()(layers.Dropout(0.5)(layers.Dense(8, activation="tanh")(x)))
    made = keryx.Model(x, layers.Dense(2, name="y")(h))
    made.compile(optimizer, "mse", metrics=["mae"])
    return made


def clock(model):
    return {name: np.asarray(model.session.clock[name]).tolist() for name in CLOCK}


# -- positions -------------------------------------------------------------------------------------------------------

SOURCES = {
    "arrays": (lambda: (X, Y), {"batch_size": SIZE}),
    "arrays on the host": (lambda: (X, Y), {"batch_size": SIZE}),
    "parts of arrays": (lambda: (X, Y), {"batch_size": SIZE, "steps_per_epoch": 4}),
    "data set": (lambda: (Batches(), None), {}),
    "parts of a data set": (lambda: (Batches(), None), {"steps_per_epoch": 4}),
    "loader": (lambda: (Loader(), None), {}),
}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("stop", [(0, 0), (1, 1), (1, 2)])
def test_an_epoch_can_begin_at_any_batch(kind, stop, monkeypatch):
    if kind == "arrays on the host":
        monkeypatch.setattr("keryx.training.data.source.RESIDENT_BYTES", 0)
    data, given = SOURCES[kind]
    options = FitOptions(epochs=3, verbose=0, **given)
    whole, part = model_of(), model_of()
    expected = loop.fit(whole, *data(), None, options)

    def halt(batch, logs):
        part.stop_training = (halt.epoch, batch) == stop

    def note(epoch, logs):
        halt.epoch = epoch

    hooks = [LambdaCallback(on_epoch_begin=note, on_train_batch_end=halt)]
    loop.fit(part, *data(), None, FitOptions(epochs=3, verbose=0, callbacks=hooks, **given))
    steps = given.get("steps_per_epoch", 3)
    epoch, position = stop[0] + (stop[1] + 1) // steps, (stop[1] + 1) % steps
    if kind != "loader":  # only its end tells that an epoch is over
        assert (clock(part)["epoch"], clock(part)["position"]) == (epoch, position)
    assert clock(part)["step"] == stop[0] * steps + stop[1] + 1
    assert any((a != b).any() for a, b in zip(part.get_weights(), whole.get_weights(), strict=True))

    resumed = loop.fit(part, *data(), None, options, resume=True)
    jax.tree.map(np.testing.assert_array_equal, part.get_weights(), whole.get_weights())
    assert clock(part) == clock(whole)
    assert resumed.history["loss"][-1] == expected.history["loss"][-1]
    assert resumed.history["mae"][-1] == expected.history["mae"][-1]


@pytest.mark.parametrize("kind", SOURCES)
def test_batches_from_any_position_on(kind):
    (x, y), given = SOURCES[kind][0](), SOURCES[kind][1]
    key = (1, 2, 3)

    def batches(epoch, start):
        admit = Checks(None, None, objective=model_of().objective).batch
        steps = given.get("steps_per_epoch")
        made = source_of(x, y, None, admit, who="fit()", batch_size=SIZE, steps=steps, shuffle=True, around=True)
        made.first()
        if kind == "loader":
            epoch = 0
        return [batch.x for batch in made.batches(key, epoch, start)]

    for epoch in (0, 2):
        whole = batches(epoch, 0)
        assert len(whole) == given.get("steps_per_epoch", 3)
        for start in range(1, len(whole) + 1):
            jax.tree.map(np.testing.assert_array_equal, batches(epoch, start), whole[start:])


@pytest.mark.parametrize(("limit", "shared"), [(None, [True] * 3), (5, [True, True, False, True, True])])
def test_batches_in_the_order_of_the_rows_are_not_copied(limit, shared):
    made = Arrays(Batch(X, [], []), SIZE, limit=limit, around=limit is not None)
    batches = [batch.x for batch in made.batches((1, 2, 3), 0)]
    assert [np.shares_memory(batch, X) for batch in batches] == shared  # one goes over the end
    np.testing.assert_array_equal(np.concatenate(batches), np.tile(X, (2, 1))[: made.end])


def test_two_fits_shuffle_differently():
    seen = []

    class Watching(keryx.Model):
        def train_step(self, state, batch):
            jax.debug.callback(lambda rows: seen.append(rows[:, 0].tolist()), batch.x, ordered=True)
            return super().train_step(state, batch)

    x = keryx.Input((1,), name="x")
    model = Watching(x, layers.Dense(1)(x))
    model.compile("sgd", "mse")
    numbers = np.arange(64.0)[:, None]
    for _ in range(2):
        model.fit(numbers, numbers * 0, batch_size=64, epochs=2, verbose=0)
    jax.effects_barrier()
    orders = {tuple(rows) for rows in seen if sorted(rows) == numbers[:, 0].tolist()}
    assert len(seen) == len(orders) == 4


def test_dropout_draws_anew_at_each_step():
    x = keryx.Input((64,), name="x")
    model = keryx.Model(x, layers.Dense(1, kernel_initializer="zeros", use_bias=False)(layers.Dropout(0.5)(x)))
    model.compile(keryx.optimizers.SGD(0.01), "mse")
    model.fit(np.ones((12, 64)), np.ones((12, 1)), batch_size=1, epochs=1, verbose=0)
    trained = np.count_nonzero(model.get_weights()[0])
    assert trained == 64  # of one mask for all steps, about 32


# -- rows that no program depends on ---------------------------------------------------------------------------------


def test_each_epoch_shuffles_the_batches_of_a_data_set():
    model, data = model_of(), Noted()
    model.fit(data, epochs=4, verbose=0)
    # The first batch is looked at before there is an order, and is not made twice.
    assert len(data.asked) == 4 * 8
    later = [data.asked[start : start + 8] for start in (8, 16, 24)]
    assert all(sorted(order) == list(range(8)) for order in later)
    assert len({tuple(order) for order in [*later, tuple(range(8))]}) == 4
    assert sorted(data.asked[:8]) == list(range(8))


def test_a_data_set_is_not_shuffled_where_that_is_asked_for():
    model, data = model_of(), Noted()
    model.fit(data, epochs=2, shuffle=False, verbose=0)
    assert data.asked == [*range(8)] * 2
    data.asked.clear()
    model.evaluate(data, verbose=0)
    model.predict(data, verbose=0)
    assert data.asked == [*range(8)] * 2


def test_parts_of_a_shuffled_data_set_are_a_whole_pass():
    model, data = model_of(), Noted()
    model.fit(data, epochs=4, steps_per_epoch=4, verbose=0)
    assert sorted(data.asked[:8]) == sorted(data.asked[8:]) == list(range(8))


@pytest.fixture
def compilations():
    """The number of programs that were compiled since, called as a function."""
    seen = []

    def listen(name, *_, **__):
        if name == "/jax/core/compile/backend_compile_duration":
            seen.append(name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield lambda: len(seen)
    jax.monitoring.unregister_event_duration_listener(listen)


def test_other_numbers_of_rows_compile_nothing(compilations):
    model = model_of()

    def use(rows):
        x, y = np.resize(X, (rows, 3)), np.resize(Y, (rows, 2))
        model.fit(x, y, batch_size=SIZE, epochs=2, validation_data=(x, y), verbose=0)
        model.fit(x, y, batch_size=SIZE, validation_split=0.5, verbose=0)
        model.fit(x, y, batch_size=SIZE, steps_per_epoch=3, verbose=0)
        model.evaluate(x, y, batch_size=SIZE, verbose=0)
        model.predict(x, batch_size=SIZE, verbose=0)

    use(132)
    once = compilations()
    for rows in (148, 180, 196, 228, 244):  # as 132, and their halves: a last batch of 4, 2 and 6 rows
        use(rows)
    assert compilations() - once <= 8  # the remainders of the halves


def test_the_last_smaller_batch_counts_as_numpy_counts():
    x = keryx.Input((3,), name="x")
    model = keryx.Model(x, layers.Dense(2, name="y")(x))
    model.compile(keryx.optimizers.SGD(0.0), "mse", metrics=["mae"])
    for rows in (1, 7, 8, 9, 20, 129):
        a, b = np.resize(X, (rows, 3)), np.resize(Y, (rows, 2))
        error = model.predict(a, verbose=0) - b
        expected = [np.mean(error**2), np.mean(np.abs(error))]
        assert model.evaluate(a, b, batch_size=SIZE, verbose=0) == pytest.approx(expected, rel=1e-5)
        history = model.fit(a, b, batch_size=SIZE, verbose=0).history
        assert [history["loss"][0], history["mae"][0]] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("row_bytes", [0, 4, 4096, 10**6])
def test_capacity(row_bytes):
    sizes = set()
    for rows in [*range(1, 300), 1000, 12345, 10**6]:
        room = capacity(rows, row_bytes)
        assert room >= rows
        assert (room - rows) * row_bytes <= max(source.SPARE_BYTES, rows * row_bytes // 8)
        sizes.add(room)
    assert len(sizes) <= (60 if row_bytes >= 10**6 else 20)
    assert {capacity(rows, 4) for rows in range(132, 164)} == {256}


def test_large_arrays_are_copied_once_and_read_in_place():
    x = np.ones((300_000, 8), np.float32)
    made = Arrays(Batch(x, [], []), 32)
    (leaf,) = jax.tree.leaves(made.data())
    assert leaf.shape[0] <= 300_000 + source.SPARE_BYTES // 32
    assert not np.shares_memory(made.arrays.x, x)
    assert np.asarray(leaf).ctypes.data == made.arrays.x.ctypes.data


def test_arrays_of_the_user_are_let_go():
    x = np.ones((1000, 8))
    made = Arrays(Checks(None, None).batch(x), 32)
    cast = made.arrays.x
    made.data()
    assert cast.dtype == np.float32
    assert cast is not made.arrays.x
    assert sum(referrer is made.arrays for referrer in gc.get_referrers(cast)) == 0


def test_what_was_taken_as_it_came_is_not_looked_at_again_but_for_its_form(monkeypatch):
    looked = []
    checked = Checks._checked
    monkeypatch.setattr(Checks, "_checked", lambda self, *parts: looked.append(1) or checked(self, *parts))
    model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(1)])
    x = np.ones((4, 3), np.float32)
    for rows in (4, 2, 3):
        model.predict(x[:rows], verbose=0)
    assert len(looked) == 1
    assert model.predict(x.astype(np.float64), verbose=0).shape == (4, 1)
    assert model.predict({model.input_names[0]: x}, verbose=0).shape == (4, 1)
    for wrong, message in ((x[:, :2], "wants"), (x[:0], "0 rows"), (x.astype(str), "holds")):
        with pytest.raises((DataError, ShapeError), match=message):
            model.predict(wrong, verbose=0)


def test_values_are_looked_at_each_time():
    model = keryx.Sequential([keryx.Input((3,), dtype="int32"), keryx.layers.Embedding(5, 2)])
    ids = np.zeros((4, 3), np.int32)
    model.predict(ids, verbose=0)
    with pytest.raises(DataError, match="takes 0 to 4"):
        model.predict(ids + 5, verbose=0)


# -- the part of a model that runs on the host -----------------------------------------------------------------------


def text_input():
    symbol = keryx.Input((), name="words", dtype="int32").like()
    symbol.name, symbol.dtype = "words", "string"
    return symbol


WORDS = np.array([f"w{i}" for i in range(ROWS)])


@pytest.mark.parametrize("words", [WORDS, WORDS.astype(object), WORDS.tolist()], ids=["text", "objects", "list"])
@pytest.mark.parametrize("kind", ["arrays", "stream"])
def test_text_goes_through_the_host_part(words, kind):
    seen = []

    def host(inputs):
        seen.append(len(inputs["words"]))
        lengths = [int(word[1:]) for word in inputs["words"]]
        return {"ids": np.array(lengths, np.int64), "x": inputs["x"]}

    symbols = [text_input(), keryx.Input((3,), name="x")]
    admit = Checks(symbols, {"words": symbols[0], "x": symbols[1]}, host=host).batch
    data = {"words": words, "x": X.astype(np.float64)}
    if kind == "stream":
        rows = (slice(first, first + SIZE) for first in range(0, ROWS, SIZE))
        data = ({"words": words[part], "x": X[part].astype(np.float64)} for part in rows)
    made = source_of(data, None, None, admit, who="predict()", batch_size=SIZE)
    batches = [batch.x for batch in made.batches(None, 0)]
    assert [len(batch["ids"]) for batch in batches] == [8, 8, 4]
    assert seen == ([ROWS] if kind == "arrays" else [8, 8, 4])
    assert {(batch["ids"].dtype.name, batch["x"].dtype.name) for batch in batches} == {("int32", "float32")}
    assert np.concatenate([batch["ids"] for batch in batches]).tolist() == list(range(ROWS))
    if kind == "arrays":
        assert np.asarray(made.data().x["ids"])[:ROWS].tolist() == list(range(ROWS))  # as blocks pick them


def test_numbers_in_the_place_of_text_are_the_host_parts_to_judge():
    symbol = text_input()
    checks = Checks([symbol], symbol, host=lambda words: np.char.str_len(words))
    assert checks.inputs(["a", "bcd"]).tolist() == [1, 3]
    with pytest.raises(keryx.errors.ShapeError, match=r"'words' wants \(batch,\)"):
        checks.inputs(np.array([["a", "b"]]))
    with pytest.raises(keryx.errors.DataError, match="not numbers"):
        Checks([symbol], symbol, host=lambda words: words).inputs(["a"])
