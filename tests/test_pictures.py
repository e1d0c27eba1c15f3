"""Pictures of models: where boxes and arrows stand, what is written, and what Chromium makes of it."""

import io
import json
import random
import re
import shutil
import subprocess
import sys
import types
from itertools import combinations, pairwise
from unittest import mock
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import keryx
from examples import functional_guide as guide
from keryx import errors, layers
from keryx.utils import model_to_dot, plot_model
from keryx.visualization.model import page, picture, raster, style, svg
from keryx.visualization.model.coordinates import spaced
from keryx.visualization.model.layered import layered
from keryx.visualization.model.layout import DIRECTIONS, place
from keryx.visualization.model.ranking import Cut, Edge, ordered, ranked, without_cycles
from keryx.visualization.model.tips import tip

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


@pytest.fixture(scope="module")
def pair():
    return siamese()


@pytest.fixture(scope="module")
def small():
    x = keryx.Input((3,), name="x")
    return keryx.Model(x, layers.Dense(2, activation="relu", name="y")(x), name="small")


@pytest.fixture(scope="module")
def ten():
    """The guide's ten models, as the example builds them, images smaller and nothing trained."""
    nothing = mock.Mock(return_value=None)
    with mock.patch.multiple(keryx.Model, fit=nothing, predict=nothing), mock.patch("numpy.testing.assert_allclose"):
        dense, _ = guide.dense()
        answering, _, parts = guide.visual_question_answering(size=64)
        return {
            "dense": dense,
            "model_as_layer": guide.model_as_layer(dense),
            "every_step": guide.every_step(dense)[0],
            "news": guide.news(rows=2)[0],
            "tweets": guide.tweets(rows=2)[0],
            "inception": guide.inception(16)[0],
            "residual": guide.residual(16)[0],
            "shared_vision": guide.shared_vision(rows=2)[0],
            "visual_question_answering": answering,
            "video_question_answering": guide.video_question_answering(*parts, frames=2, size=64)[0],
        }


# -- layers of nodes -----------------------------------------------------------------------------------------------


def overlap(a, b):
    """Whether two boxes, given by centre and size, share more than a border."""
    return all(abs(a[0][i] - b[0][i]) < (a[1][i] + b[1][i]) / 2 - 1e-6 for i in (0, 1))


def random_graph(seed):
    pick = random.Random(seed)
    count = pick.randint(1, 14)
    sizes = [(pick.uniform(20, 160), pick.uniform(15, 60)) for _ in range(count)]
    edges = []
    for _ in range(pick.randint(0, 2 * count)):
        tail, head = pick.randrange(count), pick.randrange(count)
        if pick.random() < 0.85:  # the others close cycles, or lead to where they come from
            tail, head = min(tail, head), max(tail, head)
        edges.append(Edge(tail, head, (pick.uniform(20, 90), 14) if pick.random() < 0.6 else (0, 0)))
    return sizes, edges


@pytest.mark.parametrize("right_angles", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_no_boxes_overlap_and_edges_lead_downwards_past_them(seed, right_angles):
    sizes, edges = random_graph(seed)
    drawn = layered(sizes, edges, right_angles=right_angles)
    boxes = list(zip(drawn.centres, sizes, strict=True))
    labels = [(at, edge.label) for at, edge in zip(drawn.labels, edges, strict=True) if edge.label[0]]
    for a, b in combinations([*boxes, *labels], 2):
        assert not overlap(a, b)
    for (x, y), (w, h) in [*boxes, *labels]:
        assert x - w / 2 >= -1e-6
        assert x + w / 2 <= drawn.size[0] + 1e-6
        assert y - h / 2 >= -1e-6
        assert y + h / 2 <= drawn.size[1] + 1e-6
    down = without_cycles(len(sizes), edges)
    for edge, route, downwards in zip(edges, drawn.routes, down, strict=True):
        (tail, (tail_w, tail_h)), (head, (head_w, head_h)) = boxes[edge.tail], boxes[edge.head]
        if edge.tail == edge.head:
            assert route[0][0] == route[-1][0] == pytest.approx(tail[0] + tail_w / 2)
            continue
        way = 1 if downwards else -1
        assert route[0][1] == pytest.approx(tail[1] + way * tail_h / 2)
        assert route[-1][1] == pytest.approx(head[1] - way * head_h / 2)
        assert abs(route[0][0] - tail[0]) <= tail_w / 2
        assert abs(route[-1][0] - head[0]) <= head_w / 2
        for (_, y), (_, to_y) in pairwise(route):
            assert (to_y - y) * way >= -1e-6
        for start, end in pairwise(route):
            middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
            piece = (middle, (abs(start[0] - end[0]), abs(start[1] - end[1])))
            for number, box in enumerate(boxes):
                assert number in (edge.tail, edge.head) or not overlap(piece, box)


def test_only_edges_that_close_a_cycle_lead_upwards():
    edges = [Edge(0, 1), Edge(1, 2), Edge(2, 0), Edge(0, 2), Edge(1, 1)]
    assert without_cycles(3, edges) == [True, True, False, True, False]


@pytest.mark.parametrize("seed", range(20))
def test_spaced_is_the_nearest_that_keeps_the_distances(seed):
    numbers = np.random.default_rng(seed)
    count = int(numbers.integers(1, 8))
    wanted, weights = numbers.uniform(-50, 50, count), numbers.uniform(0.1, 8, count)
    apart = numbers.uniform(1, 20, count)
    found = np.array(spaced(wanted, apart, weights))
    assert (np.diff(found) >= apart[1:] - 1e-9).all()
    # The best one satisfies x = sum over a pool; no feasible step from it gets nearer.
    best = (weights * (found - wanted) ** 2).sum()
    for _ in range(200):
        other = found + numbers.normal(0, 3, count)
        other = np.maximum.accumulate(other - np.cumsum(apart)) + np.cumsum(apart)
        assert (weights * (other - wanted) ** 2).sum() >= best - 1e-9


def crossings(drawn):
    """How many pairs of edges cross, seen between all pairs of straight pieces."""

    def side(a, b, c):
        return np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    pieces = [(i, a, b) for i, route in enumerate(drawn.routes) for a, b in pairwise(route)]
    return sum(
        i != j and side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
        for (i, a, b), (j, c, d) in combinations(pieces, 2)
    )


def test_edges_that_need_not_cross_do_not():
    boxes = [(40, 20)] * 6
    assert crossings(layered(boxes, [Edge(0, 3), Edge(0, 5), Edge(1, 4), Edge(1, 5), Edge(2, 3)])) == 0
    # What the guide's second model needs: an early output beside what goes on with another input.
    assert crossings(layered(boxes, [Edge(0, 1), Edge(0, 2), Edge(3, 1)])) == 0
    assert crossings(layered(boxes[:4], [Edge(a, b) for a in (0, 1) for b in (2, 3)])) == 1


def test_a_tree_turned_around_is_put_in_order():
    edges = [Edge(i, 10 + i // 3) for i in range(9)] + [Edge(10 + i, 13) for i in range(3)]
    shuffled = [Edge((e.tail * 7) % 9 if e.tail < 9 else e.tail, e.head) for e in edges]
    down = without_cycles(14, shuffled)
    sizes = [(30, 20)] * 14
    order = ordered(Cut(sizes, shuffled, down, ranked(14, shuffled, down, set(), set())))
    place = {node: i for rank in order for i, node in enumerate(rank)}
    heads = [place[e.head] for e in sorted(shuffled[:9], key=lambda e: place[e.tail])]
    assert heads == sorted(heads)


def test_branches_stand_straight():
    """A residual block: its layers stand below one another, and the way past them is straight."""
    edges = [
        Edge(0, 1, (60, 14)),
        Edge(1, 2, (80, 14)),
        Edge(2, 3, (50, 14)),
        Edge(3, 4, (60, 14)),
        Edge(0, 4, (90, 14)),
    ]
    drawn = layered([(100, 40), (150, 40), (90, 40), (120, 40), (60, 30)], edges)
    assert len({round(drawn.centres[i][0], 6) for i in (1, 2, 3)}) == 1
    assert len({round(x, 6) for x, _ in drawn.routes[4][1:-1]}) <= 2


def test_right_angles_do_not_run_into_one_another():
    edges = [Edge(a, 4 + b) for a in range(4) for b in range(4)]
    drawn = layered([(60, 20)] * 8, edges, right_angles=True)
    level = [
        (a[1], *sorted((a[0], b[0])))
        for route in drawn.routes
        for a, b in pairwise(route)
        if a[1] == b[1] and abs(a[0] - b[0]) > 0.01
    ]
    assert level
    for (y, low, high), (to_y, to_low, to_high) in combinations(level, 2):
        assert abs(y - to_y) > 1 or high < to_low or to_high < low
    assert all(a[0] == b[0] or a[1] == b[1] for route in drawn.routes for a, b in pairwise(route))


# -- what is read from a model -------------------------------------------------------------------------------------


def arrows_of(read):
    names = {i: box.name for i, box in enumerate(read.boxes)} | {None: ""}
    return [(names[a.tail], a.tail_call, names[a.head], a.head_call) for a in read.arrows]


def test_a_shared_model_is_one_box_with_all_its_calls(pair):
    read = picture.of(pair)
    assert [box.name for box in read.boxes].count("encoder") == 1
    arrows = arrows_of(read)
    assert ("left", 0, "encoder", 1) in arrows
    assert ("right", 0, "encoder", 2) in arrows
    assert [(a[1], a[2]) for a in arrows if a[0] == "encoder"].count((1, "twice")) == 1
    inside = next(box.inside for box in read.boxes if box.name == "encoder")
    assert ("both", 0, "block", 1) in arrows_of(inside)
    assert ("block", 1, "block", 2) in arrows_of(inside)
    assert ("block", 2, "pooled", 0) in arrows_of(inside)


def test_a_tensor_that_a_call_takes_twice_is_one_arrow(pair):
    read = picture.of(pair)
    twice = next(i for i, box in enumerate(read.boxes) if box.name == "twice")
    assert [arrow.times for arrow in read.arrows if arrow.head == twice] == [2]


def test_inputs_by_name_come_in_where_they_are_named():
    a, b = keryx.Input((2,), name="a"), keryx.Input((3,), name="b")
    inner = keryx.Model({"a": a, "b": b}, layers.Concatenate()([a, b]), name="inner")
    c, d = keryx.Input((3,), name="c"), keryx.Input((2,), name="d")
    read = picture.of(keryx.Model([c, d], inner({"b": c, "a": d})))
    taken = {read.boxes[arrow.tail].name: arrow.head_port for arrow in read.arrows if arrow.head == 2}
    assert taken == {"d": 0, "c": 1}


def test_a_model_in_a_wrapper_can_be_looked_into(small):
    steps = keryx.Input((4, 3))
    read = picture.of(keryx.Model(steps, layers.TimeDistributed(small, name="steps")(steps)))
    assert [box.name for box in read.boxes[1].inside.boxes] == ["x", "y"]


def test_a_model_with_a_call_of_its_own_is_a_list_of_layers():
    class Own(keryx.Model):
        def __init__(self):
            super().__init__(name="own")
            self.first = layers.Dense(2, name="first")
            self.second = keryx.Sequential([layers.Dense(1, name="deep")], name="second")

        def call(self, x):
            return self.second(self.first(x))

    model = Own()
    model(np.zeros((1, 3), "float32"))
    html = model._repr_html_()
    assert "no graph" in html
    assert all(f">{name}<" in html for name in ("first", "second", "deep"))
    boxes = place(picture.of(model)).boxes
    assert [placed.box.name for placed in boxes] == ["first", "second"]
    assert boxes[0].y + boxes[0].height < boxes[1].y
    assert place(picture.of(model)).arrows == []


def test_a_model_that_is_not_built_shows_its_layers():
    html = keryx.Sequential([layers.Dense(2, name="waiting")])._repr_html_()
    assert ">waiting<" in html
    assert "<svg" in keryx.Sequential()._repr_html_()


def test_a_model_from_the_midst_of_a_graph(pair):
    x = keryx.Input((3,))
    middle = layers.Dense(4, name="before")(x)
    read = picture.of(keryx.Model(middle, layers.Dense(2, name="after")(middle)))
    assert [box.role for box in read.boxes] == ["input", "layer"]
    assert read.boxes[1].name == "after"


def test_a_part_of_a_model():
    model = keryx.Sequential([keryx.Input((2,)), *(layers.Dense(2, name=f"d{i}") for i in range(5))])
    read = picture.of(model, ["d1", "d3"])
    assert [box.name for box in read.boxes] == ["d1", "d2", "d3"]
    assert [(a.tail, a.head) for a in read.arrows] == [(0, 1), (1, 2)]
    with pytest.raises(errors.ConfigError, match=r"layer_range names 'd9'\. The model has .*'d4'"):
        picture.of(model, ["d9", "d3"])
    with pytest.raises(errors.ConfigError, match="first and the last layer"):
        picture.of(model, ["d1"])


def test_a_loss_that_a_graph_adds_goes_out():
    x = keryx.Input((2,))
    model = keryx.Model(x, layers.Dense(2)(x))
    model.add_loss(keryx.ops.mean(model.output**2))
    read = picture.of(model)
    assert sorted(arrow.head_port for arrow in read.arrows if arrow.head is None) == [0, 1]


# -- models within models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("right_angles", [False, True])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_an_open_model_holds_what_is_within_and_nothing_else(pair, direction, right_angles):
    read = picture.of(pair)
    drawing = place(read, opened={box.key for box in read.walk()}, direction=direction, right_angles=right_angles)
    frames = [placed for placed in drawing.boxes if placed.is_open]
    assert [frame.box.name for frame in frames] == ["encoder", "block"]
    for frame in frames:
        for placed in drawing.boxes:
            x, y = placed.x - frame.x, placed.y - frame.y
            is_within = 0 < x < x + placed.width < frame.width and 0 < y < y + placed.height < frame.height
            assert is_within == placed.box.key.startswith(frame.box.key + ".")
    closed = [placed for placed in drawing.boxes if not placed.is_open]
    for a, b in combinations(closed, 2):
        boxes = [((p.x + p.width / 2, p.y + p.height / 2), (p.width, p.height)) for p in (a, b)]
        assert not overlap(*boxes)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_arrows_lead_from_border_to_border(pair, direction):
    """Those into an open model go on, without a gap, to the box that takes them."""
    read = picture.of(pair)
    drawing = place(read, opened={box.key for box in read.walk()}, direction=direction)
    frame = next(placed for placed in drawing.boxes if placed.box.name == "encoder")
    comes = [a.points[-1] for a in drawing.arrows if a.text.startswith(("#1 (None, 8", "#2 (None, 8"))]
    assert len(comes) == 2
    assert comes[0] == pytest.approx(comes[1])
    goes_on = [a for a in drawing.arrows if a.points[0] == pytest.approx(comes[0])]
    assert len(goes_on) == 1
    assert goes_on[0].ends
    crop = next(placed for placed in drawing.boxes if placed.box.name == "crop")
    x, y = goes_on[0].points[-1]
    edges = {"TB": (y, crop.y), "BT": (y, crop.y + crop.height), "LR": (x, crop.x), "RL": (x, crop.x + crop.width)}
    assert edges[direction][0] == pytest.approx(edges[direction][1])
    start = {"TB": frame.y, "BT": frame.y + frame.height, "LR": frame.x, "RL": frame.x + frame.width}[direction]
    assert comes[0][["TB", "BT"].count(direction)] == pytest.approx(start)


def test_directions_lead_where_they_say(small):
    for direction, way in (("TB", (0, 1)), ("BT", (0, -1)), ("LR", (1, 0)), ("RL", (-1, 0))):
        first, second = place(picture.of(small), direction=direction).boxes
        moved = [
            (b + wb / 2) - (a + wa / 2)
            for a, wa, b, wb in (
                (first.x, first.width, second.x, second.width),
                (first.y, first.height, second.y, second.height),
            )
        ]
        assert [round(float(np.sign(round(m, 6)))) for m in moved] == list(way)


# -- SVG and HTML --------------------------------------------------------------------------------------------------


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


def test_models_within_open_and_close(pair):
    html = pair._repr_html_()
    found = views(html)
    assert set(found) == {"x0", "o0 x1", "o0 o1"}  # the block is in the encoder
    assert "crop" not in names_in(found["x0"])
    assert "crop" in names_in(found["o0 x1"])
    assert "added" not in names_in(found["o0 x1"])
    assert "added" in names_in(found["o0 o1"])
    assert [names_in(view).count("encoder") for view in found.values()] == [1, 1, 1]
    assert len(re.findall("<input type=.checkbox", html)) == 2


def test_many_models_within_open_together(small):
    x = y = keryx.Input((3,))
    for i in range(6):
        inner = keryx.Input((3,))
        y = keryx.Model(inner, layers.Dense(3)(inner), name=f"part_{i}")(y)
    html = keryx.Model(x, y)._repr_html_()
    assert set(views(html)) == {"x0", "o0"}
    assert "6 models" in html


def test_names_are_only_text():
    """What a name says is never read as HTML, nor as a formula, nor as a part of Graphviz's language."""
    evil = '<script>alert(1)<script>"&\\$x^2$'  # a name that a layer can have holds no slash
    model = keryx.Sequential([keryx.Input((2,)), layers.Dense(2, name=evil)], name=evil)
    html = model._repr_html_()
    assert "<script" not in html
    assert evil in names_in(next(iter(views(html).values())))
    said = model_to_dot(model).to_string()
    assert '\\"&\\\\$x^2$' in said
    assert model_to_dot(model).create_png()[1:4] == b"PNG"


def test_a_page_needs_nothing_from_elsewhere(pair):
    html = page.document(picture.of(pair))
    assert "<script" not in html
    assert "@import" not in html
    assert not re.search(r"url\(|href=|src=", html)
    assert set(re.findall(r"https?://[^\"' ]*", html)) == {"http://www.w3.org/2000/svg"}


def test_a_box_tells_of_its_weights_and_how_it_was_made(small):
    titles = [title.text for title in tree(small._repr_html_()).iter(f"{SVG}title")]
    assert titles[1] == "y (Dense)\nkernel (3, 2) float32\nbias (2,) float32\n8 parameters\nunits=2, activation=relu"


def test_a_tip_names_no_large_arrays():
    layer = layers.Embedding(2000, 8, name="words")
    layer(keryx.Input((4,), dtype="int32"))
    layer.trainable = False
    told = tip(picture.Box("0", "words", "Embedding", "layer", layer))
    assert told.splitlines()[1:3] == ["embeddings (2000, 8) float32", "16,000 parameters, frozen"]
    assert len(told) < 200


def test_a_picture_of_300_layers_is_below_a_megabyte():
    x = y = keryx.Input((4,))
    for i in range(100):
        branch = layers.Dense(4, activation="relu", name=f"block_{i}_dense")(y)
        y = layers.Add(name=f"block_{i}_add")([y, layers.LayerNormalization(name=f"block_{i}_norm")(branch)])
    html = keryx.Model(x, y)._repr_html_()
    assert 50_000 < len(html) < 400_000
    assert len(names_in(tree(html))) == 301


def contrast(a, b):
    """The ratio of luminances, as WCAG 2 defines it."""

    def luminance(colour):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [style.LIGHT, style.DARK])
def test_text_can_be_read_on_light_and_on_dark_ground(colours):
    for ground in ("ground", "box"):
        for ink in ("ink", "muted"):
            assert contrast(colours[ink], colours[ground]) >= 4.5
    for family in (*style.FAMILIES, "line"):
        assert contrast(colours[family], colours["ground"]) >= 2.7
    assert colours.keys() == style.LIGHT.keys()


# -- files ---------------------------------------------------------------------------------------------------------

BEGINNINGS = {
    "png": b"\x89PNG",
    "pdf": b"%PDF",
    "svg": b"<svg",
    "dot": b"digraph",
    "html": b"<!DOCTYPE html>",
    "jpg": b"\xff\xd8",
}


@pytest.mark.parametrize("ending", BEGINNINGS)
def test_the_ending_says_what_is_written(pair, tmp_path, ending):
    path = tmp_path / f"model.{ending}"
    plot_model(pair, path, show_shapes=True, show_dtype=True, show_layer_names=True, expand_nested=True,
               show_layer_activations=True, show_trainable=True, dpi=50)  # fmt: skip
    data = path.read_bytes()
    assert data.startswith(BEGINNINGS[ending])
    assert len(data) > 2000
    if ending in ("svg", "html", "dot"):
        text = data.decode()
        for word in ("encoder", "(None, 8, 8, 3) float32", "Conv2D", "relu", "trainable", "added"):
            assert word in text


def test_what_is_not_asked_for_is_not_written(pair, tmp_path):
    plot_model(pair, tmp_path / "model.svg")
    text = tree((tmp_path / "model.svg").read_text())
    words = " ".join(element.text or "" for element in text.iter(f"{SVG}text"))
    assert "Dense" in words
    for word in ("same", "None", "float32", "relu", "trainable", "parameters", "crop"):
        assert word not in words


def test_dpi_is_the_size_of_a_png(small, tmp_path):
    sizes = []
    for dpi in (50, 100):
        plot_model(small, tmp_path / "model.png", dpi=dpi)
        with Image.open(tmp_path / "model.png") as image:
            sizes.append(image.size)
    assert sizes[1][0] == pytest.approx(2 * sizes[0][0], abs=2)
    assert sizes[1][1] == pytest.approx(2 * sizes[0][1], abs=2)


def test_a_png_shows_boxes_where_the_picture_has_them(pair):
    made = io.BytesIO()
    read = picture.of(pair)
    opened = {box.key for box in read.walk()}
    drawing = place(read, opened=opened)
    raster.write(drawing, made, "png", dpi=72)
    pixels = np.asarray(Image.open(made).convert("RGB"))
    wanted = tuple(int(style.LIGHT["box"][i : i + 2], 16) for i in (1, 3, 5))
    for placed in drawing.boxes:
        if not placed.is_open:
            x, y = round(placed.x + placed.width / 2 + svg.MARGIN), round(placed.y + 4 + svg.MARGIN)
            assert tuple(pixels[y, x]) == wanted, placed.box.name
            assert tuple(pixels[y, round(placed.x + svg.MARGIN) - 4]) == (255, 255, 255)


def test_a_picture_too_large_for_a_png_gets_fewer_dots(small, tmp_path, monkeypatch):
    monkeypatch.setattr(raster, "_MOST_PIXELS", 100)
    with pytest.warns(UserWarning, match=r"it is written at dpi="):
        plot_model(small, tmp_path / "model.png", dpi=400)
    with Image.open(tmp_path / "model.png") as image:
        assert max(image.size) <= 100


def test_without_an_ending_it_is_a_png(small, tmp_path):
    plot_model(small, str(tmp_path / "model"), dpi=50)
    assert (tmp_path / "model").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("splines", ["ortho", "curved", "spline", "polyline", "line"])
def test_ways_of_arrows(pair, splines):
    drawn = tree(model_to_dot(pair, splines=splines, expand_nested=True).create_svg().decode())
    ways = [path.get("d") for path in drawn.iter(f"{SVG}path") if path.get("class") != "h"]
    assert any("C" in way for way in ways) == (splines in ("curved", "spline"))
    points = [
        [tuple(map(float, point.split())) for point in re.split("[ML]", way)[1:]] for way in ways if "C" not in way
    ]
    level = all(a[0] == b[0] or a[1] == b[1] for way in points for a, b in pairwise(way))
    assert level == (splines != "polyline" and splines != "line")


def test_errors_name_the_way_out(small, tmp_path):
    with pytest.raises(errors.ArgumentError, match=r"no argument 'show_shape'\. Did you mean 'show_shapes'"):
        plot_model(small, tmp_path / "a.svg", show_shape=True)
    with pytest.raises(errors.ConfigError, match=r"cannot be a \.docx file; it can be .*'\.svg'"):
        plot_model(small, tmp_path / "a.docx")
    with pytest.raises(errors.ConfigError, match="rankdir is one of 'TB', 'LR', 'BT', 'RL'; got 'UP'"):
        plot_model(small, tmp_path / "a.svg", rankdir="UP")
    with pytest.raises(errors.ConfigError, match="splines is one of 'ortho'"):
        model_to_dot(small, splines="wavy")
    with pytest.raises(errors.StateError, match="'later' is not built yet"):
        plot_model(keryx.Sequential([layers.Dense(1)], name="later"), tmp_path / "a.svg")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_an_error_names_the_extra(small, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    plot_model(small, tmp_path / "a.svg")
    with pytest.raises(errors.ConfigError, match=r"pip install 'keryx\[visualization\]'"):
        plot_model(small, tmp_path / "a.png")


def test_a_notebook_is_shown_the_file(small, tmp_path, monkeypatch):
    shown = types.SimpleNamespace(
        Image=lambda filename: ("image", filename),
        SVG=lambda filename: ("svg", filename),
        HTML=lambda filename: ("html", filename),
    )
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(display=shown))
    for ending, kind in (("png", "image"), ("svg", "svg"), ("html", "html")):
        path = str(tmp_path / f"a.{ending}")
        assert plot_model(small, path, dpi=50) == (kind, path)
    assert plot_model(small, tmp_path / "a.pdf") is None
    monkeypatch.setitem(sys.modules, "IPython", None)
    assert plot_model(small, tmp_path / "a.png", dpi=50) is None


def test_the_text_for_graphviz(pair, tmp_path):
    made = model_to_dot(pair, show_shapes=True, expand_nested=True, rankdir="LR", dpi=120)
    text = made.to_string()
    assert str(made) == made.source == text
    assert "rankdir=LR, dpi=120" in text
    # From outside it leads to the boxes within: the left input to crop, the encoder's last layer to the ops.
    ids = {label.split("\\n")[0]: key for key, label in re.findall(r'"([\d.]+)" \[label="([^"]*)"', text)}
    edges = set(re.findall(r'"([\d.]+)" -> "([\d.]+)"', text))
    assert (ids["left"], ids["crop"]) in edges
    assert (ids["pooled"], ids["twice"]) in edges
    assert (ids["multiply"], ids["inner"]) in edges  # the block's second call takes what the first one gave
    assert text.count("subgraph") == 2
    assert model_to_dot(pair, subgraph=True).to_string().startswith('subgraph "cluster_siamese"')
    assert made.write(tmp_path / "a.dot")
    assert (tmp_path / "a.dot").read_text() == text
    assert made.write_svg(tmp_path / "a.svg")
    assert made.create(prog="dot", format="svg") == (tmp_path / "a.svg").read_bytes()
    assert made.create_pdf().startswith(b"%PDF")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not here")
def test_graphviz_reads_the_text(pair):
    for options in ({}, {"expand_nested": True, "show_shapes": True, "splines": "line"}):
        text = model_to_dot(pair, **options).to_string()
        read = subprocess.run(["dot", "-Tjson"], input=text.encode(), capture_output=True, check=True)
        assert read.stderr == b""
        found = json.loads(read.stdout)
        boxes = [thing for thing in found["objects"] if "nodes" not in thing and "subgraphs" not in thing]
        assert len(boxes) == sum(1 for box in picture.of(pair).walk() if box.inside is None or not options) - (
            0 if options else sum(1 for box in picture.of(pair).walk() if "." in box.key)
        )


def test_importing_keryx_imports_no_picture():
    code = "import sys, keryx; print([m for m in sys.modules if m.startswith(('keryx.visual', 'matplotlib', 'PIL'))])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# -- in a browser --------------------------------------------------------------------------------------------------

_MEASURE = """
<pre id="measured"></pre><script>
const shown = [...document.querySelectorAll('section')].map(section => {
  const view = [...section.querySelectorAll('.kx-view')].filter(v => v.offsetParent !== null);
  const svg = view[0].querySelector('svg'), from = svg.getBoundingClientRect();
  const box = g => {
    const r = g.querySelector('rect').getBoundingClientRect();
    const texts = [...g.querySelectorAll('text')].map(t => t.getBoundingClientRect());
    return {key: g.dataset.box, x: r.x - from.x, y: r.y - from.y, width: r.width, height: r.height,
      wide: Math.max(...texts.map(t => t.width)), left: r.x + scrollX, top: r.y + scrollY};
  };
  const boxes = [...svg.querySelectorAll('.n')].map(box);
  const closed = view[0].className;
  section.querySelectorAll('input').forEach(i => i.click());
  const now = [...section.querySelectorAll('.kx-view')].filter(v => v.offsetParent !== null).map(v => v.className);
  section.querySelectorAll('input').forEach(i => i.click());
  return {name: section.id, views: view.length, closed, now, boxes};
});
document.getElementById('measured').textContent = JSON.stringify(shown);
</script>
"""


def chromium(path, *options):
    return subprocess.run(
        [shutil.which("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *options, path],
        capture_output=True, check=True, timeout=120,
    ).stdout  # fmt: skip


@pytest.fixture(scope="module")
def in_browser(ten, tmp_path_factory):
    """The ten models on one page: what the browser measures, and its screenshot."""
    folder = tmp_path_factory.mktemp("browser")
    sections = [f'<section id="{name}">{page.of_model(model)}</section>' for name, model in ten.items()]
    html = f"<!DOCTYPE html><meta charset=utf-8><style>body{{margin:0}}</style>{''.join(sections)}"
    (folder / "page.html").write_text(html + _MEASURE)
    url, window = f"file://{folder}/page.html", "--window-size=1000,9000"
    dom = chromium(url, window, "--dump-dom").decode()
    chromium(url, window, f"--screenshot={folder}/page.png")
    measured = json.loads(re.search(r'<pre id="measured">(.*?)</pre>', dom, re.DOTALL)[1].replace("&gt;", ">"))
    return {shown["name"]: shown for shown in measured}, np.asarray(Image.open(folder / "page.png").convert("RGB"))


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not here")
def test_a_browser_shows_the_boxes_of_the_ten_models_where_the_picture_has_them(ten, in_browser):
    measured, pixels = in_browser
    assert measured.keys() == ten.keys()
    assert pixels.std() > 5
    ground, fill = (tuple(int(style.LIGHT[k][i : i + 2], 16) for i in (1, 3, 5)) for k in ("ground", "box"))
    for name, model in ten.items():
        wanted = {placed.box.key: placed for placed in place(picture.of(model)).boxes}
        shown = measured[name]
        assert shown["views"] == 1
        assert {box["key"] for box in shown["boxes"]} == wanted.keys()
        for box in shown["boxes"]:
            placed = wanted[box["key"]]
            for found, there in ((box["x"], placed.x + svg.MARGIN), (box["y"], placed.y + svg.MARGIN)):
                assert found == pytest.approx(there, abs=0.2)
            assert box["wide"] <= placed.width  # the letters are as wide as was thought
            if box["top"] + box["height"] < len(pixels):
                x, y = round(box["left"] + box["width"] / 2), round(box["top"] + 4)
                assert tuple(pixels[y, x]) == fill, (name, box["key"])
                assert tuple(pixels[y, round(box["left"]) - 4]) == ground


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not here")
def test_a_browser_opens_and_closes_models_within(ten, in_browser):
    measured, _ = in_browser
    for name, model in ten.items():
        within = sum(box.inside is not None for box in picture.of(model).walk())
        shown = measured[name]
        assert shown["closed"] == " ".join(["kx-view", *(f"x{i}" for i in range(within))])
        assert shown["now"] == [" ".join(["kx-view", *(f"o{i}" for i in range(within))])]
