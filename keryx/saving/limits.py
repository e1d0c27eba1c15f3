"""How much a file from outside may ask for, counted before anything is built or allocated."""

import stat
from dataclasses import dataclass, field
from pathlib import Path

from keryx.core.plain import physical_memory
from keryx.errors import FileError

# How much more an honest file may unpack to than it takes itself: so many bytes, and so many times its size.
UNPACKED_BYTES, UNPACKED_TIMES = 64 * 2**20, 100


def head_of(path: Path) -> bytes:
    """The first 8 bytes of a file, by which its format is seen.

    Raises:
        FileError: Where there is no such file, or it cannot be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise FileError(f"{path} is no file that could be read.")
        with open(path, "rb") as file:
            return file.read(8)
    except FileNotFoundError:
        raise FileError(f"There is no file {path}.") from None
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error


def check_unpacked(nbytes: int, packed: int, what: str) -> None:
    """Refuse what would take far more memory than it takes in its file.

    Raises:
        FileError: Where it would.

    >>> check_unpacked(2**40, 1000, "The file")
    Traceback (most recent call last):
    keryx.errors.FileError: The file declares 1,099,511,627,776 bytes in 1,000: no honest file does. It is not read.
    """
    if nbytes > UNPACKED_BYTES + UNPACKED_TIMES * packed:
        raise FileError(f"{what} declares {nbytes:,} bytes in {packed:,}: no honest file does. It is not read.")


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

    nbytes: int = field(default_factory=physical_memory)
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
