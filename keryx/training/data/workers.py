"""The batches of a data set, made ahead of time by threads or processes, and given in order."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from pathlib import Path
from typing import Any

from keryx.errors import DataError


class Workers:
    """What makes the batches of a data set, as its attributes ask for.

    With more than one of its `workers`, so many batches are made at the same time, and `max_queue_size` more may be
    ready and wait. With `use_multiprocessing` the workers are processes: new interpreters, which are sent the data set
    as it is when an epoch begins, and which end with this process, whatever ends it.

    Args:
        data: The data set; what it does not say is one worker, which is the caller.
    """

    def __init__(self, data: Any):
        self.data = data
        self.count = getattr(data, "workers", 1)
        self.processes = bool(getattr(data, "use_multiprocessing", False)) and self.count > 0
        self.ahead = self.count + getattr(data, "max_queue_size", 0)
        self.executor: Executor | None = None
        self.epochs = 0  # that processes have been sent the data set for
        self.opened = contextlib.ExitStack()

    def batches(self, numbers: Sequence[int]) -> Iterator[Any]:
        """The batches of these numbers, in this order.

        Raises:
            DataError: Where the data set cannot be sent to processes, or one of them has died.
        """
        if self.count <= 1 and not self.processes:
            yield from (self.data[number] for number in numbers)
            return
        begin, made = self._ready(), deque[Future]()
        try:
            for number in numbers:
                made.append(begin(number))
                if len(made) == self.ahead:
                    yield made.popleft().result()
            while made:
                yield made.popleft().result()
        except BrokenProcessPool as error:
            raise DataError(
                f"A process that made batches of the {type(self.data).__name__} has died. It may have run out of "
                "memory, or the script trains outside of `if __name__ == '__main__':`, which new processes need; "
                "use_multiprocessing=False takes threads."
            ) from error
        finally:
            for future in made:
                future.cancel()

    def _ready(self) -> Callable[[int], Future]:
        """What begins to make a batch."""
        executor = self.executor
        if executor is None:
            executor = self.executor = (
                self._new_processes() if self.processes else ThreadPoolExecutor(self.count, "keryx-batches")
            )
        if not self.processes:
            return lambda number: executor.submit(self.data.__getitem__, number)
        path = str(self._written())
        return lambda number: executor.submit(_batch_of, path, number)

    def _new_processes(self) -> Executor:
        context = multiprocessing.get_context("spawn")
        self.folder = Path(self.opened.enter_context(tempfile.TemporaryDirectory(prefix="keryx-")))
        end, mine = context.Pipe(duplex=False)
        self.opened.callback(end.close)
        self.opened.callback(mine.close)  # first of all, and by the system if this process dies
        return ProcessPoolExecutor(self.count, context, _be_worker, (end,))

    def _written(self) -> Path:
        """The data set as it is now, in a file."""
        before, self.epochs = self.folder / str(self.epochs), self.epochs + 1
        path = self.folder / str(self.epochs)
        try:
            path.write_bytes(pickle.dumps(self.data, pickle.HIGHEST_PROTOCOL))
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise DataError(
                f"use_multiprocessing sends the {type(self.data).__name__} to other processes, but it cannot be "
                f"pickled: {error}. Open files and the like in __getitem__, or take threads: use_multiprocessing=False."
            ) from error
        before.unlink(missing_ok=True)
        return path

    def close(self) -> None:
        """Let the workers go; batches under way are given up."""
        executor, self.executor = self.executor, None
        self.opened.close()
        if executor is not None:
            executor.shutdown(wait=self.processes, cancel_futures=True)


# -- within a process ------------------------------------------------------------------------------------------------

_sent: tuple[str, Any] = "", None


def _be_worker(end: connection.Connection) -> None:
    """Leave Ctrl-C to the process that trains, and end with it or when it closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch():
        connection.wait([end])
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _batch_of(path: str, number: int) -> Any:
    """A batch of the data set in a file, which is read once."""
    global _sent
    if _sent[0] != path:
        _sent = path, pickle.loads(Path(path).read_bytes())
    return _sent[1][number]
