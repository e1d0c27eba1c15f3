"""The command line: `python -m keryx` runs a program, as Python itself does, in which `keras` is Keryx."""

import builtins
import importlib.machinery
import io
import os
import runpy
import sys
from collections.abc import Callable
from types import CodeType, ModuleType, TracebackType
from typing import Any

USAGE = """\
usage: python -m keryx [--keras 1|2|3] [--tensorflow] script.py [args...]
       python -m keryx [--keras 1|2|3] [--tensorflow] -m package.module [args...]
       python -m keryx [--keras 1|2|3] [--tensorflow] -c "code" [args...]

Runs a program written for Keras, unchanged, on Keryx: within it `import keras` gives Keryx.
What follows the script's name is the script's own; - in its place reads it from the standard input.

  --keras 1|2|3   the age of Keras whose words the program uses; by default 3
  --tensorflow    tensorflow.keras and tf.keras are Keryx too, for programs that use nothing else of TensorFlow
  --version       the version of Keryx
  -h, --help      this text
"""


class UsageError(Exception):
    """What was written on the command line cannot be run."""


def main(arguments: list[str]) -> int:
    """Run what the arguments say; 2 where they say nothing that can be run."""
    try:
        options, rest = parse(arguments)
    except UsageError as error:
        print(f"{USAGE}\npython -m keryx: {error}", file=sys.stderr)
        return 2
    if options["help"] or options["version"]:
        print(USAGE if options["help"] else sys.modules["keryx"].version(), end="" if options["help"] else "\n")
        return 0
    from keryx import compat

    compat.install(tensorflow=options["tensorflow"])
    if options["keras"] != 3:
        compat.use(options["keras"])
    return _visible(lambda: run(rest))


def parse(arguments: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Our own options, which stand first, and what is to be run with its arguments.

    >>> parse(["--keras", "2", "train.py", "--keras", "x"])
    ({'keras': 2, 'tensorflow': False, 'help': False, 'version': False}, ['train.py', '--keras', 'x'])
    """
    options: dict[str, Any] = {"keras": 3, "tensorflow": False, "help": False, "version": False}
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "-m", "-c"):
        word, _, value = rest.pop(0).partition("=")
        if word == "--keras":
            value = value or (rest.pop(0) if rest else "")
            if value not in ("1", "2", "3"):
                raise UsageError(f"--keras is 1, 2 or 3; got {value!r}")
            options["keras"] = int(value)
        elif word in ("--tensorflow", "--help", "--version", "-h"):
            options["help" if word == "-h" else word[2:]] = True
        else:
            raise UsageError(f"there is no option {word}")
    if rest and rest[0] in ("-m", "-c") and len(rest) == 1:
        raise UsageError(f"{rest[0]} wants an argument")
    if not rest:
        options["help"] = options["help"] or not options["version"]
    return options, rest


def run(words: list[str]) -> int:
    """Run a script, `-m` a module, `-c` code or `-` the standard input, as `__main__` with its own `sys.argv`."""
    if words[0] == "-m":
        sys.argv = ["-m", *words[2:]]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return 0
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        return _execute(compile(words[1], "<string>", "exec"), "")
    sys.argv = words
    if words[0] == "-":
        return _execute(compile(sys.stdin.read(), "<stdin>", "exec"), "")
    script = words[0]
    if os.path.isdir(script) or script.endswith((".zip", ".pyz")):
        sys.path.pop(0)  # runpy puts the folder or archive in its place
        runpy.run_path(script, run_name="__main__")
        return 0
    try:
        with io.open_code(os.path.abspath(script)) as file:
            source = file.read()
    except OSError as error:
        print(f"python -m keryx: can't open file {os.path.abspath(script)!r}: {error.strerror}", file=sys.stderr)
        return 2
    return _execute(compile(source, script, "exec"), os.path.dirname(os.path.realpath(script)), script)


def _execute(code: CodeType, folder: str, script: str | None = None) -> int:
    """Run code as the module `__main__`, which stays, as that of a script of Python's own does."""
    module = ModuleType("__main__")
    vars(module).update(__builtins__=builtins)
    if script is not None:
        loader = importlib.machinery.SourceFileLoader("__main__", script)
        vars(module).update(__file__=script, __cached__=None, __loader__=loader)
    sys.modules["__main__"] = module
    if not sys.flags.safe_path:
        sys.path[0] = folder
    exec(code, vars(module))
    return 0


def _visible(program: Callable[[], int]) -> int:
    """Run, and leave our own frames out of the traceback of an error, whatever prints it."""
    try:
        return program()
    except SystemExit:
        raise
    except BaseException:
        show = sys.excepthook

        def shown(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
            own = _of_the_program(traceback)
            show(kind, error.with_traceback(own), own)

        sys.excepthook = shown
        raise


def _of_the_program(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback from the program's first frame on."""
    ours = {__file__, os.path.join(os.path.dirname(__file__), "__main__.py"), "<frozen runpy>", runpy.__file__}
    while traceback is not None and traceback.tb_frame.f_code.co_filename in ours:
        traceback = traceback.tb_next
    return traceback
