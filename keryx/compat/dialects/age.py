"""Which age's words are taken at this moment."""

from keryx.errors import StateError

_active: list[int | None] = [None]


def active() -> int | None:
    """1 or 2 while a dialect is active, else None."""
    return _active[0]


def become(version: int | None) -> None:
    """Note that from here on the words of this age are taken."""
    _active[0] = version


def current() -> int:
    """The age whose words are taken.

    Raises:
        StateError: Where there is none.
    """
    age = active()
    if age is None:
        raise StateError("No dialect is active: keryx.compat.use(1) or use(2) begins one.")
    return age
