"""Real small runs of packages around Keras under the drop-in: each script in a child, as a person would run it."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def needs(*packages):
    """Skip a test where a package is missing, unless KERYX_PACKAGES says that all are here. None is imported here."""
    missing = [name for name in packages if not _is_installed(name)]
    skipped = bool(missing) and os.environ.get("KERYX_PACKAGES") != "all"
    return pytest.mark.skipif(skipped, reason=f"{', '.join(missing)} missing: pip install 'keryx[packages]'")


def _is_installed(name):
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def run(script, folder, *options, **environment):
    """What `result` is at the end of a script of `scripts/`, run under the drop-in in this folder.

    Args:
        script: Its name.
        folder: The folder that it runs in.
        *options: Of `python -m keryx`.
        **environment: Beside what is set.
    """
    settings = {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "MPLBACKEND": "agg", "HOME": str(folder)}
    settings["KERYX_COMPILATION_CACHE"] = os.environ.get("KERYX_COMPILATION_CACHE", str(folder / "compiled"))
    command = [sys.executable, "-m", "keryx", *options, str(HERE / "child.py"), str(HERE / "scripts" / f"{script}.py")]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **settings, **environment}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
    said = json.loads(done.stdout.splitlines()[-1])
    assert not said["foreign"], f"{script} has imported Keras or TensorFlow: {said['foreign'][:5]}"
    return said["result"]
