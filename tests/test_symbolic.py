"""Symbolic tensors behave as arrays do, and where they cannot, say so."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import keryx
from keryx import ops
from keryx.core import symbol
from keryx.core.graph import Graph
from keryx.errors import ArgumentError, ConfigError, DataError
from keryx.ops.names import by_name

A = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
W = np.random.default_rng(1).normal(size=(3, 2)).astype("float32")
ROW = np.array([1.0, 2.0, 3.0], "float32")

# Each is a function of an array (4, 3): NumPy's answer is the oracle.
EXPRESSIONS = {
    "scalars": lambda x: 2 + x * 3 - 1 / (x + 10),
    "reflected": lambda x: (1 - x) / (2 ** (x / 4)),
    "power": lambda x: x**2,
    "negative": lambda x: -abs(+x),
    "array on the right": lambda x: x - ROW,
    "array on the left": lambda x: ROW - x,
    "array matmul": lambda x: x @ W,
    "array reflected matmul": lambda x: W @ x.T[:2],
    "numpy scalar": lambda x: np.float32(2) - x,
    "floor and mod": lambda x: x // 0.5 + x % 0.5,
    "comparison": lambda x: (x > 0) & (x <= 1) | ~(x != x),
    "array comparison": lambda x: x < ROW,
    "equality": lambda x: x == ROW,
    "integer operators": lambda x: (x.astype("int32") & 3) ^ 1,
    "slice": lambda x: x[:, 1:],
    "slice with steps": lambda x: x[:, ::-2],
    "slice with None": lambda x: x[:, None, 0],
    "slice with Ellipsis": lambda x: x[..., -1],
    "index by numbers": lambda x: x[:, [2, 0]],
    "index by a tensor": lambda x: x[x.argmax(axis=0)],
    "transpose": lambda x: x.T @ x,
    "transpose with axes": lambda x: x[:, None].transpose(0, 2, 1) + x[:, None].transpose((1, 0, 2))[0, :, None],
    "reshape": lambda x: x.reshape(-1, 3, 1) * x.reshape((-1, 1, 3)),
    "astype": lambda x: x.astype("float16"),
    "sum": lambda x: x.sum() + x.sum(axis=1, keepdims=True),
    "mean": lambda x: x.mean(axis=-1),
    "max and min": lambda x: x.max(axis=1) - x.min(axis=1),
    "prod, std, var": lambda x: x.prod(axis=1) + x.std(axis=1) + x.var(1),
    "any and all": lambda x: (x > 0).any(axis=1) | (x > 0).all(axis=1),
    "clip, round": lambda x: x.clip(-1, 1).round(2),
    "cumsum, flatten": lambda x: x.cumsum(axis=1).flatten(),
    "squeeze, swapaxes": lambda x: x[:, None].swapaxes(1, 2).squeeze(2),
    "np.exp": lambda x: np.exp(x) + np.sqrt(np.abs(x)),
    "np.maximum": lambda x: np.maximum(0, x),
    "np.add": lambda x: np.add(ROW, x),
    "np.sum": lambda x: np.sum(x, axis=1),
    "np.mean": lambda x: np.mean(x, axis=1, keepdims=True),
    "np.where": lambda x: np.where(x > 0, x, 0),
    "np.concatenate": lambda x: np.concatenate([x, 2 * x], axis=1),
    "np.stack": lambda x: np.stack([x, x], axis=-1),
    "np.matmul": lambda x: np.matmul(x, W),
    "np.reshape": lambda x: np.reshape(x, (-1, 1)),
    "np.transpose": lambda x: np.transpose(x),
    "np.expand_dims": lambda x: np.expand_dims(x, 1),
    "np.clip": lambda x: np.clip(x, -1, 1),
    "np.tanh": lambda x: np.tanh(x),
    "np.einsum": lambda x: np.einsum("bi,ij->bj", x, W),
    "np.linalg.norm": lambda x: np.linalg.norm(x, axis=1),
    "np.split": lambda x: np.split(x, 3, axis=1)[1],
    "np.ones_like": lambda x: np.ones_like(x) + np.zeros_like(x),
}


def given_x(expression):
    x = keryx.Input((3,), name="x")
    return x, expression(x)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_symbol_stands_for_the_array(name):
    x, y = given_x(EXPRESSIONS[name])
    result, expected = Graph(x, y).run([jnp.asarray(A)]), EXPRESSIONS[name](A)
    np.testing.assert_allclose(result, expected, rtol=1e-3 if result.dtype == "float16" else 1e-5, atol=1e-5)
    assert y.dtype == result.dtype.name
    assert len(y.shape) == result.ndim
    assert all(a in (None, b) for a, b in zip(y.shape, result.shape, strict=True))
    # The batch is 4 and nothing else is: a size that is not known is one that hangs on it.
    assert [n is None for n in y.shape] == [n % 4 == 0 for n in result.shape]


@pytest.mark.parametrize("name", [name for name in EXPRESSIONS if name not in ("equality", "comparison")])
@pytest.mark.filterwarnings("ignore")
def test_a_variable_stands_for_its_value(name):
    result = EXPRESSIONS[name](keryx.Variable(A))
    np.testing.assert_allclose(result, EXPRESSIONS[name](A), rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize(
    "expression",
    [
        lambda row, x: row + x,
        lambda row, x: row - x,
        lambda row, x: row * x,
        lambda row, x: row / (x + 9),
        lambda row, x: row ** (x + 9),
        lambda row, x: row < x,
        lambda row, x: row == x,
        lambda row, x: row @ x.T,
    ],
)
def test_jax_arrays_on_the_left_give_way(expression):
    x = keryx.Input((3,))
    row = jnp.asarray(ROW)
    y = expression(row, x)
    np.testing.assert_allclose(Graph(x, y).run([jnp.asarray(A)]), expression(ROW, A), rtol=1e-4)


def test_traced_arrays_on_the_left_give_way():
    x = keryx.Input((3,))
    symbol._namespace_of_operators.cache_clear()  # asked for while a program is traced, too
    added = []
    jax.jit(lambda row: added.append(x.shape == (row + x).shape))(jnp.ones((3,)))
    assert added == [True]


def test_variables_and_symbols_join():
    x, w = keryx.Input((3,)), keryx.Variable(W)
    for y in (x @ w, ops.matmul(x, w), np.matmul(x, w)):
        assert y.shape == (None, 2)
        np.testing.assert_allclose(Graph(x, y).run([jnp.asarray(A)]), A @ W, rtol=1e-5)


def test_a_variable_is_read_when_the_graph_runs():
    x, v = keryx.Input((1,)), keryx.Variable([1.0])
    graph = Graph(x, x + v)
    v.assign([5.0])
    assert graph.run([jnp.zeros((1, 1))]).tolist() == [[5.0]]


def test_unknown_sizes_stay_unknown():
    x = keryx.Input((None, 8))
    assert (x[:, ::2] @ np.ones((8, 5), "float32")).shape == (None, None, 5)
    assert x.reshape(-1, 8).shape == (None, 8)
    assert np.concatenate([x, x], axis=1).shape == (None, None, 8)
    assert x.T.shape == (8, None, None)
    assert x.size is None
    assert (np.shape(x), np.ndim(x)) == ((None, None, 8), 3)


def test_symbols_are_keys():
    x = keryx.Input((3,))
    symbols = [x + i for i in range(300)]
    table = {symbol: i for i, symbol in enumerate(symbols)}
    assert [table[symbol] for symbol in symbols] == list(range(300))
    assert (x == None) is False  # noqa: E711
    assert (x == "name") is False
    assert x is not None


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda x: bool(x > 0), r"keryx\.ops\.where"),
        (lambda x: 1 if x.sum() else 0, r"keryx\.ops\.cond"),
        (float, "has no values yet"),
        (int, "has no values yet"),
        (lambda x: list(range(x)), "has no values yet"),
        (len, r"shape is \(None, 3\)"),
        (list, "cannot be iterated over"),
        (np.asarray, r"np\.exp\(x\)"),
        (lambda x: x + None, "NoneType"),
        (lambda x: x + "a", "str"),
    ],
)
def test_what_needs_values_is_refused(act, says):
    with pytest.raises(TypeError, match=says):
        act(keryx.Input((3,), name="x"))


@pytest.mark.parametrize(
    "act",
    [jnp.exp, jnp.sum, jnp.asarray, lambda x: jnp.where(x > 0, x, 0), lambda x: jnp.concatenate([x, x])],
)
def test_functions_of_jax_say_which_to_take_instead(act):
    with pytest.raises(DataError, match=r"keryx\.ops or NumPy functions \(np\.exp\(x\), not jnp\.exp\(x\)\)"):
        act(keryx.Input((3,), name="x"))


def test_functions_without_a_counterpart_are_refused():
    x = keryx.Input((3,))
    with pytest.raises(ArgumentError, match="no counterpart"):
        np.busday_count(x, x)
    with pytest.raises(ArgumentError, match=r"np\.add\.reduce"):
        np.add.reduce(x)


def test_a_wrong_shape_is_found_where_it_is_made():
    with pytest.raises(TypeError) as error:
        keryx.Input((3,)) @ np.ones((4, 2))
    assert error.value.__notes__[-1] == "In the op 'matmul', called on (batch, 3) float32, (4, 2) float64."


def test_a_known_first_axis_is_iterated_over():
    assert [row.shape for row in keryx.Input(batch_shape=(2, 3))] == [(3,), (3,)]


def test_graphs_are_pure():
    x = keryx.Input((3,))
    graph = Graph(x, np.exp(x).sum())
    gradient = jax.jit(jax.grad(lambda value: graph.run([value])))(jnp.asarray(A))
    np.testing.assert_allclose(gradient, np.exp(A), rtol=1e-5)


def _nodes(y):
    found, waiting = [], [y]
    while waiting:
        node = waiting.pop().node
        if node is not None and node.inputs:
            found.append(node)
            waiting.extend(node.inputs)
    return found


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_each_recorded_op_is_found_again_by_its_name(name):
    x, y = given_x(EXPRESSIONS[name])
    expected = Graph(x, y).run([jnp.asarray(A)])
    for node in _nodes(y):
        node.operation.function = by_name(node.operation.op_name)
    np.testing.assert_array_equal(Graph(x, y).run([jnp.asarray(A)]), expected)


@pytest.mark.parametrize("name", ["numpy.save", "os.system", "map", "jvp", "op", ""])
def test_other_names_lead_nowhere(name):
    with pytest.raises(ConfigError, match="There is no op"):
        by_name(name)
