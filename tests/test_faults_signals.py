"""Interruption: the step is finished, the weights are whole, and the signal is raised."""

import os
import signal
import threading
import time

import faulty
import numpy as np
import pytest
from faulty import X, Y, assert_whole, survives

from keryx.callbacks import Callback, LambdaCallback


@pytest.fixture(scope="module", name="regressor")
def _regressor():
    return faulty.regressor()


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


def test_a_signal_in_train_on_batch(regressor, monkeypatch):
    """It comes while the weights are lent to the step."""
    session = regressor.session
    take = session.take

    def interrupted(*lent):
        send(signal.SIGINT)
        take(*lent)

    monkeypatch.setattr(session, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        regressor.train_on_batch(X, Y)
    monkeypatch.undo()
    assert_whole(regressor)


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
