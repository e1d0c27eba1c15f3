"""The words of Keras 1 and 2, taken for what they meant while a dialect is active.

`keryx.compat.use(2)` begins it, `use(3)` or `use(None)` ends it; `with use(1): ...` does both. What is translated is
what a program says: a call that Keryx itself makes is in today's words. Nothing of it is in the layers: while a dialect
is active, the constructors and the methods of training stand behind others that translate (`patches`), by the tables of
`signatures`, `values` and `keryx.saving.old.words`, which old files are read by too.
"""

from collections.abc import Mapping
from typing import Any

from keryx.compat.dialects import modules
from keryx.compat.dialects.age import active as active
from keryx.compat.dialects.using import use as use


def module(path: str) -> Mapping[str, Any] | None:
    """What a module of the active dialect has beside what Keryx has under that path; None where it has nothing.

    Args:
        path: Such as `keras.layers.core`.

    >>> with use(1):
    ...     "probas_to_classes" in module("keras.utils.np_utils"), module("keras.nothing")
    (True, None)
    """
    age = active()
    return None if age is None else modules.contents(age, path)


def name(path: str, name: str) -> Any:
    """What a name of a module stands for in the active dialect.

    Raises:
        AttributeError: Where it stands for nothing, or for what cannot be, with what to write.
    """
    age = active()
    if age is None:
        raise AttributeError(f"{path} has no {name!r} in a dialect: none is active.")
    return modules.find(age, path, name)
