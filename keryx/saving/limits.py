"""How much a file from outside may ask for, counted before anything is built or allocated."""

import os
from dataclasses import dataclass, field

from keryx.errors import FileError


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return 2**36


@dataclass
class Budget:
    """What the reading of one file may use up.

    Args:
        nbytes: Bytes that may be allocated for what the file holds; the machine's memory by default.
        members: Groups, arrays and attributes, or files in an archive.
        depth: Groups within each other.

    >>> Budget(nbytes=100).allocate(200, "the array 'kernel'")
    Traceback (most recent call last):
    keryx.errors.FileError: the array 'kernel' would take 200 bytes of memory, where 100 are left to this file.
    """

    nbytes: int = field(default_factory=_memory)
    members: int = 1_000_000
    depth: int = 200

    def allocate(self, nbytes: int, what: str) -> None:
        """Take bytes off the budget.

        Raises:
            FileError: Where that is more than there is left.
        """
        if nbytes > self.nbytes:
            raise FileError(
                f"{what} would take {nbytes:,} bytes of memory, where {self.nbytes:,} are left to this file."
            )
        self.nbytes -= nbytes

    def count(self, members: int = 1) -> None:
        """Take members off the budget.

        Raises:
            FileError: Where there are more than that.
        """
        if members > self.members:
            raise FileError("The file has more members than any model file needs: it is not read.")
        self.members -= members
