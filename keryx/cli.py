"""The command line: `python -m keryx` runs a program, as Python itself does, in which `keras` is Keryx."""

import builtins
import importlib.machinery
import io
import os
import pkgutil
import runpy
import sys
from collections.abc import Callable
from types import ModuleType, TracebackType
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
        option = rest.pop(0)
        word, _, value = option.partition("=")
        if word == "--keras":
            value = value or (rest.pop(0) if rest else "")
            if value not in ("1", "2", "3"):
                raise UsageError(f"--keras is 1, 2 or 3; got {value!r}")
            options["keras"] = int(value)
        elif option in ("--tensorflow", "--help", "--version", "-h"):
            options["help" if word == "-h" else word[2:]] = True
        else:
            raise UsageError(f"there is no option {option}")
    if rest and rest[0] in ("-m", "-c") and len(rest) == 1:
        raise UsageError(f"{rest[0]} wants an argument")
    if not rest:
        options["help"] = options["help"] or not options["version"]
    return options, rest


def run(words: list[str]) -> int:
    """Run a script, `-m` a module, `-c` code or `-` the standard input, as `__main__` with its own `sys.argv`."""
    first = words[0]
    sys.argv = words
    if first == "-m":
        sys.argv = ["-m", *words[2:]]
        return _as_main(words[1], alter_argv=True)
    if first == "-c":
        sys.argv = ["-c", *words[2:]]
        return _execute(lambda: words[1], "<string>", "")
    if first == "-":
        return _execute(sys.stdin.buffer.read, "<stdin>", "")
    path = os.path.abspath(first)
    if pkgutil.get_importer(path) is not None:  # a folder or an archive that has a __main__.py
        sys.path[: 0 if sys.flags.safe_path else 1] = [path]  # it is the program, so it is searched under -P too
        return _as_main("__main__", alter_argv=False)
    try:
        with io.open_code(path) as file:
            source = file.read()
    except OSError as error:
        print(f"python -m keryx: can't open file {path!r}: {error.strerror}", file=sys.stderr)
        return 2
    return _execute(lambda: source, path, os.path.dirname(os.path.realpath(path)))


def _as_main(name: str, alter_argv: bool) -> int:
    """Run a module as `python -m` does, by the function that it calls."""
    _new_main()
    runpy._run_module_as_main(name, alter_argv)  # type: ignore[attr-defined]
    return 0


def _execute(read: Callable[[], str | bytes], file: str, folder: str) -> int:
    """Run code as the module `__main__`."""
    code, module = compile(read(), file, "exec", dont_inherit=True), _new_main()
    _search_first(folder)
    vars(module)["__loader__"] = importlib.machinery.BuiltinImporter
    if os.path.isabs(file):
        vars(module)["__loader__"] = importlib.machinery.SourceFileLoader("__main__", file)
    if file != "<string>":
        vars(module).update(__file__=file, __cached__=None)
    exec(code, vars(module))
    return 0


def _new_main() -> ModuleType:
    """A module `__main__` that stays for as long as the process, as a program's own does."""
    module = sys.modules["__main__"] = ModuleType("__main__")
    vars(module)["__builtins__"] = builtins
    if "__mp_main__" in sys.modules:  # what multiprocessing took for it; children send things of it
        sys.modules["__mp_main__"] = module
    return module


def _search_first(folder: str) -> None:
    """Let modules be found beside the program, in the place of the current folder."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


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
