"""What MkDocs asks of the site beside the pages that are written by hand: the API reference, and its place."""

import importlib
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
    """Give the pages of the reference their places in the navigation: families under their namespace."""
    section = next(entry for entry in config.nav if isinstance(entry, dict) and "API" in entry)
    places: list[Any] = ["reference/index.md"]
    for path in sorted(FOLDER.rglob("*.md")):
        inside = path.relative_to(FOLDER).parent.as_posix()
        families = (path.parent / "index.md").exists() and inside != "."
        if families and path.name == "index.md":
            family = sorted(other for other in path.parent.glob("*.md") if other.name != "index.md")
            places.append({f"keryx.{inside}": [str(other.relative_to(HERE)) for other in (path, *family)]})
        elif not families and path.name != "index.md":
            places.append(str(path.relative_to(HERE)))
    section["API"] = places
    return config
