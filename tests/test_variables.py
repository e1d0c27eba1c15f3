"""A Variable is made from whatever stands for its first value, and is an array wherever one is wanted."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import keryx
from keryx import constraints, initializers, layers, optimizers, regularizers
from keryx.errors import ConfigError, ShapeError


@pytest.mark.parametrize(
    "initializer",
    [
        "ones",
        "Ones",
        initializers.Ones,
        initializers.Ones(),
        {"class_name": "Ones", "config": {}},
        np.ones,
        jnp.ones((2,)),
    ],
)
def test_what_a_variable_begins_with(initializer):
    assert keryx.Variable(initializer, shape=(2,)).numpy().tolist() == [1, 1]


def test_an_initializer_wants_a_shape():
    with pytest.raises(ShapeError, match=r"'scale' is made by an initializer: give its shape=, \(\) for a scalar"):
        keryx.Variable("ones", name="scale")
    assert keryx.Variable("ones", shape=()).shape == ()
    with pytest.raises(ConfigError, match=r"no initializer 'glorot_unifrm'\. Did you mean 'glorot_uniform'"):
        keryx.Variable("glorot_unifrm", shape=(2,))


def test_a_variable_ends_where_its_array_ends():
    """JAX answers every index with a value: Python would ask for ever."""
    variable = keryx.Variable(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert [row.tolist() for row in itertools.islice(variable, 5)] == [[1, 2], [3, 4]]
    first, second = variable
    assert (first + second).tolist() == sum(variable).tolist() == [4, 6]
    with pytest.raises(TypeError, match="iteration over a 0-d array"):
        iter(keryx.Variable(1.0))


def test_assigning_returns_the_new_value():
    v = keryx.Variable(np.ones(2))
    assert v.assign([2, 2]).tolist() == [2, 2]
    assert v.assign_add([1, 1]).tolist() == [3, 3]
    assert v.assign_sub([2, 1]).tolist() == [1, 2]
    assert isinstance(v.assign([5, 5]), jax.Array)


def test_in_a_pure_function_assigning_returns_what_was_lent():
    class Counter(layers.Layer):
        def build(self, input_shape):
            self.count = self.add_weight((), "zeros", trainable=False)

        def call(self, inputs):
            return inputs * self.count.assign_add(1.0)

    x = keryx.Input((1,))
    model = keryx.Model(x, Counter()(x))
    assert [model(np.ones((1, 1))).item() for _ in range(2)] == [1, 2]


FUNCTIONS = {
    "jit": jax.jit(lambda x: x * 2),
    "device_put": jax.device_put,
    "gradient": jax.grad(lambda x: jnp.sum(x**2)),
    "vmap": jax.vmap(lambda x: x + 1),
    "sum": jnp.sum,
    "from the right": lambda x: jnp.ones(2) + x,
    "product": lambda x: jnp.ones(2) @ x,
    "branch": lambda x: jax.lax.cond(True, lambda y: y + 1, lambda y: y, x),
    "L1": regularizers.L1(0.5),
    "L2": regularizers.L2(0.5),
    "L1L2": regularizers.L1L2(0.5, 0.5),
    "NonNeg": constraints.NonNeg(),
    "UnitNorm": constraints.UnitNorm(),
    "numpy": np.square,
    "whole": round,
    "ops": keryx.ops.square,
    "loss": lambda x: keryx.losses.mean_squared_error(x, x * 2),
    "layer": lambda x: layers.Dense(2, kernel_initializer="ones")(x[None]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_variable_is_its_array_to(name):
    v = keryx.Variable([1.0, -2.0])
    for values in ([1.0, -2.0], [3.0, 4.0]):  # whatever is compiled reads the value of the moment
        v.assign(values)
        np.testing.assert_allclose(FUNCTIONS[name](v), FUNCTIONS[name](jnp.array(values)), rtol=1e-6)


def test_variables_in_a_nest_are_arrays_to_jax():
    v, w = keryx.Variable([1.0]), keryx.Variable([2.0])
    gradients = jax.jit(jax.grad(lambda nest: jnp.sum(nest["a"] * nest["b"][0])))({"a": v, "b": [w]})
    assert jax.tree.map(float, jax.tree.map(jnp.sum, gradients)) == {"a": 2.0, "b": [1.0]}


def test_a_variable_in_a_graph_is_read_when_the_graph_runs():
    x, v = keryx.Input((2,)), keryx.Variable([1.0, 1.0])
    model = keryx.Model(x, x * v + v)
    assert model(np.ones((1, 2))).tolist() == [[2, 2]]
    assert keryx.models.clone_model(model)(np.ones((1, 2))).tolist() == [[2, 2]]


def model_and_data():
    keryx.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
    model = keryx.Sequential([keryx.Input((3,)), layers.Dense(4, activation="relu"), layers.Dense(1)])
    return model, x, x.sum(1, keepdims=True)


def test_a_loop_of_ones_own_is_handed_variables():
    model, x, y = model_and_data()
    optimizer = optimizers.Adam(0.05)
    optimizer.build(model.trainable_variables)

    def loss_of(trainable, rest, x, y):
        outputs, rest = model.stateless_call(trainable, rest, x)
        return keryx.losses.MeanSquaredError()(y, outputs), rest

    @jax.jit
    def step(state, x, y):
        trainable, rest, slots = state
        (loss, rest), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable, rest, x, y)
        trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
        return loss, (trainable, rest, slots)

    state = model.trainable_variables, model.non_trainable_variables, optimizer.variables
    losses = []
    for _ in range(100):
        loss, state = step(state, x, y)
        losses.append(float(loss))
    assert losses[-1] < losses[0] / 10
    for variable, value in zip(model.trainable_variables, state[0], strict=True):
        variable.assign(value)
    assert float(loss_of(*state[:2], x, y)[0]) == pytest.approx(float(np.mean((model.predict(x, verbose=0) - y) ** 2)))


def test_variables_are_put_on_devices():
    model, x, _ = model_and_data()
    sharding = jax.sharding.NamedSharding(jax.make_mesh((1,), ("batch",)), jax.sharding.PartitionSpec())
    placed = jax.device_put(model.trainable_variables, sharding)
    assert all(isinstance(array, jax.Array) and array.sharding == sharding for array in placed)
    outputs, _ = model.stateless_call(model.trainable_variables, model.non_trainable_variables, x)
    np.testing.assert_allclose(outputs, model(x), rtol=1e-5)
