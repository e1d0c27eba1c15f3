"""What Keryx asks of the C library and of JAX, so that a step finds the memory of the last one."""

import mmap
from types import SimpleNamespace

import numpy as np
import pytest

import keryx
from keryx import config
from keryx.runtime import memory


@pytest.mark.parametrize(
    ("chosen", "asked", "said"),
    [
        ({}, 3, "kept for the next step"),
        ({"MALLOC_ARENA_MAX": "4"}, 0, "MALLOC_ARENA_MAX in the environment"),
        ({"KERYX_FREED_MEMORY": "returned"}, 0, "returned to the system"),
    ],
)
def test_what_the_environment_says_goes_first(monkeypatch, chosen, asked, said):
    for name in (*memory._CHOSEN, "KERYX_FREED_MEMORY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    thresholds = []
    glibc = SimpleNamespace(mallopt=lambda what, value: thresholds.append((what, value)))
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: glibc)
    monkeypatch.setattr(config._freed_memory, "value", None)
    assert said in memory.keep_freed()
    assert len(thresholds) == asked


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
