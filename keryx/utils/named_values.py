"""Config: named values that can be frozen."""

import json
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from keryx.errors import StateError, UndefinedError, did_you_mean


class Config:
    """Named values, by attribute or by key, that can be frozen so that nothing changes them any more.

    Args:
        **kwargs: The values.

    Raises:
        StateError: On a change while it is frozen.
        UndefinedError: On a name that it does not have, an AttributeError too.

    >>> config = Config(learning_rate=0.1)
    >>> config.seed = 3
    >>> config["learning_rate"], config.to_json()
    (0.1, '{"learning_rate": 0.1, "seed": 3}')
    """

    def __init__(self, **kwargs: Any):
        object.__setattr__(self, "_values", kwargs)
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self) -> bool:
        """Whether it is frozen."""
        return self._frozen

    def freeze(self) -> None:
        """Let nothing change it from here on."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self) -> None:
        """Let it change again."""
        object.__setattr__(self, "_frozen", False)

    def _changing(self) -> dict[str, Any]:
        if self._frozen:
            raise StateError("The config is frozen: unfreeze() it first, or make another one.")
        return self._values

    def as_dict(self) -> dict[str, Any]:
        """The values as a dict of their own."""
        return dict(self._values)

    def to_json(self) -> str:
        """The values as JSON."""
        return json.dumps(self._values)

    def keys(self) -> KeysView:
        """The names."""
        return self._values.keys()

    def values(self) -> ValuesView:
        """The values."""
        return self._values.values()

    def items(self) -> ItemsView:
        """Names and values."""
        return self._values.items()

    def get(self, keyname: str, value: Any = None) -> Any:
        """The value of a name, or `value` where there is none."""
        return self._values.get(keyname, value)

    def pop(self, *args: Any) -> Any:
        """Take a value out, as of a dict."""
        return self._changing().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several values, as of a dict."""
        self._changing().update(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_values":
            raise AttributeError(name)
        if name not in self._values:
            raise UndefinedError(f"The config has no {name!r}.{did_you_mean(name, list(self._values))}")
        return self._values[name]

    __getitem__ = __getattr__

    def __setattr__(self, name: str, value: Any) -> None:
        self._changing()[name] = value

    __setitem__ = __setattr__

    def __delattr__(self, name: str) -> None:
        del self._changing()[name]

    __delitem__ = __delattr__

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self.as_dict())

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self):
        return f"<Config {self._values}>"
