"""Values whose buffers compiled code takes over for a while, and how everybody else reads them meanwhile.

A step of training takes the buffers of the weights over, so that it needs no second set of them. From `Loan.begin` to
`Loan.end` the loan stands in the place of the values that it has: who wants one waits until the loan ends, and is
served by the thread that ends it, before that thread lends again. So a reader is never kept out by a loop that lends
again at once, and always sees the values of one moment. What somebody else was handed out is copied before it is lent.
"""

import operator
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.errors import StateError

# Held for microseconds, never while compiled code runs: moving values in and out of cells.
lock = threading.RLock()
_readings: dict[int, list[Any]] = {}  # what compiled code is reading just now, by the id of the list

# A thread that Python did not start may be the one that the loan's own program waits for, so it waits so long at most.
PATIENCE = 5.0  # seconds


class Cell:
    """Holds a value, an array or a nest of arrays, that can be lent."""

    _value: Any = None
    _shared = False  # whether somebody else may hold the value too, so that the next loan copies it

    def hand_out(self) -> Any:
        """The value, for whoever asks to keep."""
        with lock:
            value = self._value
            if not isinstance(value, Away):
                self._shared = True
                return value
        return hand_out([self])[0]

    def put(self, value: Any) -> None:
        """Hold another value, which nobody else may hold."""
        put([self], [value])

    def __getstate__(self) -> dict[str, Any]:
        with reading([self]) as (value,):
            return vars(self) | {"_value": jax.tree.map(np.array, value), "_shared": False}

    def __setstate__(self, state: dict[str, Any]) -> None:
        arrays = jax.tree.map(lambda array: jax.device_put(array, may_alias=False), state["_value"])
        vars(self).update(state, _value=jax.block_until_ready(arrays))

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing yet."""
        return self._value is None


_value_of = operator.attrgetter("_value")


@contextmanager
def reading(cells: Sequence[Cell]) -> Iterator[list[Any]]:
    """A block in which compiled code may be given the values of some cells: no loan takes them over meanwhile.

    >>> cell = Cell()
    >>> cell.put(jnp.ones(()))
    >>> with reading([cell]) as (value,):
    ...     print(value)
    1.0
    """
    values = begin_reading(cells)
    try:
        yield values
    finally:
        end_reading(values)


def begin_reading(cells: Sequence[Cell]) -> list[Any]:
    """The values of some cells at one moment, which no loan takes over until `end_reading(values)`."""
    with lock:
        values = list(map(_value_of, cells))
        if _AWAY.isdisjoint(map(type, values)):
            _readings[id(values)] = values
            return values
    noted = []

    def note(values: list[Any]) -> list[Any]:
        _readings[id(values)] = values
        noted.append(values)
        return values

    try:
        return at_rest(cells, note)
    except BaseException:
        for values in noted:  # it was interrupted just as it was served
            end_reading(values)
        raise


def end_reading(values: list[Any]) -> None:
    """The values have been read."""
    _readings.pop(id(values), None)


def hand_out(cells: Sequence[Cell]) -> list[Any]:
    """The values of some cells at one moment, for whoever asks to keep."""

    def share(values: list[Any]) -> list[Any]:
        for cell in cells:
            cell._shared = True
        return values

    return at_rest(cells, share)


def put(cells: Sequence[Cell], values: Sequence[Any], shared: bool = False) -> None:
    """Let cells hold other values, all of them in one moment; `shared` if somebody else holds them too."""

    def move(_: list[Any]) -> None:
        for cell, value in zip(cells, values, strict=True):
            cell._value, cell._shared = value, shared

    at_rest(cells, move, reads=False, replaces=True)


def at_rest(cells: Sequence[Cell], act: Callable[[list[Any]], Any], reads: bool = True, replaces: bool = False) -> Any:
    """The result of `act(values)`, at a moment when no value of the cells is lent.

    Args:
        cells: The cells.
        act: Runs in microseconds and does not raise; it may be run by the thread that ends a loan.
        reads: Whether it only reads.
        replaces: Whether it looks at none of the values, so that those not made yet need not be.

    Raises:
        StateError: Where the thread that waits is the one that is waited for.
    """
    while True:
        with lock:
            values = [cell._value for cell in cells]
            away = _first_away(values, Loan if replaces else Away)
            if away is None:
                return act(values)
            wait = away.ask(cells, act, reads)
        served = wait()
        if served is not None:
            return served[0]


def _first_away(values: list[Any], kind: type["Away"]) -> "Away | None":
    return next((value for value in values if isinstance(value, kind)), None)


class Away:
    """Stands in a cell in the place of a value that is elsewhere."""

    def ask(self, cells: Sequence[Cell], act: Callable, reads: bool) -> Callable[[], tuple[Any] | None]:
        """What to call, without the lock, to wait for the value: it returns `act`'s result if `act` was run."""
        raise NotImplementedError


class Loan(Away):
    """Values that are lent to compiled code again and again, by the thread that makes this.

    `begin` and `end` enclose each call. `close` belongs into a `finally`: it puts back what is still lent, whatever
    was interrupted.
    """

    def __init__(self, cells: Sequence[Cell]):
        self.cells = list(cells)
        self.thread = threading.get_ident()
        self.lent: list[Any] = []
        self.returned: list[Any] | None = None
        self.requests: list[_Request] = []

    def begin(self, taken_over: bool = True) -> list[Any]:
        """The values, which are the program's from here on.

        Args:
            taken_over: Whether the program takes the buffers over, so that what others hold has to be copied.
        """
        shared: list[int] = []

        def move(values: list[Any]) -> None:
            self.lent, self.returned = values, None
            # Readings end without the lock: a list of them first, which is made in one go.
            read = {id(value) for values in list(_readings.values()) for value in values} if _readings else ()
            for i, cell in enumerate(self.cells):
                if taken_over and (cell._shared or id(cell._value) in read):
                    shared.append(i)
                cell._value = self

        at_rest(self.cells, move, reads=False)
        for i in shared:
            self.lent[i] = jax.tree.map(jnp.copy, self.lent[i])
            self.cells[i]._shared = False
        return self.lent

    def end(self, values: Sequence[Any]) -> None:
        """Give each cell its new value, and everybody who waits what he waits for."""
        values = list(values)
        if len(values) != len(self.cells):
            raise StateError(f"{len(self.cells)} values were lent, and {len(values)} came back.")
        self.returned = values
        self.close()

    def close(self, instead: Sequence[Any] | None = None) -> None:
        """Put back what is lent, the new value if it had come back, else the old one; or these values, into all."""
        with lock:
            values = self.values() if instead is None else instead
            for cell, value in zip(self.cells, values, strict=True):
                if cell._value is self or not (instead is None or isinstance(cell._value, Loan)):
                    cell._value = value
            for request in self.requests:
                request.serve()
            self.requests, self.lent, self.returned = [], [], None

    def values(self) -> list[Any]:
        """What the cells hold if the loan ends now."""
        values = self.returned or self.lent or [None] * len(self.cells)
        return [value if cell._value is self else cell._value for cell, value in zip(self.cells, values, strict=True)]

    def ask(self, cells: Sequence[Cell], act: Callable, reads: bool) -> Callable[[], tuple[Any] | None]:
        if self.thread != threading.get_ident():
            request = _Request(cells, act)
            self.requests.append(request)
            return request.wait
        # The program's own Python code: while it is traced the values are still whole, in its callbacks they are gone.
        values = [self.lent[self.cells.index(c)] if c._value is self else c._value for c in cells]
        if not reads or any(isinstance(value, Away) or is_deleted(value) for value in values):
            raise StateError(_WITHIN)
        return lambda: (act(values),)


_WITHIN = (
    "The weights are lent to the step that runs just now: the code within it, such as that of a pure_callback, can "
    "neither read nor change them. Hand their values to the callback as arguments; change them in a keryx Callback."
)


class Kept(Away):
    """A value that is made when it is wanted: the device had no memory for it so far, or a file may hold another."""

    def __init__(self, make: Callable[[], jax.Array]):
        self.make = make

    def ask(self, cells: Sequence[Cell], act: Callable, reads: bool) -> Callable[[], tuple[Any] | None]:
        cell = next(cell for cell in cells if cell._value is self)
        return lambda: self.put_back(cell)

    def put_back(self, cell: Cell) -> None:
        """Make the value. Where that fails, it can be tried again."""
        array = self.make()
        with lock:
            if cell._value is self:
                cell._value = array


_AWAY = {Loan, Kept}


class _Request:
    """What a thread waits to be done with the values of some cells."""

    def __init__(self, cells: Sequence[Cell], act: Callable):
        self.cells, self.act = cells, act
        self.over = threading.Event()
        self.result: tuple[Any] | None = None

    def serve(self) -> None:
        """Do it if it can be done now; else wait for the next loan in the way. Called with the lock."""
        if self.over.is_set():
            return
        values = [cell._value for cell in self.cells]
        away = _first_away(values, Away)
        if isinstance(away, Loan):
            away.requests.append(self)
            return
        if away is None:
            self.result = (self.act(values),)
        self.over.set()

    def wait(self) -> tuple[Any] | None:
        """Wait until it is done; None where it has to be tried again."""
        foreign = isinstance(threading.current_thread(), threading._DummyThread)
        try:
            if not self.over.wait(PATIENCE if foreign else None):
                raise StateError(_WITHIN)
        finally:
            with lock:
                self.over.set()  # who was interrupted wants nothing any more
        return self.result


def is_deleted(value: Any) -> bool:
    """Whether any buffer of a value was taken over."""
    return any(isinstance(leaf, jax.Array) and leaf.is_deleted() for leaf in jax.tree.leaves(value))
