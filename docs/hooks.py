"""What MkDocs asks of the site beside the pages that are written by hand: the API reference, and its place."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FOLDER = HERE / "reference"  # written at each build, and ignored by Git


def on_startup(command: str, dirty: bool) -> None:
    """Write the pages of the reference, before any language is built."""
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    importlib.import_module("reference").write(FOLDER)


def on_config(config: Any) -> Any:
    """Give the pages of the reference their places in the navigation."""
    section = next(entry for entry in config.nav if isinstance(entry, dict) and "API" in entry)
    section["API"] = places(FOLDER)
    return config


def places(folder: Path) -> list[Any]:
    """The navigation of a folder: its index, its pages by their names, and what lies in folders within it."""
    found: list[Any] = [str((folder / "index.md").relative_to(HERE))]
    for path in sorted(folder.iterdir(), key=lambda path: (path.stem != "keryx", path.stem)):
        if path.is_dir():
            found.append({path.name: places(path)})
        elif path.name != "index.md":
            found.append({path.stem: str(path.relative_to(HERE))})
    return found


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Sessions at the prompt are coloured, and copied, as such (style.css); the reference is found once, in English."""
    source = Path(page.file.abs_src_path or "")
    if FOLDER in source.parents and page.file.dest_uri != source.relative_to(HERE).with_suffix(".html").as_posix():
        page.meta["search"] = {"exclude": True}
    return re.sub(r"```python\n(?= *>>> )", "```pycon\n", markdown)
