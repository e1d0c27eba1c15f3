"""A picture of a model in the language of Graphviz."""

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from keryx.visualization.model.picture import Arrow, Box, Picture
from keryx.visualization.model.rows import Shown, rows_of, text_of


class DotGraph:
    """A model's picture as Graphviz's text, which draws itself without Graphviz.

    It has the methods of pydot's graphs that people call on what `model_to_dot` returns; `pydot.graph_from_dot_data`
    makes one of those from `to_string()`.

    Args:
        text: The text.
        render: What writes the picture in a format to a file.
    """

    def __init__(self, text: str, render: Any):
        self._text, self._render = text, render

    def to_string(self) -> str:
        """The text."""
        return self._text

    __str__ = to_string

    @property
    def source(self) -> str:
        """The text, by the name that the package graphviz has for it."""
        return self._text

    def write(
        self, path: str | os.PathLike, prog: Any = None, format: str = "raw", encoding: str | None = None
    ) -> bool:
        """Write a file: the text, or a picture.

        Args:
            path: The file.
            prog: Passed over: no program is run.
            format: `raw` or `dot` for the text, else `svg`, `png`, `pdf`, ...
            encoding: Of the text; by default UTF-8.

        Returns:
            True, as pydot does.
        """
        if format in ("raw", "dot"):
            Path(path).write_text(self._text, encoding=encoding or "utf-8")
        else:
            Path(path).write_bytes(self.create(format=format))
        return True

    def create(self, prog: Any = None, format: str = "ps", encoding: str | None = None) -> bytes:
        """The picture in a format, as bytes; the arguments are those of `write`."""
        if format in ("raw", "dot"):
            return self._text.encode(encoding or "utf-8")
        made = io.BytesIO()
        self._render(made, format)
        return made.getvalue()

    def create_svg(self, prog: Any = None, encoding: str | None = None) -> bytes:
        """The picture as SVG."""
        return self.create(format="svg")

    def create_png(self, prog: Any = None, encoding: str | None = None) -> bytes:
        """The picture as PNG."""
        return self.create(format="png")

    def create_pdf(self, prog: Any = None, encoding: str | None = None) -> bytes:
        """The picture as PDF."""
        return self.create(format="pdf")

    def write_svg(self, path: str | os.PathLike, prog: Any = None, encoding: str | None = None) -> bool:
        """Write the picture as SVG."""
        return self.write(path, format="svg")

    def write_png(self, path: str | os.PathLike, prog: Any = None, encoding: str | None = None) -> bool:
        """Write the picture as PNG."""
        return self.write(path, format="png")

    def write_pdf(self, path: str | os.PathLike, prog: Any = None, encoding: str | None = None) -> bool:
        """Write the picture as PDF."""
        return self.write(path, format="pdf")

    def _repr_svg_(self) -> str:
        return self.create_svg().decode()


def text(
    picture: Picture, shown: Shown, expand: bool, rankdir: str, dpi: float, splines: str, subgraph: bool = False
) -> str:
    """The text; of a cluster for another graph where `subgraph` is set.

    >>> import keryx
    >>> from keryx.visualization.model.picture import of
    >>> x = keryx.Input((3,), name="x")
    >>> picture = of(keryx.Model(x, keryx.layers.Dense(2, name="y")(x), name="m"))
    >>> print(text(picture, Shown(parameters=False), False, "TB", 96, "line"))
    digraph "m" {
      graph [rankdir=TB, dpi=96, splines=line];
      node [shape=box, style=rounded, fontname=Helvetica];
      edge [fontname=Helvetica, fontsize=10];
      "0" [label="x\\nInputLayer", style="rounded,dashed"];
      "1" [label="y\\nDense"];
      "0" -> "1" [label="(None, 3)"];
    }
    """
    begin = f"subgraph {_quoted('cluster_' + picture.title)} {{" if subgraph else f"digraph {_quoted(picture.title)} {{"
    lines = [f"label={_quoted(picture.title)}; style=dashed; labeljust=l;"] if subgraph else []
    if not subgraph:
        lines += [f"graph [rankdir={rankdir}, dpi={dpi:g}, splines={splines}];"]
        lines += ["node [shape=box, style=rounded, fontname=Helvetica];", "edge [fontname=Helvetica, fontsize=10];"]
    lines += _body(picture, shown, expand, "xlabel" if splines == "ortho" else "label")
    return "\n".join([begin, *(f"  {line}" for line in lines), "}"])


def _quoted(words: str) -> str:
    escaped = words.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n") + '"'


def _body(picture: Picture, shown: Shown, expand: bool, on_edges: str) -> Iterable[str]:
    for box in picture.boxes:
        if expand and box.inside is not None:
            label = " ".join(row for _, row in rows_of(box, shown, is_open=True))
            yield f"subgraph {_quoted('cluster_' + box.key)} {{"
            yield f"  label={_quoted(label)}; style=dashed; labeljust=l;"
            yield from (f"  {line}" for line in _body(box.inside, shown, expand, on_edges))
            yield "}"
        else:
            look = ', style="rounded,dashed"' if box.role == "input" else ""
            label = "\n".join(row for _, row in rows_of(box, shown))
            yield f"{_quoted(box.key)} [label={_quoted(label)}{look}];"
    for arrow in picture.arrows:
        ends = _tail(picture, arrow, expand), _head(picture, arrow, expand)
        if None not in ends:
            label = text_of(arrow, shown)
            tail, head = (_quoted(str(end)) for end in ends)
            yield f"{tail} -> {head}" + (f" [{on_edges}={_quoted(label)}];" if label else ";")


def _tail(picture: Picture, arrow: Arrow, expand: bool) -> str | None:
    """The box that an arrow begins at, in an open model the one that its result comes from."""
    return None if arrow.tail is None else _resolved(picture.boxes[arrow.tail], arrow.tail_port, expand, True)


def _head(picture: Picture, arrow: Arrow, expand: bool) -> str | None:
    return None if arrow.head is None else _resolved(picture.boxes[arrow.head], arrow.head_port, expand, False)


def _resolved(box: Box, port: int, expand: bool, leaves: bool) -> str:
    if not expand or box.inside is None:
        return box.key
    for arrow in box.inside.arrows:
        if leaves and arrow.head is None and arrow.head_port == port:
            return _tail(box.inside, arrow, expand) or box.key
        if not leaves and arrow.tail is None and arrow.tail_port == port:
            return _head(box.inside, arrow, expand) or box.key
    inner = box.inside.boxes[-1 if leaves else 0]  # a list of layers has no ports
    return _resolved(inner, 0, expand, leaves)
