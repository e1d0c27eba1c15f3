"""history.plot() and LivePlot: what is drawn, and where."""

import io
import sys
import types
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import keryx
from keryx import errors
from keryx.callbacks import History, LivePlot
from keryx.visualization import curves, fonts
from keryx.visualization.braille import Canvas
from keryx.visualization.curves import in_characters, panels

NAN = float("nan")
LOGS = [
    {"accuracy": 0.5, "loss": 1.0, "val_accuracy": 0.4, "val_loss": 1.2, "learning_rate": 0.1},
    {"accuracy": 0.7, "loss": 0.6, "val_accuracy": 0.6, "val_loss": 0.8, "learning_rate": 0.05},
    {"accuracy": 0.8, "loss": 0.4, "val_accuracy": 0.55, "val_loss": 0.9, "learning_rate": 0.02},
]


def told(callback, logs=LOGS, first=0, **params):
    """A callback that has been through a training with these logs."""
    callback.set_params(params)
    callback.on_train_begin()
    for epoch, numbers in enumerate(logs, start=first):
        callback.on_epoch_end(epoch, numbers)
    callback.on_train_end(logs[-1])
    return callback


@pytest.fixture(scope="module")
def trained():
    model = keryx.Sequential([keryx.Input((2,)), keryx.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x = np.random.default_rng(0).normal(size=(16, 2)).astype("float32")
    return model, (x, x[:, :1])


# -- which numbers are drawn ---------------------------------------------------------------------------------------


def test_a_metric_and_its_validation_share_a_panel():
    made = panels(told(History()).history)
    assert [panel.name for panel in made] == ["accuracy", "loss", "learning_rate"]
    assert [[curve.name for curve in panel.curves] for panel in made] == [
        ["accuracy", "val_accuracy"],
        ["loss", "val_loss"],
        ["learning_rate"],
    ]
    assert made[0].curves[1].values == [0.4, 0.6, 0.55]


def test_the_best_epoch_is_that_of_validation_where_better_lies():
    best = {panel.name: panel.best for panel in panels(told(History()).history)}
    assert best == {"accuracy": (2, 0.6), "loss": (2, 0.8), "learning_rate": None}
    assert panels({"loss": [3.0, NAN, 1.0, 2.0]})[0].best == (3, 1.0)
    assert panels({"loss": [NAN, NAN]})[0].best is None
    assert panels({"my_number": [1.0, 2.0]})[0].best is None


def test_the_model_says_where_a_metric_of_its_own_name_is_better():
    model = keryx.Sequential([keryx.Input((2,)), keryx.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[keryx.metrics.BinaryAccuracy(name="mine")])
    assert panels({"mine": [0.1, 0.9, 0.5]}, model=model)[0].best == (2, 0.9)


@pytest.mark.parametrize(("frequency", "wanted"), [(np.int64(2), [2, 4]), ([1, 4], [1, 4]), (1, [1, 2, 3, 4])])
def test_validation_now_and_then_stands_at_its_epochs(frequency, wanted):
    made = panels({"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [1.0] * len(wanted)}, validation_freq=frequency)
    assert made[0].curves[1].epochs == wanted
    assert made[0].curves[0].epochs == [1, 2, 3, 4]


@pytest.mark.parametrize(("frequency", "wanted"), [(2, [4, 6, 8]), ([5, 7], [5, 7]), (np.int64(3), [6])])
def test_validation_now_and_then_stands_at_its_epochs_where_a_training_goes_on(trained, frequency, wanted):
    model, (x, y) = trained
    held_out = {"validation_data": (x, y), "validation_freq": frequency}
    history = model.fit(x, y, initial_epoch=3, epochs=8, verbose=0, **held_out)
    training, validation = history.plot("figure", metrics="loss").axes[0].lines[:2]
    np.testing.assert_allclose(training.get_xdata(), [4, 5, 6, 7, 8])
    np.testing.assert_allclose(validation.get_xdata(), wanted)


def test_a_training_that_goes_on_is_counted_on():
    history = told(History(), LOGS[:2])
    assert next(c.epochs for p in panels(history.history, first=history._epochs_before()) for c in p.curves) == [1, 2]
    history = told(History(), first=5)
    figure = history.plot("figure")
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xdata(), [6, 7, 8])
    for epoch in (0, 1):  # fit again, with the same history
        history.on_epoch_end(epoch, LOGS[epoch])
    np.testing.assert_allclose(history.plot("figure").axes[0].lines[0].get_xdata(), [1, 2, 3, 4, 5])


def test_what_is_no_number_is_left_out():
    made = panels({"loss": [1.0, 0.5], "each_class": [np.ones(3), np.ones(3)], "f1": [np.float32(1), np.array(0.5)]})
    assert [panel.name for panel in made] == ["loss", "f1"]


def test_some_metrics():
    history = told(History())
    assert [axis.get_title(loc="left") for axis in history.plot("figure", metrics=["loss"]).axes] == ["loss"]
    with pytest.raises(errors.ArgumentError, match=r"no metric 'acuracy' to plot\. Did you mean 'accuracy'"):
        history.plot(metrics=["acuracy"])


# -- the figure ----------------------------------------------------------------------------------------------------


def test_the_history_that_fit_returns_draws_itself(trained, tmp_path):
    model, data = trained
    history = model.fit(*data, epochs=3, validation_data=data, verbose=0)
    figure = history.plot(to_file=tmp_path / "curves.png")
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["loss", "mae"]
    for axis, name in zip(figure.axes, ("loss", "mae"), strict=True):
        np.testing.assert_allclose(axis.lines[0].get_ydata(), history.history[name])
        np.testing.assert_allclose(axis.lines[1].get_ydata(), history.history[f"val_{name}"])
        epoch = np.argmin(history.history[f"val_{name}"]) + 1
        assert axis.lines[2].get_xdata()[0] == epoch  # where the best one stood
        assert f"in epoch {epoch}" in axis.get_title(loc="right")
    with Image.open(tmp_path / "curves.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    for colour in curves.COLOURS:
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(pixels.astype(int) - wanted).sum(-1) < 12).sum() > 50
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_many_metrics_stand_in_rows(tmp_path):
    figure = told(History(), [{f"loss_{i}": 1.0 - i for i in range(5)}] * 2).plot("figure")
    assert len(figure.axes) == 5
    assert len({round(axis.get_position().x0, 2) for axis in figure.axes}) > 1


@pytest.mark.skipif(not fonts.known()[1], reason="no font here has Chinese letters")
def test_a_name_in_chinese(tmp_path):
    told(History(), [{"准确率_accuracy": 0.5, "a$b$\\frac": 1.0}] * 2).plot(to_file=tmp_path / "a.png")  # no warning
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_a_window_is_shown_where_it_is_asked_for(monkeypatch):
    from matplotlib import pyplot

    monkeypatch.setattr(pyplot, "show", mock.Mock())
    figure = told(History()).plot("figure", show=True)
    pyplot.show.assert_called_once()
    assert pyplot.fignum_exists(figure.number)
    pyplot.close(figure)
    assert pyplot.get_fignums() == []
    told(History()).plot("figure")
    assert pyplot.get_fignums() == []  # pyplot knows nothing of it


def test_before_an_epoch_there_is_nothing_to_plot():
    with pytest.raises(errors.ArgumentError, match="no epoch has ended"):
        History().plot()
    with pytest.raises(errors.ConfigError, match="kind is 'figure' or 'text'; got 'picture'"):
        told(History()).plot("picture")


def test_without_matplotlib_it_is_text(monkeypatch, capsys):
    monkeypatch.setattr(curves, "has_matplotlib", lambda: False)
    assert told(History()).plot() is None
    assert "best 0.8 in epoch 2" in capsys.readouterr().out
    curves._figure_class.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(errors.ConfigError, match=r"pip install 'keryx\[visualization\]'; history.plot\('text'\)"):
        told(History()).plot("figure")


# -- in characters -------------------------------------------------------------------------------------------------


def test_lines_go_through_their_points():
    canvas = Canvas(3, 2)  # 6 dots by 8
    canvas.line((0, 0), (5, 7), 0)
    lit = {
        (2 * column + x, 8 - 1 - (4 * row + y))
        for row, bits in enumerate(canvas.dots)
        for column, byte in enumerate(bits)
        for x in (0, 1)
        for y in range(4)
        if byte & ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))[x][y]
    }
    assert {(0, 0), (5, 7)} <= lit
    assert all(abs(y - x * 7 / 5) <= 0.8 for x, y in lit)
    assert {y for _, y in lit} == set(range(8))


def test_text_says_what_the_figure_says():
    lines = in_characters(panels(told(History()).history), width=60, colour=False).splitlines()
    assert len(lines) == 3 * (1 + 8 + 1)
    assert max(map(len, lines)) <= 60
    assert lines[0].split() == ["accuracy", "training", "validation", "(dashed)", "best", "0.6", "in", "epoch", "2"]
    assert lines[1].startswith("0.8 ")
    assert lines[8].startswith("0.4 ")
    assert lines[9].split() == ["1", "epoch", "3"]
    rising = [line[5:].rstrip() for line in lines[1:9]]
    assert len(rising[0]) > len(rising[-1])  # up to the right


def test_colours_are_those_of_the_curves():
    rows = Canvas(4, 1)
    rows.line((0, 0), (1, 0), 0)
    rows.line((4, 3), (7, 3), 1)
    (text,) = rows.rows()
    assert [(span.start, span.end, span.style) for span in text.spans] == [(0, 1, "blue"), (2, 4, "dark_orange")]
    assert text.plain == "⣀ ⠉⠉"


def test_text_of_numbers_that_are_not_finite():
    assert "nan" not in in_characters(panels({"loss": [NAN, 1.0, float("inf"), 2.0]}), 40, colour=False)
    assert in_characters(panels({"loss": [NAN, NAN]}), 40, colour=False)
    assert in_characters(panels({"loss": [1.0]}), 40, colour=False).splitlines()[1].startswith("1 ")


def test_text_in_a_file(tmp_path):
    told(History()).plot(to_file=tmp_path / "curves.txt")
    text = (tmp_path / "curves.txt").read_text()
    assert "best 0.8 in epoch 2" in text
    assert "\x1b" not in text


# -- live ----------------------------------------------------------------------------------------------------------


def test_a_file_is_written_after_each_epoch(trained, tmp_path):
    path, seen = tmp_path / "live.png", []

    class Look(keryx.callbacks.Callback):
        needs_every_batch = False

        def on_epoch_end(self, epoch, logs=None):
            seen.append(path.read_bytes())

    model, data = trained
    model.fit(*data, epochs=3, verbose=0, callbacks=[LivePlot(path), Look()])
    assert all(data.startswith(b"\x89PNG") for data in seen)
    assert len(set(seen)) == 3


def test_now_and_then_and_in_the_end(tmp_path):
    live = LivePlot(tmp_path / "live.txt", every=2)
    with mock.patch.object(curves, "plot") as plot:
        told(live)
    assert [len(call.args[0][0].curves[0].values) for call in plot.call_args_list] == [2, 3]
    with pytest.raises(errors.ArgumentError, match="got every=0"):
        LivePlot(every=0)


def test_training_goes_on_where_drawing_fails(trained, tmp_path):
    model, data = trained
    with pytest.warns(UserWarning, match="LivePlot draws no more: FileNotFoundError") as warned:
        history = model.fit(*data, epochs=4, verbose=0, callbacks=[LivePlot(tmp_path / "nowhere" / "live.png")])
    assert len(warned) == 1
    assert len(history.history["loss"]) == 4


def test_in_a_terminal_it_is_printed_below_the_progress(capsys):
    told(LivePlot(metrics=["loss"]), verbose=1)
    printed = capsys.readouterr().out
    assert printed.count("epoch") == 3 + 2  # below each chart; the best one from the second epoch on


def test_in_a_quiet_terminal_it_is_redrawn_in_place(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stdout", terminal)
    consoles = Console(file=terminal, force_terminal=True, width=80, height=40)
    with mock.patch("rich.live.get_console", return_value=consoles):
        told(LivePlot(metrics=["loss"]), verbose=0)
    written = terminal.getvalue()
    assert written.count("\x1b[1A") >= 2 * 9  # up over the ten lines of the chart before, twice
    assert "best 0.8 in epoch 2" in written.replace("\x1b[2m", "").replace("\x1b[0m", "")


def test_an_error_gives_the_terminal_back(monkeypatch, trained):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def fail(epoch, logs):
        if epoch == 1:
            raise ZeroDivisionError

    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stdout", terminal)
    model, (x, y) = trained
    fails = keryx.callbacks.LambdaCallback(on_epoch_begin=fail)
    with pytest.raises(ZeroDivisionError):
        model.fit(x, y, epochs=2, verbose=0, callbacks=[LivePlot(), fails])
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert terminal.getvalue().count(hidden) == terminal.getvalue().count(shown) == 1
    assert sys.stdout is terminal


def test_in_a_notebook_it_is_redrawn_in_place(monkeypatch):
    shown, updates = [], []
    handle = types.SimpleNamespace(update=updates.append)

    def display(drawn, display_id):
        shown.append((drawn, display_id))
        return handle

    shell = types.SimpleNamespace(kernel=object())
    fake = types.SimpleNamespace(get_ipython=lambda: shell, version_info=(9, 0))
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=display))
    told(LivePlot(metrics=["loss"]))
    assert len(shown) == 1
    assert shown[0][1] is True
    assert [len(figure.axes[0].lines[0].get_xdata()) for figure in updates] == [2, 3]
    monkeypatch.setattr(curves, "has_matplotlib", lambda: False)
    told(LivePlot(metrics=["loss"]))
    assert "best 0.8 in epoch 2" in repr(updates[-1])


def test_a_run_that_goes_on_remembers_the_curves(tmp_path):
    first = told(LivePlot(tmp_path / "a.txt"), LOGS[:2])
    second = LivePlot(tmp_path / "a.txt")
    second.on_train_begin()
    second.set_state(first.get_state())
    second.on_epoch_end(2, LOGS[2])
    assert second.numbers["loss"] == [1.0, 0.6, 0.4]
    assert (tmp_path / "a.txt").read_text() == told(LivePlot(tmp_path / "b.txt")).to_file.read_text()


_CELLS = (
    "import numpy as np, keryx\n"
    "x = keryx.Input((3,))\n"
    "model = keryx.Model(x, keryx.layers.Dense(1)(x))\n"
    "model.compile('sgd', 'mse')\n"
    "data = np.ones((8, 3), 'float32')\n"
    "history = model.fit(data, data[:, :1], epochs=3, verbose=0, callbacks=[keryx.callbacks.LivePlot()])",
    "history.plot()",
    "model",
    "keryx.utils.plot_model(model, 'model.svg')",
    "keryx.utils.plot_model(model, 'model.png')",
    "keryx.utils.model_to_dot(model)",
)


def test_what_a_real_notebook_shows(tmp_path, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", str(Path(keryx.__file__).parent.parent))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in _CELLS])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the notebook's own packages warn of
        resources = {"metadata": {"path": str(tmp_path)}}
        nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    shown = [[sorted(output.data) for output in cell.outputs if "data" in output] for cell in notebook.cells]
    png, html, drawn = ["image/png", "text/plain"], ["text/html", "text/plain"], ["image/svg+xml", "text/plain"]
    assert shown == [[png], [png], [html], [drawn], [png], [drawn]]
