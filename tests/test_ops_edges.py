"""Ops at the edges of what they take: where Keras defines a number there, it is this one."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import keryx
from keryx import ops
from keryx.errors import ArgumentError, DataError, ShapeError, SymbolicError

ROWS = np.arange(6, dtype="float32").reshape(2, 3)


def same(got, want):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(np.asarray(a, "float64"), np.asarray(b, "float64"), rtol=1e-6)


@pytest.mark.parametrize("kind", ["max_pool", "average_pool"])
@pytest.mark.parametrize(("size", "strides", "padding"), [(2, 2, "valid"), (3, 2, "same"), ((3,), (1,), "valid")])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_pooling_is_trained_through(kind, size, strides, padding, data_format):
    x = np.random.default_rng(0).normal(size=(2, 8, 4)).astype("float32")

    def loss(module):
        def of(x):
            return jnp.sum(getattr(module.ops, kind)(x, size, strides, padding, data_format) ** 2)

        return jax.jit(jax.value_and_grad(of))(x)

    for a, b in zip(loss(keryx), loss(keras), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_moments_beyond_float16_are_the_nearest_that_it_holds():
    x = np.array([0, 60000], "float16")
    same(ops.moments(x, [0]), keras.ops.moments(x, [0]))
    assert bool(jnp.isfinite(ops.moments(x, 0)[1]))


def test_a_matrix_that_is_not_positive_definite_has_no_cholesky_factor():
    x = np.array([[1.0, 2.0], [2.0, 1.0]], "float32")
    with pytest.raises(DataError, match="wants a positive definite matrix"):
        ops.cholesky(x)
    with pytest.raises(ValueError, match="positive definite"):
        keras.ops.cholesky(x)
    assert bool(jnp.isnan(jax.jit(ops.cholesky)(x)).any())


def test_a_size_of_minus_one_slices_to_the_end():
    for starts, shape in (([1, 1], [-1, 2]), ((0, 2), (2, -1)), (np.array([1, 0]), np.array([1, -1]))):
        same(ops.slice(ROWS, starts, shape), keras.ops.slice(ROWS, starts, shape))
    assert ops.slice(keryx.Input((4,)), (0, 1), (-1, 2)).shape == (None, 2)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # within Keras
@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint32", "float16"])
@pytest.mark.parametrize("values", [[-3.0, 5.0, 1e12], [float(2**31), 1.5, -1e12]])
def test_saturate_cast_to_every_width(dtype, values):
    values = np.array(values, "float32")
    same(ops.saturate_cast(values, dtype), keras.ops.saturate_cast(values, dtype))
    whole = np.array([-1, 5, 70000], "int32")
    same(ops.saturate_cast(whole, dtype), keras.ops.saturate_cast(whole, dtype))


def test_a_numpy_array_may_be_written_to():
    for x in (jnp.ones(3), keryx.Variable(np.ones(3)), [1.0, 1.0, 1.0]):
        array = ops.convert_to_numpy(x)
        array[0] = 5
        assert array.tolist() == [5, 1, 1]
    own = np.ones(2)
    assert ops.convert_to_numpy(own) is own


@pytest.mark.parametrize("scale", [np.full((2, 3), 2, "float32"), np.full((1, 3), 2, "float32"), 2.0])
def test_scales_of_more_axes_than_the_normalized_ones(scale):
    same(ops.rms_normalization(ROWS, scale), keras.ops.rms_normalization(ROWS, scale))
    scale = np.broadcast_to(scale, (2, 3))  # layer_normalization of Keras takes no plain number
    got, want = (m.ops.layer_normalization(ROWS, gamma=scale, beta=scale) for m in (keryx, keras))
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_pairs_as_complex_numbers():
    for x in (ROWS[:, :2], ROWS[:, :2].astype("int32"), [[1, 2]]):
        same(jnp.real(ops.view_as_complex(x)), jnp.real(keras.ops.view_as_complex(x)))
        assert ops.view_as_complex(x).dtype == "complex64"
    with pytest.raises(ShapeError, match=r"wants pairs .* got the shape \(2, 3\)"):
        ops.view_as_complex(ROWS)


def test_int_is_a_dtype():
    assert ops.cast([1.5], "int").dtype == keras.ops.cast([1.5], "int").dtype == "int32"
    assert keryx.Input((2,), dtype="int").dtype == "int32"


@pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`")
def test_layer_normalization_by_the_old_word():
    x = np.random.default_rng(0).normal(1, 2, (3, 4)).astype("float32")
    gamma, beta = np.arange(4, dtype="float32"), np.ones(4, "float32")
    theirs = keras.ops.layer_normalization(x, gamma, beta, rms_scaling=True)
    np.testing.assert_allclose(ops.layer_normalization(x, gamma, beta, rms_scaling=True), theirs, 1e-5, 1e-5)
    with pytest.raises(ArgumentError, match="no argument 'epsilom'"):
        ops.layer_normalization(x, epsilom=1)


class Reckoning(keryx.Layer):
    """Makes masks of sizes that it reckons with by ops, as programs for TensorFlow do."""

    def call(self, x):
        batch, steps, size = ops.shape(x)
        times = ops.concatenate([ops.expand_dims(batch, -1), ops.convert_to_tensor([1, 1])], axis=0)
        mask = ops.tile(ops.ones((1, steps, 1)), times)
        zeros = ops.zeros((ops.cast(batch, "int32"), ops.cast(steps, "int32"), 1))
        wide = ops.broadcast_to(ops.ones(()), ops.stack([batch, steps, size]))
        flat = ops.reshape(x, ops.stack([batch, ops.prod(ops.convert_to_tensor([steps, size]))]))
        return mask * wide + zeros + ops.reshape(flat, ops.shape(x))


def test_sizes_that_are_reckoned_with_by_ops():
    x = keryx.Input((2, 3))
    model = keryx.Model(x, Reckoning()(x))
    assert model.output_shape == (None, 2, 3)
    rows = np.arange(24, dtype="float32").reshape(4, 2, 3)
    np.testing.assert_array_equal(model.predict(rows, verbose=0), rows + 1)
    same(ops.tile(ROWS, ops.convert_to_tensor([1, 2])), np.tile(ROWS, (1, 2)))
    many = jax.make_jaxpr(lambda: ops.add(np.arange(100), 1))()
    assert many.eqns  # much data stays in the program, and is no constant that it holds


def test_sizes_that_depend_on_data():
    class Repeat(keryx.Layer):
        def call(self, x):
            return ops.tile(x, (1, ops.cast(ops.sum(x), "int32")))

    with pytest.raises(SymbolicError, match=r"tile\(\) wants sizes that are known.*Take them of x.shape"):
        Repeat()(keryx.Input((3,)))


def test_segments_whose_number_depends_on_data():
    assert ops.segment_sum([1.0, 2.0, 3.0], [0, 2, 2]).tolist() == [1, 0, 5]
    with pytest.raises(SymbolicError, match=r"segment_sum\(\) wants num_segments= within compiled code"):
        ops.segment_sum(keryx.Input((2,)), keryx.Input((), dtype="int32"))
