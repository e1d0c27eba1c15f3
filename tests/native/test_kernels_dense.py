"""The native kernels of dense layers against plain JAX in double precision."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keryx.kernels import dense
from keryx.kernels.dense import ACTIVATIONS, _product
from keryx.kernels.kernel import KERNELS

# (batch, features, units): sizes of 1, ends of tiles each way, several parts of the depth, several tasks, no rows.
SHAPES = [
    (1, 1, 1),
    (3, 5, 7),
    (13, 9, 33),
    (12, 16, 32),
    (7, 300, 17),
    (25, 600, 70),
    (300, 3, 50),
    (40, 2100, 9),
    (2, 70, 1000),
    (5, 2, 3001),
    (260, 130, 140),
    (0, 4, 3),
]
# In NumPy; the slopes are those where the outputs are.
OF = {
    None: lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
}
SLOPES = {
    None: np.ones_like,
    "relu": lambda y: (y > 0).astype("float64"),
    "tanh": lambda y: 1 - y**2,
    "sigmoid": lambda y: y * (1 - y),
}


WAYS = [(False, False), (False, True), (True, False), (True, True)]


def array(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def close(got, want, terms):
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=4e-6 * max(terms, 1) ** 0.5)


@pytest.mark.parametrize("transposed", WAYS)
@pytest.mark.parametrize(("rows", "depth", "columns"), SHAPES)
def test_product(rows, depth, columns, transposed):
    left, right = array(rows, depth), array(depth, columns, seed=1)
    operands = [a.T.copy() if t else a for a, t in zip((left, right), transposed, strict=True)]
    (got,) = jax.jit(lambda a, b: _product(a, b, transposed=transposed))(*operands)
    close(got, left.astype("float64") @ right, depth)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(0, 90), st.integers(1, 90), st.booleans(), st.booleans())
def test_product_of_any_size(rows, depth, columns, a, b):
    test_product(rows, depth, columns, (a, b))


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("shape", SHAPES)
def test_dense(shape, activation):
    batch, features, units = shape
    x, kernel = array(batch, features), array(features, units, seed=1) / max(features, 1) ** 0.5
    bias, weight = array(units, seed=2), array(batch, units, seed=3)

    def run(x, kernel, bias, weight):
        y, back = jax.vjp(lambda *a: dense(*a, activation), x, kernel, bias)
        return y, *back(weight)

    got = jax.jit(run)(x, kernel, bias, weight)
    y = OF[activation](x.astype("float64") @ kernel + bias)
    dz = SLOPES[activation](y) * weight
    want = y, dz @ kernel.T.astype("float64"), x.T.astype("float64") @ dz, dz.sum(0)
    for g, w, terms in zip(got, want, (1, units, batch, batch), strict=True):
        close(g, w, terms)


def test_everything_is_native():
    before = {name: KERNELS[name].served.copy() for name in ("dense_forward", "dense_backward", "product")}
    x, kernel, bias = array(6, 5), array(5, 4), array(4)
    program = jax.jit(jax.grad(lambda k, b: dense(x, k, b, "relu").sum(), (0, 1))).lower(kernel, bias).compile()
    assert all((KERNELS[name].served - count).keys() <= {"native"} for name, count in before.items())
    assert "keryx_product" not in program.as_text()  # the gradient of the data, which nobody wants


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_derivatives(activation):
    x, kernel, bias = array(2, 3, 5), array(5, 4, seed=1), array(4, seed=2)

    def fast(x, kernel, bias):
        return dense(x, kernel, bias, activation)

    def plain(x, kernel, bias):
        return ACTIVATIONS[activation](x @ kernel + bias)

    def forward(function):
        return jax.jit(lambda *a: jax.jvp(function, a, a)[1])(x, kernel, bias)

    def second(function):
        steep = lambda *a: sum(jnp.sin(g).sum() for g in jax.grad(lambda *b: function(*b).sum(), (0, 1, 2))(*a))  # noqa: E731
        return jax.jit(jax.grad(steep, (0, 1, 2)))(x, kernel, bias)

    def mapped(function):
        return jax.vmap(jax.grad(lambda *a: function(*a).sum(), (0, 1)), (0, None, None))(x, kernel, bias)

    for way in (forward, second, mapped):
        jax.tree.map(lambda g, w: np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-5), way(fast), way(plain))


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_nan_and_infinity_pass(activation):
    x = np.array([[np.nan, 1], [np.inf, 1], [0, 1], [-np.inf, 1]], "float32")
    kernel, bias = np.array([[1, 0], [2, 3]], "float32"), np.zeros(2, "float32")
    got = jax.jit(lambda *a: dense(*a, activation))(x, kernel, bias)
    np.testing.assert_allclose(got, ACTIVATIONS[activation](jnp.matmul(x, kernel)), rtol=1e-6)


def test_without_bias_and_in_other_dtypes():
    x, kernel = array(3, 5), array(5, 4)
    close(dense(x, kernel, activation="relu"), np.maximum(x @ kernel, 0), 5)
    halves = [jnp.asarray(a, "bfloat16") for a in (x, kernel, array(4))]
    assert dense(*halves, "relu").dtype == jnp.bfloat16


BITS = """
import hashlib, jax, numpy as np
from keryx import config
from keryx.kernels.dense import _dense, _product
config.set_kernels("native")
seen = hashlib.sha256()
random = np.random.default_rng(0)
for batch, features, units in [(32, 784, 64), (640, 784, 64), (4, 9000, 100), (64, 64, 20000), (40, 70, 9)]:
    sizes = (batch, features), (features, units), (units,)
    x, kernel, bias = (random.normal(size=s).astype("float32") for s in sizes)
    f = lambda *a: (_dense(*a, activation="tanh")[0] ** 2).sum()
    for array in jax.tree.leaves(jax.jit(jax.grad(f, (0, 1, 2)))(x, kernel, bias)):
        seen.update(np.asarray(array).tobytes())
print(seen.hexdigest())
"""


def test_same_bits_on_any_number_of_threads():
    def run(threads):
        environment = os.environ | {"NPROC": threads}
        return subprocess.run([sys.executable, "-c", BITS], env=environment, capture_output=True, text=True, check=True)

    assert run("1").stdout == run("2").stdout
