"""A picture of a model as HTML, for notebooks: one piece that needs nothing from elsewhere and runs no script."""

import math
import secrets
from collections.abc import Iterator, Sequence
from html import escape
from itertools import product
from typing import Any

from keryx.visualization.model import style, svg
from keryx.visualization.model.layout import Drawing, place
from keryx.visualization.model.picture import Box, Picture, of
from keryx.visualization.model.rows import EVERYTHING, Shown, parameters
from keryx.visualization.model.text import clipped

_MOST_SWITCHES = 4  # each doubles the number of pictures
_MOST_BOXES = 1500  # in all of these pictures
_MOST_TIPS = 900
_FIRST = 240  # pixels around the first box that are seen first

# Where the page around says whether it is light or dark, it is followed: JupyterLab, VS Code, Colab, and MkDocs.
_LIGHT = ('[data-jp-theme-light="true"]', ".vscode-light", '[theme="light"]', '[data-md-color-scheme="default"]')
_DARK = ('[data-jp-theme-light="false"]', ".vscode-dark", '[theme="dark"]', '[data-md-color-scheme="slate"]')


def of_model(model: Any) -> str:
    """What a notebook shows of a model.

    >>> import keryx
    >>> x = keryx.Input((3,))
    >>> "<svg" in of_model(keryx.Model(x, keryx.layers.Dense(2)(x)))
    True
    """
    return fragment(of(model))


def fragment(
    picture: Picture, shown: Shown = EVERYTHING, direction: str = "TB", curved: bool = True, expand: bool = False
) -> str:
    """The HTML of a picture: models within open and close, boxes tell of their weights under the mouse.

    Args:
        picture: What to show.
        shown: What is written.
        direction: As `layout.place` takes it.
        curved: Whether arrows bend.
        expand: Whether models within are open at first.
    """
    switches = _switches(picture)
    views = list(_views(switches))
    boxes = sum(1 for _ in picture.walk())
    names = [f"kx-{secrets.token_hex(4)}-{i}" for i in range(len(switches))]  # unlike those of other pictures
    clicks = {box.key: name for name, within in zip(names, switches, strict=True) for box in within}
    parts = [f'<div class="kx kx-model"><style>{_css()}</style>', _heading(picture)]
    parts += [_switch(i, names[i], within, expand) for i, within in enumerate(switches)]
    for kinds, opened in views:
        drawing = place(picture, shown, opened, direction, right_angles=not curved)
        with_tips = boxes * len(views) <= _MOST_TIPS
        drawn = svg.element(drawing, f"Model {picture.title}", curved, tips=with_tips, switches=clicks)
        parts.append(f'<div class="{kinds}">{drawn}{_first(drawing)}</div>')
    return "".join(parts) + "</div>"


def document(*arguments: Any, **options: Any) -> str:
    """A page of its own with the picture; the arguments are those of `fragment`."""
    drawn = fragment(*arguments, **options)
    return (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>Model</title></head><body>{drawn}</body></html>\n'
    )


def _switches(picture: Picture) -> list[list[Box]]:
    """The boxes that each switch opens: one a switch, or all with one where they are many."""
    boxes = [box for box in picture.walk() if box.inside is not None]
    states = math.prod([2] * len(boxes))
    if len(boxes) <= _MOST_SWITCHES and states * sum(1 for _ in picture.walk()) <= _MOST_BOXES:
        return [[box] for box in boxes]
    return [boxes] if boxes else []


def _views(switches: Sequence[Sequence[Box]]) -> Iterator[tuple[str, set[str]]]:
    """Each picture that the switches lead to: its classes, and which boxes are open in it.

    A switch within a closed model changes nothing: the picture does not say how it stands.
    """
    for on in product((False, True), repeat=len(switches)):
        opened = {box.key for boxes, is_on in zip(switches, on, strict=True) if is_on for box in boxes}
        hidden = [_is_hidden(boxes[0].key, opened) and len(boxes) == 1 for boxes in switches]
        if not any(is_on and is_hidden for is_on, is_hidden in zip(on, hidden, strict=True)):
            kinds = [
                f"{'ox'[not is_on]}{i}" for i, (is_on, gone) in enumerate(zip(on, hidden, strict=True)) if not gone
            ]
            yield " ".join(["kx-view", *kinds]), opened


def _is_hidden(key: str, opened: set[str]) -> bool:
    """Whether a box is within one that is closed."""
    parts = key.split(".")
    return any(".".join(parts[:n]) not in opened for n in range(1, len(parts)))


def _heading(picture: Picture) -> str:
    told = [picture.kind, f"{len(picture.thing.layers)} layers"]
    if count := parameters(picture.thing):
        told.append(f"{count:,} parameters")
    if picture.in_order:
        told.append("no graph: its layers, as they were set")
    words = " \N{MIDDLE DOT} ".join(told)
    return f'<div class="kx-head"><strong>{escape(picture.title)}</strong> {escape(words)}</div>'


def _first(drawing: Drawing) -> str:
    """What a browser scrolls to at first, where a picture is wider than its place: the first box."""
    if not drawing.boxes:
        return ""
    middle = drawing.boxes[0].x + drawing.boxes[0].width / 2 + svg.MARGIN
    left = min(middle - _FIRST / 2, drawing.size[0] + 2 * svg.MARGIN - _FIRST)
    return f'<i style="left:{max(left, 0):.0f}px"></i>' if left > 0 else ""


def _switch(number: int, checkbox: str, boxes: Sequence[Box], is_on: bool) -> str:
    name = clipped(boxes[0].name if len(boxes) == 1 else f"{len(boxes)} models")
    box = f'<input type="checkbox" class="c{number}" id="{checkbox}"{" checked" if is_on else ""}>'
    return f'<label class="kx-switch">{box}<span>{escape(name)}</span></label>'


def _css() -> str:
    """Colours as variables, the light ones first, so that a page may say which ones it wants."""
    variables = {name: f"var(--kx-{name})" for name in style.LIGHT}
    light, dark = (";".join(f"--kx-{name}:{value}" for name, value in c.items()) for c in (style.LIGHT, style.DARK))
    numbers = range(_MOST_SWITCHES)
    closes = ",".join(f".kx .o{i}" for i in numbers)
    return (
        f".kx-model{{{light}}}\n@media (prefers-color-scheme:dark){{.kx-model{{{dark}}}}}\n"
        f"{','.join(f'{where} .kx-model' for where in _LIGHT)}{{{light}}}\n"
        f"{','.join(f'{where} .kx-model' for where in _DARK)}{{{dark}}}\n"
        f"{style.rules(variables, 'kx')}"
        f".kx-model{{color:var(--kx-ink);font:12px {style.FONT};padding:8px;border-radius:6px;max-width:100%;"
        "overflow:hidden;box-sizing:border-box}\n"
        ".kx-view{overflow:auto;max-height:90em;position:relative}"
        f".kx-view i{{position:absolute;top:0;width:{_FIRST}px;height:1px;scroll-initial-target:nearest}}"
        ".kx-view svg{display:block;margin:0 auto;max-width:none!important}\n"
        ".kx-head{padding:2px 4px 6px}.kx-switch{display:inline-block;margin:0 10px 6px 4px;cursor:pointer}\n"
        ".kx-switch span::before{content:'\\25b8  '}.kx-switch input:checked+span::before{content:'\\25be  '}\n"
        ".kx-switch input{position:absolute;opacity:0}.kx-switch input:focus-visible+span{outline:2px solid}\n"
        ".kx-switch span{border:1px solid var(--kx-border);background:var(--kx-box);border-radius:4px;"
        "padding:1px 7px}\n.kx-click{display:block;height:100%;cursor:pointer}\n"
        + "".join(
            f".kx-model:has(.c{i}:checked) .x{i},.kx-model:not(:has(.c{i}:checked)) .o{i}{{display:none}}\n"
            for i in numbers
        )
        + f"@supports not selector(:has(a)){{{closes}{{display:none}}}}\n"
    )
