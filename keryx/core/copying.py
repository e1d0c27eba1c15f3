"""Copies of what owns variables, by `copy` and `pickle`."""

import copy
from typing import Any


class Copyable:
    """An object whose copies, by `copy.copy`, `copy.deepcopy` and `pickle`, share nothing with it.

    They hold all that its attributes hold, but for what is made again when it is wanted, such as compiled programs.
    """

    _made_again: tuple[str, ...] = ()  # the attributes that copies begin without

    def __copy__(self):
        return copy.deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in self._made_again}
