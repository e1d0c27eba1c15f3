"""Winograd's convolution in native code against sums in float64."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keryx.kernels import winograd


def arrays(x_shape, window, filters, pads, seed=0):
    """x, kernel and dy."""
    random = np.random.default_rng(seed)
    sizes = [n + sum(pad) - window + 1 for n, pad in zip(x_shape[1:3], pads, strict=True)]
    shapes = x_shape, (window, window, x_shape[3], filters), (x_shape[0], *sizes, filters)
    return [random.normal(size=shape).astype("float32") for shape in shapes]


def plain(x, kernel, dy, pads):
    """The three forms: y, dx and dk."""
    (top, bottom), (left, right) = pads
    x, kernel, dy = (a.astype("float64") for a in (x, kernel, dy))
    x = np.pad(x, ((0, 0), *pads, (0, 0)))
    y, dx, dk = np.zeros_like(dy), np.zeros_like(x), np.zeros_like(kernel)
    for a, b in np.ndindex(kernel.shape[:2]):
        place = np.s_[:, a : a + dy.shape[1], b : b + dy.shape[2]]
        y += x[place] @ kernel[a, b]
        dx[place] += dy @ kernel[a, b].T
        dk[a, b] = np.tensordot(x[place], dy, ((0, 1, 2), (0, 1, 2)))
    return y, dx[:, top : x.shape[1] - bottom, left : x.shape[2] - right], dk


def fast(x, kernel, dy, pads):
    return jax.jit(
        lambda x, kernel, dy: (
            winograd.forward(x, kernel, pads),
            winograd.input_gradient(dy, kernel, x.shape, pads),
            winograd.kernel_gradient(x, dy, kernel.shape, pads),
        )
    )(x, kernel, dy)


def check(got, want, tolerance=5e-6):
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * max(1e-30, np.abs(want).max(initial=0)))


sides = st.integers(0, 2)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([3, 5]),
    st.tuples(st.integers(0, 3), st.integers(5, 15), st.integers(5, 15), st.integers(1, 70)),
    st.integers(1, 70),
    st.tuples(st.tuples(sides, sides), st.tuples(sides, sides)),
)
def test_any_shape(window, x_shape, filters, pads):
    given = arrays(x_shape, window, filters, pads)
    for got, want in zip(fast(*given, pads), plain(*given, pads), strict=True):
        check(got, want, 2e-5)  # few sums in a result: the largest need not be large


@pytest.mark.parametrize(
    ("x_shape", "window", "filters", "pads"),
    [
        ((1, 3, 3, 16), 3, 16, ((0, 0), (0, 0))),  # one output
        ((1, 1, 1, 16), 3, 16, ((1, 1), (1, 1))),  # an input smaller than the window
        ((2, 9, 9, 16), 5, 16, ((4, 4), (4, 4))),
        ((5, 30, 31, 64), 3, 64, ((1, 1), (1, 1))),  # several blocks and chunks
        ((3, 21, 22, 128), 5, 96, ((2, 2), (2, 2))),
        ((1, 12, 12, 256), 3, 256, ((1, 1), (1, 1))),
    ],
)
def test_errors_are_small(x_shape, window, filters, pads):
    given = arrays(x_shape, window, filters, pads)
    for got, want in zip(fast(*given, pads), plain(*given, pads), strict=True):
        check(got, want, 1e-5)


@pytest.mark.parametrize("window", [3, 5])
def test_bias_and_relu(window):
    pads = ((1, 1), (2, 0))
    x, kernel, dy = arrays((2, 11, 10, 20), window, 40, pads)
    bias = np.linspace(-20, 20, 40, dtype="float32")
    y, _, _ = plain(x, kernel, dy, pads)
    check(jax.jit(lambda *a: winograd.forward(a[0], a[1], pads, a[2]))(x, kernel, bias), y + bias)
    check(jax.jit(lambda *a: winograd.forward(a[0], a[1], pads, relu=True))(x, kernel), np.maximum(y, 0))
    got = jax.jit(lambda *a: winograd.forward(a[0], a[1], pads, a[2], True))(x, kernel, bias)
    check(got, np.maximum(y + bias, 0))


@pytest.mark.parametrize("window", [3, 5])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_never_lost(window, odd):
    """It reaches all that it reaches in the direct way; images without it stay what they are."""
    pads = ((window // 2,) * 2,) * 2
    random = np.random.default_rng(7)
    clean = arrays((2, 9, 10, 18), window, 17, pads)
    untouched = fast(*clean, pads)
    for which in (0, 1, 2) * 4:
        given = [a.copy() for a in clean]
        given[which][(0, *(random.integers(n) for n in given[which].shape[1:]))] = odd
        with np.errstate(invalid="ignore"):
            want = plain(*given, pads)
        got = fast(*given, pads)
        for g, w in zip(got, want, strict=True):
            assert not np.isfinite(g)[~np.isfinite(w)].any()
        if which != 1:
            np.testing.assert_array_equal(got[0][1], untouched[0][1])
            np.testing.assert_array_equal(got[1][1], untouched[1][1])


def test_relu_of_nan_is_nan():
    x, kernel, _ = arrays((1, 8, 8, 16), 3, 16, ((0, 0), (0, 0)))
    x[0, 3, 3, 5] = np.nan
    y = jax.jit(lambda *a: winograd.forward(*a, ((0, 0), (0, 0)), relu=True))(x, kernel)
    assert np.isnan(y[0, 1:4, 1:4]).all()


CHILD = """
import hashlib, numpy as np, sys
from keryx.kernels import native
from test_kernels_winograd import arrays, check, fast, plain
for x_shape, window, filters in ((3, 30, 31, 40), 3, 72), ((2, 17, 20, 40), 5, 33):
    pads = ((1, 2), (0, 1))
    given = arrays(x_shape, window, filters, pads)
    got = fast(*given, pads)
    for g, w in zip(got, plain(*given, pads), strict=True):
        check(g, w)
    print(native.library(), hashlib.sha256(b"".join(np.asarray(g).tobytes() for g in got)).hexdigest())
"""


def in_a_process(threads):
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    environment = os.environ | {"NPROC": threads, "PYTHONPATH": paths}
    result = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_right_and_the_same_bits_on_any_number_of_threads(way):
    one = in_a_process("1")
    assert way in one
    assert one == in_a_process("2")


def test_where_it_wins():
    big = (4, 56, 56, 64), (4, 56, 56, 64), (3, 3, 64, 64)
    for wins in winograd.forward_wins, winograd.input_gradient_wins, winograd.kernel_gradient_wins:
        assert wins(*big)
        assert not wins((4, 56, 56, 3), (4, 56, 56, 64), (3, 3, 3, 64))
        assert not wins((1, 3, 3, 64), (1, 3, 3, 64), (3, 3, 64, 64))
        assert not wins((0, 56, 56, 64), (0, 56, 56, 64), (3, 3, 64, 64))
    assert winograd.takes((3, 3), (1, 1), (1, 1))
    assert not winograd.takes((3, 3), (2, 1), (1, 1))
    assert not winograd.takes((3, 5), (1, 1), (1, 1))
    assert not winograd.takes((3, 3), (1, 1), (1, 1), groups=2)
