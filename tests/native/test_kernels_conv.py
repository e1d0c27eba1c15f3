"""Native convolution and its gradients against XLA's in float64."""

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

from keryx import config, kernels
from keryx.kernels.kernel import KERNELS

ON_XLA_TOO = True
SPACE = {1: "H", 2: "HW", 3: "DHW"}


@pytest.fixture(autouse=True)
def _fresh_count(way):
    """A fresh count of what served."""
    for kernel in KERNELS.values():
        kernel.served.clear()


def served(name):
    return KERNELS[name].served


def array(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype("float32")


def plain(x, kernel, strides, padding, dilation, groups, data_format="channels_last", bias=None, activation=None):
    space = SPACE[x.ndim - 2]
    layout = f"N{space}C" if data_format == "channels_last" else f"NC{space}"
    y = lax.conv_general_dilated(x, kernel, strides, padding, None, dilation, (layout, f"{space}IO", layout), groups)
    if bias is not None:
        y += bias if data_format == "channels_last" else bias.reshape(-1, *(1,) * (x.ndim - 2))
    return {None: lambda y: y, "relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}[activation](y)


def close(got, want, terms=1):
    """Equal to float32's rounding of sums of so many terms, all of them about 1."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    assert got.dtype == np.float32
    np.testing.assert_allclose(
        got, want, rtol=2e-5, atol=2e-6 * max(1, terms) ** 0.5 * max(1.0, np.abs(want).max(initial=0))
    )


def with_gradients(function, x, kernel, dy):
    y, pull = jax.vjp(function, x, kernel)
    return y, *pull(jnp.asarray(dy, y.dtype))


def check(x, kernel, strides, padding, dilation, groups, data_format="channels_last"):
    static = (
        tuple(strides),
        padding if isinstance(padding, str) else tuple(padding),
        tuple(dilation),
        groups,
        data_format,
    )
    with jax.enable_x64(True):
        wide = [a.astype("float64") for a in (x, kernel)]
        shape = jax.eval_shape(lambda *a: plain(*a, *static), *wide).shape
        dy = array(*shape, seed=2)
        if 0 in x.shape:  # XLA's convolution divides by it
            want = np.zeros(shape), np.zeros(x.shape), np.zeros(kernel.shape)
        else:
            want = jax.jit(lambda *a: with_gradients(lambda x, k: plain(x, k, *static), *a))(
                *wide, dy.astype("float64")
            )
            want = [np.asarray(w) for w in want]
    got = jax.jit(lambda *a: with_gradients(lambda x, k: kernels.conv(x, k, *static), *a))(x, kernel, dy)
    for a, b in zip(got, want, strict=True):
        close(a, b, x.size * kernel.size // max(1, a.size))


@st.composite
def convolutions(draw):
    rank = draw(st.integers(1, 3))
    each = lambda *range: [draw(st.integers(*range)) for _ in range_of]  # noqa: E731
    range_of = range(rank)
    window, strides, dilation = each(1, 4), each(1, 4), each(1, 3)
    groups = draw(st.sampled_from([1, 1, 2, 3, 20]))
    channels, filters = (
        groups * draw(st.sampled_from([1, 2, 3, 17])),
        groups * draw(st.sampled_from([1, 3, 16, 33, 40])),
    )
    if groups == 20:  # each channel by itself, or two filters a channel
        channels, filters = 20, draw(st.sampled_from([20, 40]))
    room = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    if draw(st.booleans()):
        padding = [(draw(st.integers(0, 5)), draw(st.integers(0, 5))) for _ in range_of]
        sizes = [max(1, r - sum(p)) + draw(st.integers(0, 14)) for r, p in zip(room, padding, strict=True)]
    else:
        padding = draw(st.sampled_from(["SAME", "VALID"]))
        sizes = [r + draw(st.integers(0, 14)) for r in room] if padding == "VALID" else each(1, 15)
    batch = draw(st.sampled_from([0, 1, 2, 3]))
    layout = draw(st.sampled_from(["channels_last", "channels_last", "channels_first"]))
    x = (batch, *sizes, channels) if layout == "channels_last" else (batch, channels, *sizes)
    return x, (*window, channels // groups, filters), strides, padding, dilation, groups, layout


@settings(max_examples=40, deadline=None, derandomize=True)
@given(convolutions())
def test_any_convolution(case):
    x, kernel, *static = case
    if config.kernels() == "xla" and (static[3] > 1 or len(x) > 4 or len(str(case)) % 3):
        return  # a few of the detours; over three axes and in groups XLA takes minutes
    check(array(*x), array(*kernel, seed=1), *static)


@pytest.mark.parametrize(
    ("x", "kernel", "strides", "padding"),
    [
        ((2, 30, 31, 3), (3, 3, 3, 64), (1, 1), "SAME"),
        ((1, 14, 14, 300), (3, 3, 300, 70), (1, 1), "SAME"),  # more channels than the cache holds at once
        ((1, 2, 700, 40), (1, 5, 40, 33), (1, 2), "SAME"),  # a row of several spans
        ((3, 33, 35, 3), (1, 1, 3, 64), (1, 1), "VALID"),
        ((2, 224, 30, 3), (7, 7, 3, 64), (2, 2), "SAME"),
        ((2, 3, 1, 5), (1, 1, 5, 20), (2, 1), "VALID"),  # as many outputs as inputs of a phase
    ],
)
def test_sizes_of_networks(x, kernel, strides, padding):
    check(array(*x), array(*kernel, seed=1), strides, padding, (1, 1), 1)


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
@pytest.mark.parametrize("with_bias", [True, False])
def test_bias_and_activation(activation, layout, with_bias, way):
    """Values, gradients, forward mode, batches and second derivatives of the fused form."""
    x = jnp.asarray(array(2, 5, 6, 3) if layout == "channels_last" else array(2, 3, 5, 6))
    kernel, bias = jnp.asarray(array(3, 2, 3, 5, seed=1)) / 4, jnp.asarray(array(5, seed=2))

    def of(function, padding):
        def run(x, kernel, bias):
            return function(x, kernel, (1, 2), padding, (1, 1), 1, layout, bias if with_bias else None, activation)

        return run

    fast, slow = of(kernels.conv, "same"), of(plain, "SAME")
    arrays, moving = (x, kernel, bias), (array(*x.shape, seed=3), array(*kernel.shape, seed=4), array(5, seed=5))

    def transformed(function):
        loss = lambda *a: (function(*a) ** 2).sum()  # noqa: E731
        steepness = lambda *a: sum((g**2).sum() for g in jax.grad(loss, (0, 1, 2))(*a))  # noqa: E731
        return {
            "value": function(*arrays),
            "gradient": jax.grad(loss, (0, 1, 2))(*arrays),
            "forward": jax.jvp(function, arrays, moving)[1],
            "batch": jax.vmap(function)(*(jnp.stack([a, -2 * a]) for a in arrays)),
            "kernels": jax.vmap(function, (None, 0, None))(x, jnp.stack([kernel, -kernel]), bias),
            "second": jax.grad(steepness, (0, 1, 2))(*arrays),
            "forward over reverse": jax.jvp(jax.grad(loss, (0, 1, 2)), arrays, moving)[1],
        }

    got, want = jax.jit(lambda: transformed(fast))(), jax.jit(lambda: transformed(slow))()
    for name in want:
        for a, b in zip(jax.tree.leaves(got[name]), jax.tree.leaves(want[name]), strict=True):
            np.testing.assert_allclose(a, b, 1e-3, 1e-4 * float(jnp.abs(b).max()), err_msg=name)
    assert served("conv_bias_activation" if with_bias else "conv").keys() >= {"detour" if way == "xla" else "native"}


def test_images_that_are_data_have_no_gradient(way):
    """A first layer's backward pass is the kernel's gradient alone."""
    x, kernel, bias = jnp.asarray(array(2, 8, 8, 3)), jnp.asarray(array(3, 3, 3, 4)), jnp.zeros(4)
    loss = lambda k, b: kernels.conv(x, k, bias=b, activation="relu").sum()  # noqa: E731
    jax.jit(jax.grad(loss, (0, 1)))(kernel, bias)
    assert served("conv_kernel_gradient") == {"detour" if way == "xla" else "native": 1}
    assert not served("conv_input_gradient")


def test_nan_and_infinity_pass_through(way):
    if way == "xla":
        pytest.skip("a detour makes products with the zeros of the padding")
    x, kernel = array(1, 9, 40, 4), array(3, 3, 4, 40, seed=1)  # too few channels for Winograd's way on any processor
    x[0, 4, 20, 3], x[0, 0, 0, 0] = np.nan, np.inf
    dy = np.ones((1, 9, 40, 40), "float32")
    dy[0, 2, 2, 2] = np.nan
    static = (1, 1), "SAME", (1, 1), 1
    got = with_gradients(lambda x, k: kernels.conv(x, k, *static), x, kernel, dy)
    want = with_gradients(lambda x, k: plain(x, k, *static), x, kernel, dy)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
        np.testing.assert_array_equal(np.isinf(a), np.isinf(b))
    fused = kernels.conv(x, kernel, *static, bias=np.zeros(40, "float32"), activation="relu")
    np.testing.assert_array_equal(np.isnan(fused), np.isnan(jax.nn.relu(want[0])))


def test_equal_to_the_bit_on_any_number_of_threads(way):
    if way == "xla":
        pytest.skip("XLA promises the same bits on one number of threads alone")
    program = """
import hashlib, jax, jax.numpy as jnp, numpy as np
from keryx import config, kernels
config.set_kernels("native")
random = np.random.default_rng(0)
bits = hashlib.sha256()
for x, kernel, groups in (((3, 40, 50, 24), (3, 3, 24, 40), 1), ((2, 30, 33, 70), (3, 3, 1, 70), 70)):
    x, kernel = (jnp.asarray(random.normal(size=s), "float32") for s in (x, kernel))
    y, pull = jax.vjp(lambda x, k: kernels.conv(x, k, padding="same", groups=groups), x, kernel)
    for array in (y, *jax.jit(pull)(y)):
        bits.update(np.asarray(array).tobytes())
print(bits.hexdigest())
"""
    found = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "NPROC": n}, capture_output=True, check=True
        ).stdout
        for n in ("1", "2", "3")
    }
    assert len(found) == 1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_other_dtypes_go_to_xla(dtype):
    x, kernel = jnp.asarray(array(2, 5, 5, 3), dtype), jnp.asarray(array(3, 3, 3, 4), dtype)
    y = kernels.conv(x, kernel, bias=jnp.ones(4, dtype), activation="relu")
    assert y.dtype == dtype
    assert "native" not in served("conv_bias_activation")
