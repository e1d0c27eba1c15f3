"""The numbers of a training over its epochs, as curves: by matplotlib, or in characters."""

import functools
import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from keryx.callbacks.monitor import Monitor
from keryx.errors import ArgumentError, ConfigError, did_you_mean, listing
from keryx.screens import output, put
from keryx.visualization import braille, fonts

COLOURS = ("#2f6fd0", "#d9660a")  # of training and of validation
_PANEL = 4.6, 3.1  # inches


@dataclass(frozen=True)
class Curve:
    """One number over the epochs, which are counted from 1."""

    name: str
    epochs: list[float]
    values: list[float]


@dataclass(frozen=True)
class Panel:
    """A metric and its validation twin; `best` is the epoch and the value of the best one, where it is known."""

    name: str
    curves: list[Curve]
    best: tuple[float, float] | None = None


def panels(
    history: Mapping[str, Sequence[Any]],
    metrics: str | Sequence[str] | None = None,
    validation_freq: Any = 1,
    model: Any = None,
    first: int = 0,
) -> list[Panel]:
    """What is drawn: one panel for each number and its validation twin.

    Args:
        history: By name, a number an epoch.
        metrics: Which one or which of them, by the name without `val_`; by default all that are numbers.
        validation_freq: The one that `fit` was given: in which epochs there was validation.
        model: The model, whose metrics say whether higher is better.
        first: How many epochs went before.

    Raises:
        ArgumentError: For a metric that is not there.

    >>> made = panels({"loss": [3.0, 1.0, 2.0], "val_loss": [3.0, 2.5, 2.0]})
    >>> [(panel.name, [curve.name for curve in panel.curves], panel.best) for panel in made]
    [('loss', ['loss', 'val_loss'], (3, 2.0))]
    """
    length = max((len(values) for values in history.values()), default=0)
    drawable = {name: values for name, values in history.items() if values and all(map(_is_number, values))}
    names = list(dict.fromkeys(name.removeprefix("val_") for name in drawable))
    metrics = [metrics] if isinstance(metrics, str) else metrics
    for name in metrics or ():
        if name not in names:
            raise ArgumentError(
                f"There is no metric {name!r} to plot.{did_you_mean(name, names)} There are {listing(names)}."
            )
    made = []
    for name in metrics or names:
        curves = [
            Curve(
                full,
                _epochs(len(drawable[full]), range(first + 1, first + length + 1), validation_freq),
                _floats(drawable[full]),
            )
            for full in (name, f"val_{name}")
            if full in drawable
        ]
        made.append(Panel(name, curves, _best(name, curves[-1], model)))
    return made


def _is_number(value: Any) -> bool:
    return isinstance(value, (Real, np.number)) or (hasattr(value, "ndim") and value.ndim == 0)


def _floats(values: Sequence[Any]) -> list[float]:
    return [float(value) for value in values]


def _epochs(count: int, every: Sequence[float], validation_freq: Any) -> list[float]:
    """In which epochs there was a number, where it was not there in each."""
    if count == len(every):
        return list(every)
    if isinstance(validation_freq, (int, np.integer)):
        validated = [epoch for epoch in every if epoch % int(validation_freq) == 0]
    else:
        validated = [epoch for epoch in every if epoch in (validation_freq or ())]
    return (validated if len(validated) >= count else list(every))[-count:]


def _best(name: str, curve: Curve, model: Any) -> tuple[float, float] | None:
    known = [(value, epoch) for value, epoch in zip(curve.values, curve.epochs, strict=True) if math.isfinite(value)]
    if not known or len(curve.values) < 2:
        return None
    watch = Monitor(name, "auto", 0.0)
    watch.model = model
    try:
        value, epoch = (max if watch.higher_is_better else min)(known, key=lambda pair: pair[0])
    except ConfigError:  # a name that does not say where better lies, such as learning_rate
        return None
    return epoch, value


def plot(
    made: Sequence[Panel], kind: str | None = None, to_file: str | os.PathLike | None = None, show: bool = False
) -> Any:
    """Draw panels: as a figure of matplotlib's, or in characters.

    Args:
        made: The panels.
        kind: `figure` or `text`; by default a figure where matplotlib is installed.
        to_file: A file that they are written to: `.txt` for characters, else what matplotlib writes.
        show: Whether a window shows the figure.

    Returns:
        The figure; None where the characters were printed.

    Raises:
        ConfigError: For another kind, or where matplotlib is wanted and missing.
        ArgumentError: Where there is nothing to draw.
    """
    if kind not in (None, "figure", "text"):
        raise ConfigError(f"kind is 'figure' or 'text'; got {kind!r}.")
    if not made:
        raise ArgumentError("There is nothing to plot yet: no epoch has ended.")
    path = None if to_file is None else Path(to_file)
    if kind is None:
        in_text = not has_matplotlib() if path is None else path.suffix == ".txt"
        kind = "text" if in_text else "figure"
    if kind == "text":
        if path is not None:
            path.write_text(in_characters(made, colour=False) + "\n", encoding="utf-8")
        else:
            put(in_characters(made))
        return None
    drawn = figure(made, show)
    if path is not None:
        drawn.savefig(path)
    if show:
        from matplotlib import pyplot

        pyplot.show()
    return drawn


def has_matplotlib() -> bool:
    """Whether matplotlib is installed."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


@functools.cache
def _figure_class() -> type:
    """matplotlib's Figure, as a notebook shows it without pyplot too."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError(
            "A figure wants matplotlib: pip install 'keryx[visualization]'; history.plot('text') does without."
        ) from None

    class Curves(Figure):
        def _repr_png_(self) -> bytes:
            made = io.BytesIO()
            self.savefig(made, format="png", dpi=100)
            return made.getvalue()

    return Curves


def figure(made: Sequence[Panel], by_pyplot: bool = False) -> Any:
    """Panels as a figure of matplotlib's; pyplot knows of it only where it is asked to."""
    kind = _figure_class()
    from matplotlib.ticker import MaxNLocator

    columns = min(len(made), 3)
    rows = math.ceil(len(made) / columns)
    size = (_PANEL[0] * columns, _PANEL[1] * rows)
    if by_pyplot:
        from matplotlib import pyplot

        drawn = pyplot.figure(figsize=size, layout="constrained", FigureClass=kind)
    else:
        drawn = kind(figsize=size, layout="constrained")
    axes = list(drawn.subplots(rows, columns, squeeze=False).flat)
    for axis, panel in zip(axes, made, strict=False):
        _draw(axis, panel)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axis in axes[len(made) :]:
        axis.remove()
    return drawn


def _draw(axis: Any, panel: Panel) -> None:
    from matplotlib import rcParams

    for curve in panel.curves:
        colour = COLOURS[curve.name != panel.name]
        label = "validation" if curve.name != panel.name else "training"
        marker = "o" if len(curve.values) < 30 else ""
        axis.plot(curve.epochs, curve.values, color=colour, marker=marker, markersize=3, label=label)
    if panel.best:
        epoch, value = panel.best
        axis.axvline(epoch, color="#8c959f", linewidth=1, linestyle=":")
        axis.plot([epoch], [value], marker="o", markersize=8, markerfacecolor="none", color="#1f2328", linestyle="")
        axis.set_title(f"best {value:.4g} in epoch {epoch:g}", loc="right", fontsize=8, color="#59636e")
    family = [*rcParams["font.family"], *fonts.known()[1]]
    axis.set_title(panel.name, loc="left", fontsize=10, fontweight="bold", parse_math=False, family=family)
    axis.set_xlabel("epoch", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    if len(panel.curves) > 1:
        axis.legend(fontsize=8, frameon=False)


def in_characters(made: Sequence[Panel], width: int | None = None, colour: bool | None = None) -> str:
    """Panels in characters, one below the other.

    Args:
        made: The panels.
        width: How many characters a line has; by default as many as the terminal has, at most 80.
        colour: Whether there are colours; by default where the terminal has them.

    >>> print(in_characters(panels({"loss": [3.0, 2.0, 1.5, 1.25]}), width=40, colour=False).splitlines()[0])
    loss                best 1.25 in epoch 4
    """
    from rich.console import Console

    color: Any = "auto" if colour is not False else None
    file = output() or io.StringIO()  # whose colours and letters they are
    console = Console(file=file, width=width, highlight=False, color_system=color, force_jupyter=False)
    room = width or min(console.width, 80)
    with console.capture() as captured:
        for panel in made:
            console.print(braille.chart(panel, room), no_wrap=True, overflow="crop")
    return captured.get().rstrip("\n")
