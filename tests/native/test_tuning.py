"""The numbers by which native code is chosen: each instruction set has its own, and asks for none where none serves."""

import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from keryx import config, kernels
from keryx.kernels import processor, tuning
from keryx.kernels.kernel import KERNELS

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "keryx/kernels/native"

of_sources = pytest.mark.skipif(not NATIVE.exists(), reason="a wheel is tested, and no checkout is there")


@of_sources
@pytest.mark.once
def test_every_instruction_set_that_cmake_can_build_has_a_row():
    families = re.findall(r"set\(family ([^)]+)\)", (NATIVE / "CMakeLists.txt").read_text())
    built = {name for family in families for name in family.split()}
    assert built == set(tuning.TUNING) == set(processor.REQUIRED)


@of_sources
@pytest.mark.once
def test_vectors_are_as_wide_as_those_of_the_native_code():
    lanes = re.findall(r"inline constexpr int kLanes = (\d+);", (NATIVE / "simd.h").read_text())
    order = ["avx512", "avx2", "neon", "baseline"]  # that of the #if
    assert lanes == [str(tuning.TUNING[name].lanes) for name in order]


def served(function, *arrays):
    """How many calls of each kernel go native in a program that is compiled now."""
    before = {name: kernel.served["native"] for name, kernel in KERNELS.items()}
    jax.jit(lambda *arrays: function(*arrays)).lower(*arrays).compile()
    return {name: kernel.served["native"] - before[name] for name, kernel in KERNELS.items()}


def test_the_row_of_the_set_that_serves_decides(way):
    row = tuning.here()
    assert row is tuning.TUNING[way]
    config.set_kernels("auto")
    for filters in (row.conv_filters - 1, row.conv_filters):
        channels = max(row.conv_channels, row.conv_ratio * filters) + 1
        x, kernel = jnp.ones((1, 8, 8, channels)), jnp.ones((1, 1, channels, filters))
        assert served(kernels.conv, x, kernel)["conv"] == (filters == row.conv_filters)
    for rows in (row.dense_rows, row.dense_rows + 1):
        x, kernel = jnp.ones((rows, 16)), jnp.ones((16, row.dense_columns - 1))
        assert served(kernels.dense, x, kernel)["product"] == (rows == row.dense_rows)
    for depth in (8, 100):
        loses = depth <= row.dense_deep and row.dense_large <= 512 * 512
        assert served(kernels.dense, jnp.ones((512, depth)), jnp.ones((depth, 512)))["product"] == (not loses)
    x = jnp.ones((4, 128, 32, 64))
    assert served(lambda x: kernels.global_max_pool(x, (1, 2)), x)["global_max_pool"] == row.global_max
    assert served(lambda x: kernels.global_average_pool(x, (1, 2)), x)["global_average_pool"] == row.global_average


def test_native_where_it_is_forced_whatever_the_row_says():
    x, kernel = jnp.ones((1, 8, 8, 99)), jnp.ones((1, 1, 99, 1))
    config.set_kernels("auto")
    assert served(kernels.conv, x, kernel)["conv"] == 0
    config.set_kernels("native")
    assert served(kernels.conv, x, kernel)["conv"] == 1


WITHOUT = """
import jax, jax.numpy as jnp
from keryx import kernels
x = jnp.ones((2, 12, 12, 16))
conv = lambda x, kernel: kernels.conv(x, kernel, padding="same")
kernel = jnp.ones((3, 3, 16, 16))
print(float(conv(x, kernel).max()), float(jax.grad(lambda x: conv(x, kernel).sum())(x).max()))
y, largest = kernels.dense(jnp.ones((300, 40)), jnp.ones((40, 1))), kernels.global_max_pool(x, (1, 2))
print(float(y.max()), float(largest.max()))
lstm = lambda r: kernels.lstm(jnp.ones((2, 3, 4)), jnp.ones((4, 16)), r, None, *[jnp.zeros((2, 4))] * 2)[0].sum()
print(jax.grad(lstm)(jnp.ones((4, 16))).shape, kernels.report().library)
"""


@pytest.mark.once
@pytest.mark.parametrize("mode", ["auto", "native"])
def test_nothing_is_asked_where_no_library_serves(mode, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "KERYX_INSTRUCTION_SET"}
    environment |= {"KERYX_NATIVE_LIBRARIES": str(tmp_path), "KERYX_KERNELS": mode, "PYTHONPATH": str(ROOT)}
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT], env=environment, text=True, capture_output=True, check=False
    )
    assert child.stdout.split("\n")[:3] == ["144.0 144.0", "40.0 1.0", "(4, 16) None"], child.stderr
