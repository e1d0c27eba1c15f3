"""What holds for all native kernels: the same bits on any number of threads, and XLA where they cannot serve."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from keryx import config, kernels
from keryx.kernels import native

ROOT = Path(__file__).resolve().parents[2]

# Each kernel on fixed inputs: its values and the gradient of all that it differentiates.
CASES = """
import hashlib, sys
import jax, jax.numpy as jnp, numpy as np
from keryx import kernels

def numbers(*shape):
    return jnp.asarray(np.random.default_rng(sum(shape)).normal(size=shape) / 2, "float32")

ids = jnp.asarray(np.random.default_rng(0).integers(0, 300, 200), "int32")
mask = jnp.asarray(np.arange(7) < np.array([[7], [5], [3]]))
window = 3, 2, "same"
CASES = {
    "conv": (lambda x, k: kernels.conv(x, k, padding="same"), numbers(2, 20, 21, 16), numbers(3, 3, 16, 24)),
    "conv_strided": (lambda x, k: kernels.conv(x, k, 2), numbers(2, 31, 30, 5), numbers(5, 5, 5, 7)),
    "conv_5x5": (lambda x, k: kernels.conv(x, k, padding="same"), numbers(1, 24, 24, 32), numbers(5, 5, 32, 32)),
    "conv_1x1": (lambda x, k: kernels.conv(x, k), numbers(2, 20, 20, 32), numbers(1, 1, 32, 48)),
    "depthwise": (lambda x, k: kernels.conv(x, k, groups=16), numbers(2, 20, 20, 16), numbers(3, 3, 1, 16)),
    "dense": (kernels.dense, numbers(130, 200), numbers(200, 70)),
    "dense_wide": (kernels.dense, numbers(3, 5000), numbers(5000, 70)),
    "lstm": (
        lambda x, k, r, b, h, c: kernels.lstm(x, k, r, b, h, c, mask)[0],
        numbers(3, 7, 10), numbers(10, 48), numbers(12, 48), numbers(48), numbers(3, 12), numbers(3, 12),
    ),
    "gru": (
        lambda x, k, r, b, h: kernels.gru(x, k, r, b, h, mask)[0],
        numbers(3, 7, 10), numbers(10, 36), numbers(12, 36), numbers(2, 36), numbers(3, 12),
    ),
    "simple_rnn": (
        lambda x, k, r, b, h: kernels.simple_rnn(x, k, r, b, h)[0],
        numbers(3, 7, 10), numbers(10, 12), numbers(12, 12), numbers(12), numbers(3, 12),
    ),
    "max_pool": (lambda x: kernels.max_pool(x, *window), numbers(3, 60, 61, 32)),
    "average_pool": (lambda x: kernels.average_pool(x, *window), numbers(3, 60, 61, 32)),
    "global_average_pool": (lambda x: kernels.global_average_pool(x, (1, 2)), numbers(2, 100, 100, 20)),
    "global_max_pool": (lambda x: kernels.global_max_pool(x, (1, 2)), numbers(2, 100, 100, 20)),
    "embedding": (lambda table: kernels.embedding(table, ids), numbers(300, 300)),
}

def everything(function):
    def run(*arrays):
        y, back = jax.vjp(function, *arrays)
        return y, back(numbers(*y.shape))
    return jax.jit(run)
"""
DIGESTS = """
for name, (function, *arrays) in CASES.items():
    found = b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(everything(function)(*arrays)))
    print(name, hashlib.sha256(found).hexdigest())
print(kernels.report())
"""
_here: dict = {}
exec(CASES, _here)
CASES_HERE, EVERYTHING = _here["CASES"], _here["everything"]


def python(script: str, *arguments: object, **environment: str) -> str:
    variables = os.environ | {"KERYX_COMPILATION_CACHE": "off", "PYTHONPATH": str(ROOT)} | environment
    command = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_one_thread_and_two_give_the_same_bits(way):
    found = [python(CASES + DIGESTS, NPROC=threads, KERYX_KERNELS="native") for threads in ("1", "2")]
    assert found[0] == found[1]
    assert f"native library for {way}" in found[0]


@pytest.mark.parametrize("name", list(CASES_HERE))
def test_values_and_gradients_are_those_of_xla(name):
    function, *arrays = CASES_HERE[name]
    found = EVERYTHING(function)(*arrays)
    config.set_kernels("xla")
    for got, want in zip(*map(jax.tree.leaves, (found, EVERYTHING(function)(*arrays))), strict=True):
        scale = max(1.0, float(jnp.abs(want).max()))
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=2e-5 * scale)


MISSING = """
import warnings
from keryx.kernels.libraries import NativeKernelsMissing
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    for name, (function, *arrays) in CASES.items():
        assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(everything(function)(*arrays))), name
assert [w.category for w in seen] == [NativeKernelsMissing], [str(w.message) for w in seen]
assert "C++ compiler" in str(seen[0].message)
assert "no native library" in str(kernels.report())
"""


@pytest.mark.once
def test_without_a_library_all_runs_on_xla_and_one_warning_says_so(tmp_path):
    python(CASES + MISSING, KERYX_NATIVE_LIBRARIES=str(tmp_path), KERYX_KERNELS="auto", KERYX_INSTRUCTION_SET="auto")


SHARDED = """
from jax.sharding import AxisType, NamedSharding, PartitionSpec
mesh = jax.make_mesh((2,), ("batch",), axis_types=(AxisType.Auto,))
for name in ("conv", "max_pool", "average_pool", "global_average_pool", "dense"):
    function, x, *weights = CASES[name]
    x = jnp.concatenate([x, x])
    placed = jax.device_put(x, NamedSharding(mesh, PartitionSpec("batch")))
    for got, want in zip(*(jax.tree.leaves(everything(function)(x, *weights)) for x in (placed, x))):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4 * float(jnp.abs(want).max()), err_msg=name)
"""


@pytest.mark.once
def test_sharded_arrays():
    flags = "--xla_force_host_platform_device_count=2"
    python(CASES + SHARDED, XLA_FLAGS=flags, KERYX_KERNELS="native")


@pytest.mark.parametrize("name", list(CASES_HERE))
def test_export_forward_mode_and_vmap(name):
    function, *arrays = CASES_HERE[name]
    want = jax.jit(function)(*arrays)
    scale = float(jnp.abs(want).max())
    program = jax.export.export(jax.jit(function))(*arrays)
    assert "@keryx_" not in program.mlir_module()
    np.testing.assert_allclose(program.call(*arrays), want, rtol=1e-4, atol=2e-5 * scale)

    many = jax.jit(jax.vmap(function))(*(jnp.stack([a, a]) for a in arrays))
    np.testing.assert_allclose(many, jnp.stack([want, want]), rtol=1e-4, atol=2e-5 * scale)

    def slope(*arrays):  # <J v, w> by forward mode is <v, J' w> by reverse mode
        y, change = jax.jvp(function, arrays, arrays)
        back = jax.vjp(function, *arrays)[1](jnp.cos(y))
        return jnp.vdot(change, jnp.cos(y)), sum(jnp.vdot(a, b) for a, b in zip(arrays, back, strict=True))

    forward, reverse = jax.jit(slope)(*arrays)
    np.testing.assert_allclose(forward, reverse, rtol=1e-3, atol=1e-3)


@pytest.mark.once
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", list(CASES_HERE))
def test_other_dtypes_run_on_xla(name, dtype):
    function, *arrays = CASES_HERE[name]
    want = jax.jit(function)(*arrays)
    got = jax.jit(function)(*(a.astype(dtype) for a in arrays))
    assert got.dtype == dtype
    scale = float(jnp.abs(want).max())
    np.testing.assert_allclose(got.astype("float32"), want, atol=0.1 * scale)


@pytest.mark.once
def test_double_precision():
    script = "jax.config.update('jax_enable_x64', True)\n"
    script += "for f, *a in CASES.values(): assert jax.jit(f)(*(x.astype('float64') for x in a)).dtype == 'float64'"
    python(CASES + script, KERYX_KERNELS="native")


@pytest.mark.once
def test_modes_and_report():
    def run(rows):  # of another shape each time, so that it is compiled again
        before = sum(map(Counter, kernels.report().served.values()), Counter())
        jax.jit(lambda x: kernels.max_pool(x, 2))(jnp.ones((2, rows, 1)))
        assert kernels.report().served["max_pool"]
        return (sum(map(Counter, kernels.report().served.values()), Counter()) - before).keys()

    config.set_kernels("native")
    assert run(10) == {"native"}
    assert f"native library for {native.library()}" in str(kernels.report())
    config.set_kernels("xla")
    assert run(11) == {"plain"}
    assert kernels.report().library is None
    config.set_kernels("auto")
    assert run(12) == {"plain"}  # one channel: XLA was measured to be faster
    with pytest.raises(config.ConfigError, match="auto, native, xla"):
        config.set_kernels("fast")
