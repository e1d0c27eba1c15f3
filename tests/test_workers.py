"""A PyDataset's workers: batches that threads or processes make ahead of time."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import jax
import numpy as np
import pytest
from spawned_data import Parts, Pids, X, Y

import keryx
from keryx import layers
from keryx.errors import ArgumentError, DataError
from keryx.training.data.workers import Workers


@pytest.fixture
def model():
    x = keryx.Input((2,), name="x")
    made = keryx.Model(x, layers.Dense(1, kernel_initializer="zeros", name="y")(x))
    made.compile(keryx.optimizers.SGD(1e-4), "mse")
    return made


@pytest.fixture
def crew():
    """Makes Workers, which are let go at the end."""
    made = []

    def of(data):
        made.append(Workers(data))
        return made[-1]

    yield of
    for workers in made:
        workers.close()
    assert not multiprocessing.active_children()


class Meeting(Parts):
    """Each batch waits until as many are being made at the same time as there are workers."""

    def __init__(self, workers):
        super().__init__(workers=workers)
        self.barrier = threading.Barrier(workers)

    def __getitem__(self, index):
        self.barrier.wait(20)
        return super().__getitem__(index)


class Asked(Parts):
    """Notes which batches it is asked for, and by whom."""

    def __init__(self, **options):
        super().__init__(**options)
        self.asked = []

    def __getitem__(self, index):
        self.asked.append((index, threading.current_thread() is threading.main_thread()))
        return super().__getitem__(index)


def until(condition):
    """Wait for at most 20 seconds."""
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_batches_are_made_at_the_same_time_and_come_in_order(crew):
    made = list(crew(Meeting(3)).batches(range(6)))
    np.testing.assert_array_equal(np.concatenate([x for x, _ in made]), X)


def test_the_later_ones_wait_for_the_first(crew):
    class Slow(Parts):
        def __getitem__(self, index):
            time.sleep(0.3 * (index == 0))
            return super().__getitem__(index)

    made = [x[0, 0] for x, _ in crew(Slow(workers=4)).batches([0, 3, 1])]
    assert made == [X[0, 0], X[12, 0], X[4, 0]]


@pytest.mark.parametrize(("workers", "size", "ahead"), [(2, 3, 5), (2, 0, 2), (4, 10, 6)])
def test_so_many_batches_are_made_ahead(crew, workers, size, ahead):
    data = Asked(workers=workers, max_queue_size=size)
    batches = crew(data).batches(range(6))
    np.testing.assert_array_equal(next(batches)[0], X[:4])
    assert until(lambda: len(data.asked) == ahead)
    time.sleep(0.1)
    assert len(data.asked) == ahead
    assert not any(main for _, main in data.asked)
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), X[4:])


@pytest.mark.parametrize("workers", [0, 1])
def test_one_worker_is_the_caller(crew, workers):
    data = Asked(workers=workers)
    batches = crew(data).batches(range(6))
    next(batches)
    assert data.asked == [(0, True)]


def test_any_number_of_workers_trains_to_the_same_weights(model):
    class Old(Parts):
        def __init__(self):  # does not call super().__init__()
            self.order, self.wrong = np.arange(24), None

    start, weights = model.get_weights(), []
    for data in (Old(), Parts(), Parts(workers=3), Parts(workers=2, max_queue_size=0)):
        model.set_weights(start)
        model.fit(data, epochs=3, shuffle=False, validation_data=Parts(workers=2), verbose=0)
        weights.append(model.get_weights())
        assert model.evaluate(data, verbose=0) == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)
        assert len(model.predict(data, verbose=0)) == 24
    jax.tree.map(lambda *ws: [np.testing.assert_array_equal(ws[0], w) for w in ws], *weights)
    assert any((a != b).any() for a, b in zip(start, weights[0], strict=True))
    assert until(lambda: not any(t.name.startswith("keryx-batches") for t in threading.enumerate()))


def test_an_error_comes_out_of_a_thread(model):
    with pytest.raises(OSError, match="no file for batch 4"):
        model.fit(Parts(4, "raises", workers=2), shuffle=False, verbose=0)
    assert np.isfinite(model.fit(Parts(workers=2), verbose=0).history["loss"]).all()


@pytest.mark.parametrize("options", [{"workers": -1}, {"max_queue_size": -1}, {"workers": 1.5}, {"workers": "2"}])
def test_options_that_are_no_counts(options):
    (name,) = options
    with pytest.raises(ArgumentError, match=f"{name} is an integer of 0 or more"):
        Parts(**options)


# -- processes -------------------------------------------------------------------------------------------------------


def test_processes_train_to_the_same_weights(model):
    start = model.get_weights()
    model.fit(Parts(), epochs=3, shuffle=False, verbose=0)
    expected = model.get_weights()
    model.set_weights(start)
    model.fit(
        Parts(workers=2, use_multiprocessing=True), epochs=3, shuffle=False, verbose=0
    )  # which is sent anew in each epoch
    jax.tree.map(np.testing.assert_array_equal, model.get_weights(), expected)
    assert not multiprocessing.active_children()


def test_processes_are_others_and_stay(crew):
    workers = crew(Pids(workers=2, use_multiprocessing=True))
    pids = {int(pid[0, 0]) for _ in range(3) for pid in workers.batches(range(6))}
    assert len(pids) == 2
    assert os.getpid() not in pids
    one = crew(Pids(workers=1, use_multiprocessing=True))
    assert os.getpid() not in {int(pid[0, 0]) for pid in one.batches(range(2))}


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [("raises", OSError, "no file for batch 1"), ("dies", DataError, "has died.*__main__")],
)
def test_an_error_comes_out_of_a_process(model, how, error, said):
    with pytest.raises(error, match=said):
        model.fit(Parts(1, how, workers=1, use_multiprocessing=True), shuffle=False, verbose=0)
    assert not multiprocessing.active_children()


def test_a_data_set_that_cannot_be_sent(model):
    data = Parts(workers=2, use_multiprocessing=True)
    data.lock = threading.Lock()
    with pytest.raises(DataError, match=r"it cannot be pickled: .*lock.*use_multiprocessing=False"):
        model.fit(data, verbose=0)
    assert not multiprocessing.active_children()


SCRIPT = """
    import os, sys
    sys.path.insert(0, {folder!r})
    import keryx
    from spawned_data import Parts, Pids

    if __name__ == "__main__":
        x = keryx.Input((2,))
        model = keryx.Model(x, keryx.layers.Dense(1)(x))
        model.compile("sgd", "mse")
        data = Parts(3, "hangs", workers=2, use_multiprocessing={processes})
        model.fit(data, shuffle=False, verbose=0, callbacks=[keryx.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: os.write(1, b"trained\\n"))])
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
def test_processes_end_with_the_one_that_trains(ending, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT).format(folder=os.path.dirname(__file__), processes=True))
    child = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    seen = [child.stdout.readline() for _ in range(5)]
    assert seen.count("hangs\n") == 2  # of both processes, so both are there
    if ending == signal.SIGINT:
        os.killpg(child.pid, ending)  # as a terminal does
    else:
        child.send_signal(ending)
    _, err = child.communicate(timeout=60)  # until all that hold its pipes have ended
    assert ("KeyboardInterrupt" in err) == (ending == signal.SIGINT)
    assert until(lambda: not in_group(child.pid))


def in_group(group):
    """Whether a process of this group is alive."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
