"""Every page of the site has a Chinese twin that says the same: the same headings, code, tables and links."""

import pytest

from docs import twins

# Pages that stand in English alone, each with the reason.
ENGLISH_ALONE: dict[str, str] = {}
PAGES = {page.relative_to(twins.DOCS).as_posix(): page for page in twins.pages()}
TRANSLATED = sorted(name for name, page in PAGES.items() if twins.twin(page).exists())
HOW = "Translate what has changed, then `python docs/twins.py code` and `python docs/twins.py agreed`."


def test_every_page_has_a_twin():
    assert sorted(set(PAGES) - set(TRANSLATED)) == sorted(ENGLISH_ALONE)


def test_every_twin_has_a_page():
    chinese = {page for page in twins.DOCS.rglob("*.zh.md") if page.name != "glossary.zh.md"}
    assert chinese == {twins.twin(page) for page in PAGES.values()} & chinese


@pytest.mark.parametrize("name", TRANSLATED)
def test_twins_have_the_same_structure_and_code(name):
    assert twins.disagreements(PAGES[name]) == [], HOW


@pytest.mark.parametrize("name", TRANSLATED)
def test_no_section_has_changed_since_it_was_translated(name):
    assert twins.changed(PAGES[name]) == [], HOW
