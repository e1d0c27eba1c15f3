"""Before any test: the oracle's backend, Ctrl-C, and which tests `-m smoke` takes."""

import ctypes
import gc
import os
import signal
import sys

import jax
import pytest
from smoke import smoke

os.environ["KERAS_BACKEND"] = "jax"  # Keras, the oracle of the tests, has to be told so before it is imported
os.environ.pop("COLUMNS", None)  # the width of whoever runs the tests; that of tables in the pages is 80

collect_ignore = ["files/fixtures"]  # scripts that run in environments of their own

# A script's shell has SIGINT ignored in what it puts into the background; then Ctrl-C would reach no test.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    if config.option.markexpr == "smoke":
        for item in smoke(items):
            item.add_marker(pytest.mark.smoke)


@pytest.fixture(autouse=True)
def quick_compilation(request):
    """Programs that run once need not be fast: half of the time of all tests. Those marked `optimized` are a user's."""
    if request.node.get_closest_marker("optimized"):
        yield
        return
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def pytest_collection_finish():
    gc.freeze()  # what was imported stays; to walk it again and again takes a part of the whole run


_MOST_MEMORY, _TESTS_BETWEEN = 3 * 2**30, 200
_since_the_last_time = 0


def pytest_runtest_teardown():
    """Thousands of compiled programs, which no test wants again, take gigabytes: now and then they go."""
    global _since_the_last_time
    _since_the_last_time += 1
    if sys.platform == "linux" and _since_the_last_time >= _TESTS_BETWEEN and _memory() > _MOST_MEMORY:
        _since_the_last_time = 0
        jax.clear_caches()
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)


def _memory():
    """The bytes that the process holds."""
    with open("/proc/self/statm") as file:  # not by Path, which tests of the processor's file put another in place of
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
