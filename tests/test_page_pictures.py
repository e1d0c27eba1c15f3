"""The pictures in the pages: each is drawn of a model that the page's own code makes."""

import re

import pytest

from docs import page_pictures, twins

PAGES = [page for page in twins.pages() if page_pictures.MARK.search(page.read_text("utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_that_a_page_asks_for_is_drawn(page):
    for name in page_pictures.MARK.findall(page.read_text("utf-8")):
        html, model = page_pictures.picture(page, name), page_pictures.names(page)[name]
        assert "\n" not in html
        shown = re.sub(r"<[^>]+>", " ", html)
        assert [layer.name for layer in model.layers if layer.name not in shown] == []
        assert f" {model.name} " in shown


def test_the_names_in_a_picture_are_those_that_the_page_prints():
    (guide,) = [page for page in PAGES if page.name == "functional.md"]
    assert f'Model: "{page_pictures.names(guide)["tweet_model"].name}"' in guide.read_text("utf-8")


def test_the_guide_shows_its_ten_models():
    (guide,) = [page for page in PAGES if page.name == "functional.md"]
    assert len(page_pictures.MARK.findall(guide.read_text("utf-8"))) == 10
