"""Rows of a table in native code against plain JAX."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keryx import config, kernels

family = importlib.import_module("keryx.kernels.embedding")  # the function hides the module


def both(function, *arrays):
    for mode in ("native", "xla"):
        config.set_kernels(mode)
        yield jax.tree.leaves(jax.jit(function)(*arrays))


def numbers(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), "float32")


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.sampled_from([1, 5, 16, 130, 300]), st.integers(0, 50), st.integers(0, 9))
def test_rows_and_their_gradient(rows, width, count, seed):
    ids = jnp.asarray(np.random.default_rng(seed).integers(-3, rows + 3, (count,)), "int32")
    table = numbers(rows, width, seed=seed)

    def everything(table, ids):
        y, back = jax.vjp(lambda table: kernels.embedding(table, ids), table)
        return y, back(numbers(count, width, seed=1))

    for got, want in zip(*both(everything, table, ids), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("far", [2**31 - 1, -(2**31), 7, -1])
def test_an_id_outside_reads_and_writes_nothing(far):
    ids = jnp.array([1, far, 1], "int32")

    def everything(table):
        y, back = jax.vjp(lambda table: kernels.embedding(table, ids), table)
        return y, back(jnp.ones_like(y))

    config.set_kernels("native")
    y, (slopes,) = jax.jit(everything)(numbers(7, 20))
    assert jnp.isnan(y).any(1).tolist() == [False, True, False]
    assert slopes[:, 0].tolist() == [0, 2, 0, 0, 0, 0, 0]


def test_nan_and_infinity_go_through():
    ids = jnp.array([3, 3, 0], "int32")
    dy = numbers(3, 20).at[0, 1].set(jnp.nan).at[1, 2].set(jnp.inf)
    got, want = (found[0] for found in both(lambda dy: family._ADD(dy, ids, rows=5), dy))
    np.testing.assert_array_equal(got, want)


def test_derivatives_of_derivatives_and_forward_mode():
    ids = jnp.array([[0, 2, 9], [2, 2, -1]], "int32")

    def everything(table, change):
        loss = lambda table: jnp.sum(jnp.nan_to_num(kernels.embedding(table, ids)) ** 3)  # noqa: E731
        steep = lambda table: jnp.sum(jnp.sin(jax.grad(loss)(table)))  # noqa: E731
        forward = jax.jvp(lambda table: kernels.embedding(table, ids), (table,), (change,))
        many = jax.vmap(kernels.embedding, (None, 0))(table, ids)
        return jax.grad(steep)(table), jax.hessian(loss)(table[:, :2]), forward, many

    for got, want in zip(*both(everything, numbers(5, 4), numbers(5, 4, seed=1)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_other_dtypes(dtype):
    config.set_kernels("native")
    y = jax.jit(kernels.embedding)(jnp.eye(3, dtype=dtype), jnp.array([1, 5]))
    assert y.dtype == dtype
    assert jnp.nan_to_num(y).tolist() == [[0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8"])
@pytest.mark.parametrize("shape", [(9,), (9, 3), (9, 4, 5), (9, 0)])
def test_picked_rows(shape, dtype):
    array = (numbers(*shape) * 50).astype(dtype)
    ids = np.array([8, 0, 0, 5], "int32")
    for (got,) in both(kernels.pick_rows, array, ids):
        np.testing.assert_array_equal(got, np.asarray(array)[ids])
        assert got.dtype == dtype


def test_large_float_rows_are_picked_by_native_code():
    config.set_kernels("auto")
    before = family._PICK.served["native"]
    jax.jit(kernels.pick_rows)(numbers(4, 2**17), np.array([3, 1], "int32"))
    assert family._PICK.served["native"] == before + 1
