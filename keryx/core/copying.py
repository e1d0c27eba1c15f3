"""Copies of what owns variables, by `copy` and `pickle`."""

import copy
from typing import Any


def _blank(cls: type) -> Any:
    return cls._blank()  # type: ignore[attr-defined]


class Copyable:
    """An object whose copies, by `copy.copy`, `copy.deepcopy` and `pickle`, share nothing with it.

    They hold all that its attributes hold, but for what is made again when it is wanted, such as compiled programs.
    """

    _made_again: tuple[str, ...] = ()  # the attributes that copies begin without

    @classmethod
    def _blank(cls):
        """An object as it is before `__init__`: what a copy's attributes are put into."""
        return cls.__new__(cls)

    def __copy__(self):
        return copy.deepcopy(self)

    def __reduce__(self) -> tuple:
        return _blank, (type(self),), self.__getstate__()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in self._made_again}
