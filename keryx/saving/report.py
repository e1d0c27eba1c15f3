"""Report: which of a model's variables a file had values for, and what it held beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NoReturn

from keryx.errors import FileError

_SHOWN = 20  # lines of each kind


@dataclass(frozen=True, repr=False)
class Report:
    """What became of a file's values.

    Args:
        path: The file.
        matched: The paths of the variables that took a value from it.
        unused: What the file holds that went nowhere: why, by its name there.
        missing: Variables that kept the value they had: why, by their paths.

    >>> Report("a.h5", ("dense/kernel",), {}, {"dense/bias": "the file has no value for it"})
    <Report: 1 variable from a.h5, 1 not>
    >>> print(Report("a.h5", ("dense/kernel",), {}, {"dense/bias": "the file has no value for it"}))
    a.h5: 1 variable took its value.
    1 variable did not:
      dense/bias: the file has no value for it
    """

    path: str
    matched: tuple[str, ...] = ()
    unused: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    missing: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_whole(self) -> bool:
        """Whether every variable took a value, and every value was taken."""
        return not self.unused and not self.missing

    def complain(self, who: str, wrong: Mapping[str, str]) -> NoReturn:
        """Raise a FileError of what does not fit: every difference, why, and the way out."""
        lines = [f"  {name}: {why}" for name, why in list(wrong.items())[:_SHOWN]]
        lines += [f"  and {len(wrong) - _SHOWN:,} more"] * (len(wrong) > _SHOWN)
        way = (
            "Nothing was changed. Build the model that the file was saved from, or take what fits: skip_mismatch=True."
        )
        raise FileError("\n".join([f"{self.path} does not fit {who}:", *lines, way]))

    def __str__(self):
        lines = [f"{self.path}: {_count(self.matched, 'variable')} took {_its(self.matched)} value."]
        for found, what in ((self.missing, "variable"), (self.unused, "value")):
            if found:
                lines.append(
                    f"{_count(found, what)} {'did not' if what == 'variable' else 'of the file went nowhere'}:"
                )
                lines += [f"  {name}: {why}" for name, why in list(found.items())[:_SHOWN]]
                lines += [f"  and {len(found) - _SHOWN:,} more"] if len(found) > _SHOWN else []
        return "\n".join(lines)

    def __repr__(self):
        rest = [f", {len(self.missing):,} not"] * bool(self.missing)
        rest += [f", {_count(self.unused, 'value')} unused"] * bool(self.unused)
        return f"<Report: {_count(self.matched, 'variable')} from {self.path}{''.join(rest)}>"


def _count(things, noun: str) -> str:
    return f"{len(things):,} {noun}{'s' * (len(things) != 1)}"


def _its(things) -> str:
    return "its" if len(things) == 1 else "their"
