"""What people see while a model runs: in a terminal, elsewhere, and in little room."""

import io
import os
import re
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.cells import cell_len

import keryx
from keryx import screens
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
    monkeypatch.setattr(screens, "time", made)
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
    assert screen(stream)[-1] == f" 50/200 {'━' * 20} 1s - loss: 0.5000"  # which tells nothing of a step
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


def test_a_program_that_is_compiled_on_the_way_does_not_count(clock):
    stream = Terminal()
    progress = Progress(1, 1, stream)
    progress.begin(0, 12)
    for seconds, step, new in ((30.0, 1, True), (0.1, 11, False), (20.0, 12, True)):
        if new:
            progress.compiling()
        clock.now += seconds
        progress.update(step, {})
    progress.end(12, {})
    assert screen(stream)[1] == f"12/12 {'━' * 20} 50s 10ms/step"
    bar = Progress(1, 1, Terminal())
    bar.begin(0, 12)
    clock.now += 2
    bar.update(1, {})
    assert "1/12" in screen(bar.screen.stream)[-1]
    assert screen(bar.screen.stream)[-1].endswith("22s 2s/step")  # nothing was compiled: a step is a step


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


def test_wide_letters_do_not_overrun_a_terminal(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    progress = Progress(1, 1, stream)
    progress.begin(0, 200)
    for step in (1, 100):
        clock.now += 1
        progress.update(step, {"准确率": 0.5, "召回率": 0.25, "精确率": 0.125})
    drawn = plain(stream.getvalue()).split("\r")[1:]
    assert all(57 < cell_len(line) < 60 for line in drawn)
    assert all("准确率" in line for line in drawn)


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


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


def ascii_file():
    return io.TextIOWrapper(io.BytesIO(), encoding="ascii")


@pytest.mark.parametrize("output", [lambda: None, closed, ascii_file, io.StringIO])
def test_no_output_stops_what_is_shown(monkeypatch, output):
    model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(1, name="层")], name="模型")
    model.compile("sgd", "mse", metrics=[keryx.metrics.MeanAbsoluteError(name="误差")])
    x, y = np.ones((8, 3)), np.ones((8, 1))
    monkeypatch.setattr(sys, "stdout", output())
    watch = {"monitor": "误差", "min_delta": 10, "mode": "min", "verbose": 1}
    stops = keryx.callbacks.EarlyStopping(**watch, patience=2), keryx.callbacks.ReduceLROnPlateau(**watch, patience=1)
    for verbose in (0, 1, 2):
        history = model.fit(x, y, epochs=3, verbose=verbose, callbacks=[*stops, keryx.callbacks.LivePlot()])
    model.evaluate(x, y)
    model.predict(x)
    model.summary(expand_nested=True)
    said = []
    model.summary(print_fn=said.append)
    assert "模型" in said[0]
    history.plot("text")
    assert "层" in str(model.profile(x, repeats=1))


def test_a_summary_in_ascii_keeps_its_table(monkeypatch):
    stream = ascii_file()
    monkeypatch.setattr(sys, "stdout", stream)
    keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(1, name="层")]).summary(line_length=60)
    lines = stream.buffer.getvalue().decode().splitlines()
    assert lines[1] == f"+{'-' * 58}+"
    assert lines[4].startswith("| ? (Dense) ")


def test_a_message_begins_on_its_own_line(clock, monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    with Progress(1, 1) as progress:
        progress.begin(0, 200)
        clock.now += 1
        progress.update(100, {})
        screens.tell("saved")
        clock.now += 1
        progress.end(200, {})
    assert [line.split(" ")[0] for line in screen(stream)] == ["Epoch", "100/200", "saved", "200/200", ""]


def test_a_run_within_another_stands_below_it(clock):
    stream = Terminal()
    with Progress(1, 1, stream) as outer:
        outer.begin(0, 200)
        clock.now += 1
        outer.update(100, {"loss": 0.5})
        for epochs in (1, None):
            with Progress(1, epochs, stream) as inner:
                inner.begin(0, 7)
                inner.compiling()
                inner.end(7, {})
        clock.now += 1
        outer.end(200, {})
    begin = [line.split(" ")[0] for line in screen(stream)]
    assert begin == ["Epoch", "100/200", "Epoch", "7/7", "7/7", "200/200", ""]
    assert screen(stream)[1].endswith("loss: 0.5000")


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


def test_compiling_again_does_not_forget_the_steps(clock):
    stream = Terminal()
    progress = Progress(1, 1, stream)
    progress.begin(0, 200)
    clock.now += 1
    progress.update(150, {"loss": 0.5})
    progress.compiling()  # the last batch is smaller
    assert screen(stream)[-1] == f"150/200 {'━' * 20} compiling..."


def test_a_log_hears_of_a_long_epoch_once_a_minute(clock):
    stream, brief = io.StringIO(), io.StringIO()
    for out, verbose in ((stream, 1), (brief, 2)):
        progress = Progress(verbose, 3, out)
        progress.begin(0, 1000)
        progress.compiling()
        for step in range(1, 1001):
            clock.now += 0.2
            progress.update(step, {"loss": 0.5})
        progress.end(1000, {"loss": 0.25})
    begun = "Epoch 1/3 - "
    assert (
        stream.getvalue().splitlines()
        == [
            f"{begun}301/1000 - 2:19 left 200ms/step - loss: 0.5000",
            f"{begun}602/1000 - 1:19 left 200ms/step - loss: 0.5000",
            f"{begun}903/1000 - 19s left 200ms/step - loss: 0.5000",
            f"{begun}200s 200ms/step - 1000 steps - loss: 0.2500",
        ]
        or stream.getvalue().count("\n") == 4
    )
    assert brief.getvalue() == f"{begun}200s 200ms/step - 1000 steps - loss: 0.2500\n"


@pytest.mark.parametrize("rows", [7, 40, 43])  # batch by batch, many in a call, and a rest
def test_only_what_compiles_says_so(rows, monkeypatch):
    model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2)])
    model.compile("sgd", "mse")
    x, y = np.ones((rows, 3)), np.ones((rows, 2))
    for run in (lambda: model.predict(x, batch_size=4), lambda: model.evaluate(x, y), lambda: model.fit(x, y)):
        for compiles in (True, False):
            stream = Terminal()
            monkeypatch.setattr(screens, "sys", SimpleNamespace(stdout=stream, modules={}))
            run()
            assert ("compiling..." in stream.getvalue()) == compiles


def test_a_terminal_that_cannot_go_back(clock, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    run(Progress(1, 1, stream), clock)
    assert "\r" not in stream.getvalue()
    assert stream.getvalue().startswith("Epoch 1/1 - 2s")


def test_without_interactive_logging_the_lines_are_logged(clock, caplog, capsys):
    keryx.config.disable_interactive_logging()
    try:
        with caplog.at_level("INFO", "keryx"):
            run(Progress("auto", 2), clock, epochs=2)
            model = keryx.Sequential([keryx.Input((1,)), keryx.layers.Dense(1)], name="logged")
            model.compile("sgd", "mse")
            stops = keryx.callbacks.EarlyStopping("loss", patience=1, min_delta=1e9, verbose=1)
            model.fit(np.ones((2, 1)), np.ones((2, 1)), epochs=3, verbose=0, callbacks=[stops])
            model.summary()
    finally:
        keryx.config.enable_interactive_logging()
    said = "2s 7ms/step - 200 steps - accuracy: 0.9312 - loss: 2.5000e-05"
    *lines, stopped, summary = [record.message for record in caplog.records]
    assert lines == [f"Epoch 1/2 - {said}", f"Epoch 2/2 - {said}"]
    assert stopped == "Epoch 2: stopped early, loss has not got better."
    assert summary.startswith('Model: "logged"')
    assert capsys.readouterr().out == ""


class Outputs:
    """What a notebook shows, by the handles of its outputs; counts the messages."""

    def __init__(self):
        self.texts, self.messages = [], 0

    def display(self, data, raw, display_id):
        place = len(self.texts)
        self.texts.append(None)
        outputs = self

        class Handle:
            def update(self, data, raw):
                outputs.texts[place] = data["text/plain"]
                outputs.messages += 1

        handle = Handle()
        handle.update(data, raw)
        return handle


@pytest.fixture
def outputs(monkeypatch):
    made = Outputs()
    monkeypatch.setattr("keryx.screens._display", lambda: made.display)
    kernel = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})
    made.stdout = kernel()
    monkeypatch.setattr(screens, "sys", SimpleNamespace(stdout=made.stdout, modules=sys.modules))
    monkeypatch.setattr(screens.Lines, "present", None)
    return made


def test_a_notebook_changes_one_output_in_place(clock, outputs):
    with Progress("auto", 2) as progress:
        progress.begin(0, 200)
        progress.compiling()
        assert outputs.texts == [f"Epoch 1/2\n  0/200 {'━' * 20} compiling..."]
        clock.now += 1
        progress.update(50, {"loss": 0.5})
        assert outputs.texts == [f"Epoch 1/2\n 50/200 {'━' * 20} 1s - loss: 0.5000"]
        clock.now += 1
        progress.end(200, LOGS)
        clock.now += 1
        progress.begin(1, 200)
        clock.now += 1
        progress.end(200, LOGS)
    said = "━" * 20
    assert [line.split(" - ")[0] for line in outputs.texts[0].split("\n")] == [
        "Epoch 1/2",
        f"200/200 {said} 2s 7ms/step",
        "Epoch 2/2",
        f"200/200 {said} 1s 5ms/step",
    ]


def test_many_short_epochs_in_a_notebook(clock, outputs):
    with Progress(1, 1000) as progress:
        for epoch in range(1000):
            progress.begin(epoch, 200)
            for step in (100, 200):
                clock.now += 0.0015
                progress.update(step, {"loss": 0.5})
            progress.end(200, LOGS)
    lines = [line for text in outputs.texts for line in text.split("\n")]
    assert len(lines) == 2000
    assert lines[-2] == "Epoch 1000/1000"
    assert "accuracy: 0.9312" in lines[-1]
    assert len(outputs.texts) == 2000 / screens.Notebook.HELD
    assert outputs.messages <= 3 / screens.Notebook.INTERVAL + 2 * len(outputs.texts)


def test_an_error_in_a_notebook_leaves_what_there_was(clock, outputs):
    def fail():
        with Progress(1, 2) as progress:
            run(progress, clock, seconds=0.003)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert outputs.texts[0].split("\n")[1].startswith("200/200")


def test_a_message_in_a_notebook_stands_between_epochs(clock, outputs):
    progress = Progress(1, 2)
    run(progress, clock, epochs=1, seconds=0.003)
    screens.tell("saved")
    assert outputs.stdout.getvalue() == "saved\n"
    progress.begin(1, 200)
    progress.end(200, LOGS)
    progress.leave()
    assert [text.split("\n")[0] for text in outputs.texts] == ["Epoch 1/2", "Epoch 2/2"]
    assert all("accuracy" in text for text in outputs.texts)


def test_without_a_notebook_a_kernels_stream_is_a_terminal(clock, outputs, monkeypatch):
    monkeypatch.setattr("keryx.screens._display", lambda: None)
    run(Progress(1, 1), clock)
    assert screen(outputs.stdout)[1].startswith("200/200")
    assert outputs.texts == []


CELLS = """import keryx, numpy as np, time
x, y = np.ones((640, 3)), np.ones((640, 2))
a = keryx.Input((3,)); model = keryx.Model(a, keryx.layers.Dense(2)(a)); model.compile("sgd", "mse")
slow = keryx.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: time.sleep(0.06))
---
history = model.fit(x, y, epochs=2, callbacks=[slow])
---
history = model.fit(x, y, epochs=200)
---
model.summary(); model.evaluate(x, y)
---
model.profile(x[:2], repeats=1)"""


def test_what_is_left_in_a_real_notebook(monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", str(Path(keryx.__file__).parent.parent))
    cells = [nbformat.v4.new_code_cell(code) for code in CELLS.split("\n---\n")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of Jupyter's own parts
        nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    _, slow, short, table, profile = ([dict(output) for output in cell.outputs] for cell in notebook.cells)
    (shown,) = slow
    lines = shown["data"]["text/plain"].split("\n")
    assert lines[::2] == ["Epoch 1/2", "Epoch 2/2"]
    assert all(re.match(rf"20/20 {'━' * 20} \d+s \d+ms/step - loss: [\d.]+$", line) for line in lines[1::2])
    assert len(short) == 400 / screens.Notebook.HELD
    assert [output["output_type"] for output in table] == ["stream", "display_data", "execute_result"]
    assert profile[0]["data"]["text/html"].startswith("<pre")
