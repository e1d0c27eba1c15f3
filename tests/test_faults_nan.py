"""Losses that turn NaN: training stops at the step, says why, and keeps the last good weights."""

import numpy as np
import pytest
from faulty import assert_finite, batches, compiled, with_value

import keryx
from keryx import layers, ops
from keryx.callbacks import LambdaCallback, TerminateOnNaN
from keryx.errors import NonFiniteLossError


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
    monkeypatch.setattr("keryx.training.data.source.RESIDENT_BYTES", 0)
    with pytest.raises(NonFiniteLossError, match="'x' holds nan in row 7"):
        line().fit(BAD, NUMBERS, batch_size=2, epochs=2, verbose=0)


def test_nan_and_inf_in_targets_and_weights_are_named():
    for value in (np.inf, -np.inf, np.nan):
        with pytest.raises(NonFiniteLossError, match=f"the target of 'y' holds {value} in row 4"):
            line().fit(NUMBERS, with_value(NUMBERS, 4, value), batch_size=3, verbose=0)
    with pytest.raises(NonFiniteLossError, match="the sample weight of 'y' holds inf in row 4"):
        line().fit(NUMBERS, NUMBERS, sample_weight=with_value(NUMBERS, 4, np.inf), batch_size=3, verbose=0)


def test_a_loss_that_explodes():
    model = line(rate=1e25, weight=2.0)
    with pytest.raises(NonFiniteLossError, match=r"at step 1 .*smaller learning rate"):
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
    history = model.fit(BAD, NUMBERS, batch_size=2, shuffle=False, epochs=5, callbacks=callbacks, verbose=0)
    assert history.epoch == [0]
    assert np.isnan(history.history["loss"]).all()
    assert len(ended) == 1
    assert model.get_weights()[0] == by_hand.get_weights()[0]


def root():
    """|w x| of one number, as a root whose gradient is NaN where x is 0, though the loss is finite."""
    x = keryx.Input((1,), name="x")
    model = compiled(x, ops.sqrt(layers.Dense(1, use_bias=False, name="y")(x) ** 2), "mse")
    model.set_weights([np.array([[0.5]])])
    return model


def nan_gradient(epochs, **options):
    """What is said when the third row has a gradient that is not finite."""
    model = root()
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


def test_a_later_epoch_falls_back_to_its_own_beginning():
    model, begun = root(), []
    keep = LambdaCallback(on_epoch_begin=lambda *_: begun.append(model.get_weights()[0]))
    rows = (np.full((1, 1), value, np.float32) for value in (0.3, 0.5, 0.0, 0.7))
    with pytest.raises(NonFiniteLossError, match="in epoch 2"):
        model.fit(((row, row) for row in rows), steps_per_epoch=2, epochs=2, callbacks=[keep], verbose=0)
    assert begun[0] != begun[1] == model.get_weights()[0]
