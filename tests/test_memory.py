"""What Keryx asks of the C library and of JAX, so that a step finds the memory of the last one."""

import os
import subprocess
import sys

import pytest

from keryx.core import memory

ASKED = """
import ctypes, jax
asked = []
class Libc:
    mallopt = staticmethod(lambda what, value: asked.append((what, value)))
ctypes.CDLL = lambda name: Libc
import keryx
print(len(asked), jax.config.jax_cpu_enable_async_dispatch)
"""


@pytest.mark.parametrize(
    ("chosen", "answer"),
    [({}, "3 False"), ({"MALLOC_ARENA_MAX": "4"}, "0 False"), ({"JAX_CPU_ENABLE_ASYNC_DISPATCH": "1"}, "3 True")],
)
def test_import_asks_for_what_the_environment_leaves_open(chosen, answer):
    environment = {name: value for name, value in os.environ.items() if name not in memory._CHOSEN} | chosen
    done = subprocess.run([sys.executable, "-c", ASKED], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == answer


def test_long_work_gives_back_what_is_free(monkeypatch):
    trimmed = []
    monkeypatch.setattr(memory, "_of_glibc", lambda name: trimmed.append if name == "malloc_trim" else None)
    with memory.given_back(after=3600):
        pass
    assert not trimmed
    with pytest.raises(KeyError), memory.given_back(after=-1):
        raise KeyError
    assert trimmed == [0]
