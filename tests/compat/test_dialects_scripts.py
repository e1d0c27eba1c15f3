"""Scripts in the manner of each age of Keras run as they are, under `python -m keryx --keras N`."""

import functools
from pathlib import Path

import pytest
from children import run

SCRIPTS = Path(__file__).parent / "scripts"
NAMES = [(age, path.stem) for age in (1, 2, 3) for path in sorted((SCRIPTS / f"keras{age}").glob("*.py"))]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """How each script of an age ended; those of one age run in one process."""

    @functools.cache
    def of_age(age):
        out = tmp_path_factory.mktemp("scripts") / f"keras{age}.json"
        return run(age, "run_scripts.py", str(SCRIPTS / f"keras{age}"), out=out)

    return of_age


def test_there_are_twenty_of_each_age():
    assert [sum(age == of for of, _ in NAMES) for age in (1, 2, 3)] == [20, 20, 20]


@pytest.mark.parametrize(("age", "name"), NAMES)
def test_a_script_runs_as_it_is(ended, age, name):
    result = ended(age)[name]
    assert result["error"] is None, result["error"]
