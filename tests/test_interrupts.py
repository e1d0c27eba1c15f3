"""Signals wait until the weights are whole, and then do what they always did."""

import os
import signal
import subprocess
import sys
import threading
import timeit

import pytest

from keryx.training.interrupts import deferred


def send(signum=signal.SIGINT):
    os.kill(os.getpid(), signum)


@pytest.fixture(autouse=True)
def _handlers_stay():
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    yield
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before


def interrupted_at(body):
    """The steps that a body made before KeyboardInterrupt."""
    steps = []
    with pytest.raises(KeyboardInterrupt):
        body(steps)
    return steps


def test_ctrl_c_waits_for_check():
    def body(steps):
        with deferred() as signals:
            send()
            steps.append("whole")
            signals.check()
            steps.append("never")

    assert interrupted_at(body) == ["whole"]


def test_ctrl_c_waits_for_the_end_of_the_block():
    def body(steps):
        with deferred():
            send()
            steps.append("whole")
        steps.append("never")

    assert interrupted_at(body) == ["whole"]


def test_a_second_ctrl_c_does_not_wait():
    def body(steps):
        with deferred():
            send()
            steps.append("first")
            send()
            steps.append("never")

    assert interrupted_at(body) == ["first"]


def test_only_the_outermost_block_raises_at_its_end():
    def body(steps):
        with deferred():
            with deferred():
                send()
            steps.append("inner left")
        steps.append("never")

    assert interrupted_at(body) == ["inner left"]


def test_an_inner_check_raises():
    def body(steps):
        with deferred(), deferred() as inner:
            send()
            steps.append("whole")
            inner.check()
            steps.append("never")

    assert interrupted_at(body) == ["whole"]


def test_while_data_is_awaited_nothing_waits():
    def body(steps):
        with deferred() as signals, signals.allowed():
            with deferred():  # the data comes from a model
                send()
                steps.append("whole")
            with deferred() as inner, inner.allowed():
                steps.append("never")

    assert interrupted_at(body) == ["whole"]

    def waits(steps):
        with deferred() as signals:
            steps.append("before")
            with signals.allowed():
                send()
                steps.append("never")

    assert interrupted_at(waits) == ["before"]


def test_an_error_in_the_block_is_the_context_of_the_interrupt():
    def body():
        with deferred():
            send()
            raise ValueError("of the block")

    with pytest.raises(KeyboardInterrupt) as raised:
        body()
    assert isinstance(raised.value.__context__, ValueError)


def test_clean_up_after_an_interrupt_is_protected_too():
    def body(steps):
        with deferred() as signals:
            try:
                send()
                signals.check()
            finally:
                send()
                steps.append("cleaned up")

    assert interrupted_at(body) == ["cleaned up"]


def test_handlers_of_the_program_are_called_late_and_stay():
    called = []
    before = signal.signal(signal.SIGTERM, lambda signum, frame: called.append(signum))
    try:
        with deferred() as signals:
            send(signal.SIGTERM)
            assert called == []
            signals.check()
            assert called == [signal.SIGTERM]
            send(signal.SIGTERM)
        assert called == [signal.SIGTERM] * 2
    finally:
        signal.signal(signal.SIGTERM, before)


def test_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with deferred() as signals:
            send()
            signals.check()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_handler_set_within_the_block_stays():
    before = signal.getsignal(signal.SIGTERM)

    def mine(signum, frame): ...

    try:
        with deferred():
            signal.signal(signal.SIGTERM, mine)
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


def test_sigterm_ends_the_process_after_the_step():
    code = (
        "import os, signal\n"
        "from keryx.training.interrupts import deferred\n"
        "with deferred() as signals:\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('whole', flush=True)\n"
        "    signals.check()\n"
        "    print('never', flush=True)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.returncode) == ("whole\n", -signal.SIGTERM)


def test_other_threads_are_left_alone():
    seen = []

    def run():
        with deferred() as signals:
            seen.append(signal.getsignal(signal.SIGINT))
            signals.check()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


def test_entering_costs_little():
    def enter():
        with deferred() as signals:
            signals.check()

    assert min(timeit.repeat(enter, number=200, repeat=20)) / 200 < 20e-6
