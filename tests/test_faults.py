"""Bad input: each fault is named, and the weights are whole afterwards."""

import threading

import faulty
import numpy as np
import pytest
from faulty import IDS, LABELS, ROWS, X, Y, assert_whole, batches, compiled, survives, with_value

import keryx
from keryx import layers
from keryx.callbacks import LambdaCallback
from keryx.errors import DataError, NonFiniteLossError, ShapeError


@pytest.fixture(scope="module", name="classifier")
def _classifier():
    return faulty.classifier()


@pytest.fixture(scope="module", name="regressor")
def _regressor():
    return faulty.regressor()


@pytest.fixture(scope="module", name="embedder")
def _embedder():
    return faulty.embedder()


# -- values out of range ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [7, -1, 2**32, 2**40 + 1])
def test_label_out_of_range(classifier, value):
    y = with_value(LABELS, 5, value, np.int64)
    said = f"holds {value} at [5]", "takes 0 to 2", "probabilities"
    with survives(classifier, DataError, *said):
        classifier.fit(X, y, verbose=0)
    with survives(classifier, DataError, *said):
        classifier.evaluate(X, y, verbose=0)
    with survives(classifier, DataError, *said):
        classifier.train_on_batch(X, y)
    with survives(classifier, DataError, *said):
        classifier.fit(X, LABELS, validation_data=(X, y), verbose=0)


def test_label_out_of_range_in_a_generator(classifier):
    y = with_value(LABELS, 13, 7)
    with survives(classifier, DataError, "holds 7 at [5]", "In batch 1 that the generator gave", moved=True):
        classifier.fit(batches(X, y), steps_per_epoch=3, verbose=0)
    with survives(classifier, DataError, "holds 7 at [5]", "In batch 1"):
        classifier.evaluate(batches(X, y), verbose=0)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_float_labels_of_a_sparse_loss(classifier, dtype):
    assert classifier.evaluate(X, LABELS.astype(dtype), verbose=0) == classifier.evaluate(X, LABELS, verbose=0)
    losses = []
    for labels in (LABELS, LABELS.astype(dtype)):
        losses.append(classifier.train_on_batch(X, labels))
        classifier.fit(batches(X, labels), verbose=0)
    assert np.isfinite(losses).all()
    for value in (0.5, np.nan, np.inf):
        with survives(classifier, DataError, f"holds {value}", "the classes 0 to 2"):
            classifier.fit(X, with_value(LABELS, 3, value, dtype), verbose=0)
    with survives(classifier, DataError, "holds 3 at [3]", "takes 0 to 2"):
        classifier.evaluate(X, with_value(LABELS, 3, 3, dtype), verbose=0)


@pytest.mark.parametrize("value", [10, -1, 2**32, 2**63 - 1])
def test_id_out_of_range(embedder, value):
    ids = with_value(IDS, (6, 2), value, np.int64)
    said = "'ids'", f"holds {value} at [6, 2]", "Embedding 'words' takes 0 to 9"
    with survives(embedder, DataError, *said):
        embedder.fit(ids, Y, verbose=0)
    with survives(embedder, DataError, *said):
        embedder.predict(ids, verbose=0)
    with survives(embedder, DataError, *said):
        embedder.predict_on_batch(ids)
    with survives(embedder, DataError, *said, "In batch 0 that the generator gave"):
        embedder.evaluate(batches(ids, Y), verbose=0)


@pytest.mark.parametrize("value", [10.0, np.nan, -0.5])
def test_id_out_of_range_as_a_float(embedder, value):
    with survives(embedder, DataError, f"holds {value} at [0, 0]"):
        embedder.predict(with_value(IDS, (0, 0), value, np.float64), verbose=0)


def test_an_id_between_two_others(embedder):
    with survives(embedder, DataError, "holds 2.5 at [6, 2]; Embedding 'words' takes integers, 0 to 9"):
        embedder.predict(with_value(IDS, (6, 2), 2.5, np.float64), verbose=0)
    embedder.predict(IDS.astype("float32"), verbose=0)


def test_an_id_that_a_cast_would_turn_into_another(embedder):
    with pytest.raises(DataError, match="holds 4294967296, which int32 cannot hold"):
        embedder(with_value(IDS, (0, 0), 2**32, np.int64))
    with pytest.raises(DataError, match="holds 4294967297, which int32 cannot hold"):
        layers.Embedding(10, 2)(np.array([2**32 + 1]))
    assert np.isnan(embedder(with_value(IDS, (0, 0), -1))[0]).all()


def test_id_of_a_nested_model_and_of_a_wrapper():
    one, two = keryx.Input((4,), dtype="int32", name="b"), keryx.Input((4,), dtype="int32", name="a")
    inner = keryx.Model([one, two], [layers.Embedding(10, 2)(one), layers.Embedding(20, 2)(two)])
    a, b = keryx.Input((4,), dtype="int32", name="left"), keryx.Input((4,), dtype="int32", name="right")
    outer = keryx.Model([a, b], inner({"a": a, "b": b}))
    outer.predict([IDS + 10, IDS], verbose=0)
    with pytest.raises(DataError, match=r"'left' holds 20 at \[0, 0\]; .* takes 0 to 19"):
        outer.predict([with_value(IDS, (0, 0), 20), IDS], verbose=0)
    with pytest.raises(DataError, match=r"'right' holds 10 at \[0, 0\]; .* takes 0 to 9"):
        outer.predict([IDS, with_value(IDS, (0, 0), 10)], verbose=0)

    steps = keryx.Input((5, 4), dtype="int32", name="steps")
    wrapped = keryx.Model(steps, layers.TimeDistributed(layers.Embedding(10, 2, name="words"))(steps))
    with pytest.raises(DataError, match=r"holds -1 at \[0, 4, 3\]; Embedding 'words' takes 0 to 9"):
        wrapped.predict(with_value(np.zeros((2, 5, 4), int), (0, 4, 3), -1), verbose=0)


def test_an_id_that_the_model_computes_is_named_when_the_loss_turns_nan():
    ids = keryx.Input((4,), dtype="int32", name="ids")
    vectors = layers.Embedding(10, 2, name="words")(ids + 1)
    model = compiled(ids, layers.Dense(2)(layers.Flatten()(vectors)), "mse")
    before = model.get_weights()
    with pytest.raises(NonFiniteLossError, match=r"first layer .* is 'words'; an id outside of 0 to 9 gives NaN"):
        model.fit(with_value(IDS % 9, (3, 3), 9), Y, batch_size=ROWS, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


# -- data of the wrong kind ------------------------------------------------------------------------------------------


class Nothing(keryx.utils.PyDataset):
    def __len__(self):
        return 0


@pytest.mark.parametrize(
    ("x", "y", "steps"),
    [
        (np.zeros((0, 3)), np.zeros((0, 2)), None),
        ({"x": np.zeros((0, 3))}, np.zeros((0, 2)), None),
        ([], [], None),
        (Nothing(), None, None),
        (iter(()), None, 1),
    ],
    ids=["array", "dict", "list", "PyDataset", "iterator"],
)
def test_empty_data(regressor, x, y, steps):
    with survives(regressor, DataError, "empty"):
        regressor.fit(x, y, steps_per_epoch=steps, verbose=0)
    with survives(regressor, DataError, "empty"):
        regressor.evaluate(x, y, verbose=0)
    with survives(regressor, DataError, "empty"):
        regressor.predict(x, verbose=0)


def test_no_data(regressor):
    with survives(regressor, DataError, "x is None"):
        regressor.fit(verbose=0)
    with survives(regressor, DataError, "no target"):
        regressor.fit(X, verbose=0)


def test_targets_do_not_broadcast(regressor):
    with survives(regressor, ShapeError, f"({ROWS}, 1)", f"({ROWS}, 2)"):
        regressor.fit(X, Y[:, :1], batch_size=ROWS, verbose=0)
    with survives(regressor, ShapeError, f"({ROWS}, 1)", f"({ROWS}, 2)"):
        regressor.evaluate(X, Y[:, :1], batch_size=ROWS, verbose=0)
    with survives(regressor, DataError, f"input 'x' ({ROWS}, 3), target 'y' ({ROWS - 1}, 2)"):
        regressor.fit(X, Y[:-1], verbose=0)


@pytest.mark.parametrize("size", [5, 7, ROWS, 100])
def test_the_mean_with_a_smaller_last_batch_is_that_of_all_rows(regressor, size):
    expected = np.mean((regressor.predict(X, verbose=0) - Y) ** 2)
    assert regressor.evaluate(X, Y, batch_size=size, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert regressor.evaluate(batches(X, Y, size=size), verbose=0) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size", [0, -3, 2.0, "8", True])
def test_batch_size(regressor, size):
    for call in (regressor.fit, regressor.evaluate):
        with survives(regressor, TypeError, "whole batch_size above 0", repr(size)):
            call(X, Y, batch_size=size, verbose=0)
    with survives(regressor, TypeError, "whole batch_size above 0"):
        regressor.predict(X, batch_size=size, verbose=0)
    with survives(regressor, TypeError, "whole validation_batch_size above 0"):
        regressor.fit(X, Y, validation_data=(X, Y), validation_batch_size=size, verbose=0)


@pytest.mark.parametrize("word", ["epochs", "steps_per_epoch", "validation_steps", "validation_freq"])
@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_counts(regressor, word, value):
    with survives(regressor, TypeError, f"whole {word} above 0", str(value)):
        regressor.fit(X, Y, validation_data=(X, Y), verbose=0, **{word: value})


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (X + 1j, "complex"),
        (X.astype(object), "object, not numbers"),
        (X.astype(str), "not numbers"),
        (X.astype(bytes), "not numbers"),
        (np.zeros((ROWS, 3), "M8[s]"), "not numbers"),
        (np.zeros((ROWS, 3), "m8[s]"), "not numbers"),
        ([[1.0, 2.0, 3.0], [1.0, 2.0]], "ragged"),
        ([["a", "b", "c"]] * ROWS, "not numbers"),
        (np.array([[1.0], [1.0, 2.0]] * (ROWS // 2), object), "pad_sequences"),
    ],
)
def test_what_are_no_numbers(regressor, x, said):
    with survives(regressor, DataError, said, "'x'"):
        regressor.fit(x, Y, verbose=0)
    with survives(regressor, DataError, said, "'x'"):
        regressor.predict(x, verbose=0)


def test_targets_that_are_no_numbers(regressor):
    for y, said in ((Y.astype(str), "not numbers"), (Y + 1j, "complex"), ([[1.0, 2.0], [1.0]], "ragged")):
        with survives(regressor, DataError, said, "'y'"):
            regressor.fit(X, y, verbose=0)


# -- streams that break off ------------------------------------------------------------------------------------------


def test_a_generator_raises(regressor):
    def broken():
        yield X, Y
        raise OSError("the disk is gone")

    threads = threading.active_count()
    with survives(regressor, OSError, "the disk is gone", moved=True):
        regressor.fit(broken(), steps_per_epoch=5, verbose=0)
    with survives(regressor, OSError, "the disk is gone"):
        regressor.predict(((x,) for x, _ in broken()), verbose=0)
    assert threading.active_count() == threads


def test_a_generator_ends_early(regressor, capsys):
    with pytest.warns(UserWarning, match="ended after 1 of 2 steps of epoch 2 and cannot begin again"):
        history = regressor.fit(batches(X, Y), epochs=4, steps_per_epoch=2, verbose=2)
    assert history.epoch == [0, 1]
    assert "1 step " in capsys.readouterr().out
    with pytest.warns(UserWarning, match="ended after 0 of 3 steps of epoch 2"):
        history = regressor.fit(batches(X, Y), epochs=2, steps_per_epoch=3, verbose=0)
    assert history.epoch == [0]
    assert_whole(regressor)


def test_a_generator_without_steps(regressor):
    def endless():
        while True:
            yield X, Y

    history = regressor.fit(batches(X, Y), verbose=0)
    assert history.params["steps"] is None
    assert len(history.history["loss"]) == 1
    with pytest.warns(UserWarning, match=r"ended after 3 steps of epoch 1 and cannot begin again: training stops\."):
        assert regressor.fit(batches(X, Y), epochs=3, verbose=0).epoch == [0]
    with survives(regressor, DataError, "give validation_steps"):
        regressor.fit(X, Y, validation_data=endless(), verbose=0)
    regressor.fit(X, Y, validation_data=endless(), validation_steps=2, epochs=2, verbose=0)


def test_a_wrong_shape_in_the_midst_of_a_stream(regressor):
    def parts():
        yield X, Y
        yield X, Y
        yield X[:, :2], Y

    with survives(regressor, ShapeError, f"'x' wants (batch, 3); got ({ROWS}, 2)", "In batch 2", moved=True):
        regressor.fit(parts(), steps_per_epoch=3, verbose=0)
    with survives(regressor, ShapeError, f"got ({ROWS}, 2)", "In batch 2"):
        regressor.evaluate(parts(), verbose=0)


def test_a_callback_raises(regressor):
    def refuse(*_):
        raise LookupError("no room for the log")

    for hook in ("on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end", "on_epoch_end"):
        with survives(regressor, LookupError, "no room for the log", moved=True):
            regressor.fit(X, Y, batch_size=8, callbacks=[LambdaCallback(**{hook: refuse})], verbose=0)


def test_a_layer_raises_while_it_is_traced():
    class Moody(layers.Layer):
        good = True

        def call(self, inputs, training=False):
            if training and not self.good:
                raise FloatingPointError("not today")
            return inputs * 2

    moody = Moody(name="moody")
    x = keryx.Input((3,), name="x")
    model = compiled(x, layers.Dense(2, name="y")(moody(x)), "mse")
    moody.good = False
    before = model.get_weights()
    with pytest.raises(FloatingPointError, match="not today") as caught:
        model.fit(X, Y, verbose=0)
    assert any("moody" in note for note in caught.value.__notes__)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    moody.good = True
    assert_whole(model)
