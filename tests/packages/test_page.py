"""The page about the packages says what is tested, and with which versions."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_has_a_row_for_each_package_of_the_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    tested = dict(wanted.split(">=") for wanted in extras["packages"])
    runs = (ROOT / "docs" / "packages.md").read_text("utf-8").split("## What does not")[0]
    rows = dict(re.findall(r"^\| \[([\w-]+)\]\([^)]+\) \| ([\d.]+) \|", runs, re.MULTILINE))
    assert rows.pop("keras-tcn")  # installed beside the extra, for it asks for a package that is not everywhere
    assert rows == {name: version for name, version in tested.items() if not name.startswith("pytest")}


def test_each_script_is_run_by_a_test():
    here = Path(__file__).parent
    tests = "".join(path.read_text() for path in here.glob("test_*.py"))
    for script in (here / "scripts").glob("*.py"):
        assert f'run("{script.stem}", tmp_path' in tests
