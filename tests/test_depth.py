"""Deep and deeply nested models: what walks a graph is neither recursive nor slower than linear."""

import numpy as np

import keryx
from keryx import layers


def chain(depth):
    x = inputs = keryx.Input((4,))
    for _ in range(depth):
        x = layers.Dense(4)(x)
    return keryx.Model(inputs, x)


def nested(depth, calls=None):
    class Counting(layers.Layer):
        def call(self, x):
            if calls is not None:
                calls.append(1)
            return x + 1

    inputs = keryx.Input((4,))
    model = keryx.Model(inputs, Counting()(inputs))
    for _ in range(depth):
        inputs = keryx.Input((4,))
        model = keryx.Model(inputs, model(inputs))
    return model


def test_two_thousand_layers_are_built_and_run():
    model = chain(2000)
    assert len(model.layers) == 2001
    assert len(model.get_config()["layers"]) == 2001
    assert model.predict(np.ones((2, 4), np.float32), verbose=0).shape == (2, 4)


def test_a_sequential_grows_without_another_walk_over_all_layers(monkeypatch):
    walked = []
    ordered = keryx.core.graph._in_order
    monkeypatch.setattr(keryx.core.graph, "_in_order", lambda *ends: walked.append(1) or ordered(*ends))
    model = keryx.Sequential([keryx.Input((4,))])
    for _ in range(50):
        model.add(layers.Dense(4))
    assert len(walked) <= 2
    assert model.predict(np.ones((2, 4), np.float32), verbose=0).shape == (2, 4)


def test_models_are_nested_150_deep():
    model = nested(150)
    model.compile("sgd", "mse")
    x = np.ones((2, 4), np.float32)
    assert np.allclose(model.predict(x, verbose=0), 2)
    model.evaluate(x, x, verbose=0)
    assert model.count_params() == 0


def test_clones_of_models_that_are_nested_150_deep():
    model = nested(150)
    clone = keryx.models.clone_model(model)
    x = np.ones((2, 4), np.float32)
    assert np.allclose(clone(x), 2)
    assert not {id(layer) for layer in clone.layers} & {id(layer) for layer in model.layers}


def test_a_model_that_is_nested_is_not_traced_again_at_each_level():
    calls = []
    nested(20, calls)
    assert len(calls) <= 2


def test_a_nested_model_is_traced_for_another_shape():
    inner_inputs = keryx.Input((None, 4))
    inner = keryx.Model(inner_inputs, layers.Conv1D(2, 3)(inner_inputs))
    assert inner(keryx.Input((10, 4))).shape == (None, 8, 2)
    assert inner(keryx.Input((None, 4))).shape == (None, None, 2)
