"""How numbers are shown: as a table in a terminal, and in a notebook."""

import io
from collections.abc import Sequence
from typing import Any


class Shown:
    """What shows itself as rich shows it: `__rich__` is written by the class."""

    def __rich__(self) -> Any:
        raise NotImplementedError

    def __str__(self) -> str:
        return rendered(self.__rich__())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from rich.console import Console

        console = Console(file=io.StringIO(), width=120, record=True, force_jupyter=False)
        console.print(self.__rich__())
        form = '<pre style="white-space:pre;overflow-x:auto;line-height:normal">{code}</pre>'
        return console.export_html(inline_styles=True, code_format=form)


def rendered(thing: Any, width: int = 120) -> str:
    """What rich makes of a thing, as plain text."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=width, color_system=None, force_jupyter=False)
    with console.capture() as captured:
        console.print(thing)
    return captured.get().rstrip("\n")


def table(title: str, columns: Sequence[str], sections: Sequence[Sequence[Sequence[str]]]) -> Any:
    """A table whose sections are set apart by a line; its first column is text, the others are numbers."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    made = Table()
    for i, column in enumerate(columns):
        made.add_column(Text(column), justify="right" if i else "left", overflow="fold")
    for section in sections:
        for row in section:
            made.add_row(*map(Text, row))
        made.add_section()
    return Group(Text(title, "bold"), made)


def amount(number: float) -> str:
    """A count as people say it.

    >>> amount(12), amount(15360), amount(2.5e9), amount(0)
    ('12', '15.4 K', '2.50 G', '0')
    """
    size = abs(number)
    for unit, scale in (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if size >= scale:
            return f"{number / scale:.3g} {unit}" if size >= 1e17 else f"{_three(number / scale)} {unit}"
    return f"{number:.0f}"


def duration(seconds: float) -> str:
    """A time as people say it.

    >>> duration(1.5), duration(0.0123), duration(4.2e-5), duration(-2e-3), duration(0)
    ('1.50 s', '12.3 ms', '42.0 us', '-2.00 ms', '0')
    """
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if abs(seconds) >= scale:
            return f"{_three(seconds / scale)} {unit}"
    return f"{seconds * 1e6:.1f} us" if round(seconds * 1e7) else "0"


def _three(number: float) -> str:
    """Three digits that count."""
    size = abs(number)
    return f"{number:.0f}" if size >= 99.95 else f"{number:.1f}" if size >= 9.995 else f"{number:.2f}"
