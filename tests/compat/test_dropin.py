"""Keryx under the name keras: each of Keras's names, Keras's private paths, and what is refused.

Keras itself is imported by the tests, so what they look at runs in children; Keras says there beforehand what it has.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def child(code, *arguments, options=(), cwd=None, given=None, check=True):
    """Run code under `python -m keryx`; its standard output, or the whole result where `check` is false."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "PYTHONWARNINGS": "error"}
    words = [sys.executable, "-m", "keryx", *options, "-c", code, *arguments]
    done = subprocess.run(words, cwd=cwd or ROOT, env=environment, capture_output=True, text=True, input=given)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout if check else done


@pytest.fixture(scope="module")
def keras_says():
    """By public path, the modules and private path of each of Keras's public names."""
    import keras
    from api_coverage import namespaces, public

    from keryx import later

    names = {}
    for path, module in namespaces(keras):
        for name, value in public(module).items():
            if later.reason(f"{path}.{name}") is None and later.reason(path) is None:
                home = getattr(value, "__module__", None)
                source = home if isinstance(home, str) and home.startswith("keras.src") else None
                if path == "optimizers.legacy":
                    source = None  # all of Keras's are one private class that warns
                names[f"{path}.{name}".lstrip(".")] = (source, getattr(value, "__name__", name))
    del names["version"]  # Keras's own
    return names


WALK = """
import importlib, json, sys
import keryx
names = json.load(sys.stdin)
wrong = []
def at(path):
    value = keryx
    for part in path.split("."):
        value = getattr(value, part)
    return value
for path, (source, inner) in names.items():
    home, _, name = path.rpartition(".")
    module = importlib.import_module(f"keras.{home}".rstrip("."))
    try:
        if getattr(module, name) is not at(path) or name not in dir(module):
            wrong.append(path)
        if source is not None and getattr(importlib.import_module(source), inner) is not at(path):
            wrong.append(f"{source}: {path}")
    except (AttributeError, ImportError) as error:
        wrong.append(f"{source}: {path}: {error}")
print(json.dumps(wrong))
"""


def test_each_name_is_keryxs_own_by_its_public_and_by_its_private_path(keras_says):
    assert len(keras_says) > 1390
    wrong = json.loads(child(WALK, given=json.dumps(keras_says)))
    assert not wrong, "\n".join(wrong)
