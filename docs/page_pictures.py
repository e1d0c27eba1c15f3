"""Pictures in pages are drawn of the models that the page's own code makes, so that they never go stale.

MkDocs runs it as a hook: `<!-- picture: NAME -->` becomes what a notebook shows of the model NAME.
"""

import contextlib
import doctest
import functools
import importlib
import io
import re
from pathlib import Path
from typing import Any

MARK = re.compile(r"^<!-- picture: (\w+) -->$", re.MULTILINE)


@functools.cache
def names(page: Path) -> dict[str, Any]:
    """What the code of a page defines, up to the last of the models that it has pictures of."""
    importlib.import_module("keryx").utils.clear_session()  # so that names are those that the page prints
    text, made = page.read_text("utf-8"), dict[str, Any]()
    wanted = set(MARK.findall(text))
    with contextlib.redirect_stdout(io.StringIO()):
        for example in doctest.DocTestParser().get_examples(text):
            if wanted <= made.keys():
                break
            with contextlib.suppress(Exception) if example.exc_msg else contextlib.nullcontext():
                exec(compile(example.source, page, "single"), made)
    return made


def picture(page: Path, name: str) -> str:
    """The picture of a model of a page, as HTML that stands by itself, on one line as Markdown wants it."""
    html = names(page)[name]._repr_html_()
    return " ".join(line.strip() for line in html.splitlines() if line.strip())


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """MkDocs' hook: draw what the page asks for. A translation has the same code, so the English page is run."""
    source = Path(page.file.abs_src_path or "")
    english = source.with_name(source.name.replace(".zh.md", ".md"))
    return MARK.sub(lambda mark: picture(english, mark[1]), markdown)
