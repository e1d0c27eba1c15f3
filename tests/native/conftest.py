"""Every test here runs once for each instruction set that the processor can run, on the library for it."""

import pytest

from keryx import config
from keryx.kernels import libraries

USABLE = [name for name, library in libraries.libraries().items() if library.refused is None]
NONE = pytest.param("none", marks=pytest.mark.skip(reason="There is no native library."))


def pytest_generate_tests(metafunc):
    """The ways of a test: the instruction sets, the best alone if it is marked `once`; XLA if its module says so."""
    once = metafunc.definition.get_closest_marker("once") is not None
    ways = USABLE[:1] if once else [*USABLE]
    if getattr(metafunc.module, "ON_XLA_TOO", False):
        ways.append("xla")
    metafunc.parametrize("way", ways or [NONE], indirect=True)


@pytest.fixture(autouse=True)
def quick_compilation():
    """Not here: the kernels stand in programs as a user has them."""


@pytest.fixture(autouse=True)
def way(request, monkeypatch):
    """The instruction set whose library serves here and in the processes that a test starts; or `xla`."""
    before = config.kernels(), config.instruction_set()
    if request.param == "xla":
        config.set_kernels("xla")
    else:
        config.set_kernels("native")
        config.set_instruction_set(request.param)
        monkeypatch.setenv("KERYX_INSTRUCTION_SET", request.param)
    yield request.param
    config.set_kernels(before[0])
    config.set_instruction_set(before[1])
