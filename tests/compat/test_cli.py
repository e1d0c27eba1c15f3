"""`python -m keryx` runs a program as `python` does: what the program sees of itself, how it ends, what is shown."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from keryx import cli, compat

ROOT = Path(__file__).parents[2]

FACTS = """
import sys
if ran_by_keryx := "keryx" in sys.modules:
    import keras
    assert keras.layers.Dense.__module__.startswith("keryx")
facts = [
    ("argv", sys.argv),
    ("path", sys.path[0]),
    ("names", sorted(name for name in globals() if name.startswith("__") and name != "__annotations__")),
    ("main", sys.modules["__main__"].__dict__ is globals()),
    *((name, str(globals().get(name))) for name in ("__name__", "__file__", "__package__", "__doc__", "__cached__")),
    ("spec", getattr(__spec__, "name", None)),
    ("builtins", __builtins__ is sys.modules["builtins"]),
    ("loader", type(__loader__).__name__ if "__file__" in globals() else None),
]
print(*facts, sep="\\n")
"""


def python(*words, cwd, given=None, keryx=True, options=(), **settings):
    command = [sys.executable, *options, *(["-m", "keryx"] if keryx else []), *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, input=given)


def same(*words, **how):
    """What a program prints, which is the same under Python and under Keryx."""
    ours, theirs = (python(*words, keryx=keryx, **how) for keryx in (True, False))
    assert (ours.stdout, ours.returncode) == (theirs.stdout, theirs.returncode), ours.stderr
    assert ours.stdout, ours.stderr
    return ours.stdout


@pytest.fixture
def folder(tmp_path):
    """A script, a link to it, a package."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "facts.py").write_text(f'"""Facts."""{FACTS}')
    (tmp_path / "link.py").symlink_to(tmp_path / "scripts" / "facts.py")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "__main__.py").write_text(FACTS)
    return tmp_path


def test_a_script_sees_what_it_sees_under_python(folder):
    said = same("scripts/facts.py", "a", "--keras", "2", "-m", cwd=folder)
    assert "['scripts/facts.py', 'a', '--keras', '2', '-m']" in said
    assert same("link.py", cwd=folder).count(str(folder / "scripts")) == 1


def test_a_module_a_folder_the_standard_input_and_code_do_too(folder):
    assert "--version" in same("-m", "package", "--version", cwd=folder)
    assert str(folder / "package") in same("package", cwd=folder)
    assert "['-', 'x']" in same("-", "x", cwd=folder, given=FACTS)
    assert "['-c', 'x']" in same("-c", FACTS, "x", cwd=folder)


def test_a_folder_is_searched_where_its_surroundings_are_not(folder):
    assert f"('path', '{folder / 'package'}')" in same("package", cwd=folder, options=["-P"])
    assert f"('path', '{ROOT}')" in same("scripts/facts.py", cwd=folder, options=["-P"])


def test_the_standard_input_is_read_as_a_file_is(tmp_path):
    given = "print(ascii('\u00e9'))"
    assert same("-", cwd=tmp_path, given=given, PYTHONIOENCODING="latin-1") == "'\\xe9'\n"


def test_a_session_goes_on_behind_the_program(tmp_path):
    done = python("-c", "x = 5", cwd=tmp_path, given="print(x)", options=["-i"])
    assert done.stdout == "5\n"
    assert "Error" not in done.stderr
    assert "SystemExit" not in done.stderr


SPAWNS = """
import multiprocessing, sys

class Mine:
    pass

if __name__ == "__main__":
    assert sys.modules["__mp_main__"] is sys.modules["__main__"]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(type(pool.apply_async(Mine).get(60)).__name__)
"""


def test_children_send_back_things_of_the_program(tmp_path):
    (tmp_path / "spawns.py").write_text(SPAWNS)
    assert same("spawns.py", cwd=tmp_path) == "Mine\n"
    assert same("-m", "spawns", cwd=tmp_path) == "Mine\n"


ENDS = """
import atexit, sys, keras
atexit.register(lambda: print("at the end", sys.argv[1:]))

class Mine:
    def __del__(self):
        print("gone", keras.version())

mine = Mine()

def deep(how):
    if how == "error":
        raise ValueError("what happened")
    if how == "interrupt":
        raise KeyboardInterrupt
    sys.exit({"three": 3, "words": "words"}.get(how))

try:
    deep(sys.argv[1])
except ValueError as error:
    raise RuntimeError("and then") from error
"""


@pytest.mark.parametrize(
    ("how", "code", "shown"),
    [
        ("three", 3, []),
        ("words", 1, ["words"]),
        ("nothing", 0, []),
        ("error", 1, ["ValueError: what happened", "RuntimeError: and then"]),
        ("interrupt", -signal.SIGINT, ["KeyboardInterrupt"]),
    ],
)
def test_it_ends_as_under_python(tmp_path, how, code, shown):
    script = tmp_path / "ends.py"
    script.write_text(ENDS)
    done = python(script, how, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert f"at the end {[how]}" in done.stdout
    assert f"gone {'3.15'}" in done.stdout
    assert all(line in done.stderr for line in shown)
    files = {line.split('"')[1] for line in done.stderr.splitlines() if line.startswith("  File ")}
    assert files == ({str(script)} if how in ("error", "interrupt") else set())


def test_what_cannot_be_run(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def")
    done = python(wrong, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].startswith(f'  File "{wrong}", line 1')
    assert done.stderr.splitlines()[-1].startswith("SyntaxError")
    done = python("nothing.py", cwd=tmp_path)
    assert done.returncode == 2
    assert f"can't open file '{tmp_path / 'nothing.py'}': No such file or directory" in done.stderr
    done = python("-m", "nothing_of_this_name", cwd=tmp_path)
    assert done.returncode == 1
    assert "No module named nothing_of_this_name" in done.stderr


@pytest.mark.parametrize(
    "words", [["--keras"], ["--keras", "4", "x.py"], ["--epochs", "x.py"], ["--tensorflow=no", "x.py"], ["-m"], ["-c"]]
)
def test_options_that_mean_nothing(words, capsys):
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("usage: python -m keryx")
    assert words[0] in said.splitlines()[-1]


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help(words, capsys):
    assert cli.main(words) == 0
    assert capsys.readouterr().out == cli.USAGE


def test_options_go_to_the_drop_in(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setitem(vars(compat), "install", lambda tensorflow: asked.append(tensorflow))
    monkeypatch.setitem(vars(compat), "use", asked.append)
    monkeypatch.setattr(cli, "run", lambda words: asked.append(words) or 0)
    assert cli.main(["--keras=1", "--tensorflow", "x.py", "--keras", "2"]) == 0
    assert asked == [True, 1, ["x.py", "--keras", "2"]]
    asked.clear()
    assert cli.main(["--keras", "3", "-m", "x"]) == 0
    assert asked == [False, ["-m", "x"]]
