"""The classic mistakes of docs/errors.md: each a program, its correction, and all that the error says.

`python tests/mistakes.py` writes what the errors say now into the page.
"""

import contextlib
import io
import os
import re
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

import keryx
from keryx import errors, layers

PAGE = Path(__file__).parent.parent / "docs" / "errors.md"
_BLOCK = re.compile(r"### (?P<title>[^\n]*)\n```diff\n(?P<diff>.*?)```\n```text\n(?P<said>.*?)```", re.DOTALL)


_PRINTED = re.compile(r"(?P<program>(?<=```python\n)model = .*?)```\n\n```text\n(?P<said>.*?)```", re.DOTALL)


class Mistake(NamedTuple):
    """A heading of the page, and the two blocks below it."""

    title: str
    diff: str
    said: str

    def without(self, sign):
        """The program that the lines without a sign make."""
        return "".join(line[1:] for line in self.diff.splitlines(keepends=True) if not line.startswith(sign))


def read():
    """The mistakes that the page shows."""
    return [Mistake(*found.group("title", "diff", "said")) for found in _BLOCK.finditer(PAGE.read_text())]


def said_by(program):
    """What a program raises or warns of, as a traceback ends in it; nothing where it runs in silence."""
    keryx.utils.clear_session()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(compile(program, "<mistake>", "exec"), _names())
        except Exception as error:
            notes = getattr(error, "__notes__", [])
            if not isinstance(error, errors.KeryxError):  # ours do not take JAX's note on its tracebacks
                notes = [note for note in notes if "JAX has removed" not in note]
            return "\n".join([f"{type(error).__name__}: {error}", *notes]) + "\n"
    return "".join(f"{type(warning.message).__name__}: {warning.message}\n" for warning in caught)


def printed_by(program):
    """What a program prints."""
    keryx.utils.clear_session()
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(program, "<program>", "exec"), _names())
    return out.getvalue()


def explained():
    """The program on the page that prints what is odd about a model, and what it prints."""
    return _PRINTED.search(PAGE.read_text()).group("program", "said")


def _names():
    names = {"np": np, "keryx": keryx, "layers": layers, "__name__": "__main__"}
    return names | {name: getattr(keryx, name) for name in ("Input", "Model", "Sequential")}


def write():
    """Write into the page what the errors say now."""

    def renewed(found):
        mistake = Mistake(*found.group("title", "diff", "said"))
        said = said_by(mistake.without("+"))
        return f"### {mistake.title}\n```diff\n{mistake.diff}```\n```text\n{said}```"

    text = _BLOCK.sub(renewed, PAGE.read_text())
    program, said = explained()
    PAGE.write_text(text.replace(f"{program}```\n\n```text\n{said}", f"{program}```\n\n```text\n{printed_by(program)}"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write()
