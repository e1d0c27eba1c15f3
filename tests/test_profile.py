"""What a model costs by layer: FLOPs against numbers from the formulas, and sums that add up; no test measures time."""

import json

import jax
import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.errors import ArgumentError, StateError
from keryx.models.profiling import outline
from keryx.models.profiling.calls import traced
from keryx.models.profiling.measured import _looped
from keryx.models.profiling.operations import Program

BATCH = 4
random = np.random.default_rng(0)


def cost(layer, *shapes, dtype="float32"):
    """The FLOPs of a layer forward, by its call on inputs of these shapes."""
    inputs = [keryx.Input(shape, dtype=dtype) for shape in shapes]
    model = keryx.Model(inputs, layer(*inputs))
    (call,) = traced(model, [jax.ShapeDtypeStruct((BATCH, *shape), dtype) for shape in shapes])
    values = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in call.variables]
    return Program(call.function(), values, jax.ShapeDtypeStruct((2,), "uint32"), call.arrays).flops


def test_dense():
    assert cost(layers.Dense(5, use_bias=False), (3,)) == BATCH * 2 * 3 * 5
    assert cost(layers.Dense(5), (3,)) == BATCH * (2 * 3 * 5 + 5)
    assert cost(layers.Dense(5, "relu"), (3,)) == BATCH * (2 * 3 * 5 + 5 + 5)
    assert cost(layers.Dense(5), (7, 3)) == BATCH * 7 * (2 * 3 * 5 + 5)


@pytest.mark.parametrize(
    ("arguments", "out"), [({}, 7 * 6), ({"padding": "same"}, 9 * 8), ({"strides": 2, "padding": "same"}, 5 * 4)]
)
def test_convolution(arguments, out):
    assert cost(layers.Conv2D(8, 3, use_bias=False, **arguments), (9, 8, 4)) == BATCH * out * 2 * 3 * 3 * 4 * 8
    assert cost(layers.Conv2D(8, 3, **arguments), (9, 8, 4)) == BATCH * out * (2 * 3 * 3 * 4 * 8 + 8)


def test_convolutions_of_other_kinds():
    assert cost(layers.DepthwiseConv2D(3, use_bias=False), (9, 8, 4)) == BATCH * 7 * 6 * 2 * 3 * 3 * 4
    assert cost(layers.Conv2D(8, 3, groups=2, use_bias=False), (9, 8, 4)) == BATCH * 7 * 6 * 2 * 3 * 3 * 2 * 8
    # Each element of the input meets the whole kernel; that between them are zeros counts nothing.
    upwards = cost(layers.Conv2DTranspose(8, 2, strides=2, use_bias=False), (5, 4, 3))
    assert upwards == BATCH * 5 * 4 * 2 * 2 * 2 * 3 * 8


def test_lstm_counts_every_step():
    steps, features, units = 7, 3, 6
    products = 2 * (features + units) * 4 * units
    elementwise = cost(layers.LSTM(units), (steps, features)) / (BATCH * steps) - products
    assert 8 * units <= elementwise <= 36 * units  # biases, gates, the cell, its tanh
    twice = cost(layers.LSTM(units), (2 * steps, features))
    assert cost(layers.LSTM(units), (steps, features)) == pytest.approx(twice / 2, rel=0.01)


def test_attention():
    heads, size, queries, keys, features = 2, 4, 5, 6, 8
    layer = layers.MultiHeadAttention(heads, size, use_bias=False)
    projections = 2 * heads * size * features * (2 * queries + 2 * keys)
    scores = 2 * 2 * heads * queries * keys * size
    softmax = cost(layer, (queries, features), (keys, features)) / BATCH - projections - scores
    assert 4 * heads * queries * keys <= softmax <= 8 * heads * queries * (keys + size)


def test_a_known_network():
    """569 million multiply-adds a picture, by Howard et al. 2017 (arXiv:1704.04861)."""
    model = keryx.applications.MobileNet(weights=None)
    found = outline.flops(model)
    assert 2 * 569e6 <= found[model] <= 1.03 * 2 * 569e6  # normalization and activations on top
    assert found[model.get_layer("conv1")] == 2 * 112 * 112 * 3 * 3 * 3 * 32


def test_what_moves_memory_alone_costs_nothing():
    assert cost(layers.Embedding(10, 4), (3,), dtype="int32") == 0
    assert cost(layers.Flatten(), (3, 2)) == 0
    assert cost(layers.Dropout(0.5), (3,)) == 0  # outside of training


def test_a_product_of_the_way_back_costs_twice():
    w, x = np.ones((3, 5), np.float32), np.ones((BATCH, 3), np.float32)
    ahead = 2 * BATCH * 3 * 5
    assert Program(lambda w, x: x @ w, w, x).flops == ahead
    pulled = Program(lambda w, x: jax.vjp(lambda w, x: x @ w, w, x)[1](np.ones((BATCH, 5), np.float32)), w, x)
    assert pulled.flops == 2 * ahead
    assert Program(lambda w, x: jax.grad(lambda w: (x @ w).sum())(w), w, x).flops == ahead  # no result needs the sum


def test_loops_and_branches():
    x = np.ones((4, 8), np.float32)

    def looped(x):
        return jax.lax.scan(lambda carry, row: (carry + row, None), x[0], x)[0]

    assert Program(looped, x).flops == 4 * 8
    branches = Program(lambda x: jax.lax.cond(x[0, 0] > 0, lambda: x * 2, lambda: x @ x.T @ x), x)
    assert branches.flops == 2 * (2 * 4 * 4 * 8)
    endless = Program(lambda x: jax.lax.while_loop(lambda x: x.sum() < 99, lambda x: x + 1, x), x)
    assert (endless.flops, endless.whole, branches.whole) == (32, False, True)


def test_fused_neighbours_move_nothing_between_them():
    x = np.ones((64, 64), np.float32)
    size = x.nbytes
    assert Program(lambda x: np.float32(2) * x + 1, x).bytes == 2 * size
    assert Program(lambda x: jax.nn.relu(jax.numpy.tanh(x)), x).bytes == 2 * size
    assert Program(lambda x: jax.numpy.tanh(x) @ (x + 1), x).bytes == 2 * 2 * size + 3 * size


def test_what_each_step_of_a_loop_is_given_is_written_once_before_it():
    x = np.ones((64, 64), np.float32)

    def looped(w, x):
        doubled = w * 2
        return jax.lax.scan(lambda carry, _: (carry @ doubled, None), x, None, length=2)[0]

    assert Program(looped, x, x).bytes == (2 + 2 * 3) * x.nbytes


def test_a_loop_makes_every_run_and_leaves_nothing_out():
    again, on = (jax.jit(_looped(jax.numpy.sin, carries)) for carries in (False, True))
    x = np.full((64, 64), 2.0, np.float32)
    np.testing.assert_allclose(again(3, x)[1], np.sin(x), rtol=1e-5)
    np.testing.assert_allclose(on(2, x)[1], np.sin(np.sin(x)), rtol=1e-5)
    compiled = again.lower(3, x).compile().as_text()
    body = next(part for part in compiled.split("\n\n") if "while/body" in part and "get-tuple-element" in part)
    assert any('/sin"' in line and "= f32[64,64]" in line for line in body.splitlines())  # of all elements


@pytest.fixture(scope="module")
def nested():
    x = keryx.Input((8,), name="x")
    one = layers.Dense(4, "relu", name="one")
    inner = keryx.Sequential([keryx.Input((8,)), one, layers.Dropout(0.5, name="drop")], name="in")
    shared = layers.Dense(3, name="shared")
    h = inner(x)
    model = keryx.Model(x, [shared(h * 2), shared(h)], name="nested")
    model.compile("adam", "mse")
    return model


@pytest.fixture(scope="module")
def profiled(nested):
    x = random.normal(size=(BATCH, 8)).astype("float32")
    before = nested.get_weights()
    found = nested.profile(x, [np.zeros((BATCH, 3))] * 2, repeats=1)
    for a, b in zip(before, nested.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    return found


def test_a_row_a_layer(profiled):
    assert [row.name for row in profiled.rows] == ["in/one", "in/drop", profiled.rows[2].name, "shared"]
    assert [row.kind for row in profiled.rows] == ["Dense", "Dropout", "multiply", "Dense"]
    assert [row.calls for row in profiled.rows] == [1, 1, 1, 2]
    assert [row.name for row in profiled.others] == ["loss", "metrics", "optimizer", "rest"]
    one, shared = profiled.rows[0], profiled.rows[3]
    assert one.flops == BATCH * (2 * 8 * 4 + 4 + 4)
    assert one.bytes == 4 * (BATCH * 8 + 8 * 4 + 4 + BATCH * 4)
    assert one.memory >= one.bytes
    assert shared.flops == 2 * BATCH * (2 * 4 * 3 + 3)
    # The gradient of the kernel and, but for the first layer, of the input: each a product like that forward.
    assert BATCH * 2 * 8 * 4 <= one.flops_backward <= BATCH * (2 * 8 * 4 + 4 * 4)
    assert shared.flops_backward >= 2 * 2 * BATCH * 2 * 4 * 3


def test_the_sums_are_those_of_the_step(profiled):
    everything = [*profiled.rows, *profiled.others]
    assert sum(row.seconds for row in everything) == pytest.approx(profiled.seconds)
    assert sum(row.flops + row.flops_backward for row in everything) == pytest.approx(profiled.flops)
    rest = profiled.others[-1]
    assert 0 <= rest.flops <= 0.1 * profiled.flops
    assert profiled.memory > 0


def test_it_shows_itself(profiled):
    text = str(profiled)
    assert "A step of training of 'nested' on 4 rows" in text
    assert "in/one (Dense)" in text
    assert "shared (Dense) ×2" in text
    assert "optimizer (Adam)" in text
    assert "100 %" in text
    assert repr(profiled) == text
    assert "in/one" in profiled._repr_html_()
    assert profiled._repr_html_().startswith("<pre")
    plain = json.loads(json.dumps(profiled.to_dict()))
    assert plain["rows"][0]["name"] == "in/one"
    assert plain["flops"] == profiled.flops


def test_predict_has_no_way_back(nested):
    found = nested.profile(np.ones((BATCH, 8), "float32"), repeats=1)
    assert not found.training
    assert {row.flops_backward for row in found.rows} == {0.0}
    assert [row.name for row in found.others] == ["call", "rest"]
    assert found.others[0].seconds > 0
    assert "back" not in str(found)
    assert found.flops == sum(row.flops for row in found.rows)


def test_subclassed_models():
    class Net(keryx.Model):
        def __init__(self):
            super().__init__(name="net")
            self.hidden, self.head = layers.Dense(4, name="hidden"), layers.Dense(2, name="head")

        def call(self, inputs):
            return self.head(jax.numpy.tanh(self.hidden(inputs)))

    model = Net()
    found = model.profile(np.ones((BATCH, 3), "float32"), repeats=1)
    assert [row.name for row in found.rows] == ["hidden", "head"]
    assert found.others[-1].flops == BATCH * 4  # the tanh is no layer's


def test_a_trace_leaves_no_shapes_behind():
    layer = layers.Dense(2)
    x = keryx.Input((3,))
    model = keryx.Model(x, layer(x))
    model(np.ones((5, 3), "float32"))
    seen = list(layer._seen_shapes)
    traced(model, jax.ShapeDtypeStruct((1, 3), "float32"))
    assert layer._seen_shapes == seen


def test_what_is_called_in_a_loop_counts_once():
    class Net(keryx.Model):
        def __init__(self):
            super().__init__(name="net")
            self.cell = layers.Dense(3, name="cell")

        def build(self, input_shape):
            self.cell.build(input_shape)

        def call(self, inputs):
            return jax.lax.fori_loop(0, 5, lambda i, x: self.cell(x), inputs)

    model = Net()
    found = model.profile(np.ones((BATCH, 3), "float32"), repeats=1)
    (row,) = found.rows
    assert row.flops == BATCH * (2 * 3 * 3 + 3)
    assert found.flops == 5 * row.flops


def test_a_step_by_keras_is_profiled_as_it_runs():
    class Own(keryx.Model):
        def train_step(self, state, data):
            trainable, non_trainable, optimizer_variables, metrics_variables = state
            x, y = data
            gradient = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
            (_, (loss, _, non_trainable, metrics_variables)), grads = gradient(
                trainable, non_trainable, metrics_variables, x, y, None, training=True,
                optimizer_variables=optimizer_variables,
            )  # fmt: skip
            trainable, optimizer_variables = self.optimizer.stateless_apply(optimizer_variables, grads, trainable)
            return {"loss": loss}, (trainable, non_trainable, optimizer_variables, metrics_variables)

    x = keryx.Input((3,))
    model = Own(x, layers.Dense(2, name="head")(x))
    model.compile("sgd", "mse")
    found = model.profile(np.ones((BATCH, 3), "float32"), np.ones((BATCH, 2), "float32"), repeats=1)
    assert [row.name for row in found.rows] == ["head"]
    assert found.rows[0].flops + found.rows[0].flops_backward < found.flops


def test_a_number_of_rounds_of_numpys(nested):
    assert nested.profile(np.ones((2, 8)), repeats=np.int64(1)).rows


def test_refusals(nested):
    x = keryx.Input((3,))
    model = keryx.Model(x, layers.Dense(1)(x))
    with pytest.raises(StateError, match="is not compiled, so it has no step of training to profile"):
        model.profile(np.ones((2, 3)), np.ones((2, 1)))
    with pytest.raises(ArgumentError, match="repeats= as an integer of at least 1; got 0"):
        nested.profile(np.ones((2, 8)), repeats=0)
