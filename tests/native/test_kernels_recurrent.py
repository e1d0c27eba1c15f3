"""The native kernels of recurrence against plain JAX in double precision."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from keryx import kernels
from keryx.kernels.kernel import KERNELS

GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}
# (batch, time, features, units): sizes of 1, ends of vectors, of tiles and of strips, several tasks, no samples.
SHAPES = [(1, 1, 1, 1), (13, 3, 5, 16), (3, 6, 2, 49), (25, 2, 7, 70), (7, 11, 3, 33), (2, 4, 9, 150), (0, 3, 2, 5)]


def arguments_of(kind, batch, time, features, units, seed=0):
    """x, weights and first states; some steps are masked, of some samples all."""
    random = np.random.default_rng(seed)
    width = GATES[kind] * units
    shapes = [(batch, time, features), (features, width), (units, width), (2, width) if kind == "gru" else (width,)]
    shapes += [(batch, units)] * (2 if kind == "lstm" else 1)
    arrays = [random.normal(size=s).astype("float32") for s in shapes]
    arrays[1] /= features**0.5
    arrays[2] /= units**0.5
    return arrays, (random.random((batch, time)) < 0.7) & (np.arange(batch) % 5 != 4)[:, None]


def cell(kind, z, h_part, states):
    h = states[0]
    if kind == "simple_rnn":
        return (jnp.tanh(z + h_part),)
    if kind == "lstm":
        i, f, g, o = jnp.split(z + h_part, 4, -1)
        c = jax.nn.sigmoid(f) * states[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c
    (xz, xr, xg), (hz, hr, hg) = jnp.split(z, 3, -1), jnp.split(h_part, 3, -1)
    z = jax.nn.sigmoid(xz + hz)
    return (z * h + (1 - z) * jnp.tanh(xg + jax.nn.sigmoid(xr + hr) * hg),)


def plain(kind, mask, reverse, x, kernel, recurrent_kernel, bias, *states):
    biases = bias if kind == "gru" else (bias, 0)

    def step(states, at):
        x, valid = at
        new = cell(kind, x @ kernel + biases[0], states[0] @ recurrent_kernel + biases[1], states)
        states = tuple(jnp.where(valid[:, None], n, s) for n, s in zip(new, states, strict=True))
        return states, states[0]

    valid = jnp.ones(x.shape[:2], bool) if mask is None else mask
    states, outputs = lax.scan(step, states, (jnp.swapaxes(x, 0, 1), valid.T), reverse=reverse)
    return jnp.swapaxes(outputs, 0, 1), *states


def with_gradients(function):
    """Outputs and the gradients of all arguments, by a sum with fixed weights."""

    def run(*arrays):
        outputs, back = jax.vjp(function, *arrays)
        cotangents = [jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape) for y in outputs]
        return *outputs, *back(tuple(cotangents))

    return jax.jit(run)


def check(kind, shape, masked, reverse):
    arrays, mask = arguments_of(kind, *shape)
    mask = mask if masked else None
    got = with_gradients(lambda *a: getattr(kernels, kind)(*a, mask=mask, reverse=reverse))(*arrays)
    with jax.enable_x64(True):
        doubles = [a.astype("float64") for a in arrays]
        want = with_gradients(lambda *a: plain(kind, mask, reverse, *a))(*doubles)
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-5 * max(1, np.abs(w).max(initial=0)))


@pytest.mark.parametrize("kind", list(GATES))
@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_recurrence(kind, number):
    check(kind, SHAPES[number], masked=number % 2 == 0, reverse=number % 3 == 1)


@settings(max_examples=4, deadline=None)
@given(
    st.sampled_from(list(GATES)),
    st.tuples(st.integers(1, 20), st.integers(1, 9), st.integers(1, 5), st.integers(1, 80)),
    st.booleans(),
    st.booleans(),
)
def test_recurrence_of_any_size(kind, shape, masked, reverse):
    check(kind, shape, masked, reverse)


@pytest.mark.parametrize("kind", list(GATES))
def test_everything_is_native(kind, way):
    names = (f"{kind}_saving", f"{kind}_backward")
    before = [KERNELS[name].served.copy() for name in names]
    (x, *weights), _ = arguments_of(kind, 4, 3, 5, 6)
    program = jax.jit(jax.grad(lambda *w: getattr(kernels, kind)(x, *w)[0].sum())).lower(*weights).compile()
    for name, count in zip(names, before, strict=True):
        assert KERNELS[name].served - count == {"native": 1}
    # Two products, for the outputs and the kernel: nobody asked for the gradient of x.
    assert program.as_text().count(f'custom_call_target="keryx_product_1_{way}"') == 2


@pytest.mark.parametrize("kind", list(GATES))
def test_derivatives(kind):
    (x, *weights), mask = arguments_of(kind, 2, 3, 4, 5)

    def fast(*a):
        return getattr(kernels, kind)(*a, mask=mask)

    def slow(*a):
        return plain(kind, mask, False, *a)

    def forward(function):
        return jax.jit(lambda *a: jax.jvp(function, a, a)[1])(x, *weights)

    def mapped(function):
        return jax.vmap(jax.grad(lambda *a: function(*a)[0].sum(), (0, 2)), (None, 0, *[None] * (len(weights) - 1)))(
            x, jnp.stack([weights[0], 2 * weights[0]]), *weights[1:]
        )

    for way in (forward, mapped):
        jax.tree.map(lambda g, w: np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-5), way(fast), way(slow))


@pytest.mark.parametrize("kind", list(GATES))
def test_nan_and_infinity_pass(kind):
    (x, *weights), _ = arguments_of(kind, 3, 4, 2, 20)
    x[0, 2, 0], x[1, 1, 1] = np.nan, np.inf
    weights[0] = np.abs(weights[0])
    got = with_gradients(getattr(kernels, kind))(x, *weights)
    want = with_gradients(lambda *a: plain(kind, None, False, *a))(x, *weights)
    for g, w in zip(got[: len(weights) - 2], want, strict=False):
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-5)
    for g, w in zip(got[len(weights) - 2 :], want[len(weights) - 2 :], strict=True):
        np.testing.assert_array_equal(np.isnan(g), np.isnan(w))


BITS = """
import hashlib, jax, numpy as np, test_kernels_recurrent as t
from keryx import config, kernels
config.set_kernels("native")
seen = hashlib.sha256()
for kind in t.GATES:
    for shape in [(33, 7, 20, 40), (4, 5, 30, 150)]:
        arrays, mask = t.arguments_of(kind, *shape)
        run = t.with_gradients(lambda *a: getattr(kernels, kind)(*a, mask=mask))
        for array in run(*arrays):
            seen.update(np.asarray(array).tobytes())
print(seen.hexdigest())
"""


def test_same_bits_on_any_number_of_threads():
    def run(threads):
        environment = os.environ | {"NPROC": threads}
        environment["PYTHONPATH"] = os.pathsep.join([os.path.dirname(__file__), *filter(None, sys.path)])
        return subprocess.run([sys.executable, "-c", BITS], env=environment, capture_output=True, text=True, check=True)

    assert run("1").stdout == run("2").stdout
