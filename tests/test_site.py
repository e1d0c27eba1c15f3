"""The site: every block of code in its pages runs, the reference has every name, and what is built holds together."""

import importlib
import os
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "reference" not in page.parts and ".zh" not in page.suffixes)
BLOCK = re.compile(r"(?:<!-- (\w[^\n]*?) -->\n)?```(\w*)\n(.*?)```", re.DOTALL)


# -- the code in the pages -----------------------------------------------------------------------------------------


def blocks():
    """Each program in the pages, which is Python and no doctest: its page, the line it begins on, its mark, its text.

    Without a mark it goes on where those before it on the page ended.
    """
    for page in PAGES:
        text, before = page.read_text(), ""
        for found in BLOCK.finditer(text):
            mark, language, code = found.groups()
            if language == "python" and ">>>" not in code and mark != "train_step":
                line = text.count("\n", 0, found.start(2)) + 1
                yield page.relative_to(DOCS).as_posix(), line, mark or "", code if mark else before + code
                before += "" if mark else code


PROGRAMS = [pytest.param(*block, id=f"{block[0]}:{block[1]}") for block in blocks()]


@pytest.mark.parametrize(("page", "line", "mark", "code"), PROGRAMS)
def test_a_block_that_is_no_doctest_is_a_program_that_runs(page, line, mark, code, tmp_path, monkeypatch):
    """A comment before it says how: `needs PACKAGE`, `run OPTIONS` of `python -m keryx`, or `not run: WHY`."""
    assert mark.partition(" ")[0] in ("", "needs", "not", "run"), f"{page}:{line} has a mark that means nothing: {mark}"
    compiled = compile(code, f"docs/{page}:{line}", "exec")
    if mark.startswith("not run: "):
        return
    monkeypatch.chdir(tmp_path)
    if mark.partition(" ")[0] == "run":  # with the options of `python -m keryx`
        Path("program.py").write_text(code)
        command = [sys.executable, "-m", "keryx", *mark.split()[1:], "program.py"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return
    elsewhere = [place for place in sys.path if Path(place) != ROOT / "tests"]
    monkeypatch.setattr(sys, "path", elsewhere)  # there is a tests/datasets.py
    monkeypatch.delitem(sys.modules, "datasets", raising=False)
    for package in mark.split()[1:]:
        pytest.importorskip(package)
    exec(compiled, {"__name__": "__main__"})


def test_every_page_has_one_place_in_the_navigation():
    placed = re.findall(r"^ +- (?:[^:\n]+: )?([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(placed) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES)


# -- the reference -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference():
    pytest.importorskip("griffe")
    sys.path.insert(0, str(DOCS))
    try:
        yield importlib.import_module("reference").Reference()
    finally:
        sys.path.remove(str(DOCS))


def test_every_public_name_of_keras_that_is_here_is_in_the_reference(reference):
    import api_coverage
    import keras

    absent = []
    for path, module in api_coverage.namespaces(keras):
        for name in api_coverage.public(module):
            full = f"{path}.{name}".strip(".")
            try:
                value = api_coverage.find(full)
            except AttributeError:
                continue  # tests/test_api.py knows of it
            if callable(value) and id(value) not in reference.homes:
                absent.append(full)
    assert absent == []


def test_nothing_but_public_names_is_in_the_reference(reference):
    names = {f"{page.namespace}.{thing.name}" for page in reference.pages for thing in page.things}
    assert {"keryx.layers.Dense", "keryx.losses.Loss", "keryx.errors.DataError", "keryx.testing.check_layer"} <= names
    helpers = ("keryx.layers.lazy", "keryx.callbacks.monitor", "keryx.losses.did_you_mean", "keryx.ops.lift")
    assert not names & set(helpers)


def test_a_class_is_told_with_its_arguments_errors_and_examples(reference):
    texts = dict(reference.texts())
    dense = texts["layers/core.md"].partition("## Dense")[2].partition("\n## ")[0]
    assert "keryx.layers.Dense(units, activation=None, use_bias=True" in dense
    assert "- `units`: The size of the outputs' last axis." in dense
    assert '```pycon\n>>> import keryx\n>>> keryx.layers.Dense(64, activation="relu")' in dense
    fit = texts["models.md"].partition("### fit")[2].partition("\n### ")[0]
    assert "**Arguments**" in fit
    assert "**Returns**" in fit
    assert "- `NonFiniteLossError`: Where the loss turned NaN" in fit


# -- what is built -------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a built page links to, what is loaded for it, and what in it can be linked to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.anchors = [], [], {""}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found.get("id"), found.get("name")} - {None}
        loads = tag in ("script", "img", "iframe", "source") or (tag == "link" and "stylesheet" in found.get("rel", ""))
        for name in ("href", "src"):
            if found.get(name):
                (self.loaded if loads else self.links).append(found[name])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site: the one that KERYX_SITE names, or one that is built here."""
    if built := os.environ.get("KERYX_SITE"):
        return Path(built)
    for package in ("mkdocs", "material", "mkdocs_static_i18n", "griffe"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("site")
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@cache
def page_at(path):
    return Page(path.read_text())


def test_every_page_is_built_in_both_languages(site):
    for page in PAGES:
        built = page.relative_to(DOCS).with_suffix(".html")
        assert (site / built).exists()
        assert (site / "zh" / built).exists()
    assert (site / "reference" / "layers" / "core.html").exists()


def test_every_link_within_the_site_has_an_end(site):
    dead = []
    for path in sorted(site.rglob("*.html")):
        for link in page_at(path).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                dead.append((path.relative_to(site).as_posix(), link))
                continue
            own = parts.fragment.startswith("__")  # the theme's, which scripts see to
            if target.suffix == ".html" and not own and unquote(parts.fragment) not in page_at(target).anchors:
                dead.append((path.relative_to(site).as_posix(), link))
    assert dead == []


def test_nothing_is_loaded_from_elsewhere(site):
    for path in site.rglob("*.html"):
        assert [address for address in page_at(path).loaded if urlsplit(address).netloc] == []
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", style.read_text())


def test_the_search_knows_the_pages(site):
    index = (site / "search" / "search_index.json").read_text()
    assert "start.html" in index
    assert "reference/layers/core.html#keryx.layers.Dense" in index
