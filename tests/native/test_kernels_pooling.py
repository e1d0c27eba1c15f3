"""Pooling in native code against plain JAX: values, gradients, ties, NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keryx import config, kernels
from keryx.kernels import global_pooling, pooling


def by(mode, function, *arrays):
    config.set_kernels(mode)
    return jax.jit(function)(*arrays)


def same(function, *arrays, tolerance=2e-6):
    """Natively as on XLA: values and gradients."""

    def everything(*arrays):
        y, back = jax.vjp(function, *arrays)
        return y, back(jnp.cos(3 * y))

    for got, want in zip(*(jax.tree.leaves(by(mode, everything, *arrays)) for mode in ("native", "xla")), strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


@st.composite
def pools(draw):
    """An array of few different values (so that there are ties), and a window over its space."""
    rank = draw(st.integers(1, 3))
    space = draw(st.lists(st.integers(1, 9), min_size=rank, max_size=rank))
    padding = draw(st.sampled_from(["valid", "same"]))
    window = [draw(st.integers(1, min(4, n) if padding == "valid" else 4)) for n in space]
    strides = [draw(st.integers(1, 5)) for _ in space]
    batch, channels = draw(st.sampled_from([0, 1, 3])), draw(st.sampled_from([1, 3, 5, 16, 33]))
    layout = draw(st.sampled_from(["channels_last", "channels_first"]))
    shape = (batch, *space, channels) if layout == "channels_last" else (batch, channels, *space)
    values = np.random.default_rng(draw(st.integers(0, 99))).integers(-4, 4, shape)
    return jnp.asarray(values, "float32"), window, strides, padding, layout


@settings(deadline=None, max_examples=30)
@given(pools())
def test_maximum_of_windows(pool):
    x, *how = pool
    same(lambda x: kernels.max_pool(x, *how), x)


@settings(deadline=None, max_examples=30)
@given(pools())
def test_mean_of_windows(pool):
    x, *how = pool
    same(lambda x: kernels.average_pool(x, *how), x)


@pytest.mark.parametrize("pool", [kernels.global_average_pool, kernels.global_max_pool])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((3, 5, 7, 21), (1, 2)), ((0, 5, 3), (1,)), ((2, 35, 3, 4, 5), (2, 3, 4)), ((2, 9001, 16), (1,))],
)
def test_all_of_space(pool, shape, axes):
    x = jnp.asarray(np.random.default_rng(0).normal(size=shape), "float32")
    same(lambda x: pool(x, axes), x)


@pytest.mark.parametrize("pool", [kernels.max_pool, kernels.average_pool])
@pytest.mark.parametrize("channels", [1, 3, 20])
def test_nan_and_infinity_go_through(pool, channels):
    x = np.random.default_rng(0).normal(size=(2, 8, 8, channels)).astype("float32")
    x[0, 3, 3], x[1, 0, 0], x[1, :3, :3] = np.nan, np.inf, -np.inf

    def function(x):
        return pool(x, 3, 2, "same")

    np.testing.assert_allclose(by("native", function, x), by("xla", function, x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("pool", [kernels.global_average_pool, kernels.global_max_pool])
def test_nan_in_space(pool):
    x = np.zeros((1, 50, 20), "float32")
    x[0, 30, 3], x[0, 2, 17] = np.nan, np.nan
    got = by("native", lambda x: pool(x, (1,)), x)
    assert np.isnan(got).nonzero()[1].tolist() == [3, 17]


def test_ties_go_to_the_first():
    def slopes(x):
        return jax.grad(lambda x: kernels.max_pool(x, 3, 1, "same").sum())(x)

    for channels in (1, 20):
        got = by("native", slopes, jnp.zeros((1, 5, channels)))
        assert got[0, :, -1].tolist() == [2, 1, 1, 1, 0]


@pytest.mark.parametrize("pool", [kernels.max_pool, kernels.average_pool])
def test_second_derivatives(pool):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 6, 3)), "float32")

    def steep(x):
        loss = lambda x: jnp.sin(pool(x, 2)).sum()  # noqa: E731
        return jax.grad(lambda x: jnp.sum(jax.grad(loss)(x) ** 2))(x)

    np.testing.assert_allclose(by("native", steep, x), by("xla", steep, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pool", [kernels.max_pool, kernels.average_pool])
def test_forward_mode_and_vmap(pool):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2, 6, 6, 3)), "float32")

    def function(x):
        return pool(x, 2)

    def everything(x):
        return jax.vmap(function)(x), jax.jvp(function, (x[0],), (x[1],)), jax.vmap(jax.jacrev(function))(x)

    for got, want in zip(*(jax.tree.leaves(by(mode, everything, x)) for mode in ("native", "xla")), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32"])
def test_other_dtypes_are_served_too(dtype):
    x = jnp.arange(16).reshape(1, 4, 4, 1).astype(dtype)
    y = by("native", lambda x: kernels.max_pool(x, 2), x)
    assert y.dtype == dtype
    assert y.ravel().tolist() == [5, 7, 13, 15]


def test_what_native_code_leaves_to_xla():
    x = jax.ShapeDtypeStruct((2, 40, 40, 3), jnp.float32)
    large = {"window": (1, 17, 17, 1), "strides": (1, 1, 1, 1), "padding": "same"}
    assert not pooling._takes(x, **large)
    assert not pooling._takes(x, window=(1, 1, 1, 1), strides=(1, 1, 1, 1), padding="valid")
    assert not pooling._takes(x, window=(1, 41, 1, 1), strides=(1, 1, 1, 1), padding="valid")
    assert not pooling._wins(x, window=(1, 2, 2, 1), strides=(1, 2, 2, 1), padding="valid")
    assert pooling._wins(x, window=(1, 2, 2, 1), strides=(1, 1, 1, 1), padding="valid")
    assert not global_pooling._takes(x, axes=(1, 3))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 20, 20, 2)), "f4")
    same(lambda x: kernels.max_pool(x, 17, 1, "same"), x)
