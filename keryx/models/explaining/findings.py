"""What was found, and how it reads."""

import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is odd about a model.

    Args:
        layer: Where it is: the path of a layer, the name of an input or an output; None for the model as a whole.
        what: What is there.
        why: Why that is odd.
        suggestion: What to write, as a line of code.
    """

    layer: str | None
    what: str
    why: str
    suggestion: str

    def __str__(self):
        return f"{self.layer}: {self.what}" if self.layer else self.what


class Findings(list[Finding]):
    """All that is odd about a model, as a list that prints in words.

    Args:
        title: How the model is called.
        unseen: What was not looked at, and why.
        found: The findings.
    """

    def __init__(self, title: str, unseen: str = "", found: list[Finding] | None = None):
        super().__init__(found or [])
        self.title, self.unseen = title, unseen

    def __str__(self):
        several = "things are" if len(self) > 1 else "thing is"
        lines = [f"{len(self)} {several} odd about {self.title}." if self else f"Nothing odd was seen in {self.title}."]
        for number, finding in enumerate(self, 1):
            lines += [_wrapped(str(finding), f"{number:2}. "), _wrapped(finding.why), f"    > {finding.suggestion}"]
        return "\n".join([*lines, *([self.unseen] if self.unseen else [])])

    __repr__ = __str__


def _wrapped(text: str, begin: str = "    ") -> str:
    return textwrap.fill(text, 100, initial_indent=begin, subsequent_indent="    ", break_on_hyphens=False)
