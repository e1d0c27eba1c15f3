"""Resampling by taps and by whole products: what jax.image.resize gives, whichever way serves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from keryx.kernels import report, resize

SHAPES = {
    "larger and smaller": ((2, 24, 50, 3), (2, 40, 7, 3)),
    "one axis": ((41, 3), (64, 3)),
    "of one and to one": ((2, 1, 44, 2), (2, 3, 1, 2)),
}


@pytest.fixture(params=SHAPES)
def shapes(request):
    return SHAPES[request.param]


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos3", "nearest"])
def test_as_jax_resizes(shapes, method, antialias):
    before, after = shapes
    x = jnp.asarray(np.random.default_rng(0).random(before, "float32"))

    def squares(resize):
        return lambda x: (resize(x, after, method, antialias) ** 2).sum()

    wanted = jax.image.resize(x, after, method, antialias)
    np.testing.assert_allclose(
        jax.jit(resize, static_argnums=(1, 2, 3))(x, after, method, antialias), wanted, atol=1e-5
    )
    gradient = jax.grad(squares(jax.image.resize))(x)
    np.testing.assert_allclose(jax.jit(jax.grad(squares(resize)))(x), gradient, atol=1e-4)
    moved = jax.jvp(lambda x: resize(x, after, method, antialias), (x,), (x,))[1]
    np.testing.assert_allclose(moved, wanted, atol=1e-5)
    each = jax.vmap(lambda x: resize(x, after, method, antialias))(x[None])
    np.testing.assert_allclose(each[0], wanted, atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "bfloat16"])
def test_dtypes(dtype):
    x = jnp.asarray(np.random.default_rng(0).integers(0, 200, (50, 2)), dtype)
    wanted = jax.image.resize(x, (70, 2), "bilinear")
    got = resize(x, (70, 2), "bilinear")
    assert got.dtype == wanted.dtype
    np.testing.assert_allclose(got.astype("float32"), wanted.astype("float32"), rtol=2**-7)


def test_few_taps_serve_on_a_cpu_and_many_do_not():
    def way_of(*arguments):
        before = dict(report().served.get("resample", {}))
        jax.jit(lambda x: resize(x, *arguments)).lower(jnp.zeros((120, 3)))
        after = report().served["resample"]
        return {name for name in after if after[name] != before.get(name, 0)}

    cpu = jax.default_backend() == "cpu"
    assert way_of((150, 3), "bilinear") == {"taps" if cpu else "plain"}
    assert way_of((150, 3), "lanczos5") == {"plain"}  # ten taps of 120 numbers
    assert way_of((4, 3), "bilinear", True) == {"plain"}  # a mean of sixty
