"""plot_model and model_to_dot: each kind of file, each option, each error."""

import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
import types
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pictured import SVG, siamese, small, tree, two_outputs
from PIL import Image

import keryx
from keryx import errors, layers
from keryx.utils import model_to_dot, plot_model
from keryx.visualization.model import picture, raster, style, svg
from keryx.visualization.model.layout import place

pair = pytest.fixture(siamese, scope="module")
small = pytest.fixture(small, scope="module")

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


def test_an_activation_that_a_layer_knows_by_its_name(tmp_path):
    class Own(layers.Layer):
        activation = "swish"

        def call(self, x):
            return keryx.activations.get(self.activation)(x)

    x = keryx.Input((3,))
    path = tmp_path / "model.svg"
    plot_model(keryx.Model(x, Own(name="own")(x)), path, show_layer_activations=True)
    assert ">Own \N{MIDDLE DOT} swish<" in path.read_text()


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
            if placed.box.role == "layer":
                y, x = round(placed.y + placed.height / 2 + svg.MARGIN), round(placed.x + svg.MARGIN + 1.5)
                colour = style.LIGHT[style.family("layer", placed.box.thing)]
                assert np.abs(pixels[y, x].astype(int) - [int(colour[i : i + 2], 16) for i in (1, 3, 5)]).max() < 40


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
    for ending in ("svg", "html", "dot"):
        with pytest.raises(errors.ConfigError, match="rankdir is one of 'TB', 'LR', 'BT', 'RL'; got 'UP'"):
            plot_model(small, tmp_path / f"a.{ending}", rankdir="UP")
    with pytest.raises(errors.ConfigError, match="splines is one of 'ortho'"):
        model_to_dot(small, splines="wavy")
    with pytest.raises(errors.StateError, match="'later' is not built yet"):
        plot_model(keryx.Sequential([layers.Dense(1)], name="later"), tmp_path / "a.svg")
    with pytest.raises(errors.ArgumentError, match=r"model_to_dot\(\) draws a model; got Dense"):
        model_to_dot(layers.Dense(1))
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_an_error_names_the_extra(small, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    plot_model(small, tmp_path / "a.svg")
    with pytest.raises(errors.ConfigError, match=r"pip install 'keryx\[visualization\]'"):
        plot_model(small, tmp_path / "a.png")


def test_a_notebook_is_shown_the_file(small, tmp_path, monkeypatch):
    shown = types.SimpleNamespace(
        Image=lambda filename, format: (format, filename),
        SVG=lambda filename: ("svg", filename),
        HTML=lambda filename: ("html", filename),
    )
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(display=shown, version_info=(9, 0)))
    for ending, kind in (("png", "png"), ("jpg", "jpeg"), ("svg", "svg"), ("html", "html")):
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
    halved = next(key for name, key in ids.items() if name.startswith("multiply"))
    assert (halved, ids["inner"]) in edges  # the block's second call takes what the first one gave
    assert text.count("subgraph") == 2
    assert model_to_dot(pair, subgraph=True).to_string().startswith('subgraph "cluster_siamese"')
    assert made.write(tmp_path / "a.dot")
    assert (tmp_path / "a.dot").read_text() == text
    assert made.write_svg(tmp_path / "a.svg")
    assert made.create(prog="dot", format="svg") == (tmp_path / "a.svg").read_bytes()
    assert made.create_pdf().startswith(b"%PDF")


def test_the_text_for_graphviz_keeps_results_apart():
    text = model_to_dot(two_outputs(), expand_nested=True).to_string()
    ids = {label.split("\\n")[0]: key for key, label in re.findall(r'"([\d.]+)" \[label="([^"]*)"', text)}
    for tail, head in (("early", "of_early"), ("late", "of_late"), ("c", "b"), ("d", "a")):
        assert f'"{ids[tail]}" -> "{ids[head]}"' in text


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


def test_a_file_shown_in_a_notebook_leaves_other_pictures_their_colours(pair):
    css = re.search("<style>(.*?)</style>", model_to_dot(pair).create_svg().decode(), re.DOTALL)[1]
    classes = set(re.findall(r"[}{]\s*\.([\w-]+)", "{" + css))
    assert classes == {"kx-file"}
    assert 'class="kx-file"' not in pair._repr_html_()


def test_the_pictures_of_the_documentation_are_as_they_are_drawn_today():
    path = Path(__file__).parent.parent / "docs" / "pictures.py"
    spec = importlib.util.spec_from_file_location("docs_pictures", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    images = path.parent / "images"
    for name in script.MODELS:
        assert (images / f"{name}.svg").read_text(encoding="utf-8") == script.draw(name), "run docs/pictures.py"
