"""Members of layers and models that programs for Keras ask for, beside Keras."""

import inspect
import json

import jax
import keras
import numpy as np
import pytest

import keryx
from keryx import errors

BOTH = [keryx, keras]
X, Y = np.random.default_rng(0).normal(size=(8, 3)).astype("float32"), np.ones((8, 1), "float32")


def model_of(K):
    K.utils.clear_session()
    layers = [K.Input((3,), name="x"), K.layers.Dense(4, "tanh", name="first", kernel_regularizer="l2")]
    model = K.Sequential([*layers, K.layers.BatchNormalization(name="norm"), K.layers.Dense(1, name="last")], name="m")
    model.set_weights([np.random.default_rng(i).uniform(0.2, 1, w.shape) for i, w in enumerate(model.weights)])
    model.compile(K.optimizers.SGD(0.1, momentum=0.9), "mse", metrics=["mae"])
    model.fit(X, Y, batch_size=4, shuffle=False, verbose=0)
    return model


def test_state_trees_are_those_of_keras():
    ours, theirs = (model_of(K).get_state_tree() for K in BOTH)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-5)
    assert isinstance(model_of(keryx).get_state_tree()["trainable_variables"]["m"]["last"]["bias"], jax.Array)


def test_a_state_tree_is_put_back():
    model = model_of(keryx)
    tree = model.get_state_tree()
    model.fit(X, Y, verbose=0)
    changed = model.get_state_tree()
    assert not np.allclose(
        jax.tree.leaves(tree["trainable_variables"])[0], jax.tree.leaves(changed["trainable_variables"])[0]
    )
    model.set_state_tree(tree)
    for a, b in zip(jax.tree.leaves(tree), jax.tree.leaves(model.get_state_tree()), strict=True):
        np.testing.assert_array_equal(a, b)
    model.set_state_tree({"trainable_variables": {"m": {"last": {"bias": np.array([7.0])}}}})
    assert model.get_layer("last").bias.value.item() == 7


def tree_of(**last):
    return {"trainable_variables": {"m": {"last": last}}}


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"trainable": {}}, "A state tree has no 'trainable'.* 'trainable_variables'"),
        (
            {"trainable_variables": {"m": {"last": {"bias": np.zeros(1), "kernal": np.zeros(1)}}}},
            "no variable 'm/last/kernal'",
        ),
        (
            {"trainable_variables": {"m": {"last": {"bias": np.zeros(1), "kernel": np.zeros((2, 2))}}}},
            r"\(4, 1\).*\(2, 2\)",
        ),
    ],
)
def test_a_wrong_state_tree_changes_nothing(tree, said):
    model = model_of(keryx)
    before = model.get_weights()
    with pytest.raises(errors.KeryxError, match=said):
        model.set_state_tree(tree)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_two_variables_of_one_path_have_no_tree():
    with keryx.name_scope("here"):
        model = keryx.Sequential([keryx.Input((2,)), keryx.layers.Dense(2, name="a"), keryx.layers.Dense(2, name="b")])
    model.layers[1].kernel.path = model.layers[0].kernel.path
    with pytest.raises(errors.DataError, match=r"take model\.named_variables"):
        model.get_state_tree()


def test_a_layer_as_a_pure_function():
    got = []
    for K in BOTH:
        layer = K.layers.BatchNormalization(momentum=0.5)
        layer.build((None, 3))
        outputs, rest = layer.stateless_call(layer.trainable_variables, layer.non_trainable_variables, X, training=True)
        got.append([np.asarray(a) for a in (outputs, *rest)])
        assert np.all(np.asarray(layer.moving_mean) == 0)
    for ours, theirs in zip(*got, strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-5, 1e-5)
    with pytest.raises(errors.StateError, match="is not built"):
        keryx.layers.Dense(2).stateless_call([], [], X)
    layer = keryx.layers.Dense(2)
    layer.build((None, 3))
    with pytest.raises(errors.ShapeError, match="wants 2 values in trainable_variables, one a variable; got 1"):
        layer.stateless_call([layer.kernel], [], X)


def test_the_loss_as_a_pure_function():
    got = []
    for K in BOTH:
        model = model_of(K)
        groups = [[np.asarray(v) for v in part] for part in
                  (model.trainable_variables, model.non_trainable_variables, model.metrics_variables)]  # fmt: skip
        loss, after = model.stateless_compute_loss(*groups, x=X, y=Y, y_pred=np.zeros((8, 1), "float32"))
        assert [len(part) for part in after] == [len(part) for part in groups]
        got.append(np.asarray(loss))
    np.testing.assert_allclose(*got, rtol=1e-5)


def test_where_a_layer_stands():
    for K in BOTH:
        model = model_of(K)
        assert model.get_layer("first").path == "m/first"
        assert K.layers.Dense(2).path is None
        assert model.get_layer("first").input_dtype == K.layers.Dense(2, dtype="float32").input_dtype == "float32"
        assert K.layers.Dense(2).quantization_mode is None


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
def test_what_a_layer_was_called_on_by_name():
    for K in BOTH:
        x = K.Input((3,), name="x")
        layer = K.layers.Dense(2)
        layer(inputs=x)
        assert layer.input is x
    x = keryx.Input((3,))
    assert keryx.Model(x, keryx.layers.Dense(2)(x)).layers[0].input is x


@pytest.mark.parametrize(
    ("make", "shapes"),
    [
        (lambda K: K.layers.Dense(3), {"input_shape": (None, 4)}),
        (lambda K: K.layers.LSTM(3, return_sequences=True), {"sequences_shape": (None, 5, 4)}),
        (lambda K: K.layers.MultiHeadAttention(2, 3), {"query_shape": (2, 4, 3), "value_shape": (2, 5, 3)}),
        (lambda K: K.layers.Concatenate(), {"input_shape": [(None, 4), (None, 2)]}),
        (lambda K: K.Sequential([K.layers.Dense(3)]), {"input_shape": (None, 4)}),
    ],
)
def test_shapes_by_name(make, shapes):
    ours, theirs = (make(K).compute_output_shape(**shapes) for K in BOTH)
    assert ours == theirs


def test_shapes_by_a_name_that_there_is_not():
    with pytest.raises(errors.ArgumentError, match=r"the shapes of 'inputs'.* got 'key_shape'"):
        keryx.layers.Dense(2).compute_output_shape(key_shape=(1, 2))
    with pytest.raises(errors.ArgumentError, match="the first as input_shape"):
        keryx.layers.Dense(2).compute_output_shape((1, 2), input_shape=(1, 2))


def test_what_subclasses_of_callbacks_and_initializers_ask_for():
    for K in BOTH:
        assert K.callbacks.EarlyStopping("loss").get_monitor_value({"loss": 2.0}) == 2
        callback = K.callbacks.ReduceLROnPlateau("loss", cooldown=2)
        assert not callback.in_cooldown()
        callback.cooldown_counter = 1
        assert callback.in_cooldown()
        drawn = K.initializers.HeNormal(seed=3)
        assert drawn.clone() is not drawn
        np.testing.assert_array_equal(drawn.clone()((2, 3)), drawn((2, 3)))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
def test_the_state_of_an_optimizer_is_set():
    for K in BOTH:
        optimizer, variable = K.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.5), K.Variable(np.ones(2))
        optimizer.build([variable])
        optimizer.apply([K.ops.ones(2)])
        optimizer.apply([K.ops.ones(2)])
        assert optimizer.iterations.value == 2
        optimizer.finalize_variable_values([variable])
        np.testing.assert_allclose(variable.value, 0.25)
        optimizer.set_weights([np.zeros(v.shape) for v in optimizer.variables])
        assert int(optimizer.iterations) == float(optimizer.learning_rate) == 0
    optimizer = keryx.optimizers.SGD()
    with pytest.raises(errors.ShapeError, match="keeps 2 variables; got 0"):
        optimizer.set_weights([])


def test_metrics_of_a_layer():
    class Watched(keryx.Layer):
        def __init__(self):
            super().__init__()
            self.seen = keryx.metrics.Mean(name="seen")

    layer = Watched()
    assert layer.metrics == [layer.seen]
    assert layer.metrics_variables == layer.seen.variables
    with pytest.raises(errors.ArgumentError, match=r"add_metric\(\) is gone since Keras 3"):
        layer.add_metric(1.0)
    assert layer.add_variable((2,), name="v").shape == (2,)


def test_a_symbolic_call_is_not_written_down():
    layer = keryx.layers.Dense(2)
    assert layer.symbolic_call(keryx.Input((3,))).shape == (None, 2)
    assert not layer.nodes


def test_names_that_have_nothing_to_do():
    model = model_of(keryx)
    assert [f() for f in (model.make_train_function, model.make_test_function, model.jax_state_sync)] == [None] * 3
    assert model.make_predict_function(force=True) is None
    assert model.jit_compile
    with pytest.raises(errors.ArgumentError, match="quantization is a work of its own"):
        model.get_quantization_layer_structure()


@pytest.mark.parametrize("name", ["compile", "fit", "predict"])
def test_who_inspects_a_method_sees_the_arguments_that_it_takes(name):
    """Tools leave out what a method does not take; one that swallowed all, and refused it, would mislead them."""
    ours, theirs = (list(inspect.signature(getattr(K.Model, name)).parameters.values()) for K in BOTH)
    assert not any(argument.kind is argument.VAR_KEYWORD for argument in ours)
    assert [argument.name for argument in ours][: len(theirs)] == [argument.name for argument in theirs]
    bound = inspect.signature(getattr(keryx.Sequential(), name)).parameters
    assert "self" not in bound
    assert len(bound) == len(ours) - 1


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
@pytest.mark.parametrize("declared", [True, False])
def test_a_sequential_is_built_from_what_another_says_of_its_build(declared):
    """A tuner keeps it as JSON beside the weights of a trial, and builds a new model from both."""
    for K in BOTH:
        first = [K.Input((3,))] if declared else []
        model, again = (K.Sequential([*first, K.layers.Dense(4), K.layers.Dense(1)]) for _ in range(2))
        model(X)
        config = json.loads(json.dumps(model.get_build_config()))
        assert config["input_shape"][1:] == [3]
        again.build_from_config(config)
        again.build_from_config(config)
        assert [w.shape for w in again.weights] == [(3, 4), (4,), (4, 1), (1,)]
        np.testing.assert_allclose(again(X).shape, (8, 1))


def test_what_was_not_built_is_not_built_from_it():
    for K in BOTH:
        layer, stack = K.layers.Dense(2), K.Sequential([K.layers.Dense(2)])
        x = K.Input((3,))
        graph = K.Model(x, K.layers.Dense(2)(x))
        for one in (layer, stack, graph):
            one.build_from_config(json.loads(json.dumps(one.get_build_config())))
        assert [one.built for one in (layer, stack, graph)] == [False, False, True]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
def test_the_steps_of_an_optimizer_are_read_as_a_variable_is():
    for K in BOTH:
        optimizer = model_of(K).optimizer
        assert int(optimizer.iterations.numpy()) == int(optimizer.iterations) == 2
        assert optimizer.iterations == optimizer.iterations.value == 2


def test_a_mask_is_an_attribute_of_its_tensor():
    ids = np.array([[3, 2, 0], [1, 0, 0]])
    for K in BOTH:
        embedding = K.layers.Embedding(5, 4, mask_zero=True)
        np.testing.assert_array_equal(embedding(ids)._keras_mask, ids != 0)
        x = K.Input((3,), dtype="int32")
        mask = embedding(x)._keras_mask
        assert (mask.shape, mask.dtype) == ((None, 3), "bool")
        features = K.Input((3, 2))
        model = K.Model([x, features], K.layers.GlobalAveragePooling1D()(features, mask=mask))
        means = model.predict([ids, np.arange(12.0).reshape(2, 3, 2)], verbose=0)
        np.testing.assert_array_equal(means, [[1, 2], [6, 7]])
    assert keryx.layers.Dense(2)(keryx.Input((3,)))._keras_mask is None


def by_hand(K):
    """A model whose build is called by hand, with a dict of shapes, as BayesFlow's are."""

    class ByHand(K.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.first, self.second = K.layers.Dense(4), K.layers.Dense(1)

        def build(self, data_shapes):
            self.first.build(data_shapes["x"])
            self.second.build((*data_shapes["x"][:-1], 4))

        def call(self, data):
            return self.second(self.first(data["x"]))

    return K.saving.register_keras_serializable("by_hand")(ByHand)()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
def test_what_was_built_by_hand_is_loaded_as_it_was_built(tmp_path):
    for K in BOTH:
        model = by_hand(K)
        model.build({"x": (None, 3)})
        assert model.get_build_config() == {"input_shape": {"x": (None, 3)}}
        model.save(tmp_path / "m.keras")
        again = K.models.load_model(tmp_path / "m.keras")
        for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_build_by_hand_with_several_shapes_says_them_all():
    for K in BOTH:

        class Two(K.layers.Layer):
            def build(self, a, b=None):
                self.w = self.add_weight((a[-1], b[-1]))

        layer = Two()
        layer.build((None, 2), b=(None, 3))
        assert layer.get_build_config() == {"shapes_dict": {"a": (None, 2), "b": (None, 3)}}
        again = Two()
        again.build_from_config(layer.get_build_config())
        assert again.w.shape == (2, 3)
