"""CSVLogger: a row in a file for each epoch."""

import csv
import os
from pathlib import Path
from typing import Any

from keryx.callbacks.callback import Callback
from keryx.errors import DataError, listing


class CSVLogger(Callback):
    """Write the numbers of each epoch as a row of a CSV file. A number that an epoch lacks is written `NA`.

    The file is closed after each row, so it is whole whatever becomes of the run.

    Args:
        filename: The file.
        separator: What stands between two columns.
        append: Whether rows are added to a file that is there, in its columns; otherwise it begins anew.

    Raises:
        DataError: Where the rows of a file to append to have other columns.

    >>> import tempfile
    >>> logger = CSVLogger(tempfile.mkdtemp() + "/log.csv")
    >>> logger.on_train_begin()
    >>> logger.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.7})
    >>> logger.filename.read_text().split()
    ['epoch,loss,val_loss', '0,0.5,0.7']
    """

    remembers = ("keys", "text")

    def __init__(self, filename: str | os.PathLike, separator: str = ",", append: bool = False):
        self.filename, self.separator, self.append = Path(filename), separator, append
        self.keys: list[str] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin the file, or read the columns of the one to append to."""
        self.keys = None
        if not self.append or not self.filename.exists():
            self.filename.write_text("")
        with self.filename.open(newline="") as file:
            header = next(csv.reader(file, delimiter=self.separator), None)
        if header:
            self.keys = header[1:]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the row."""
        logs = logs or {}
        if self.keys is None:
            self.keys = _columns(logs)
            self._write(["epoch", *self.keys])
        new = [name for name in logs if name not in self.keys]
        if new:
            raise DataError(
                f"{self.filename} has the columns {listing(self.keys)}; this run also logs {listing(new)}. "
                "Give CSVLogger another file, or append=False."
            )
        self._write([epoch, *(logs.get(name, "NA") for name in self.keys)])

    @property
    def text(self) -> str:
        """What the file holds; a state that is set gives it back, without the rows that were written since."""
        with self.filename.open(newline="") as file:
            return file.read()

    @text.setter
    def text(self, value: str) -> None:
        with self.filename.open("w", newline="") as file:
            file.write(value)

    def _write(self, row: list[Any]) -> None:
        with self.filename.open("a", newline="") as file:
            csv.writer(file, delimiter=self.separator).writerow(row)


def _columns(logs: dict[str, Any]) -> list[str]:
    """The names in order; with `validation_freq` the first epoch may lack validation, whose place is kept."""
    names = sorted(logs)
    if any(name.startswith("val_") for name in names):
        return names
    return [*names, *(f"val_{name}" for name in names if name != "learning_rate")]
