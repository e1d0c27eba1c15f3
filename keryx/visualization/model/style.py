"""How pictures of models look: their colours, on light and on dark ground, and the colour of each family of layers."""

from string import Template
from typing import Any

LIGHT = {
    "ground": "#ffffff",
    "ink": "#1f2328",
    "muted": "#59636e",
    "line": "#8c959f",
    "box": "#f6f8fa",
    "border": "#c4ccd4",
    "hot": "#0969da",
    "input": "#57606a",
    "core": "#2f6fd0",
    "convolution": "#c4500a",
    "pooling": "#1a7f4b",
    "recurrent": "#8250df",
    "attention": "#bf3989",
    "normalization": "#6e7781",
    "merging": "#0b7a8c",
    "model": "#9a6700",
    "op": "#0b7a8c",
    "other": "#57606a",
}
DARK = {
    "ground": "#15191f",
    "ink": "#e6edf3",
    "muted": "#9aa5b1",
    "line": "#6e7b88",
    "box": "#212830",
    "border": "#3d4752",
    "hot": "#58a6ff",
    "input": "#9aa5b1",
    "core": "#58a6ff",
    "convolution": "#f0883e",
    "pooling": "#3fb950",
    "recurrent": "#b48bff",
    "attention": "#f778ba",
    "normalization": "#9aa5b1",
    "merging": "#39c5cf",
    "model": "#d7a531",
    "op": "#39c5cf",
    "other": "#9aa5b1",
}
FAMILIES = ("input", "core", "convolution", "pooling", "recurrent", "attention", "normalization", "merging", "model")
FAMILIES = (*FAMILIES, "op", "other")

# By the module of `keryx.layers` that a layer, or what it was made from, is in.
_HOMES = {
    "convolutional": "convolution",
    "pooling": "pooling",
    "recurrent": "recurrent",
    "attention": "attention",
    "normalization": "normalization",
    "regularization": "normalization",
    "merging": "merging",
    "core": "core",
    "einsum_dense": "core",
    "embedding": "core",
}
FONT = 'Helvetica,Arial,"Liberation Sans","Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif'

_RULES = Template(
    """
.kx{background:$ground}
.kx .ground{fill:$ground}
.kx text{font:10.5px $font;fill:$muted;text-anchor:middle}
.kx .name{font-size:12px;font-weight:bold;fill:$ink}
.kx .detail,.kx .e text{font-size:10px}
.kx .n rect{fill:$box;stroke:$border}
.kx .n .bar{stroke:none}
.kx .m>rect{fill:none;stroke:$model;stroke-dasharray:5 3}
.kx .t text{text-anchor:start}
.kx .e path{fill:none;stroke:$line;stroke-width:1.3px}
.kx .e .h{fill:$line;stroke:none}
.kx .e:hover path{stroke:$hot;stroke-width:2px}
.kx .e:hover .h{fill:$hot}
.kx .e:hover text{fill:$ink}
.kx .n:hover>rect{stroke:$hot}
"""
)


def rules(colours: dict[str, str], scope: str) -> str:
    """CSS that draws pictures of the class `scope` in these colours."""
    bars = "".join(f".kx .{family} .bar{{fill:{colours[family]}}}\n" for family in FAMILIES)
    return (_RULES.substitute(colours, font=FONT) + bars).replace(".kx", f".{scope}")


def family(role: str, thing: Any) -> str:
    """Which colour a box has.

    >>> import keryx
    >>> family("layer", keryx.layers.LSTM(2)), family("layer", keryx.layers.Conv2D(2, 3)), family("op", None)
    ('recurrent', 'convolution', 'op')
    """
    if role != "layer":
        return role
    for cls in type(thing).__mro__:
        package, _, rest = cls.__module__.partition("keryx.layers.")
        if not package and rest.split(".")[0] in _HOMES:
            return _HOMES[rest.split(".")[0]]
    return "other"
