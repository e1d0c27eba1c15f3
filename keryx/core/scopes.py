"""Blocks that a user opens: around the names of variables, their values, and the device that computes."""

import threading
from collections.abc import Iterable
from typing import Any

import jax

from keryx.core import scope
from keryx.core.names import is_name
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ConfigError, ShapeError, listing


class name_scope:
    """A block whose new variables have `name` in their path.

    Args:
        name: A string without slashes.
        caller: Who opens it.
        deduplicate: Whether a block that the same caller opens again within stands for the outer one.
        override_parent: The path that stands before `name`, in the place of the blocks around.

    Raises:
        ArgumentError: On another name.

    >>> with name_scope("encoder"):
    ...     v = Variable(0.0, name="scale")
    >>> v.path
    'encoder/scale'
    """

    def __init__(
        self, name: str, caller: Any = None, deduplicate: bool = True, override_parent: str | None = None, **_: Any
    ):
        if not is_name(name):
            raise ArgumentError(f"The name of a name_scope is a string without '/'; got {name!r}.")
        self.name, self.caller, self.deduplicate, self.override_parent = name, caller, deduplicate, override_parent
        self._before: list[list[str]] = []

    def __enter__(self) -> "name_scope":
        here = scope.here
        outer = _here.callers[-1] if _here.callers else None
        again = self.deduplicate and self.caller is not None and outer == (id(self.caller), self.name)
        self._before.append(here.names)
        _here.callers.append((id(self.caller), self.name))
        parents = here.names if self.override_parent is None else [p for p in self.override_parent.split("/") if p]
        here.names = list(here.names) if again else [*parents, self.name]
        return self

    def __exit__(self, *error: object) -> None:
        scope.here.names = self._before.pop()
        _here.callers.pop()


class _Thread(threading.local):
    def __init__(self):
        self.callers: list[tuple[int, str]] = []  # of the blocks that are open


_here = _Thread()


def device(device_name: Any) -> Any:
    """A block whose new arrays, and what is computed of them, lie on a device.

    Args:
        device_name: Such as `cpu:0` or `gpu:1`, or a `jax.Device`.

    Raises:
        ConfigError: Where there is no such device.

    >>> with device("cpu:0"):
    ...     x = jax.numpy.ones(2)
    >>> x.devices()
    {CpuDevice(id=0)}
    """
    if isinstance(device_name, jax.Device):
        return jax.default_device(device_name)
    kind, _, number = str(device_name).lower().partition(":")
    try:
        found = jax.devices(kind)[int(number or 0)]
    except (RuntimeError, IndexError, ValueError):
        there = [f"{d.platform}:{d.id}" for d in jax.devices()]
        raise ConfigError(f"There is no device {device_name!r}. There are {listing(there)}.") from None
    return jax.default_device(found)


class StatelessScope:
    """A block in which variables have the values that are lent to them, and no variable changes.

    Args:
        state_mapping: Pairs of a variable and its value.
        collect_losses: Whether `losses` holds what layers add.
        initialize_variables: As in Keras; variables have their values as soon as they are made.

    Raises:
        ArgumentError, ShapeError: Where a pair has no variable, or a value of another shape.

    >>> v = Variable(1.0)
    >>> with StatelessScope([(v, 2.0)]) as lent:
    ...     doubled = 2 * v.value
    ...     _ = v.assign(doubled)
    >>> float(lent.get_current_value(v)), float(v)
    (4.0, 1.0)
    """

    def __init__(
        self,
        state_mapping: Iterable[tuple[Variable, Any]] | None = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ):
        self.collect_losses, self.initialize_variables = collect_losses, initialize_variables
        values: dict[Variable, Any] = {}
        for variable, value in state_mapping or ():
            if not isinstance(variable, Variable):
                raise ArgumentError(f"StatelessScope() wants pairs of a Variable and a value; got {variable!r}.")
            array = jax.numpy.asarray(value, variable.dtype)
            if array.shape != variable.shape:
                raise ShapeError(f"The variable {variable.path!r} is {variable.shape}; got a value of {array.shape}.")
            values[variable] = array
        self._scope = scope.Scope(values)
        self._within: list[Any] = []

    @property
    def losses(self) -> list[Any]:
        """What layers have added, with `collect_losses`."""
        return self._scope.losses if self.collect_losses else []

    def add_loss(self, loss: Any) -> None:
        """Add a scalar to `losses`."""
        self._scope.losses.append(loss)

    def add_update(self, update: tuple[Variable, Any]) -> None:
        """Give a variable another value, for the block."""
        variable, value = update
        self._scope.write(variable, jax.numpy.asarray(value, variable.dtype))

    def get_current_value(self, variable: Variable) -> Any:
        """The value that a variable has in the block; None where it was neither lent nor assigned one."""
        return (self._scope.values or {}).get(variable)

    def __enter__(self) -> "StatelessScope":
        within = scope.run(self._scope)
        within.__enter__()
        self._within.append(within)
        return self

    def __exit__(self, *error: Any) -> None:
        self._within.pop().__exit__(*error)


class SymbolicScope:
    """A block of Keras's in which code is only traced. Here symbols say so by themselves: it changes nothing."""

    def __enter__(self) -> "SymbolicScope":
        return self

    def __exit__(self, *error: object) -> None:
        pass
