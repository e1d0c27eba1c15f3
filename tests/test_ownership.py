"""Who owns what: arrays, optimizer slots, metrics and programs stay with their owners, whatever is done in between."""

import gc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, DataError, StateError
from keryx.training import rescue

X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def network(**dense):
    inputs = keryx.Input((4,))
    outputs = layers.Dense(1, name="out")(layers.Dense(4, name="hidden", **dense)(inputs))
    return keryx.Model(inputs, outputs)


def trained(model, epochs=1, **options):
    model.compile(options.pop("optimizer", "sgd"), "mse", **options)
    model.fit(X, Y, epochs=epochs, verbose=0)
    return model


def test_a_model_that_lent_its_weights_keeps_them():
    net, target = network(), network()
    for v, w in zip(target.variables, net.variables, strict=True):
        v.assign(w)
    before = net.get_weights()
    trained(target)
    for a, b in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_arrays_given_to_set_weights_stay_the_users():
    model = network()
    given = [np.array(w) for w in model.get_weights()]
    held = [jnp.asarray(w) for w in given]
    model.set_weights(held)
    model.set_weights(given)
    kept = [w.copy() for w in given]
    trained(model)
    for a, b, c in zip(given, kept, held, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(np.asarray(c), b)


def aligned(shape):
    """Zeros that JAX can use without a copy."""
    size = int(np.prod(shape))
    memory = np.zeros(size + 16, np.float32)
    start = -memory.ctypes.data % 64 // 4
    return memory[start : start + size].reshape(shape)


@pytest.mark.parametrize("given", ["a value", "an initializer's", "assigned"])
def test_a_variable_does_not_share_its_array(given):
    host, start = aligned((4, 2)), np.zeros((4, 2), np.float32)
    shared = jax.device_put(host)
    for array in (host, shared):
        variable = Variable({"a value": array, "assigned": start}.get(given, lambda shape, dtype, a=array: a), (4, 2))
        if given == "assigned":
            variable.assign(array)
        assert variable._value.unsafe_buffer_pointer() != host.ctypes.data
    host[:] = 1
    np.testing.assert_array_equal(variable.numpy(), start)


def test_the_last_good_weights_are_copied_into_the_memory_of_those_before():
    model = trained(network())
    (kernel, *_), weights = model.trainable_variables, model.get_weights()
    with rescue.net(model.session) as net:
        net.kept = [aligned(v.shape) for v in model.variables]
        net.renew()
        first = list(net.kept)
        kernel.assign(kernel + 1)
        net.renew()
        assert all(a is b for a, b in zip(net.kept, first, strict=True))
        np.testing.assert_array_equal(first[0], weights[0] + 1)
        kernel.assign(kernel * np.nan)
        assert net.restore_bad() == [kernel.path]
        first[0][:] = 7
        np.testing.assert_array_equal(kernel.numpy(), weights[0] + 1)
    assert not net.kept


def test_each_fit_has_an_order_of_its_own():
    seen = []

    class Spy(layers.Layer):
        def call(self, inputs):
            jax.debug.callback(lambda x: seen.append(x[:, 0].tolist()), inputs)
            return inputs

    inputs = keryx.Input((4,))
    model = keryx.Model(inputs, layers.Dense(1)(Spy()(inputs)))
    model.compile("sgd", "mse")
    for _ in range(3):
        model.fit(X, Y, batch_size=4, steps_per_epoch=1, verbose=0)
    jax.effects_barrier()
    assert len({tuple(rows) for rows in seen}) == 3


def test_penalties_of_a_stateless_call_are_those_of_the_values_given():
    model = network(kernel_regularizer="l2")
    rest = [v.value for v in model.non_trainable_variables]

    def penalty(weights):
        _, _, losses = model.stateless_call(weights, rest, X, return_losses=True)
        return sum(losses)

    weights = [v.value for v in model.trainable_variables]
    gradients = jax.grad(penalty)(weights)
    np.testing.assert_allclose(gradients[0], 0.02 * weights[0], 1e-5)


def test_a_stateless_call_that_draws_wants_a_key_where_it_is_compiled():
    inputs = keryx.Input((4,))
    model = keryx.Model(inputs, layers.Dropout(0.5)(inputs))
    with pytest.raises(StateError, match="Give stateless_call a key="):
        jax.jit(lambda x: model.stateless_call([], [], x, training=True))(X)
    run = jax.jit(lambda x, key: model.stateless_call([], [], x, training=True, key=key)[0])
    one, other = run(X, jax.random.key(0)), run(X, jax.random.key(1))
    assert (one != other).any()


def test_a_step_that_fails_on_the_device_leaves_the_weights():
    class Failing(layers.Layer):
        def call(self, inputs, training=False):
            if not training:
                return inputs

            def fail(x):
                raise OSError("the device is gone")

            return jax.pure_callback(
                fail, jax.ShapeDtypeStruct(inputs.shape, inputs.dtype), jax.lax.stop_gradient(inputs)
            )

    inputs = keryx.Input((4,))
    model = keryx.Model(inputs, layers.Dense(1)(Failing()(inputs)))
    model.compile("sgd", "mse")
    before = model.get_weights()
    for step in (lambda: model.train_on_batch(X, Y), lambda: model.fit(X, Y, verbose=0)):
        with pytest.raises(Exception, match="the device is gone"):
            step()
        for a, b in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_thawed_layer_does_not_inherit_the_momentum_of_another():
    inputs = keryx.Input((4,))
    a, b = layers.Dense(4, use_bias=False), layers.Dense(4, use_bias=False)
    model = keryx.Model(inputs, b(a(inputs)))
    b.trainable = False
    model.compile(keryx.optimizers.SGD(0.1, momentum=0.9), "mse")
    model.fit(X, X, verbose=0)
    a.trainable, b.trainable = False, True
    before = b.get_weights()[0]
    model.fit(np.zeros_like(X), np.zeros_like(X), verbose=0)
    np.testing.assert_array_equal(before, b.get_weights()[0])


def test_an_optimizer_goes_on_after_compile_and_serves_one_model_after_another():
    model = trained(network(), optimizer=keryx.optimizers.Adam(0.01), epochs=2)
    count = model.optimizer.iterations
    trained(model, optimizer=model.optimizer)
    assert model.optimizer.iterations == count + 1
    other = keryx.Sequential([keryx.Input((4,)), layers.Dense(1)])
    trained(other, optimizer=model.optimizer)
    trained(model, optimizer=model.optimizer)


def test_one_metric_object_for_two_outputs_counts_each_alone():
    inputs = keryx.Input((4,))
    model = keryx.Model(inputs, [layers.Lambda(lambda x: x[:, :1] * 0, name=n)(inputs) for n in "ab"])
    model.compile("sgd", "mse", metrics=[keryx.metrics.MeanAbsoluteError(name="mae")])
    logs = model.evaluate(X, [Y * 0 + 1, Y * 0 + 100], verbose=0, return_dict=True)
    assert (logs["a_mae"], logs["b_mae"]) == (1, 100)


def test_a_graph_that_changes_after_compile():
    model = keryx.Sequential([keryx.Input((4,)), layers.Dense(1), layers.Activation("sigmoid")])
    model.compile("sgd", "mse")
    model.evaluate(X, Y, verbose=0)
    model.pop()
    by_hand = float(np.mean((model.predict(X, verbose=0) - Y) ** 2))
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(by_hand, rel=1e-5)
    model.add(layers.Dense(10))
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.add(layers.Dense(20))
    model.fit(X, np.full(16, 15), verbose=0)


@pytest.mark.parametrize("metric", ["R2Score", "F1Score"])
def test_metrics_that_make_their_variables_late(metric):
    inputs = keryx.Input((4,))
    model = keryx.Model(inputs, layers.Dense(3, activation="sigmoid")(inputs))
    model.compile("sgd", "mse", metrics=[getattr(keryx.metrics, metric)()])
    labels = np.eye(3, dtype="float32")[np.arange(16) % 3]
    model.fit(X, labels, verbose=0)
    model.train_on_batch(X, labels)


def test_a_fixed_batch_size_over_several_batches():
    inputs = keryx.Input(batch_shape=(8, 4))
    model = keryx.Model(inputs, layers.Dense(1)(inputs))
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=8, verbose=0)
    assert model.predict(X, batch_size=8, verbose=0).shape == (16, 1)


def test_what_a_nested_build_makes_is_no_tracer():
    class Positions(layers.Layer):
        def build(self, input_shape):
            self.positions = jnp.arange(input_shape[-1])

        def call(self, inputs):
            return inputs + self.positions

    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Positions()

        def call(self, inputs):
            return self.inner(inputs)

    inputs = keryx.Input((4,))
    model = keryx.Model(inputs, Outer()(inputs))
    np.testing.assert_allclose(model.predict(X, verbose=0), X + np.arange(4))


def test_an_update_cannot_leave_a_function_that_jax_compiles():
    normalization = layers.BatchNormalization()
    normalization(X)
    with pytest.raises(StateError, match="stateless_call"):
        jax.jit(lambda x: normalization(x, training=True))(X)
    assert all(np.isfinite(w).all() for w in normalization.get_weights())


def test_words_that_a_layer_takes_out_of_its_kwargs():
    class Mine(layers.Layer):
        def __init__(self, **kwargs):
            self.factor = kwargs.pop("factor")
            super().__init__(**kwargs)

    assert Mine(factor=3).factor == 3
    with pytest.raises(ArgumentError, match="no argument 'factr'"):
        Mine(factor=3, factr=2)


def test_lists_are_split_and_class_weights_are_a_dict():
    model = network()
    model.compile("sgd", "mse")
    model.fit(X.tolist(), Y.tolist(), validation_split=0.25, verbose=0)
    with pytest.raises(DataError, match="class_weight is a dict"):
        model.fit(X, Y, class_weight=[1.0, 2.0])


def test_a_frozen_model_says_so():
    model = network()
    model.trainable = False
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="no weight that is trained"):
        model.fit(X, Y, verbose=0)


def test_models_over_a_backbone_go_when_nobody_holds_them():
    inputs = keryx.Input((4,))
    backbone = layers.Dense(2)(inputs)
    model = keryx.Model(inputs, layers.Dense(1)(backbone))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_a_step_of_a_loop_of_ones_own():
    model, optimizer = network(), keryx.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)
    weights = [v.value for v in model.trainable_variables]
    grads = [jnp.ones_like(w) for w in weights]
    new, slots = jax.jit(optimizer.stateless_apply)([jnp.asarray(v) for v in optimizer.variables], grads, weights)
    assert len(slots) == len(optimizer.variables)
    np.testing.assert_allclose(new[0], weights[0] - 0.01, atol=1e-5)


def test_activations_take_symbols():
    x = keryx.Input((4,))
    model = keryx.Model(x, keryx.activations.gelu(keryx.activations.get("relu")(x)))
    np.testing.assert_allclose(model.predict(X), keryx.activations.gelu(keryx.activations.relu(X)), 1e-5, 1e-6)
