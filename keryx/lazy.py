"""Names of a package whose modules are imported when one of them is first asked for, so that an import stays cheap."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from keryx import later


def exports(
    package: str, homes: Mapping[str, str], otherwise: Callable[[str], Any] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package that finds some of its names in modules that are not imported yet.

    Args:
        package: The package's `__name__`.
        homes: By module, its names in one string; a module without names is itself what is asked for, and one whose
            own name is among them is too, as is one that lies in the package. A module must not have the name of one of
            its things: once imported, it would stand where the thing is looked for.
        otherwise: What is asked for a name that stands nowhere; by default an AttributeError.

    >>> module = type(sys)("mine")
    >>> module.__getattr__, module.__dir__ = exports("mine", {"keryx.constraints": "NonNeg MaxNorm"})
    >>> sys.modules["mine"] = module
    >>> module.NonNeg.__name__, "MaxNorm" in dir(module)
    ('NonNeg', True)
    >>> del sys.modules["mine"]
    """
    where = home_of(homes)

    def find(name: str) -> Any:
        if name not in where:
            if f"{package}.{name}" in homes:
                return importlib.import_module(f"{package}.{name}")
            return (otherwise or missing)(name)
        module = importlib.import_module(where[name])
        found = module if where[name] == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, found)  # asked for once
        return found

    def missing(name: str) -> NoReturn:
        later.refuse(package, name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *where})

    return find, listed


def home_of(homes: Mapping[str, str]) -> dict[str, str]:
    """The module of each name.

    >>> home_of({"keryx.constraints": "NonNeg MaxNorm", "keryx.datasets": ""})
    {'NonNeg': 'keryx.constraints', 'MaxNorm': 'keryx.constraints', 'datasets': 'keryx.datasets'}
    """
    return {name: module for module, names in homes.items() for name in names.split() or [module.rpartition(".")[2]]}
