"""Models that the tests draw, and what finds things in their pictures."""

import re
from xml.etree import ElementTree

import keryx
from keryx import layers

SVG = "{http://www.w3.org/2000/svg}"


def siamese():
    """An encoder called twice, with a block called twice within; inputs by name; ops; one tensor taken twice."""
    crop = keryx.Input((8, 8, 3), name="crop")
    inner = keryx.Input((6, 6, 4), name="inner")
    added = layers.Add(name="added")([layers.Conv2D(4, 3, padding="same", name="conv")(inner), inner])
    block = keryx.Model(inner, added * 0.5, name="block")
    x = layers.Conv2D(4, 3, activation="relu", name="stem")(crop)
    branches = [layers.Conv2D(4, 3, padding="same", name=f"branch_{i}")(x) for i in range(2)]
    x = block(block(layers.Add(name="both")(branches)))
    encoder = keryx.Model({"crop": crop}, layers.GlobalAveragePooling2D(name="pooled")(x), name="encoder")
    left, right = (keryx.Input((8, 8, 3), name=name) for name in ("left", "right"))
    a, b = encoder({"crop": left}), encoder({"crop": right})
    squared = layers.Multiply(name="squared")([a - b, a - b])
    same = layers.Dense(1, activation="sigmoid", name="same")(squared)
    twice = layers.Add(name="twice")([a, a])
    return keryx.Model([left, right], [same, twice], name="siamese")


def small():
    x = keryx.Input((3,), name="x")
    return keryx.Model(x, layers.Dense(2, activation="relu", name="y")(x), name="small")


def two_outputs():
    """A model within, open to both sides: an early and a late output, in the other order outside, and two inputs."""
    a, b = keryx.Input((4,), name="a"), keryx.Input((6,), name="b")
    early = layers.Dense(3, name="early")(a)
    late = layers.Dense(5, name="late")(layers.Dense(4, name="deep")(layers.Concatenate(name="joined")([a, b])))
    inner = keryx.Model([a, b], [early, late], name="within")
    c, d = keryx.Input((6,), name="c"), keryx.Input((4,), name="d")
    first, second = inner([d, c])
    return keryx.Model([c, d], [layers.Dense(1, name="of_late")(second), layers.Dense(1, name="of_early")(first)])


def overlap(a, b):
    """Whether two boxes, given by centre and size, share more than a border."""
    return all(abs(a[0][i] - b[0][i]) < (a[1][i] + b[1][i]) / 2 - 1e-6 for i in (0, 1))


def tree(text):
    return ElementTree.fromstring(text[text.index("<svg") : text.rindex("</svg>") + 6])


def views(html):
    """Each picture of a page with its classes."""
    return {
        kinds: tree(drawn)
        for kinds, drawn in re.findall(r'<div class="kx-view ?([ox\d ]*)">(<svg.*?</svg>)', html, re.DOTALL)
    }


def names_in(element):
    return [text.text for text in element.iter(f"{SVG}text") if "name" in text.get("class", "")]
