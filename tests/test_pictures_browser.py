"""The pictures of the guide's ten models in Chromium: boxes are where they should be, models within open and close."""

import json
import re
import shutil
import subprocess
from unittest import mock

import numpy as np
import pytest
from PIL import Image

import keryx
from examples import functional_guide as guide
from keryx.visualization.model import page, picture, style, svg
from keryx.visualization.model.layout import place
from keryx.visualization.model.rows import SIZES
from keryx.visualization.model.text import width


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
  const place = view[0].getBoundingClientRect(), first = svg.querySelector('.n').getBoundingClientRect();
  const first_is_seen = first.left >= place.left && first.right <= place.right;
  const click = svg.querySelector('.kx-click'), spot = click && click.getBoundingClientRect();
  if (click) {
    scrollTo(0, spot.y + scrollY - 100);
    const at = click.getBoundingClientRect();
    document.elementFromPoint(at.x + at.width / 2, at.y + at.height / 2).click();
  }
  const clicked = [...section.querySelectorAll('.kx-view')].filter(v => v.offsetParent !== null).map(v => v.className);
  section.querySelectorAll('input').forEach(i => { if (i.checked) i.click(); });
  scrollTo(0, 0);
  return {name: section.id, views: view.length, closed, now, clicked, first_is_seen, boxes};
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
    narrow = f'<section id="narrow" style="width:200px">{page.of_model(ten["inception"])}</section>'
    sections.append(narrow)
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
    assert measured.keys() == {*ten, "narrow"}
    assert all(shown["first_is_seen"] for shown in measured.values())
    ground, fill = (tuple(int(style.LIGHT[k][i : i + 2], 16) for i in (1, 3, 5)) for k in ("ground", "box"))
    assert ground != fill
    for name, model in ten.items():
        wanted = {placed.box.key: placed for placed in place(picture.of(model)).boxes}
        shown = measured[name]
        assert shown["views"] == 1
        assert {box["key"] for box in shown["boxes"]} == wanted.keys()
        for box in shown["boxes"]:
            placed = wanted[box["key"]]
            there = (placed.x + svg.MARGIN, placed.y + svg.MARGIN, placed.width, placed.height)
            assert [box[k] for k in ("x", "y", "width", "height")] == pytest.approx(there, abs=0.2)
            thought = max(width(text, SIZES[kind], kind == "name") for kind, text in placed.rows)
            assert 0.9 * thought <= box["wide"] <= 1.04 * thought, (name, box["key"])  # in Helvetica or its like
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
        if within:  # a click on the box itself opens it, and only it
            assert shown["clicked"] == [" ".join(["kx-view", "o0", *(f"x{i}" for i in range(1, within))])]
