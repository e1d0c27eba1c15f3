"""What is written into a box and onto an arrow."""

from dataclasses import dataclass
from typing import Any

from keryx.visualization.model.picture import Arrow, Box, model_within
from keryx.visualization.model.text import clipped

SIZES = {"name": 12.0, "kind": 10.5, "detail": 10.0, "label": 10.0}  # of letters
LINES = {"name": 15.0, "kind": 13.5, "detail": 13.0, "label": 14.0}  # and of their lines

Row = tuple[str, str]


@dataclass(frozen=True)
class Shown:
    """What is written into a picture.

    Attributes:
        shapes: The shape of each tensor, on its arrow.
        dtype: Its dtype.
        names: The names of layers; else their class alone.
        activations: The activation of layers that have one.
        trainable: Which layers with weights are trained.
        parameters: How many numbers a layer's weights have.
    """

    shapes: bool = True
    dtype: bool = False
    names: bool = True
    activations: bool = True
    trainable: bool = False
    parameters: bool = True


EVERYTHING = Shown()


def rows_of(box: Box, shown: Shown, is_open: bool = False) -> list[Row]:
    """The lines of text in a box.

    >>> import keryx
    >>> layer = keryx.layers.Dense(2, activation="relu", name="first")
    >>> rows_of(Box("0", "first", "Dense", "layer", layer), Shown())
    [('name', 'first'), ('kind', 'Dense \N{MIDDLE DOT} relu')]
    """
    kind = box.kind if box.role != "model" else _wrapped(box)
    activation = _activation(box.thing) if shown.activations else None
    if activation:
        kind = f"{kind} \N{MIDDLE DOT} {activation}"
    rows = [("name", clipped(box.name)), ("kind", clipped(kind))] if shown.names else [("name", clipped(kind))]
    if box.role == "op":
        rows = rows[:1]
    if is_open:
        return rows
    if shown.parameters and box.inside is not None:
        rows.append(("detail", f"{len(box.inside.boxes)} layers within"))
    if shown.parameters and (count := parameters(box.thing)):
        rows.append(("detail", f"{count:,} parameters"))
    if shown.trainable and getattr(box.thing, "weights", None):
        rows.append(("detail", "trainable" if box.thing.trainable else "frozen"))
    return rows


def text_of(arrow: Arrow, shown: Shown) -> str:
    """What stands on an arrow.

    >>> text_of(Arrow(0, 1, (None, 3), "float32", head_call=2, times=2), Shown(dtype=True))
    '#2 (None, 3) float32 \N{MULTIPLICATION SIGN}2'
    """
    calls = " \N{RIGHTWARDS ARROW} ".join(f"#{call}" for call in (arrow.tail_call, arrow.head_call) if call)
    shape = str(tuple(arrow.shape)) if shown.shapes else ""
    times = f"\N{MULTIPLICATION SIGN}{arrow.times}" if arrow.times > 1 else ""
    return " ".join(filter(None, (calls, shape, str(arrow.dtype) if shown.dtype else "", times)))


def _wrapped(box: Box) -> str:
    inner = model_within(box.thing)
    return box.kind if inner is box.thing else f"{box.kind} of {inner.name}"


def _activation(thing: Any) -> str | None:
    activation = getattr(thing, "activation", None)
    name = getattr(activation, "name", None) or getattr(activation, "__name__", None) or activation
    return str(name) if isinstance(name, str) and name != "linear" else None


def parameters(thing: Any) -> int:
    """How many numbers the weights have; 0 where there are none yet."""
    return thing.count_params() if getattr(thing, "built", False) and hasattr(thing, "count_params") else 0
