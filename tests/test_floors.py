"""Floors: a module imports what stands before it in the table of CONTRIBUTING.md; no import goes in a circle."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "keryx").rglob("*.py")
}
pytestmark = pytest.mark.skipif(not MODULES, reason="a wheel is tested, and no checkout is there")


def floors():
    """The order of the rooms, as the table says it."""
    table = re.search(r"\| floor \| rooms \|\n(.*?)\n\n", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)[1]
    return re.findall(r"`(\w+)(?:\.py|/)`", "\n".join(row.split("|")[1] for row in table.splitlines()))


def imported(statement):
    """The modules of ours that a statement imports."""
    if isinstance(statement, ast.Import):
        names = [alias.name for alias in statement.names]
    elif isinstance(statement, ast.ImportFrom):
        inner = [f"{statement.module}.{alias.name}" for alias in statement.names]
        names = [name if name in MODULES else statement.module for name in inner]
    else:
        names = []
    return [name for name in names if name in MODULES]


def room(module):
    """`core` of `keryx.core.graph`; none of `keryx` itself."""
    return (*module.split("."), None)[1]


def test_the_table_names_every_room_once():
    order = floors()
    assert sorted(order) == sorted({room(module) for module in MODULES} - {None})


def test_a_room_imports_what_stands_before_it():
    order = floors()
    upwards = [
        f"{module}:{statement.lineno} imports {name}"
        for module, path in MODULES.items()
        for statement in ast.walk(ast.parse(path.read_text()))
        for name in imported(statement)
        if room(module) not in (None, room(name))
        and (room(name) is None or order.index(room(name)) > order.index(room(module)))
    ]
    assert not upwards


def test_no_import_goes_in_a_circle():
    graph = {}
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text())
        graph[module] = {name for statement in tree.body for name in imported(statement)}
    TopologicalSorter(graph).prepare()  # raises CycleError, with the circle
