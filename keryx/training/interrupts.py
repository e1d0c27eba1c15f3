"""Ctrl-C and SIGTERM, held back until the weights are whole."""

import _signal  # what `signal` wraps in enums, at twenty times the cost: predict of one row passes here
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (int(signal.SIGINT), int(signal.SIGTERM))
_outermost: "deferred | None" = None


class deferred:
    """A block in which SIGINT and SIGTERM are noted, and raised at `check()` or at its end.

    They are raised as they would have been: Ctrl-C is a KeyboardInterrupt, SIGTERM ends the process, and a
    handler that the program has set is called. A second Ctrl-C, while one is noted, does not wait.
    Of nested blocks only the outermost does anything at its end; in a thread other than the main one, which
    receives no signals, none does.

    >>> with deferred() as signals:
    ...     signal.raise_signal(signal.SIGINT)
    ...     print("the step is done")
    ...     try:
    ...         signals.check()
    ...     except KeyboardInterrupt:
    ...         print("interrupted")
    the step is done
    interrupted
    """

    __slots__ = ("_at_once", "_before", "_outer", "_waiting")

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}  # signal -> the handler in whose place this block's stands
        self._waiting: list[int] = []
        self._at_once = False
        self._outer = self

    def __enter__(self) -> "deferred":
        global _outermost
        if threading.current_thread() is not threading.main_thread():
            return self
        if _outermost is not None:
            self._outer = outer = _outermost
            self._at_once, outer._at_once = outer._at_once, False  # a wait for data may itself run a model
            return self
        for signum in _SIGNALS:
            handler = _signal.getsignal(signum)
            if handler not in (None, signal.SIG_IGN):  # None: set by C code, and could not be put back
                self._before[signum] = handler
                _signal.signal(signum, self._receive)
        _outermost = self
        return self

    def __exit__(self, *error: object) -> None:
        global _outermost
        if self._outer is not self:
            self._outer._at_once = self._at_once
        if _outermost is not self:
            return
        _outermost = None
        # SIGINT last: it raises as soon as its handler is back, and SIGTERM's must not stay behind.
        for signum, handler in reversed(self._before.items()):
            if _signal.getsignal(signum) == self._receive:
                _signal.signal(signum, handler)
        self.check()

    def check(self) -> None:
        """Raise what has come in since; call it where the weights are whole."""
        outer = self._outer
        while outer._waiting:
            outer._waiting.sort()  # SIGTERM before SIGINT, which would leave it unheard
            outer._deliver(outer._waiting.pop())

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """A part of the block in which signals are raised at once, such as a wait for data."""
        outer = self._outer
        before, outer._at_once = outer._at_once, True
        try:
            self.check()
            yield
        finally:
            outer._at_once = before

    def _receive(self, signum: int, frame: Any) -> None:
        if self._at_once or (signum == signal.SIGINT and signum in self._waiting):
            self._waiting = [other for other in self._waiting if other != signum]
            self._deliver(signum)
        else:
            self._waiting.append(signum)

    def _deliver(self, signum: int) -> None:
        handler = self._before[signum]
        if callable(handler):
            handler(signum, None)
            return
        _signal.signal(signum, handler)
        signal.raise_signal(signum)
