"""The errors of Keryx, and the words that help a reader out of them.

Each is also the built-in error that Keras users catch today, so `except ValueError` goes on working.
"""

import difflib
import sys
import warnings
from collections.abc import Iterable
from typing import Any


class KeryxError(Exception):
    """The base of every error that Keryx raises on purpose."""

    def add_note(self, note: str) -> None:
        """Add a line to what the error says, unless it is JAX's of how it shortens tracebacks."""
        if "JAX has removed its internal frames" not in note:
            super().add_note(note)


class ArgumentError(KeryxError, ValueError, TypeError):
    """An argument that the function does not have, or that lacks a value."""


class ShapeError(KeryxError, ValueError):
    """Shapes that do not fit."""


class DataError(KeryxError, ValueError):
    """Data that a model cannot take: empty, misnamed, out of range, of another structure."""


class ConfigError(KeryxError, ValueError, TypeError):
    """A setting or a config that means nothing here; Keras raises a TypeError for a config of no known class."""


class FileError(KeryxError, ValueError, OSError):
    """A file that is damaged, of another kind than was asked for, or that holds what is refused."""


class ExportError(KeryxError, ValueError):
    """A model that a format cannot hold, or a format that cannot be written here."""


class StateError(KeryxError, RuntimeError, ValueError):
    """Something was asked of an object that is not ready for it: not built, not compiled."""


class ForkError(StateError):
    """Compiled code was to run in a child that was forked from a process that had run some."""


class SymbolicError(KeryxError, TypeError, ValueError):
    """A symbolic tensor was asked for the values that it does not have yet."""


class UndefinedError(StateError, AttributeError):
    """An attribute that has no value yet, so that `hasattr` is false."""


class MissingModuleError(KeryxError, ModuleNotFoundError):
    """An import of something that Keras does not have, keeps to itself, or has and Keryx has not yet."""


class NonFiniteLossError(KeryxError, ArithmeticError):
    """The loss turned NaN or infinite; the weights are those of the last good step."""


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """` Did you mean 'epochs'?` where one of `words` is close to `word`, else nothing.

    >>> did_you_mean("epoch", ["epochs", "batch_size"])
    " Did you mean 'epochs'?"
    >>> did_you_mean("Relu", ["elu", "relu"])
    " Did you mean 'relu'?"
    >>> did_you_mean("f1", ["f_beta_score", "f1_score"])
    " Did you mean 'f1_score'?"
    >>> did_you_mean("zzz", ["epochs"])
    ''
    """
    known, lower = [str(w) for w in words], str(word).lower()
    swapped = [w for w in known if sorted(w.lower()) == sorted(lower)]  # 'adma' is nearer to 'adam' than to 'adamax'
    close = difflib.get_close_matches(str(word), swapped or known, n=1, cutoff=0 if swapped else 0.6)
    close = close or [w for w in known if len(lower) > 1 and w.lower().startswith(lower)]
    return f" Did you mean {close[0]!r}?" if close else ""


def listing(words: Iterable[Any]) -> str:
    """The words as `'a', 'b', 'c'`, or `none`.

    >>> listing(["b", "a"])
    "'b', 'a'"
    """
    return ", ".join(repr(str(w)) for w in words) or "none"


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, at the line of the user's that called into Keryx, however many calls lie between."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "keryx":
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
