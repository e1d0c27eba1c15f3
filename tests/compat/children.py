"""Child processes under the drop-in, which compile without much optimization: they run little, and compile a lot."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"


def run(age, script, *arguments, out):
    """What a script, run with `out` as its last argument, has written there as JSON. Warnings are errors."""
    environment = os.environ | {"XLA_FLAGS": QUICK, "PYTHONPATH": str(ROOT), "KERAS_HOME": str(out.parent)}
    command = [sys.executable, "-W", "error", "-m", "keryx", "--keras", str(age), str(HERE / script), *arguments]
    done = subprocess.run([*command, str(out)], env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())
