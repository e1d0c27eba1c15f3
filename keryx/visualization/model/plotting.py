"""Pictures of models, by Keras's names: `plot_model` writes one, `model_to_dot` says it in Graphviz's language."""

import os
from functools import partial
from pathlib import Path
from typing import Any

from keryx.errors import ArgumentError, ConfigError, StateError, did_you_mean, listing
from keryx.models.structure import Structure
from keryx.visualization.model import dot, page, raster, svg
from keryx.visualization.model.layout import check_direction, place
from keryx.visualization.model.picture import Picture, of
from keryx.visualization.model.rows import Shown

SPLINES = ("ortho", "curved", "spline", "polyline", "line")
_OWN = ("svg", "html", "htm", "dot", "gv")
_PIXELS = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}  # by ending, as IPython says it


def plot_model(
    model: Any,
    to_file: str | os.PathLike = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: float | None = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Any:
    """Draw a model into a file, with no program beside Python.

    A layer that is called several times is one box; its calls are arrows with numbers.

    Args:
        model: The model.
        to_file: The file. Its ending says what it is: `.svg`, `.html` (models within open and close, boxes tell of
            their weights under the mouse) and `.dot` are written by Keryx itself; `.png`, `.pdf` and others by
            matplotlib (`pip install 'keryx[visualization]'`). Without an ending it is PNG.
        show_shapes: Whether arrows have the shapes of their tensors.
        show_dtype: Whether they have the dtypes.
        show_layer_names: Whether boxes have the names of layers, not their classes alone.
        rankdir: `TB` from the top to the bottom, `LR` from left to right, `BT`, `RL`.
        expand_nested: Whether models within are open.
        dpi: Pixels an inch.
        show_layer_activations: Whether boxes have the activations.
        show_trainable: Whether they say which layers are trained.
        splines: How arrows go: `ortho` at right angles, `curved` or `spline`, `polyline` or `line`.
        **kwargs: `layer_range`, the names of, or regular expressions for, the first and the last layer to show.

    Returns:
        What IPython shows in a notebook, where IPython is installed; else None.

    Raises:
        ArgumentError: For another argument, or what is no model.
        StateError: Where the model is not built.
        ConfigError: For an ending, a direction or a way of arrows that is not known, or without matplotlib.

    >>> import keryx, pathlib, tempfile
    >>> x = keryx.Input((3,))
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.svg"
    >>> _ = plot_model(keryx.Model(x, keryx.layers.Dense(2)(x)), path, show_shapes=True)
    >>> "(None, 3)" in path.read_text()
    True
    """
    shown = Shown(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable, parameters=False)
    path = Path(to_file)
    ending = path.suffix[1:].lower() or "png"
    picture = _picture(model, kwargs, "plot_model")
    _render(path, ending, model=model, picture=picture, shown=shown, **_checked(rankdir, expand_nested, dpi, splines))
    return _for_notebook(path, ending)


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: float | None = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> dot.DotGraph:
    """A model's picture in the language of Graphviz.

    Args:
        model: The model.
        show_shapes: As for `plot_model`, like all of these.
        show_dtype: Likewise.
        show_layer_names: Likewise.
        rankdir: Likewise.
        expand_nested: Likewise.
        dpi: Likewise.
        subgraph: Whether it is a cluster, to stand in another graph.
        show_layer_activations: Likewise.
        show_trainable: Likewise.
        splines: Likewise.
        **kwargs: `layer_range`, likewise.

    Returns:
        An object with `to_string()`, and `write` and `create`, which draw without Graphviz.

    Raises:
        StateError: Where the model is not built.

    >>> import keryx
    >>> x = keryx.Input((3,), name="x")
    >>> "Dense" in model_to_dot(keryx.Model(x, keryx.layers.Dense(2)(x))).to_string()
    True
    """
    shown = Shown(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable, parameters=False)
    options = _checked(rankdir, expand_nested, dpi, splines)
    picture = _picture(model, kwargs, "model_to_dot")
    said = dot.text(picture, shown, expand_nested, rankdir, options["dpi"], splines, subgraph)
    return dot.DotGraph(said, partial(_render, model=model, picture=picture, shown=shown, **options))


def _picture(model: Any, kwargs: dict[str, Any], who: str) -> Picture:
    layer_range = kwargs.pop("layer_range", None)
    for name in kwargs:
        raise ArgumentError(f"{who}() has no argument {name!r}.{did_you_mean(name, _ARGUMENTS)}")
    if not isinstance(model, Structure):
        raise ArgumentError(f"{who}() draws a model; got {type(model).__name__}.")
    if not model.built:
        raise StateError(f"{model.name!r} is not built yet, so it has no picture: call it, or build(), first.")
    return of(model, layer_range)


def _checked(rankdir: str, expand_nested: bool, dpi: float | None, splines: str) -> dict[str, Any]:
    check_direction(rankdir)
    if splines not in SPLINES:
        raise ConfigError(f"splines is one of {listing(SPLINES)}; got {splines!r}.")
    return {"rankdir": rankdir, "expand": expand_nested, "dpi": 96 if dpi is None else dpi, "splines": splines}


_ARGUMENTS = (*plot_model.__annotations__, "layer_range", "subgraph")


def _render(
    file: Any,
    ending: str,
    model: Any,
    picture: Picture,
    shown: Shown,
    rankdir: str,
    expand: bool,
    dpi: float,
    splines: str,
) -> None:
    """Write a picture to a path, or to a file that is open for bytes."""
    curved = splines in ("curved", "spline")
    if ending in ("dot", "gv"):
        return _write(file, dot.text(picture, shown, expand, rankdir, dpi, splines) + "\n")
    if ending in ("html", "htm"):
        return _write(file, page.document(picture, shown, rankdir, curved, expand))
    opened = {box.key for box in picture.walk()} if expand else set()
    drawing = place(picture, shown, opened, rankdir, right_angles=splines == "ortho")
    if ending == "svg":
        return _write(file, svg.document(drawing, f"Model {picture.title}", curved))
    known = raster.formats()
    if ending not in known:
        endings = listing(f".{name}" for name in sorted({*_OWN, *known}))
        raise ConfigError(f"A picture of a model cannot be a .{ending} file; it can be {endings}.")
    return raster.write(drawing, file, ending, dpi, curved)


def _write(file: Any, text: str) -> None:
    data = text.encode()
    if hasattr(file, "write"):
        file.write(data)
    else:
        Path(file).write_bytes(data)


def _for_notebook(path: Path, ending: str) -> Any:
    """What IPython shows of the file; None of those that it cannot show, and without it."""
    try:
        from IPython import display
    except ImportError:
        return None
    if ending in _PIXELS:
        return display.Image(filename=str(path), format=_PIXELS[ending])
    if ending in ("svg", "html"):
        return getattr(display, ending.upper())(filename=str(path))
    return None
