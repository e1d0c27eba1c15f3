"""What people see while a model runs: in a terminal, elsewhere, and in little room."""

import io
import os
import re

import numpy as np
import pytest

from keryx.errors import ConfigError
from keryx.training import progress as room
from keryx.training.progress import Progress

LOGS = {"accuracy": 0.93124, "loss": 2.5e-5}


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    """A clock that is told what time it is."""

    now = 100.0

    def perf_counter(self):
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(room, "time", made)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return made


@pytest.fixture(autouse=True)
def columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")


def plain(text):
    return re.sub(r"\x1b\[\d*m", "", text)


def screen(stream):
    """What stands in a terminal in the end: a carriage return writes over the line."""
    lines = []
    for line in plain(stream.getvalue()).split("\n"):
        cells = []
        for text in line.split("\r"):
            cells[: len(text)] = text
        lines.append("".join(cells).rstrip())
    return lines


def run(progress, clock, epochs=1, steps=200, seconds=2.0, logs=LOGS):
    for epoch in range(epochs):
        progress.begin(epoch, steps)
        progress.compiling()
        for step in (1, 100, 200):
            clock.now += seconds / 3
            progress.update(step, {"loss": 0.5})
        progress.end(200, logs)


def test_a_terminal_sees_the_bar(clock):
    stream = Terminal()
    run(Progress("auto", 2, stream), clock, epochs=2)
    line = f"200/200 {'━' * 20} 2s 7ms/step - accuracy: 0.9312 - loss: 2.5000e-05"
    assert screen(stream) == ["Epoch 1/2", line, "Epoch 2/2", line, ""]


def test_the_bar_moves_in_place(clock):
    stream = Terminal()
    progress = Progress(1, 1, stream)
    progress.begin(0, 200)
    progress.compiling()
    assert screen(stream)[-1] == f"  0/200 {'━' * 20} compiling..."
    clock.now += 1
    progress.update(50, {"loss": 0.5})
    assert screen(stream)[-1] == f" 50/200 {'━' * 20} 3s 20ms/step - loss: 0.5000"
    assert f"\x1b[32m{'━' * 5}\x1b[0m\x1b[37m{'━' * 15}\x1b[0m" in stream.getvalue()
    clock.now += 1
    progress.update(150, {"loss": 0.25})
    assert screen(stream)[-1] == f"150/200 {'━' * 20} 0s 10ms/step - loss: 0.2500"
    assert stream.getvalue().count("\n") == 1


def test_time_left_is_told_in_minutes_and_hours(clock):
    stream = Terminal()
    progress = Progress(1, 1, stream)
    progress.begin(0, 1000)
    clock.now += 10
    progress.update(1, {})
    assert " 2:46:30 10s/step" in screen(stream)[-1]


def test_the_pace_leaves_out_compilation_and_validation(clock):
    stream = io.StringIO()
    progress = Progress(1, 1, stream)
    progress.begin(0, 11)
    for seconds, step in ((30.0, 1), (0.1, 11)):
        clock.now += seconds
        progress.update(step, {})
    clock.now += 60
    progress.end(11, {})
    assert stream.getvalue() == "Epoch 1/1 - 90s 10ms/step - 11 steps\n"


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_elsewhere_an_epoch_is_a_line(clock, verbose):
    stream = io.StringIO()
    run(Progress(verbose, 10, stream), clock, epochs=2)
    line = " - 2s 7ms/step - 200 steps - accuracy: 0.9312 - loss: 2.5000e-05\n"
    assert stream.getvalue() == f"Epoch 1/10{line}Epoch 2/10{line}"


def test_a_line_an_epoch_in_a_terminal_as_well(clock):
    stream = Terminal()
    run(Progress(2, 10, stream), clock)
    assert stream.getvalue() == "Epoch 1/10 - 2s 7ms/step - 200 steps - accuracy: 0.9312 - loss: 2.5000e-05\n"


def test_evaluate_and_predict_have_no_epochs(clock):
    stream, other = Terminal(), io.StringIO()
    run(Progress(1, None, stream), clock, logs={})
    assert screen(stream) == [f"200/200 {'━' * 20} 2s 7ms/step", ""]
    progress = Progress(2, None, other)
    progress.begin(0, None)
    progress.end(1, {"loss": 0.5})
    assert other.getvalue() == "0s 0us/step - 1 step - loss: 0.5000\n"


def test_verbose_0_says_nothing(clock):
    stream = Terminal()
    run(Progress(0, 2, stream), clock)
    assert stream.getvalue() == ""


def test_a_stream_of_unknown_length(clock):
    stream = Terminal()
    progress = Progress(1, 1, stream)
    progress.begin(0, None)
    clock.now += 1
    progress.update(37, {"loss": 0.5})
    assert screen(stream)[-1] == "37/Unknown 1s 27ms/step - loss: 0.5000"
    progress.end(37, {"loss": 0.5})
    assert screen(stream)[-2] == f"37/37 {'━' * 20} 1s 27ms/step - loss: 0.5000"


def test_it_draws_ten_times_a_second_at_most(clock):
    stream = Terminal()
    progress = Progress(1, 1, stream)
    progress.begin(0, 10_000)
    for step in range(1, 1001):
        clock.now += 0.001
        progress.update(step, {"loss": 0.5})
    assert 8 <= stream.getvalue().count("\r") <= 10


def test_a_narrow_terminal_is_not_overrun(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    stream = Terminal()
    run(Progress(1, 1, stream), clock, logs={f"metric_{i}": 0.5 for i in range(6)})
    moving = stream.getvalue().split("\n")[1].split("\r")[1:-1]
    assert moving
    assert all(len(plain(line).rstrip()) < 50 for line in moving)
    assert screen(stream)[1].endswith("metric_5: 0.5000")


def test_an_error_begins_on_its_own_line(clock):
    stream = Terminal()
    progress = Progress(1, 1, stream)
    progress.begin(0, 10)
    progress.leave()
    progress.update(1, {"loss": 0.5})
    progress.leave()
    progress.leave()
    assert screen(stream)[-1] == ""
    assert stream.getvalue().count("\n") == 2


def test_no_color(clock, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    run(Progress(1, 1, stream), clock)
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_without_unicode(clock):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    stream.isatty = lambda: True
    run(Progress(1, 1, stream), clock, logs={"verlust_ä": 0.5})
    stream.flush()
    assert b"200/200" in raw.getvalue()
    assert b"====" in raw.getvalue()
    assert b"verlust_?: 0.5000" in raw.getvalue()


def test_without_an_output_nothing_is_shown(clock, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    run(Progress(1, 1), clock)


def test_verbose_is_checked():
    with pytest.raises(ConfigError, match="verbose is 0, 1, 2 or 'auto'; got 3"):
        Progress(3, 1)


def test_a_metric_that_gives_a_vector(clock):
    stream = io.StringIO()
    run(Progress(1, 1, stream), clock, logs={"iou": np.array([0.1, 0.25, 1 / 3], np.float32), "loss": 0.5})
    assert "iou: [0.1, 0.25, 0.3333] - loss: 0.5000\n" in stream.getvalue()


def test_the_output_of_a_real_pipe():
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream:
        progress = Progress("auto", 1, stream)
        progress.begin(0, 1)
        progress.end(1, {"loss": 1.0})
    with os.fdopen(read) as stream:
        assert stream.read() == "Epoch 1/1 - 0s 0us/step - 1 step - loss: 1.0000\n"
