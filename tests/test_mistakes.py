"""The classic mistakes: what docs/errors.md shows is what is said, to the letter, and its way out runs."""

import re
import subprocess
import sys

import mistakes
import pytest

MISTAKES = mistakes.read()
ONCE = {"A softmax of one unit", "A generator that ends too early"}  # warn, and go on


def test_the_page_shows_every_mistake_in_the_same_form():
    text = mistakes.PAGE.read_text()
    assert len(MISTAKES) == text.count("\n### ") == text.count("```diff") >= 80
    assert len({mistake.title for mistake in MISTAKES}) == len(MISTAKES)


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.title for mistake in MISTAKES])
def test_a_mistake_is_told_and_its_way_out_runs(mistake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mistakes.said_by(mistake.without("+")) == mistake.said
    assert mistakes.said_by(mistake.without("-")) == ""


def test_the_page_shows_what_explain_prints():
    program, said = mistakes.explained()
    assert mistakes.printed_by(program) == said
    assert "odd about" in said


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.title for mistake in MISTAKES])
def test_an_error_reads_well(mistake):
    first = mistake.said.splitlines()[0]
    kind, _, message = first.partition(": ")
    assert kind.endswith("Error") or mistake.title in ONCE
    assert not re.search(r"[Tt]racer|traced|jit|0x[0-9a-f]|/tmp|\bnan, nan", mistake.said)
    assert max(map(len, mistake.said.splitlines())) <= 400
    assert message


def test_what_helps_is_imported_only_when_something_is_wrong():
    program = """
import sys, numpy, keryx
model = keryx.Sequential([keryx.Input((4,)), keryx.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(numpy.zeros((4, 4)), numpy.zeros(4), verbose=0)
helping = ("ways_out", "mistaken", "telling", "explaining")
print([name for name in sys.modules if name.startswith("keryx") and name.rpartition(".")[2] in helping])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
