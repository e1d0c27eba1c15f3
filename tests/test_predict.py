"""What predict and evaluate leave behind: updates, fresh random numbers, arrays of one's own."""

import jax
import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.errors import DataError
from keryx.training import prediction

ROWS = 40
A = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)


class Counting(keryx.Layer):
    """Counts its calls."""

    def build(self, input_shape):
        self.calls = self.add_weight((), "zeros", "int32", trainable=False, name="calls")

    def call(self, inputs):
        self.calls.assign(self.calls + 1)
        return inputs


class Noise(keryx.Layer):
    """Adds random numbers, outside of training as well."""

    def call(self, inputs):
        return inputs + keryx.random.normal(np.shape(inputs))


class Penalized(keryx.Layer):
    def call(self, inputs):
        self.add_loss(inputs.sum())
        return inputs


class Watching(keryx.Layer):
    """Counts the calls in which it sees the very numbers."""

    seen = 0

    def call(self, inputs):
        self.seen += isinstance(inputs, jax.Array | np.ndarray) and not isinstance(inputs, jax.core.Tracer)
        return inputs


def model_of(*stack):
    model = keryx.Sequential([keryx.Input((3,)), *stack])
    model.compile("sgd", "mse")
    return model


def many_calls(model, monkeypatch):
    """A list that grows with each call that takes many batches."""
    calls, batches = [], model.compiled_call.batches
    monkeypatch.setattr(model.compiled_call, "batches", lambda *args: calls.append(1) or batches(*args))
    return calls


def test_each_batch_of_predict_updates_the_state():
    layer = Counting()
    model = model_of(layer)
    model.predict(A, batch_size=2, verbose=0)
    assert int(layer.calls) == 20
    model.predict(A[:2], verbose=0)
    assert int(layer.calls) == 21


@pytest.mark.parametrize(("layer", "many"), [(Noise, True), (Counting, False), (Penalized, False)])
def test_many_batches_go_in_one_call_where_nothing_is_left_behind(layer, many, monkeypatch):
    model = model_of(layer())
    calls = many_calls(model, monkeypatch)
    assert model.predict(A, batch_size=2, verbose=0).shape == (ROWS, 3)
    assert bool(calls) == many


def test_a_long_batch_is_not_copied_into_a_chunk(monkeypatch):
    model = model_of(Noise())
    calls = many_calls(model, monkeypatch)
    monkeypatch.setattr(prediction, "LONG_BATCH", 2 * A[0].nbytes)  # the bytes of a batch of two rows
    model.predict(A, batch_size=2, verbose=0)
    assert not calls
    model.predict(A, batch_size=1, verbose=0)
    assert calls


def test_each_call_and_each_batch_of_predict_draws_anew(monkeypatch):
    model = model_of(Noise())
    zeros = np.zeros((ROWS, 3), np.float32)
    calls = many_calls(model, monkeypatch)
    drawn = [model.predict(zeros, batch_size=2, verbose=0) for _ in range(2)]
    assert calls
    drawn += [model.predict(zeros[:7], verbose=0), model.predict_on_batch(zeros[:7]), np.asarray(model(zeros[:7]))]
    numbers = np.concatenate(drawn).ravel()
    assert len(np.unique(numbers)) == len(numbers)


def test_predictions_follow_the_global_seed():
    model = model_of(Noise())
    for seed in (3, -3, 2**40):
        results = []
        for _ in range(2):
            keryx.random.set_seed(seed)
            results.append(model.predict(A[:4], verbose=0))
        np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("source", ["arrays", "batches"])
def test_each_run_and_each_batch_of_evaluate_draws_anew(source):
    model = model_of(Noise())
    zeros = np.zeros((8, 3), np.float32)

    def evaluate(rows):
        if source == "arrays":
            return model.evaluate(zeros[:rows], zeros[:rows], batch_size=4, verbose=0)
        return model.evaluate(((zeros[i : i + 4],) * 2 for i in range(0, rows, 4)), verbose=0)

    assert evaluate(4) != evaluate(4)
    keryx.random.set_seed(1)
    first = evaluate(4)
    keryx.random.set_seed(1)
    assert abs(evaluate(8) - first) > 1e-6  # the second batch is not the first again


def test_validation_leaves_training_as_it_was():
    weights = []
    for held_out in (None, (A, A)):
        keryx.utils.set_random_seed(5)
        model = model_of(layers.Dense(3), layers.Dropout(0.5))
        model.fit(A, A, epochs=2, validation_data=held_out, verbose=0)
        weights.append(model.get_weights())
    jax.tree.map(np.testing.assert_array_equal, *weights)


@pytest.mark.parametrize("rows", [3, ROWS])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("eagerly", [False, True])
def test_predictions_may_be_written_to(rows, dtype, eagerly):
    model = model_of(layers.Activation("linear", dtype=dtype))
    model.run_eagerly = eagerly
    given = A[:rows].copy()
    for predicted in (model.predict(given, verbose=0), model.predict_on_batch(given)):
        predicted[predicted < 0.5] = 0
        assert (predicted == 0).any()
    np.testing.assert_array_equal(given, A[:rows])


@pytest.mark.parametrize("other", [1, 3])
def test_inputs_of_a_few_rows_are_counted_too(other):
    a, b = keryx.Input((3,), name="a"), keryx.Input((3,), name="b")
    model = keryx.Model([a, b], layers.Add()([a, b]))
    said = rf"same number of rows; got the shapes input 'a' \(4, 3\), input 'b' \({other}, 3\)"
    with pytest.raises(DataError, match=said):
        model.predict([A[:4], A[:other]], verbose=0)


@pytest.mark.parametrize("rows", [3, ROWS])
def test_run_eagerly_holds_for_predict(rows):
    layer = Watching()
    model = model_of(layer)
    model.predict(A[:rows], verbose=0)
    assert layer.seen == 0
    model.run_eagerly = True
    model.predict(A[:rows], verbose=0)
    assert layer.seen == -(-rows // 32)
