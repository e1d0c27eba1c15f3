"""Each page and its Chinese twin: what both have in common, what has changed since, and the anchors they share.

    python docs/twins.py           what does not agree
    python docs/twins.py code      copies the code of the English pages into their twins, whose comments stay
    python docs/twins.py agreed    writes down that the twins say what the English pages say now

MkDocs runs it as a hook, so that a heading has the same anchor in both languages.
"""

import difflib
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

DOCS = Path(__file__).parent
AGREED = DOCS / "twins.json"
FENCE = re.compile(r"(?ms)^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)```$")
COMMENT = re.compile(r"(^|\s+)# .*$")
HEADING = re.compile(r"^(#+) (.+?)(?: \{#[\w-]+\})?$", re.MULTILINE)
PICTURE = re.compile(r"^<!-- picture: (\w+) -->$", re.MULTILINE)
COMMENT_IN_PROSE = re.compile(r"<!--.*?-->", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


class Section(NamedTuple):
    """What stands from one heading to the next; before the first one, the title is empty."""

    level: int
    title: str
    text: str

    @property
    def fingerprint(self) -> str:
        """The same for the same words, however the lines are broken; code is compared as it stands."""
        words = f"{self.title} {COMMENT_IN_PROSE.sub('', FENCE.sub('', self.text))}".split()
        return hashlib.sha256(" ".join(words).encode()).hexdigest()[:12]

    @property
    def shape(self) -> dict[str, Any]:
        """What a translation leaves as it is."""
        prose = FENCE.sub("", self.text)
        lines = [line.strip() for line in prose.splitlines()]
        return {
            "level": self.level,
            "code": [f"```{m['language']}\n{uncommented(m['code'])}" for m in FENCE.finditer(self.text)],
            "rows of tables": sum(line.startswith("|") for line in lines),
            "points of lists": sum(bool(re.match(r"([-*]|\d+\.) ", line)) for line in lines),
            "pictures": PICTURE.findall(prose),
            "links": sorted(LINK.findall(prose)),
        }


def pages() -> list[Path]:
    """The English pages that are written by hand."""
    made = DOCS / "reference"
    return [p for p in sorted(DOCS.rglob("*.md")) if not p.name.endswith(".zh.md") and made not in p.parents]


def twin(page: Path) -> Path:
    """Where the Chinese twin of a page stands."""
    return page.with_suffix(".zh.md")


def sections(text: str) -> list[Section]:
    """The sections of a page; a `#` in code is no heading."""
    hidden = FENCE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    heads = list(HEADING.finditer(hidden))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    found = [Section(len(h[1]), h[2], text[h.end() : end]) for h, end in zip(heads, ends, strict=True)]
    return [Section(0, "", text[: heads[0].start()] if heads else text), *found]


def uncommented(code: str) -> str:
    """Code without its comments, which are translated."""
    return "\n".join(COMMENT.sub("", line) for line in code.splitlines())


def disagreements(page: Path) -> list[str]:
    """Where a page and its twin differ in what a translation leaves as it is."""
    ours, theirs = sections(page.read_text("utf-8")), sections(twin(page).read_text("utf-8"))
    if [s.level for s in ours] != [s.level for s in theirs]:
        return [f"the headings are {[s.title for s in ours]} and {[s.title for s in theirs]}"]
    return [
        f"section {a.title!r} and its twin {b.title!r} have other {what}:\n" + "\n".join(difference)
        for a, b in zip(ours, theirs, strict=True)
        for what in a.shape
        if (difference := list(unlike(a.shape[what], b.shape[what])))
    ]


def unlike(a: Any, b: Any) -> Iterator[str]:
    """The lines in which two parts of shapes differ."""
    lines = [str(part) if isinstance(part, int) else "\n".join(part) for part in (a, b)]
    differing = difflib.ndiff(*(part.splitlines() for part in lines))
    return (f"  {line}" for line in differing if not line.startswith(("  ", "?")))


def changed(page: Path) -> list[str]:
    """The sections of a page that are not what they were when its twin was written."""
    known = agreed().get(page.relative_to(DOCS).as_posix(), {})
    return [s.title or "the beginning" for s in sections(page.read_text("utf-8")) if s.fingerprint not in known]


def agreed() -> dict[str, dict[str, str]]:
    """The sections that were translated, `{page: {fingerprint: title}}`."""
    return json.loads(AGREED.read_text("utf-8")) if AGREED.exists() else {}


def agree() -> None:
    """Write down that each twin says what its page says."""
    known = {
        page.relative_to(DOCS).as_posix(): {s.fingerprint: s.title for s in sections(page.read_text("utf-8"))}
        for page in pages()
        if twin(page).exists()
    }
    AGREED.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", "utf-8")


def copy_code(page: Path) -> None:
    """Give the twin the code of its page. A line that is the same but for its comment keeps the comment it has."""
    ours, text = list(FENCE.finditer(page.read_text("utf-8"))), twin(page).read_text("utf-8")
    theirs = list(FENCE.finditer(text))
    if len(ours) != len(theirs):
        print(f"{page.name}: {len(ours)} blocks of code, its twin has {len(theirs)}: left as it is")
        return
    for a, b in zip(reversed(ours), reversed(theirs), strict=True):
        translated = {uncommented(line): line for line in b["code"].splitlines()}
        lines = [translated.get(uncommented(line), line) for line in a["code"].splitlines()]
        new = a[0].replace(a["code"], "".join(line + "\n" for line in lines), 1)
        text = text[: b.start()] + new + text[b.end() :]
    twin(page).write_text(text, "utf-8")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """MkDocs' hook: the headings of a Chinese page take the anchors of the English ones, so that links serve both."""
    source = Path(page.file.abs_src_path or "")
    english = source.with_name(source.name.removesuffix(".zh.md") + ".md")
    if not source.name.endswith(".zh.md") or not english.exists():
        return markdown
    from markdown.extensions.toc import slugify, unique

    used: set[str] = set()
    anchors = [unique(slugify(plain(s.title), "-"), used) for s in sections(english.read_text("utf-8"))[1:]]
    parts = sections(markdown)
    if len(parts) - 1 != len(anchors):
        return markdown
    return parts[0].text + "".join(
        f"{'#' * part.level} {part.title} {{#{anchor}}}{part.text}"
        for part, anchor in zip(parts[1:], anchors, strict=True)
    )


def plain(title: str) -> str:
    """A heading without its marks."""
    return re.sub(r"[`*]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title))


def main(word: str = "") -> int:
    translated = [page for page in pages() if twin(page).exists()]
    if word == "code":
        for page in translated:
            copy_code(page)
    if word == "agreed":
        agree()
    said = [f"{page.relative_to(DOCS)}: {what}" for page in translated for what in disagreements(page)]
    said += [f"{p.relative_to(DOCS)}: {title!r} has changed" for p in translated for title in changed(p)]
    said += [f"{page.relative_to(DOCS)}: no twin" for page in pages() if page not in translated]
    print("\n".join(said) or "All twins agree.")
    return bool(said)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
