"""Programs that are parsed in a process of its own first: XLA's parser crashes on some damaged bytes."""

import os
import subprocess
import sys
from collections.abc import Mapping

from keryx.errors import FileError

_SECONDS = 120
# Reads the length and the bytes of each program, and parses it.
_PARSE = """
import sys
from jax import export
while size := sys.stdin.buffer.read(8):
    program = sys.stdin.buffer.read(int.from_bytes(size, "little"))
    export.deserialize(bytearray(program)).mlir_module()
    print("fine", flush=True)
"""


def check(programs: Mapping[str, memoryview], where: str) -> None:
    """Parse programs in a child process, which may die of it.

    Args:
        programs: Their bytes, by name.
        where: What errors call the file.

    Raises:
        FileError: Naming the program that the child could not parse.
    """
    said = b"".join(len(data).to_bytes(8, "little") + bytes(data) for data in programs.values())
    try:
        child = subprocess.run(
            [sys.executable, "-c", _PARSE],
            input=said,
            capture_output=True,
            timeout=_SECONDS,
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
        )
        parsed, last = child.stdout.count(b"fine"), child.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    except subprocess.TimeoutExpired as error:
        parsed, last = (error.stdout or b"").count(b"fine"), f"it takes more than {_SECONDS} s"
    if parsed < len(programs):
        name = list(programs)[parsed]
        raise FileError(f"The program {name!r} of {where} cannot be read: {last[:200] or 'its parser crashed'}.")
