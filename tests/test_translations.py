"""Every page of the site has a Chinese twin that says the same: the same headings, code, tables and links."""

import re

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
    chinese = {page.relative_to(twins.DOCS).as_posix() for page in twins.DOCS.rglob("*.zh.md")}
    assert chinese == {twins.twin(PAGES[name]).relative_to(twins.DOCS).as_posix() for name in TRANSLATED}


def test_the_chinese_pages_keep_to_the_glossary():
    glossary = twins.DOCS / "glossary.zh.md"
    rows = re.findall(r"^\| (.+?) \| .+? \| .+? \| (.*?) ?\|$", glossary.read_text("utf-8"), re.MULTILINE)
    unused = {word: term for term, words in rows if term != "术语" for word in words.split("、") if word}
    assert len(unused) > 20
    found = [
        f"{name}: {word}, which is {unused[word]} everywhere"
        for name in TRANSLATED
        if (page := twins.twin(PAGES[name])) != glossary
        for word in unused
        if word in twins.FENCE.sub("", page.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("name", TRANSLATED)
def test_twins_have_the_same_structure_and_code(name):
    assert twins.disagreements(PAGES[name]) == [], HOW


@pytest.mark.parametrize("name", TRANSLATED)
def test_no_section_has_changed_since_it_was_translated(name):
    assert twins.changed(PAGES[name]) == [], HOW
