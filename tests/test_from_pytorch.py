"""The page for those who come from PyTorch: where PyTorch is installed, its PyTorch runs too, to the same numbers."""

import doctest
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs/from_pytorch.md"


def test_both_models_of_the_page_compute_the_same_numbers():
    pytest.importorskip("torch")
    names = {}
    for language, block in re.findall(r"^```(pycon|python)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        lines = [e.source for e in doctest.DocTestParser().get_examples(block)] if language == "pycon" else [block]
        exec("".join(lines), names)
    assert names["ours"].shape == (64, 10)  # the page's last block has compared them
