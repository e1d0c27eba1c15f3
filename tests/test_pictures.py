"""Pictures of models: what is read from them, how models within stand, and what a notebook is shown."""

import re
from itertools import combinations, pairwise

import numpy as np
import pytest
from pictured import SVG, names_in, overlap, siamese, small, tree, two_outputs, views

import keryx
from keryx import errors, layers
from keryx.utils import model_to_dot
from keryx.visualization.model import page, picture, style
from keryx.visualization.model.layout import DIRECTIONS, HEADER, PADDING, place
from keryx.visualization.model.tips import tip

pair = pytest.fixture(siamese, scope="module")
small = pytest.fixture(small, scope="module")

# -- what is read from a model -----------------------------------------------------------------------------------------


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


def test_a_tensor_that_a_model_takes_as_several_inputs_comes_in_at_each():
    a, b = keryx.Input((2,), name="a"), keryx.Input((2,), name="b")
    inner = keryx.Model([a, b], layers.Subtract()([a, b]), name="inner")
    x = keryx.Input((2,), name="x")
    model = keryx.Model(x, inner([x, x]))
    assert [(a.head_port, a.times) for a in picture.of(model).arrows if a.head == 1] == [(0, 1), (1, 1)]
    said = keryx.utils.model_to_dot(model, expand_nested=True).to_string()
    assert '"0" -> "1.0"' in said
    assert '"0" -> "1.1"' in said


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


# -- models within models ----------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_each_tensor_goes_through_the_border_where_it_is_taken_and_given(direction):
    read = picture.of(two_outputs())
    drawing = place(read, opened={box.key for box in read.walk()}, direction=direction)
    number = next(i for i, box in enumerate(read.boxes) if box.name == "within")
    inner = read.boxes[number].inside
    within = {id(routed.arrow): routed for routed in drawing.arrows}
    for arrow in read.arrows:
        if arrow.head == number:
            there = [within[id(a)] for a in inner.arrows if a.tail is None and a.tail_port == arrow.head_port]
            assert [a.points[0] for a in there] == [pytest.approx(within[id(arrow)].points[-1])]
        if arrow.tail == number:
            there = [within[id(a)] for a in inner.arrows if a.head is None and a.head_port == arrow.tail_port]
            assert [a.points[-1] for a in there] == [pytest.approx(within[id(arrow)].points[0])]
            assert inner.boxes[there[0].arrow.tail].name == ("early", "late")[arrow.tail_port]
            assert np.abs(np.subtract(*there[0].points[-2:])).sum() <= HEADER + PADDING  # led around what is below
    closed = [p for p in drawing.boxes if not p.is_open]
    boxes = [((p.x + p.width / 2, p.y + p.height / 2), (p.width, p.height)) for p in closed]
    for routed in drawing.arrows:
        for (x, y), (to_x, to_y) in pairwise(routed.points):
            piece = (((x + to_x) / 2, (y + to_y) / 2), (abs(x - to_x), abs(y - to_y)))
            assert not any(overlap(piece, box) for box in boxes)


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


# -- SVG and HTML ------------------------------------------------------------------------------------------------------


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
    evil = '<script>alert(1)<script>"&\\x$\\frac$'
    model = keryx.Sequential([keryx.Input((2,)), layers.Dense(2, name=evil)], name=evil)
    html = model._repr_html_()
    assert "<script" not in html
    assert evil in names_in(next(iter(views(html).values())))
    said = model_to_dot(model).to_string()
    assert r"\"&\\x$\\frac$" in said
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


def test_a_tip_has_no_letters_that_xml_does_not_know(tmp_path):
    class Own(layers.Layer):
        def __init__(self, separator, **kwargs):
            super().__init__(**kwargs)
            self.separator = separator

        def call(self, x):
            return x

    x = keryx.Input((3,))
    keryx.utils.plot_model(keryx.Model(x, Own("\x1f\x00<&", name="own")(x)), tmp_path / "model.svg")
    titles = [title.text for title in tree((tmp_path / "model.svg").read_text()).iter(f"{SVG}title")]
    assert titles[1] == "own (Own)\nseparator=  <&"


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
