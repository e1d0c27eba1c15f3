"""What Keryx takes of a process, and when: nothing at import, and nothing in a forked child."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import keryx

ROOT = Path(__file__).resolve().parents[1]


def python(script, **environment):
    """What a fresh process prints."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


IMPORT = """
import ctypes, os, signal, sys, threading, warnings
import numpy, jax

def settings():
    return (
        dict(jax.config.values), dict(os.environ), threading.active_count(), signal.getsignal(signal.SIGINT),
        list(warnings.filters), os.getcwd(), sys.getrecursionlimit(),
    )

asked = []
class Asked(ctypes.CDLL):
    def __getattr__(self, name):
        asked.append(name)
        return super().__getattr__(name)
ctypes.CDLL = Asked
before = settings()
import keryx
after = settings()
for old, new in zip(before, after):
    assert old == new, (old, new)
assert not asked, asked
assert not os.listdir(os.environ["XDG_CACHE_HOME"])
if len(sys.argv) == 1:
    keryx.Sequential([keryx.Input((2,)), keryx.layers.Dense(1)])
    assert "mallopt" in asked or "MALLOC_ARENA_MAX" in os.environ or sys.platform != "linux", asked
    assert dict(jax.config.values) == before[0]
    assert os.listdir(os.environ["XDG_CACHE_HOME"]) == ["keryx"]
print("unchanged")
"""


def test_import_changes_nothing_and_the_first_weight_no_setting_of_jax(tmp_path):
    unset = {"KERYX_COMPILATION_CACHE": "", "KERYX_FREED_MEMORY": ""}
    assert python(IMPORT, XDG_CACHE_HOME=str(tmp_path), **unset).strip() == "unchanged"


FORK = """
import multiprocessing, os, sys
import numpy as np, keryx

def model():
    model = keryx.Sequential([keryx.Input((2,)), keryx.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model

def work():
    x, y = np.ones((4, 2)), np.ones((4, 1))
    calls = {"model": model}
    if before:
        calls |= {"fit": lambda: before.fit(x, y, verbose=0), "predict": lambda: before.predict(x, verbose=0)}
        calls |= {"call": lambda: before(x), "evaluate": lambda: before.evaluate(x, y, verbose=0)}
    for name, call in calls.items():
        try:
            call()
            print(name, "ran")
        except RuntimeError as error:
            print(name, type(error).__name__, "spawn" in str(error))

before = model() if sys.argv[1] == "used" else None
if before:
    before.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join(60)
print("ended", child.exitcode)
child.kill()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="The system has no fork.")
def test_a_forked_child_says_what_to_do(tmp_path):
    script = tmp_path / "fork.py"
    script.write_text(FORK)
    run = [sys.executable, "-W", "ignore", str(script)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    used = subprocess.run([*run, "used"], env=environment, capture_output=True, text=True, timeout=120)
    wanted = [f"{name} ForkError True" for name in ("model", "fit", "predict", "call", "evaluate")]
    assert used.stdout.splitlines() == [*wanted, "ended 0"], used.stderr
    fresh = subprocess.run([*run, "fresh"], env=environment, capture_output=True, text=True, timeout=120)
    assert fresh.stdout.splitlines() == ["model ran", "ended 0"], fresh.stderr


def test_the_report_tells_what_was_taken():
    keryx.Sequential([keryx.Input((2,)), keryx.layers.Dense(1)])
    told = keryx.runtime.report()
    assert "not asked yet" not in told.memory
    assert str(told).startswith("freed memory: ")
    assert "\ncompiled programs: " in str(told)
