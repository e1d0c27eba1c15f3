"""Each op gives Keras's number, shape and dtype, and in a graph what it gives outside."""

import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from ops_table import CALLS, X

import keryx
from keryx import ops
from keryx.core.graph import Graph
from keryx.errors import ArgumentError

LEFT_OUT: set[str] = set()
NAMES = sorted(name for name in dir(keras.ops) if callable(getattr(keras.ops, name)) and name[0].islower())
FACTORIES = {
    "custom_gradient",
    "jvp",
    "vectorize",
    "cond",
    "switch",
    "scan",
    "map",
    "vectorized_map",
    "while_loop",
}
FACTORIES |= {
    "sparsemax",
    "size",
    "eig",
    "eigh",
    "fori_loop",
    "associative_scan",
    "shape",
    "ndim",
    "dtype",
    "is_tensor",
    "convert_to_numpy",
}
# Their result hangs on values that a graph does not have, or on arrays that may not be symbols.
NOT_SYMBOLIC = {"nonzero", "bartlett", "blackman", "hamming", "hanning", "kaiser", "histogram"}


def ids(call):
    name, _, options = call
    return f"{name}-{'-'.join(str(v)[:12] for v in options.values())}"


def same(ours, theirs):
    ours, theirs = jax.tree.leaves(ours), jax.tree.leaves(theirs)
    assert [x.shape for x in ours] == [np.shape(x) for x in theirs]
    assert [x.dtype for x in ours] == [x.dtype for x in theirs]
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


def is_tensor(x):
    return isinstance(x, np.ndarray)


def test_no_name_is_missing():
    assert {name for name in NAMES if not hasattr(ops, name)} == LEFT_OUT


def test_the_table_has_every_op():
    assert {name for name, _, _ in CALLS} == set(NAMES) - LEFT_OUT - FACTORIES


@pytest.mark.parametrize("name", sorted(set(NAMES) - LEFT_OUT))
def test_arguments_and_defaults_are_those_of_keras(name):
    def arguments(function):
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    assert arguments(getattr(ops, name)) == arguments(getattr(keras.ops, name))


@pytest.mark.parametrize("call", CALLS, ids=ids)
@pytest.mark.filterwarnings("ignore")
def test_same_as_keras(call):
    name, tensors, options = call
    same(getattr(ops, name)(*tensors, **options), getattr(keras.ops, name)(*tensors, **options))


def made_from_tensors(call):
    return any(is_tensor(x) for x in jax.tree.leaves(call[1]))


@pytest.mark.parametrize("call", [c for c in CALLS if c[0] not in NOT_SYMBOLIC and made_from_tensors(c)], ids=ids)
@pytest.mark.filterwarnings("ignore")
def test_same_in_a_graph(call):
    name, tensors, options = call
    function = getattr(ops, name)
    arrays = [x for x in jax.tree.leaves(tensors) if is_tensor(x)]
    symbols = {id(x): keryx.Input(batch_shape=x.shape, dtype=x.dtype.name) for x in arrays}
    outputs = function(*jax.tree.map(lambda x: symbols[id(x)] if is_tensor(x) else x, tensors), **options)
    graph = Graph([symbols[id(x)] for x in arrays], outputs)
    results = graph.run([jnp.asarray(x) for x in arrays])
    same(results, function(*tensors, **options))
    for symbol, result in zip(jax.tree.leaves(outputs), jax.tree.leaves(results), strict=True):
        assert symbol.shape == result.shape
        assert symbol.dtype == result.dtype


# -- what the table cannot say -------------------------------------------------------------------------------


def test_sparsemax_is_the_nearest_point_of_the_simplex():
    """Keras 3.15 gives rows that do not sum to 1."""
    y = np.asarray(ops.sparsemax(X))
    np.testing.assert_allclose(y.sum(1), 1, rtol=1e-6)
    others = np.random.default_rng(1).dirichlet([1, 1, 1], 50)
    assert all(((X - y) ** 2).sum() <= ((X - other) ** 2).sum() for other in others)


def test_pools_move_by_their_own_size_unless_told():
    """Keras 3.15 fails without strides."""
    x = np.arange(16.0, dtype="float32").reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(ops.max_pool(x, 2)[0, ..., 0], [[5, 7], [13, 15]])
    np.testing.assert_array_equal(ops.average_pool(x, 2), ops.average_pool(x, 2, strides=2))


def test_eigenvalues():
    x = np.array([[2.0, 1.0], [1.0, 3.0]], "float32")
    for function in (ops.eig, ops.eigh):
        values, vectors = function(x)
        np.testing.assert_allclose(x @ vectors, vectors * values, atol=1e-5)


def test_questions():
    assert ops.shape(X) == (4, 3)
    assert ops.shape(keryx.Input((3,))) == (None, 3)
    assert ops.ndim([[1, 2]]) == 2
    assert ops.size(X) == 12
    assert ops.dtype(X) == "float32"
    assert ops.is_tensor(jnp.ones(1))
    assert not ops.is_tensor(X)
    assert isinstance(ops.convert_to_numpy(jnp.ones(1)), np.ndarray)
    assert ops.convert_to_tensor([1, 2], dtype="float16").dtype == jnp.float16


def test_lists_and_variables_are_tensors():
    assert ops.add([1, 2], x2=3).tolist() == [4, 5]
    assert ops.sum(keryx.Variable([1.0, 2.0])).item() == 3
    assert ops.concatenate([keryx.Variable([1.0]), [2.0]]).tolist() == [1, 2]


def test_no_gradient_flows_through_a_nest():  # Keras takes one in numbers, not in a graph
    stopped = ops.stop_gradient([X, {"row": X[0]}])
    np.testing.assert_array_equal(stopped[1]["row"], X[0])
    assert jax.grad(lambda x: ops.stop_gradient([x])[0] * x)(3.0) == 3
    assert [symbol.shape for symbol in ops.stop_gradient([keryx.Input((2,)), keryx.Input(())])] == [(None, 2), (None,)]


def test_a_wrong_argument_is_named():
    with pytest.raises(ArgumentError, match=r"ops\.sum\(x, axis=None, keepdims=False\): .*'axes'"):
        ops.sum(X, axes=1)


def test_weak_scalars_keep_the_dtype():
    half = jnp.ones(2, "bfloat16")
    assert ops.add(half, 1.5).dtype == ops.multiply(2, half).dtype == jnp.bfloat16


def test_gradients():
    assert np.isfinite(jax.grad(lambda x: ops.sum(ops.normalize(x)))(jnp.zeros(3))).all()  # Keras: NaN
    assert jax.grad(lambda x: ops.divide_no_nan(1.0, x))(0.0) == 0
    cube = ops.custom_gradient(lambda x: (x**3, lambda upstream: 7 * upstream))
    assert jax.grad(cube)(2.0) == 7
    assert ops.jvp(lambda x: x**2, (3.0,), (1.0,))[1] == 6


# -- loops and branches --------------------------------------------------------------------------------------


def run(x, outputs, value):
    return Graph(x, outputs).run([jnp.asarray(value)])


def test_loops():
    double = jnp.array([1.0, 2.0])
    assert ops.map(lambda x: 2 * x, double).tolist() == [2, 4]
    assert ops.vectorized_map(lambda x: 2 * x, double).tolist() == [2, 4]
    assert ops.fori_loop(0, 3, lambda i, x: x + i, 0) == 3
    assert ops.while_loop(lambda i, x: i < 9, lambda i, x: (i + 1, 2 * x), (0, 1), maximum_iterations=3)[1] == 8
    assert ops.while_loop(lambda x: x < 9, lambda x: 2 * x, 1) == 16
    assert ops.associative_scan(jnp.add, double).tolist() == [1, 3]
    assert ops.switch(1, [lambda x: x, lambda x: -x], 5) == -5
    assert ops.vectorize(lambda x, y: x + y)(double, 1.0).tolist() == [2, 3]
    assert ops.cond(True, lambda: {"a": 1}, lambda: {"a": 2}) == {"a": 1}


def test_loops_in_a_graph():
    x = keryx.Input((3,), name="x")
    _, sums = ops.scan(lambda carry, row: (carry + row, carry.sum()), np.zeros(3, "float32"), xs=x)
    assert sums.shape == (None,)
    assert run(x, sums, np.ones((3, 3), "float32")).tolist() == [0, 3, 6]
    mapped = ops.map(lambda row: {"sum": row.sum()}, x)
    assert mapped["sum"].shape == (None,)
    assert run(x, ops.fori_loop(0, 2, lambda i, y: y * 2, x), np.ones((1, 3))).tolist() == [[4, 4, 4]]


def test_cond_in_a_graph_may_use_symbols_from_outside():
    x = keryx.Input((2,), name="x")
    y = ops.cond(ops.sum(x) > 0, lambda: x * 2, lambda: ops.zeros_like(x))
    assert y.shape == (None, 2)
    assert run(x, y, np.ones((1, 2))).tolist() == [[2, 2]]
    assert run(x, y, -np.ones((1, 2))).tolist() == [[0, 0]]


def test_a_loop_says_that_a_symbol_from_outside_cannot_be_used():
    x, y = keryx.Input((2,), name="x"), keryx.Input((2,), name="y")
    with pytest.raises(ArgumentError, match="Hand symbolic tensors in as arguments"):
        ops.map(lambda row: y * 2, x)
