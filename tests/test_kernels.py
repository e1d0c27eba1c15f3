"""The kernels against plain JAX: values, gradients, gradients of gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from keryx import kernels
from keryx.kernels import convolution_xla

pytestmark = pytest.mark.optimized

BATCH, TIME, FEATURES, UNITS = 3, 5, 4, 2
GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}


def array(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), "float32")


def check(fast, plain, *arguments, tolerance=1e-5, second=True):
    """Equal values, gradients and (along one direction) second derivatives."""
    weights = jax.tree.map(lambda y: array(*y.shape, seed=9), jax.eval_shape(plain, *arguments))
    places = tuple(range(len(arguments)))

    def loss(function):
        def of(*arguments):
            return sum(
                jnp.vdot(y, w) for y, w in zip(*map(jax.tree.leaves, (function(*arguments), weights)), strict=True)
            )

        return of

    def everything(function):
        def run(*arguments):
            gradients = jax.grad(loss(function), places)(*arguments)
            if not second:
                return function(*arguments), gradients
            steepness = lambda *a: sum(jnp.sum(jnp.sin(g)) for g in jax.grad(loss(function), places)(*a))  # noqa: E731
            return function(*arguments), gradients, jax.grad(steepness, places)(*arguments)

        return jax.jit(run)(*arguments)

    for got, want in zip(*map(jax.tree.leaves, (everything(fast), everything(plain))), strict=True):
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * max(1, float(jnp.abs(want).max())))


def plain_recurrence(kind, mask, reverse):
    def cell(states, x, kernel, recurrent, bias):
        h = states[0]
        if kind == "simple_rnn":
            return (jnp.tanh(x @ kernel + h @ recurrent + bias),)
        if kind == "lstm":
            i, f, g, o = jnp.split(x @ kernel + h @ recurrent + bias, 4, -1)
            c = jax.nn.sigmoid(f) * states[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
            return jax.nn.sigmoid(o) * jnp.tanh(c), c
        (xz, xr, xg), (hz, hr, hg) = (jnp.split(a, 3, -1) for a in (x @ kernel + bias[0], h @ recurrent + bias[1]))
        z = jax.nn.sigmoid(xz + hz)
        return (z * h + (1 - z) * jnp.tanh(xg + jax.nn.sigmoid(xr + hr) * hg),)

    def run(x, kernel, recurrent, bias, *states):
        outputs = [None] * TIME
        for t in reversed(range(TIME)) if reverse else range(TIME):
            new = cell(states, x[:, t], kernel, recurrent, bias)
            states = tuple(jnp.where(mask[:, t, None], n, s) for n, s in zip(new, states, strict=True))
            outputs[t] = states[0]
        return jnp.stack(outputs, 1), *states

    return run


@pytest.mark.parametrize("kind", list(GATES))
@pytest.mark.parametrize(("masked", "reverse"), [(False, False), (True, False), (True, True)])
def test_recurrence(kind, masked, reverse):
    width = GATES[kind] * UNITS
    mask = np.ones((BATCH, TIME), bool)
    if masked:
        mask[0, 3:], mask[1, :2], mask[2, 2] = False, False, False
    states = [array(BATCH, UNITS, seed=s) for s in range(2 if kind == "lstm" else 1)]
    bias = array(*((2, width) if kind == "gru" else (width,)), seed=4)

    def fast(*arguments):
        return getattr(kernels, kind)(*arguments, mask=jnp.asarray(mask) if masked else None, reverse=reverse)

    weights = array(FEATURES, width, seed=2), array(UNITS, width, seed=3)
    arguments = array(BATCH, TIME, FEATURES), *weights, bias, *states
    check(fast, plain_recurrence(kind, mask, reverse), *arguments, second=reverse)


@pytest.mark.parametrize(
    ("size", "window", "strides", "padding", "dilation", "channels"),
    [
        ((9, 7), (3, 3), (1, 1), "same", (1, 1), (16, 16)),
        ((9, 7), (3, 2), (1, 1), "valid", (1, 1), (17, 16)),
        ((9, 7), (2, 5), (1, 1), ((0, 3), (2, 1)), (1, 1), (16, 18)),
        ((9, 8), (3, 3), (2, 2), "valid", (1, 1), (16, 16)),
        ((9, 8), (3, 2), (1, 1), "valid", (2, 2), (16, 16)),
        ((5, 4), (1, 1), (1, 1), "same", (1, 1), (3, 2)),
        ((6,), (3,), (2,), "same", (1,), (3, 2)),
    ],
)
def test_convolution(size, window, strides, padding, dilation, channels):
    layout = ("NHWC", "HWIO", "NHWC") if len(size) == 2 else ("NHC", "HIO", "NHC")

    def plain(x, kernel):
        pads = padding if isinstance(padding, tuple) else padding.upper()
        return lax.conv_general_dilated(x, kernel, strides, pads, rhs_dilation=dilation, dimension_numbers=layout)

    def fast(x, kernel):
        return kernels.conv(x, kernel, strides, padding, dilation)

    check(fast, plain, array(2, *size, channels[0]), array(*window, *channels, seed=1), second=False)


def test_convolution_over_several_blocks():
    """A gradient whose blocks end within an image, and one of rows longer than a block."""
    plain = lambda x, k: lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))  # noqa: E731
    for shape in ((2, 45, 150, 16), (2, 3, 3000, 16)):
        check(
            lambda x, k: kernels.conv(x, k, padding="same"),
            plain,
            array(*shape),
            array(3, 3, 16, 16),
            second=False,
        )


def test_gradient_of_a_gradient_of_convolution():
    plain = lambda x, k: lax.conv_general_dilated(x, k, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))  # noqa: E731
    check(kernels.conv, plain, array(1, 4, 4, 16), array(2, 2, 16, 16, seed=1) / 8)


@pytest.mark.parametrize("shape", [(2, 4, 6, 3), (2, 5, 7, 3)])
def test_max_pool_gives_ties_to_the_first(shape):
    x = jnp.round(array(*shape))  # many ties
    window = (2, 3)
    plain = lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, *window, 1), (1, *window, 1), "VALID")  # noqa: E731
    check(lambda x: kernels.max_pool(x, window), plain, x, second=False)


def test_dense():
    """A product, its gradients in both modes, and the gradient of its gradient."""
    x, kernel = array(3, 5, 4), array(4, 2, seed=1)

    def cubed(product):
        return lambda x, k: (product(x, k) ** 3).sum()

    ours, plain = cubed(kernels.dense), cubed(lambda x, k: x @ k)
    for transform in (lambda f: jax.grad(f, (0, 1)), lambda f: jax.grad(f, 1), lambda f: jax.hessian(f, 1)):
        for a, b in zip(
            jax.tree.leaves(transform(ours)(x, kernel)), jax.tree.leaves(transform(plain)(x, kernel)), strict=True
        ):
            np.testing.assert_allclose(a, b, 1e-4, 1e-4)
    np.testing.assert_allclose(
        jax.jvp(ours, (x, kernel), (x, kernel))[1], jax.jvp(plain, (x, kernel), (x, kernel))[1], 1e-4
    )


def test_a_convolution_of_a_large_image_without_padding(monkeypatch):
    """It computes one row too many, and drops it."""
    monkeypatch.setattr(convolution_xla, "_LARGE", 1)
    numbers = ("NHWC", "HWIO", "NHWC")
    for strides in ((1, 1), (2, 3)):
        check(
            lambda x, k, s=strides: kernels.conv(x, k, s),
            lambda x, k, s=strides: lax.conv_general_dilated(x, k, s, "VALID", dimension_numbers=numbers),
            array(2, 7, 8, 16),
            array(3, 2, 16, 16, seed=1) / 8,
        )
