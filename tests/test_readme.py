"""What the README and the pages of the site say of the code is what the code says."""

import inspect
import re
from pathlib import Path

import pytest

import keryx
from keryx.training import step

ROOT = Path(__file__).parent.parent
CHECKOUT = (ROOT / "keryx").is_dir()  # else the tests of a wheel, beside which there is not all that pages name
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if page.relative_to(ROOT).parts[:2] != ("docs", "reference")]
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def test_the_train_step_is_quoted_as_it_stands():
    inside = (ROOT / "docs" / "inside.md").read_text()
    (quoted,) = re.findall(r"<!-- train_step -->\n```python\n(.*?)```\n", inside, re.DOTALL)
    assert quoted == inspect.getsource(step.train_step)


def test_the_table_of_the_readme_is_that_of_the_page_on_speed():
    (table,) = re.findall(r"<!-- benchmark -->\n(.*?)\n<!-- /benchmark -->", README, re.DOTALL)
    assert len(table.splitlines()) == 9
    assert table in (ROOT / "docs" / "speed.md").read_text()


def test_the_count_of_keras_s_names_is_that_of_the_tests():
    total, right = re.findall(r"== (\d+)$", (ROOT / "tests" / "test_api.py").read_text(), re.MULTILINE)
    assert f"{int(right):,} of the {int(total):,} public names and members of Keras" in README


@by_page
def test_every_name_of_keryx_that_it_tells_exists(page):
    for path in set(re.findall(r"\bkeryx((?:\.\w+)+)\(", page.read_text())):
        thing = keryx
        for name in path.strip(".").split("."):
            thing = getattr(thing, name)


@by_page
def test_every_file_that_it_links_to_is_there(page):
    for link in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text()):
        if CHECKOUT and not link.startswith(("reference/", "../reference/")):
            assert (page.parent / link).exists(), link


@by_page
def test_every_file_of_the_repository_that_it_names_is_there(page):
    named = re.findall(r"`(?:python )?((?:tests|benchmarks|keryx|examples|docs|\.ci)/[\w./]+\w)", page.read_text())
    for name in named if CHECKOUT else ():
        assert (ROOT / name).exists(), name
