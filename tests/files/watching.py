"""What a call does to the process: what it opens, imports, runs and unpickles, how long it takes, how much memory."""

import contextlib
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FORBIDDEN = (
    "import", "exec", "compile", "marshal.loads", "marshal.load", "pickle.find_class", "os.system", "os.exec",
    "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect", "ctypes.dlopen", "shutil.rmtree", "os.remove",
    "os.rename", "os.symlink", "os.mkdir", "urllib.Request",
)  # fmt: skip
SECONDS, BYTES = 2.0, 256 * 2**20


@dataclass
class Seen:
    """What has been seen.

    Args:
        allowed: The file, or the folder of files, that may be opened.
    """

    allowed: Path
    events: list[tuple] = field(default_factory=list)
    seconds: float = 0.0
    bytes: int = 0


_now: Seen | None = None
_installed = False


def _hook(event: str, args: tuple) -> None:
    seen = _now
    if seen is None:
        return
    if event == "open" and isinstance(args[0], (str, bytes)):
        path = Path(args[0].decode() if isinstance(args[0], bytes) else args[0])
        if path != seen.allowed and seen.allowed not in path.parents:
            seen.events.append((event, str(path)))
    elif event in FORBIDDEN:
        seen.events.append((event, *map(repr, args[:2])))


def reset_peak() -> None:
    """Let `peak` begin anew, where the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """The most memory that the process has had, since `reset_peak` where the system can."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextlib.contextmanager
def watched(allowed: Path) -> Iterator[Seen]:
    """A block of code that is watched; the hook sleeps outside of it, for none can be taken out again."""
    global _now, _installed
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True
    reset_peak()
    before, start = peak(), time.process_time()
    _now = seen = Seen(allowed)
    try:
        yield seen
    finally:
        _now = None
        seen.seconds, seen.bytes = time.process_time() - start, peak() - before
