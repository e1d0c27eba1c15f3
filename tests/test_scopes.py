"""Blocks around layers and variables, rematerialization, and nodes of a graph that are no layers."""

import gc
import threading

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.core import scope
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ConfigError, DataError, ShapeError, UndefinedError
from tests.oracle import array

X = array(4, 6)


def saved(function, *args):
    """The number of elements that the way forward keeps for the way back."""
    _, pull_back = jax.vjp(function, *args)
    return sum(leaf.size for leaf in jax.tree.leaves(pull_back))


def deep(width=32):
    return keryx.Sequential([keryx.Input((6,)), *(layers.Dense(width, "gelu") for _ in range(6)), layers.Dense(1)])


def loss_of(model):
    call = scope.pure(model, model.weights, training=True)
    return lambda values, x: jnp.sum(call(values, None, x)[0] ** 2)


# -- rematerialization ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"mode": "activations"},
        {"mode": "larger_than", "output_size_threshold": 100},
        {"mode": "list_of_layers", "layer_names": ["dense_1", "dense_2", "dense_3"]},
    ],
    ids=lambda words: words.get("mode", "full"),
)
def test_rematerialized_layers_give_the_same_numbers_and_keep_less(words):
    keryx.utils.clear_session()
    plain = deep()
    keryx.utils.clear_session()
    with keryx.RematScope(**words):
        model = deep()
    values = [jnp.asarray(array(*v.shape, seed=i) / 3) for i, v in enumerate(plain.weights)]
    rows = array(50, 6)
    wanted = jax.grad(loss_of(plain))(values, rows)
    for a, b in zip(jax.grad(loss_of(model))(values, rows), wanted, strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-5)
    assert "prevent_cse" in str(jax.make_jaxpr(jax.grad(loss_of(model)))(values, rows))
    assert "prevent_cse" not in str(jax.make_jaxpr(jax.grad(loss_of(plain)))(values, rows))
    assert saved(loss_of(model), values, rows) < saved(loss_of(plain), values, rows)


def test_a_threshold_that_no_layer_is_above_leaves_all_as_it_is():
    with keryx.RematScope("larger_than", output_size_threshold=10**6):
        model = deep()
    values = [v.value for v in model.weights]
    assert "prevent_cse" not in str(jax.make_jaxpr(jax.grad(loss_of(model)))(values, X))
    with keryx.RematScope("full"), keryx.RematScope(None):
        assert layers.Dense(1)._remat is None


def test_state_losses_masks_and_draws_come_out_of_a_rematerialized_layer():
    class Block(keryx.Layer):
        supports_masking = True

        def __init__(self):
            super().__init__()
            self.norm, self.drop = layers.BatchNormalization(), layers.Dropout(0.5, seed=1)

        def call(self, x, mask=None):
            assert mask is not None
            self.add_loss(jnp.sum(x))
            return self.drop(self.norm(x, mask=mask))

    keryx.utils.set_random_seed(1)
    made = []
    for words in ({"mode": None}, {"mode": "full"}):
        with keryx.RematScope(**words):
            block = Block()
        rows = layers.Masking()(np.concatenate([X, 0 * X])[:, None])
        block.build((None, 1, 6))
        block(rows)
        call = scope.pure(block, block.variables, training=True)
        key = jax.random.key_data(jax.random.key(3))

        def run(values, x, call=call, key=key):
            x = layers.Masking()(x)
            outputs, updates, losses = call(values, key, x)
            return jnp.sum(outputs * array(*outputs.shape)) + sum(losses), (outputs, updates)

        values = [v.value for v in block.variables]
        made.append(jax.grad(run, has_aux=True)(values, np.asarray(rows)))
        block(rows, training=True)  # at once, outside of any function: the moving means go on
        assert float(jnp.abs(block.norm.moving_mean.value).sum()) > 0
    for a, b in zip(*map(jax.tree.leaves, made), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-5)
    assert len(made[0][1][1]) == 2  # both moving statistics


def test_a_model_of_rematerialized_layers_is_trained_to_the_same_weights():
    losses = []
    for mode in (None, "full"):
        keryx.utils.set_random_seed(3)
        keryx.utils.clear_session()
        with keryx.RematScope(mode):
            model = keryx.Sequential([keryx.Input((6,)), layers.Dense(8, "tanh"), layers.BatchNormalization()])
        model.compile("adam", "mse")
        losses.append(model.fit(X, array(4, 8), epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_remat_of_a_function_within_a_layer():
    class Twice(keryx.Layer):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(6, "tanh")
            self.again = keryx.remat(self.dense)

        def call(self, x):
            return self.again(self.again(x))

    x = keryx.Input((6,))
    model = keryx.Model(x, Twice()(x))
    values = [v.value for v in model.weights]
    assert len(values) == 2
    assert str(jax.make_jaxpr(jax.grad(loss_of(model)))(values, X)).count("prevent_cse") >= 2
    with pytest.raises(ArgumentError, match=r"there is keryx\.RematScope"):
        keryx.remat(layers.Dense(2))(x)
    with pytest.raises(ConfigError, match="got 'half'"):
        keryx.RematScope("half")


# -- names, values, devices ----------------------------------------------------------------------------------------


def test_name_scopes_give_paths_as_in_keras():
    caller = object()
    for K, scoped in ((keryx, keryx.name_scope), (keras, keras.name_scope)):
        with scoped("a", caller=caller):
            with scoped("a", caller=caller):
                paths = [K.Variable(0.0, name="v").path]
            with scoped("b"):
                paths.append(K.Variable(0.0, name="v").path)
            with scoped("c", override_parent="x/y"):
                paths.append(K.Variable(0.0, name="v").path)
        paths.append(K.Variable(0.0, name="v").path)
        assert paths == ["a/v", "a/b/v", "x/y/c/v", "v"]
    with pytest.raises(ArgumentError, match="without '/'; got 'a/b'"):
        keryx.name_scope("a/b")


def test_a_name_scope_is_that_of_its_thread():
    found = []

    def make():
        with keryx.name_scope("other"):
            found.append(Variable(0.0, name="v").path)

    with keryx.name_scope("outer"):
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
    assert found == ["other/v"]


def test_a_stateless_scope_lends_values_and_collects_updates():
    norm = layers.BatchNormalization(momentum=0.5)
    norm.build((None, 6))
    mapping = [(norm.gamma, 2 * np.ones(6))]
    with keryx.StatelessScope(mapping, collect_losses=True) as lent:
        norm(X, training=True)
        lent.add_loss(1.0)
        lent.add_update((norm.beta, np.ones(6)))
    assert lent.losses == [1.0]
    np.testing.assert_array_equal(norm.moving_mean.numpy(), np.zeros(6))
    np.testing.assert_allclose(lent.get_current_value(norm.moving_mean), X.mean(0) / 2, rtol=1e-4)
    np.testing.assert_array_equal(lent.get_current_value(norm.gamma), 2 * np.ones(6))
    np.testing.assert_array_equal(lent.get_current_value(norm.beta), np.ones(6))
    assert lent.get_current_value(Variable(0.0)) is None
    with pytest.raises(ShapeError, match="got a value of"):
        keryx.StatelessScope([(norm.gamma, np.ones(3))])
    with pytest.raises(ArgumentError, match="pairs of a Variable"):
        keryx.StatelessScope([("gamma", np.ones(3))])


def test_devices_go_by_name():
    with keryx.device("cpu:0"), keryx.device(jax.devices()[0]), keryx.SymbolicScope():
        assert jnp.ones(2).devices() == {jax.devices("cpu")[0]}
    for name in ("cpu:99", "abacus:0", "cpu:x"):
        with pytest.raises(ConfigError, match=f"There is no device '{name}'. There are 'cpu:0'"):
            keryx.device(name)


# -- graphs without layers -----------------------------------------------------------------------------------------


def test_a_function_is_a_graph_between_tensors_as_in_keras():
    for K in (keryx, keras):
        a, b = K.KerasTensor((None, 6)), K.KerasTensor(shape=(None, 6), dtype="float32", name="b")
        function = K.Function({"a": a, "b": b}, [K.ops.sigmoid(a + b), a * 2])
        outputs = function({"a": X, "b": 2 * X})
        np.testing.assert_allclose(outputs[0], 1 / (1 + np.exp(-3 * X)), rtol=1e-5)
        np.testing.assert_allclose(outputs[1], 2 * X, rtol=1e-6)
        assert len(function.inputs) == len(function.outputs) == 2
        assert len(function.operations) == 3
        again = function({"a": K.KerasTensor((3, 6)), "b": K.KerasTensor((3, 6))})
        assert [tuple(x.shape) for x in again] == [(3, 6), (3, 6)]
    function = keryx.Function(a := keryx.KerasTensor((2,)), a + 1)
    with pytest.raises(ArgumentError, match="takes 'keras_tensor'; got 2 arrays"):
        function([X, X])
    with pytest.raises(ArgumentError, match=r"Function\(\) wants outputs"):
        keryx.Function(a, [])
    with pytest.raises(DataError, match="not among the model's inputs"):
        keryx.Function(a, keryx.KerasTensor((2,)) + 1)
    with pytest.raises(UndefinedError, match="has no config"):
        function.get_config()


def test_an_operation_of_ones_own_is_a_node():
    class Add(keryx.Operation):
        def __init__(self, amount, name=None):
            super().__init__(name)
            self.amount = amount

        def call(self, x, factor=1):
            return factor * x + self.amount

    class Told(Add):
        def compute_output_spec(self, x):
            return keryx.KerasTensor((7, 7), x.dtype)

    add = Add(2.0)
    x = keryx.Input((6,))
    model = keryx.Model(x, add(x, factor=3))
    np.testing.assert_allclose(model.predict(X, verbose=0), 3 * X + 2, rtol=1e-6)
    np.testing.assert_allclose(add(Variable(X)), X + 2, rtol=1e-6)
    assert add.output is model.output
    assert add.get_config() == {"amount": 2.0, "name": add.name}
    assert Told(1.0)(x).shape == (7, 7)
    again = keryx.Model.from_config(model.get_config(), {"Add": Add})
    np.testing.assert_allclose(again.predict(X, verbose=0), 3 * X + 2, rtol=1e-6)
    with pytest.raises(UndefinedError, match="was not called on symbolic tensors"):
        _ = Add(1.0).input
    with pytest.raises(NotImplementedError, match=r"wants a method call\(\)"):
        keryx.Operation()(X)
    with pytest.raises(ArgumentError, match="got 'a/b'"):
        keryx.Operation("a/b")


def test_symbolic_tensors_and_variables_take_keras_arguments():
    tensor = keryx.KerasTensor((None, 3), "int32", name="ids")
    assert (tensor.shape, tensor.dtype, tensor.name) == ((None, 3), "int32", "ids")
    assert isinstance(keryx.Input((3,)), keryx.KerasTensor)
    for word in ("sparse", "ragged"):
        with pytest.raises(DataError, match="no sparse and ragged"):
            keryx.KerasTensor((3,), **{word: True})
    variable = keryx.Variable(np.ones(2), None, "float32", True, False, "mean", "on_read", "v")
    assert (variable.name, variable.autocast, variable.aggregation) == ("v", False, "mean")
    assert variable.synchronization == "on_read"
    with pytest.raises(ConfigError, match="comes with training on many devices"):
        keryx.Variable(0.0, layout="x")
    assert keryx.version() == keryx.__version__


def test_an_input_spec_lets_a_last_axis_of_one_come_and_go():
    class Wants(keryx.Layer):
        def __init__(self, shape):
            super().__init__()
            self.input_spec = keryx.InputSpec(shape=shape, allow_last_axis_squeeze=True)

        def call(self, x):
            return x

    for spec, good in (((None, 6), (4, 6, 1)), ((None, 6, 1), (4, 6)), ((None, 6, 1), (4, 6, 1))):
        assert Wants(spec)(np.ones(good, "float32")).shape == good
    with pytest.raises(ShapeError, match="wants an input of 2 axes"):
        Wants((None, 6))(np.ones((4, 6, 2), "float32"))
    gc.collect()
