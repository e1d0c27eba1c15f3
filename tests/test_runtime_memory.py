"""What Keryx asks of the C library and of JAX, so that a step finds the memory of the last one."""

import mmap
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import keryx
from keryx.core import memory


@pytest.mark.parametrize(
    ("chosen", "asked"),
    [({}, 3), ({"MALLOC_ARENA_MAX": "4"}, 0), ({"JAX_CPU_ENABLE_ASYNC_DISPATCH": "1"}, 3)],
)
def test_what_the_environment_says_goes_first(monkeypatch, chosen, asked):
    for name in (*memory._CHOSEN, "JAX_CPU_ENABLE_ASYNC_DISPATCH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    thresholds, settings = [], {}
    glibc = SimpleNamespace(mallopt=lambda what, value: thresholds.append((what, value)))
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: glibc)
    monkeypatch.setattr(memory, "jax", SimpleNamespace(config=SimpleNamespace(update=settings.__setitem__)))
    memory.keep_freed()
    assert len(thresholds) == asked
    wanted = {} if "JAX_CPU_ENABLE_ASYNC_DISPATCH" in chosen else {"jax_cpu_enable_async_dispatch": False}
    assert settings == wanted


def test_import_prepares_before_jax_has_started():
    code = """if True:
        from keryx.core import memory
        from jax._src import xla_bridge
        calls = []
        memory.keep_freed = lambda: calls.append(xla_bridge.backends_are_initialized())
        import sys
        del sys.modules["keryx"]
        import keryx
        print(calls)
    """
    environment = os.environ | {"KERYX_KERNELS": "xla"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "[False]", done.stderr


def test_long_work_gives_back_what_is_free(monkeypatch):
    trimmed = []
    monkeypatch.setattr(memory, "_of_glibc", lambda name: trimmed.append if name == "malloc_trim" else None)
    with memory.given_back(after=3600):
        pass
    assert not trimmed
    with pytest.raises(KeyError), memory.given_back(after=-1):
        raise KeyError
    assert trimmed == [0]


def test_growth_after_the_first_call_is_given_back(monkeypatch):
    trimmed, resident = [], iter([100, 150, 170, 160])
    monkeypatch.setattr(memory, "_of_glibc", lambda name: trimmed.append)
    monkeypatch.setattr(memory, "_resident", lambda: next(resident) * 2**20)
    level, seen = memory.Level(), []
    for _ in range(4):
        level.after_call(1.0)
        seen.append(len(trimmed))
    level.after_call(1e-4)  # too short to be looked at
    assert seen == [1, 1, 2, 2]


def test_a_program_begins_without_what_was_free_before_it(monkeypatch):
    happened = []
    monkeypatch.setattr(memory, "give_back", lambda: happened.append("given back"))
    model = keryx.Sequential([keryx.Input((2,)), keryx.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[lambda y, y_pred: happened.append("compiled") or y_pred])
    model.fit(np.zeros((4, 2)), np.zeros((4, 1)), batch_size=2, epochs=1, verbose=0)
    assert happened.index("given back") < happened.index("compiled")


def test_resident_memory_is_that_of_this_process():
    before = memory._resident()
    with mmap.mmap(-1, 2**26) as fresh:
        fresh.write(bytes(2**26))
        assert memory._resident() - before >= 2**25 or before == 0
