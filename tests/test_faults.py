"""Bad input and interruption: each is named, and the weights are whole afterwards."""

import os
import signal
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

import keryx
from keryx import layers, ops
from keryx.callbacks import Callback, LambdaCallback, TerminateOnNaN
from keryx.errors import DataError, NonFiniteLossError, ShapeError

ROWS = 24
random = np.random.default_rng(0)
X = random.normal(size=(ROWS, 3)).astype(np.float32)
LABELS = random.integers(0, 3, ROWS)
Y = random.normal(size=(ROWS, 2)).astype(np.float32)
IDS = random.integers(0, 10, (ROWS, 4))


def compiled(inputs, outputs, loss, optimizer=None):
    model = keryx.Model(inputs, outputs)
    model.compile(optimizer or keryx.optimizers.SGD(0.1), loss)
    return model


@pytest.fixture(scope="module")
def classifier():
    x = keryx.Input((3,), name="x")
    return compiled(x, layers.Dense(3, activation="softmax", name="probabilities")(x), "sparse_categorical_crossentropy")


@pytest.fixture(scope="module")
def regressor():
    x = keryx.Input((3,), name="x")
    return compiled(x, layers.Dense(2, name="y")(layers.Dense(4, activation="tanh")(x)), "mse")


@pytest.fixture(scope="module")
def embedder():
    ids = keryx.Input((4,), dtype="int32", name="ids")
    vectors = layers.Embedding(10, 2, name="words")(ids)
    return compiled(ids, layers.Dense(2, name="y")(layers.Flatten()(vectors)), "mse")


def good_data(model):
    """Data that the model of a fixture can be trained on."""
    x = IDS if model.input_names == ["ids"] else X
    return x, LABELS if model.output_names == ["probabilities"] else Y


def assert_finite(model):
    assert all(np.isfinite(w).all() for w in model.get_weights())


def assert_whole(model):
    """Weights can be read and are finite; the model predicts, measures and trains."""
    x, y = good_data(model)
    assert_finite(model)
    assert np.isfinite(model.predict(x, batch_size=8, verbose=0)).all()
    assert np.isfinite(model.evaluate(x, y, verbose=0))
    before = model.get_weights()
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"]).all()
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


@contextmanager
def survives(model, error, *said, moved=False):
    """A block that raises `error`, saying these words, and after which the model is whole.

    Args:
        moved: Whether steps may have been taken before the error; else the weights are as before.
    """
    before = model.get_weights()
    with pytest.raises(error) as caught:
        yield caught
    text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    for words in said:
        assert words in text, text
    same = [np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert moved or all(same)
    assert_whole(model)


def batches(*parts, size=8):
    """A generator of batches of these arrays."""
    for first in range(0, len(parts[0]), size):
        yield tuple(part[first : first + size] for part in parts)


def with_value(array, place, value, dtype=None):
    """A copy of an array with another value at one place."""
    changed = np.array(array, dtype)
    changed[place] = value
    return changed


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


def test_float_labels_of_a_sparse_loss(classifier):
    with survives(classifier, DataError, "float32", "the classes 0 to 2", "astype('int32')"):
        classifier.fit(X, LABELS.astype(np.float32), verbose=0)


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
    with survives(regressor, DataError, f"({ROWS}, 3), ({ROWS - 1}, 2)"):
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
    with survives(regressor, TypeError, "whole batch_size above 0"):
        regressor.fit(X, Y, validation_data=(X, Y), validation_batch_size=size, verbose=0)


@pytest.mark.parametrize(
    "word", ["epochs", "steps_per_epoch", "validation_steps", "validation_freq"]
)
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
    with pytest.warns(UserWarning, match="ended after 1 of 2 steps of epoch 2, and cannot begin again"):
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

    with survives(regressor, DataError, "give steps_per_epoch"):
        regressor.fit(endless(), verbose=0)
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


# -- losses that turn NaN --------------------------------------------------------------------------------------------


def line(rate=0.1, weight=1.0):
    """y = w x of one number, trained by SGD."""
    x = keryx.Input((1,), name="x")
    model = compiled(x, layers.Dense(1, use_bias=False, name="y")(x), "mse", keryx.optimizers.SGD(rate))
    model.set_weights([np.array([[weight]])])
    return model


NUMBERS = np.linspace(-1, 1, 10, dtype=np.float32)
BAD = with_value(NUMBERS, 7, np.nan)


@pytest.mark.parametrize("stream", [False, True])
def test_nan_stops_at_the_step_and_keeps_the_last_good_weights(stream):
    by_hand, model = line(), line()
    for i in range(0, 6, 2):
        by_hand.train_on_batch(NUMBERS[i : i + 2], NUMBERS[i : i + 2])
    data = (batches(BAD, NUMBERS, size=2),) if stream else (BAD, NUMBERS)
    options = {"steps_per_epoch": 5} if stream else {"batch_size": 2, "shuffle": False}
    place = "row 1 of batch 3" if stream else "row 7"
    said = f"at step 3 .in epoch 1.*'x' holds nan in {place}.*from before that step.*on_nan='continue'"
    with pytest.raises(NonFiniteLossError, match=said):
        model.fit(*data, verbose=0, **options)
    assert model.get_weights()[0] == by_hand.get_weights()[0]
    assert model.optimizer.iterations == 3
    assert np.isfinite(model.fit(NUMBERS, NUMBERS, verbose=0).history["loss"]).all()


def test_a_nan_among_the_shuffled_rows_of_arrays_that_stay_on_the_host(monkeypatch):
    monkeypatch.setattr("keryx.training.feed.RESIDENT_BYTES", 0)
    with pytest.raises(NonFiniteLossError, match="'x' holds nan in row 7"):
        line().fit(BAD, NUMBERS, batch_size=2, epochs=2, verbose=0)


def test_nan_and_inf_in_targets_and_weights_are_named():
    for value in (np.inf, -np.inf, np.nan):
        with pytest.raises(NonFiniteLossError, match=f"the target of 'y' holds {value} in row 4"):
            line().fit(NUMBERS, with_value(NUMBERS, 4, value), batch_size=3, verbose=0)
    with pytest.raises(NonFiniteLossError, match="the sample weights of 'y' holds? inf in row 4"):
        line().fit(NUMBERS, NUMBERS, sample_weight=with_value(NUMBERS, 4, np.inf), batch_size=3, verbose=0)


def test_a_loss_that_explodes():
    model = line(rate=1e25, weight=2.0)
    with pytest.raises(NonFiniteLossError, match="at step 1 .*smaller learning rate"):
        model.fit(NUMBERS, NUMBERS, batch_size=10, epochs=9, verbose=0)
    assert np.isfinite(model.get_weights()[0]).all()


def test_on_nan_continue():
    model = line()
    history = model.fit(BAD, NUMBERS, batch_size=2, epochs=2, on_nan="continue", verbose=0)
    assert np.isnan(history.history["loss"]).all()
    assert model.optimizer.iterations == 8  # of ten steps two were left out
    assert_finite(model)
    assert np.isnan(model.train_on_batch(BAD[6:8], NUMBERS[6:8]))
    assert_finite(model)
    with pytest.raises(TypeError, match="on_nan is 'raise' or 'continue'; got 'ignore'"):
        model.fit(NUMBERS, NUMBERS, on_nan="ignore")


def test_terminate_on_nan_ends_quietly():
    by_hand, model = line(), line()
    for i in range(0, 6, 2):
        by_hand.train_on_batch(NUMBERS[i : i + 2], NUMBERS[i : i + 2])
    ended = []
    callbacks = [TerminateOnNaN(), LambdaCallback(on_train_end=ended.append)]
    history = model.fit(
        BAD, NUMBERS, batch_size=2, shuffle=False, epochs=5, callbacks=callbacks, verbose=0
    )
    assert history.epoch == [0]
    assert np.isnan(history.history["loss"]).all()
    assert len(ended) == 1
    assert model.get_weights()[0] == by_hand.get_weights()[0]


def nan_gradient(epochs, **options):
    """Train a model whose loss is finite while its gradient is not, from the first row that is 0; it is returned."""
    x = keryx.Input((1,), name="x")
    dense = layers.Dense(1, use_bias=False, name="y")
    model = compiled(x, ops.sqrt(dense(x) ** 2), "mse")
    model.set_weights([np.array([[0.5]])])
    before = model.get_weights()[0]
    rows = np.array([0.3, 0.5, 0.0, 0.7], np.float32)
    with pytest.raises(NonFiniteLossError) as caught:
        model.fit(rows, rows, batch_size=1, shuffle=False, epochs=epochs, verbose=0, **options)
    assert model.get_weights()[0] == before
    assert np.isfinite(model.fit(rows[:2], rows[:2], verbose=0).history["loss"]).all()
    return str(caught.value)


def test_nan_weights_behind_a_finite_loss_fall_back_to_the_beginning_of_the_epoch():
    text = nan_gradient(epochs=2)
    assert "'y/kernel' was NaN or infinite already, from a gradient of a step before" in text
    assert "those from the beginning of the epoch" in text


def test_nan_weights_after_the_last_step_of_an_epoch():
    text = nan_gradient(epochs=1, steps_per_epoch=3)
    assert "'y/kernel' turned NaN or infinite in epoch 1" in text
    text = nan_gradient(epochs=3, steps_per_epoch=3)
    assert "in epoch 1" in text


# -- interruption ----------------------------------------------------------------------------------------------------


class Ended(BaseException):
    """What SIGTERM is made to raise."""


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def interrupt(request):
    """A signal, and the error that it raises."""

    def end(*_):
        raise Ended("terminated")

    before = signal.signal(signal.SIGTERM, end)
    yield request.param, KeyboardInterrupt if request.param == signal.SIGINT else Ended
    signal.signal(signal.SIGTERM, before)


def send(signum):
    os.kill(os.getpid(), signum)
    time.sleep(0.01)


class Interrupter(Callback):
    """Sends a signal at one moment."""

    def __init__(self, moment, signum):
        setattr(self, moment, lambda *_: send(signum))


@pytest.mark.parametrize("moment", ["on_epoch_begin", "on_train_batch_begin", "on_train_batch_end", "on_epoch_end"])
def test_a_signal_in_fit(regressor, interrupt, moment):
    signum, error = interrupt
    with survives(regressor, error, moved=True):
        regressor.fit(X, Y, batch_size=8, epochs=3, callbacks=[Interrupter(moment, signum)], verbose=0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_step_is_finished_before_a_signal_is_raised(regressor, interrupt):
    signum, error = interrupt
    assert_whole(regressor)
    steps = int(regressor.optimizer.iterations)
    with pytest.raises(error):
        regressor.fit(X, Y, batch_size=8, callbacks=[Interrupter("on_train_batch_begin", signum)], verbose=0)
    assert int(regressor.optimizer.iterations) == steps + 1


@pytest.mark.parametrize("kind", ["test", "predict"])
def test_a_signal_in_evaluate_and_predict(regressor, interrupt, kind):
    signum, error = interrupt
    for moment in (f"on_{kind}_begin", f"on_{kind}_batch_begin", f"on_{kind}_batch_end", f"on_{kind}_end"):
        hook = Interrupter(moment, signum)
        with survives(regressor, error):
            if kind == "test":
                regressor.evaluate(X, Y, batch_size=8, callbacks=[hook], verbose=0)
            else:
                regressor.predict(X, batch_size=8, callbacks=[hook], verbose=0)


def test_a_signal_while_a_generator_works(regressor, interrupt):
    signum, error = interrupt

    def interrupted():
        yield X, Y
        send(signum)
        yield X, Y

    with survives(regressor, error, moved=True):
        regressor.fit(interrupted(), steps_per_epoch=5, verbose=0)
    with survives(regressor, error):
        regressor.evaluate(interrupted(), verbose=0)
    with survives(regressor, error):
        regressor.predict(((x,) for x, _ in interrupted()), verbose=0)


def test_a_generator_that_hangs_can_be_interrupted(regressor):
    def hangs():
        yield X, Y
        yield X, Y
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(20)

    begin = time.perf_counter()
    with survives(regressor, KeyboardInterrupt, moved=True):
        regressor.fit(hangs(), steps_per_epoch=5, verbose=0)
    assert time.perf_counter() - begin < 10


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_a_signal_out_of_the_blue(regressor, interrupt, method):
    signum, error = interrupt
    x, y = np.tile(X, (20000, 1)), np.tile(Y, (20000, 1))
    regressor.fit(X, Y, batch_size=8, verbose=0)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signum))
    with survives(regressor, error, moved=method == "fit"):
        timer.start()
        if method == "fit":
            regressor.fit(x, y, batch_size=8, epochs=10**6, verbose=0)
        else:
            while True:
                getattr(regressor, method)(*((x, y) if method == "evaluate" else (x,)), batch_size=8, verbose=0)


def test_the_second_signal_does_not_wait_and_loses_nothing(regressor):
    def twice(*_):
        send(signal.SIGINT)
        send(signal.SIGINT)

    with survives(regressor, KeyboardInterrupt, moved=True):
        regressor.fit(X, Y, callbacks=[LambdaCallback(on_train_batch_begin=twice)], verbose=0)


def test_a_call_that_loses_its_buffers_leaves_the_weights_of_the_epochs_beginning(regressor):
    before = regressor.get_weights()

    def lose(*_):
        for variable in regressor.weights:
            variable._value.delete()
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory") as caught:
        regressor.fit(X, Y, callbacks=[LambdaCallback(on_train_batch_end=lose)], verbose=0)
    assert any("beginning of the epoch" in note for note in caught.value.__notes__)
    assert all(np.array_equal(a, b) for a, b in zip(before, regressor.get_weights(), strict=True))
    assert_whole(regressor)
