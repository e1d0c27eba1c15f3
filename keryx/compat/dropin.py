"""Keryx under the name `keras`, within this process.

`install()` puts a finder before all others: from then on `import keras`, and what lies below it, gives modules whose
attributes are Keryx's own. Nothing is copied: classes, functions and the state behind them are the same by both names.
"""

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder
from types import ModuleType
from typing import Any

from keryx import later
from keryx.compat import names, tensorflow_face
from keryx.compat.surroundings import KERAS_VERSION, distributions, look_around
from keryx.errors import KeryxError, MissingModuleError, StateError, did_you_mean


def install(tensorflow: bool = False) -> None:
    """Let `keras` be Keryx, from here to the end of this process and in no other.

    Args:
        tensorflow: Whether `tensorflow.keras` and `tf.keras` are Keryx too, for programs that use nothing else of
            TensorFlow (a few harmless names are there; all others are refused by name). By default False.

    Raises:
        StateError: Keras itself, or TensorFlow where that is asked for, has been imported before.

    To install twice is as good as once. As with Keras, the first `import keras` takes the settings of
    `~/.keras/keras.json`. It is this process that has the drop-in, and what is forked from it; others begin without:

    - Children that `multiprocessing` spawns import the program, so `import keryx.as_keras` at its top reaches them;
      `python -m keryx` does not.
    - Workers of joblib and pytest-xdist import the module of what they run: there the line stands at the top of that
      module, or of `conftest.py`.
    - What `subprocess` starts is started with `python -m keryx` in the place of `python`.

    In a program:

        from keryx.compat import install

        install()
        from keras.layers import Dense  # keryx.layers.Dense
    """
    roots = ["keras", *(["tensorflow"] if tensorflow else [])]
    for root in roots:
        _refuse_if_imported(root)
    finder = next((known for known in sys.meta_path if isinstance(known, Finder)), None)
    if finder is None:
        finder = Finder()
        sys.meta_path.insert(0, finder)
    finder.roots.update(roots)


def _refuse_if_imported(root: str) -> None:
    known = sys.modules.get(root)
    if known is not None and not isinstance(known, Face):
        title = {"keras": "Keras", "tensorflow": "TensorFlow"}[root]
        version, place = getattr(known, "__version__", "of an unknown version"), getattr(known, "__file__", None)
        raise StateError(
            f"{title} itself ({version}, {place}) was imported before, so {root!r} cannot be Keryx in "
            "this process any more. Put `import keryx.as_keras` before all other imports, or run "
            "`python -m keryx script.py`; in a notebook restart the kernel and begin with `%load_ext keryx`."
        )


# By the name of a module of ours for a namespace of Keras: Keryx's module, and the names that Keras has there.
_homes: dict[str, tuple[Any, frozenset[str]]] = {}


class Face(ModuleType):
    """A module under one of Keras's names; its attributes are looked up in Keryx each time."""

    __path__: list[str] = []

    def __init__(self, name: str, doc: str):
        super().__init__(name, doc)
        # In the module, not in the class: completion in notebooks asks nothing of objects whose class has them.
        vars(self).update(__getattr__=partial(_attribute, name), __dir__=partial(_listed, self))


def _attribute(fullname: str, name: str) -> Any:
    """What a module of ours has under a name."""
    home, public = _homes.get(fullname, (None, ()))
    if name in public and _dialects() is None:
        return getattr(home, name)  # what a program asks for most
    if name == "__all__":
        return _all(fullname)
    if name.startswith("__"):
        raise AttributeError(f"module {fullname!r} has no attribute {name!r}")
    return _look(fullname, name)


def _listed(face: Face) -> list[str]:
    return sorted({*vars(face), *_all(face.__name__)})


class Finder(DistributionFinder, Loader):
    """Finds modules below the roots that were asked for."""

    def __init__(self) -> None:
        self.roots: set[str] = set()

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        if fullname.partition(".")[0] not in self.roots:
            return None
        if not _is_module(fullname):
            raise _refusal(fullname)
        return ModuleSpec(fullname, self, origin=getattr(_behind(fullname), "__file__", None), is_package=True)

    def find_distributions(self, context: Any = None) -> Iterator[Distribution]:
        """What `importlib.metadata` knows of `keras`: the version that `keras.version()` says."""
        return distributions(context or DistributionFinder.Context())

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Face(spec.name, f"`{spec.name}`: Keryx under this name.")

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None and spec.origin is not None:
            module.__file__ = spec.origin
        path = _canonical(module.__name__)
        below = path.removeprefix("keras").removeprefix(".")
        if below in names.NAMES:
            _homes[module.__name__] = names.namespace(below), frozenset(names.NAMES[below])
        if path in ("keras", "keras.src", "keras.src.version"):
            module.__version__ = _version()  # type: ignore[attr-defined]
        if path == "keras":
            module.version = version  # type: ignore[attr-defined]
            look_around()
        elif module.__name__ == "tensorflow":
            module.__version__ = tensorflow_face.VERSION  # type: ignore[attr-defined]


def version() -> str:
    """The version of Keras that Keryx follows."""
    return KERAS_VERSION


def _canonical(path: str) -> str:
    """The path by which Keras's things are known, of the ways to write it.

    >>> _canonical("tensorflow.keras.layers"), _canonical("keras.api.models"), _canonical("keras.layers")
    ('keras.layers', 'keras.models', 'keras.layers')
    """
    for way, root in names.ROOTS.items():
        if path == way or path.startswith(f"{way}."):
            return root + path.removeprefix(way)
    return path


def _dialects() -> Any:
    """The module of the dialects while one is active; what it has for a path goes before Keryx's own."""
    dialects = sys.modules.get("keryx.compat.dialects")
    return dialects if dialects is not None and dialects.active() is not None else None


def _dialect(path: str) -> Mapping[str, Any] | None:
    """What the dialect that is active has for a module; None where there is no dialect, or nothing of that path."""
    dialects = _dialects()
    return None if dialects is None else dialects.module(_without_src(path))


def _without_src(path: str) -> str:
    """A path as it was before Keras 2.13 put its modules below `src`: by it the dialects know them.

    >>> _without_src("keras.src.engine.training"), _without_src("keras.layers")
    ('keras.engine.training', 'keras.layers')
    """
    return "keras" + path.removeprefix("keras.src") if path.startswith("keras.src") else path


def _of_tf_keras(fullname: str) -> Mapping[str, Any]:
    """What `tf.keras` has kept of Keras 2, in any dialect: functions of its backend, `Tokenizer`, generators."""
    path = _canonical(fullname)
    if path == fullname or not path.startswith("keras."):
        return {}
    modules = importlib.import_module("keryx.compat.dialects.modules")
    return modules.contents(2, _without_src(path)) or {}


def _version() -> str:
    """The version of Keras that programs ask for: that of the dialect, or the one whose names these are."""
    dialects = sys.modules.get("keryx.compat.dialects")
    return (dialects.version() if dialects is not None else None) or KERAS_VERSION


def _is_module(fullname: str) -> bool:
    if fullname in names.ROOTS or any(way.startswith(f"{fullname}.") for way in names.ROOTS):
        return True
    path = _canonical(fullname)
    if path == "keras" or _dialect(path) is not None or _of_tf_keras(fullname):
        return True
    root, _, below = path.partition(".")
    if root == "tensorflow":
        return tensorflow_face.is_module(below)
    if below == "src" or below.startswith("src."):
        return names.is_source(below[4:])
    return below in names.NAMESPACES and later.reason(below) is None


def _behind(fullname: str) -> Any:
    """Keryx's module that stands behind a path, the nearest one for paths below `keras.src`."""
    root, _, below = _canonical(fullname).partition(".")
    if root == "tensorflow":
        return tensorflow_face
    if below == "src" or below.startswith("src."):
        below = names.nearest(below[4:])
    is_here = below in names.NAMESPACES and later.reason(below) is None
    return names.namespace(below if is_here else "")


def _look(fullname: str, name: str) -> Any:
    """What stands under a name: a module below, the dialect's thing, Keryx's."""
    path, below = _canonical(fullname), f"{fullname}.{name}"
    if _canonical(below).removeprefix("keras.") in names.NAMESPACES and _is_module(below):
        return importlib.import_module(below)
    if (dialects := _dialects()) is not None:
        try:
            return dialects.name(_without_src(path), name)
        except AttributeError as error:
            if isinstance(error, KeryxError):  # it was there in that age, and the error says what to write today
                raise
    if _is_module(below) and not _is_only_spelled_as_one(below):
        return importlib.import_module(below)
    try:
        return _thing(path, name)
    except AttributeError:
        if _is_module(below):
            return importlib.import_module(below)
        if name in (old := _of_tf_keras(fullname)):
            return old[name]
        raise


def _is_only_spelled_as_one(fullname: str) -> bool:
    """Whether a path may be a module or a thing: below `keras.src` things go first there."""
    path = _canonical(fullname)
    return path.startswith("keras.src.") and not names.is_source_file(path.removeprefix("keras.src."))


def _thing(path: str, name: str) -> Any:
    root, _, below = path.partition(".")
    if root == "tensorflow":
        return tensorflow_face.find(below, name)
    if below == "src" or below.startswith("src."):
        return version if path == "keras.src.version" and name == "version" else names.find_source(below[4:], name)
    if below and below not in names.NAMESPACES:
        raise AttributeError(f"{path} has no {name!r}.{did_you_mean(name, _dialect(path) or ())}")
    return names.find_public(below, name)


def _all(fullname: str) -> list[str]:
    """The names that `from ... import *` takes."""
    path = _canonical(fullname)
    root, _, below = path.partition(".")
    if root == "tensorflow":
        return sorted(tensorflow_face.names(below))
    if below == "src" or below.startswith("src."):
        return names.public(names.nearest(below[4:]))
    dialect = _dialect(path) or {}
    old = {name for name in dialect if name[0] != "_" and _is_thing(dialect.get(name))}
    if below and below not in names.NAMESPACES:
        return sorted(old)
    return sorted({*names.public(below), *(old - set(dir(names.namespace(below))))})


def _is_thing(value: Any) -> bool:
    """Whether a value is a thing of Keryx's, and no module or helper of Python's."""
    return not isinstance(value, ModuleType) and str(getattr(value, "__module__", "keryx")).startswith("keryx")


def _age_of(path: str) -> int | None:
    """The age of Keras that had a module or a thing of this path, the latest; None where none had."""
    modules = importlib.import_module("keryx.compat.dialects.modules")
    above, _, leaf = path.rpartition(".")
    for age in (2, 1):
        module = modules.contents(age, above)
        if modules.contents(age, path) is not None or (module is not None and leaf in module):
            return age
    return None


def _refusal(fullname: str) -> MissingModuleError:
    """Why there is no module of this path, in the words of what it is asked from where it is a name."""
    above, _, leaf = fullname.rpartition(".")
    try:
        _look(above, leaf)
        why = f"{fullname} is no module: write `from {above} import {leaf}`."
    except AttributeError as error:
        why = str(error)
        if age := _age_of(_without_src(_canonical(fullname))):
            why += f" It is of Keras {age}, whose words are taken by `python -m keryx --keras {age} script.py`."
    # Named after no module: else Python would say "cannot import name" in the place of what is said here.
    return MissingModuleError(why)
