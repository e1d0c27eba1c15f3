"""Sequential: compiled as a functional model is, and not bound to the first shape that came."""

import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.errors import ArgumentError, ShapeError


def images(side, rows=2):
    return np.random.default_rng(side).random((rows, side, side, 3), np.float32)


def convolutional():
    return keryx.Sequential([layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(2)])


class AddUp(layers.Layer):
    """The sum of a nest."""

    def call(self, inputs):
        values = inputs.values() if isinstance(inputs, dict) else inputs
        return sum(values)


def test_a_call_runs_as_one_compiled_program():
    traced = []

    class Noting(layers.Layer):
        def call(self, inputs):
            traced.append(type(inputs).__name__)
            return inputs

    model = keryx.Sequential([keryx.Input((3,)), Noting(), layers.Dense(2)])
    x = np.ones((4, 3), np.float32)
    model(x)
    traced.clear()
    model(x)
    assert traced == []


def test_a_call_of_ones_own_runs_as_it_is_written():
    class Twice(keryx.Sequential):
        def call(self, inputs, training=None, mask=None):
            return 2 * super().call(inputs, training=training)

    model = Twice([keryx.Input((3,)), layers.Dense(2, kernel_initializer="ones")])
    assert np.allclose(model(np.ones((1, 3), np.float32)), 6)


def test_other_sizes_than_the_first_are_taken():
    model = convolutional()
    model.compile("sgd", "mse")
    model(images(32))
    assert model(images(48)).shape == (2, 2)
    assert model.predict(images(20), verbose=0).shape == (2, 2)
    model.fit(images(16, 8), np.zeros((8, 2)), verbose=0)
    assert np.allclose(model.predict(images(40), verbose=0), model(images(40)), atol=1e-6)
    assert model.input_shape == (None, 32, 32, 3)


def test_an_input_that_was_declared_holds():
    model = keryx.Sequential([keryx.Input((32, 32, 3)), layers.Conv2D(4, 3)])
    with pytest.raises(ShapeError, match=r"wants \(batch, 32, 32, 3\); got \(2, 48, 48, 3\)"):
        model(images(48))


def test_a_size_that_a_layer_is_built_for_holds():
    model = keryx.Sequential([layers.Flatten(), layers.Dense(2)])
    model(np.ones((1, 3, 3)))
    with pytest.raises(ShapeError, match="wants an input of 9 in axis -1"):
        model(np.ones((1, 4, 3)))
    with pytest.raises(ShapeError, match="wants"):
        model(np.ones((1, 3)))


def test_copies_take_other_sizes_too():
    model = convolutional()
    model(images(32))
    again = keryx.Sequential.from_config(model.get_config())
    for other in (again, keryx.models.clone_model(model)):
        assert other.built
        assert other(images(48)).shape == (2, 2)


@pytest.mark.parametrize("nest", [dict, list])
def test_a_nest_goes_to_the_first_layer_as_it_is(nest):
    a, b = np.ones((4, 3), np.float32), np.full((4, 3), 2, np.float32)
    x = {"a": a, "b": b} if nest is dict else [a, b]
    model = keryx.Sequential([AddUp(), layers.Dense(2, kernel_initializer="ones")])
    assert np.allclose(model(x), 9)
    model.compile("sgd", "mse")
    assert np.allclose(model.predict(x, verbose=0), 9)
    model.fit(x, np.zeros((4, 2)), verbose=0)
    assert not np.allclose(model.predict(x, verbose=0), 9)


def test_a_nest_of_symbols_goes_there_too():
    inputs = {name: keryx.Input((3,), name=name) for name in "ab"}
    model = keryx.Model(inputs, keryx.Sequential([AddUp(), layers.Dense(2, kernel_initializer="ones")])(inputs))
    assert np.allclose(model.predict({"a": np.ones((1, 3)), "b": np.ones((1, 3))}, verbose=0), 6)


def test_without_layers_there_is_nothing_to_call():
    model = keryx.Sequential()
    with pytest.raises(ArgumentError, match="no layers yet"):
        model(np.ones((1, 3)))
    model.add(layers.Dense(2))
    assert model(np.ones((1, 3))).shape == (1, 2)


def test_a_layer_that_is_added_counts_after_the_model_ran():
    model = keryx.Sequential([keryx.Input((3,)), layers.Dense(3)])
    x = np.ones((1, 3), np.float32)
    before = model(x)
    model.add(layers.Lambda(lambda x: 2 * x))
    assert np.allclose(model(x), 2 * before)
    model.pop()
    assert np.allclose(model(x), before)


def test_what_a_graph_has_is_there_once_there_is_a_graph():
    model = keryx.Sequential([layers.Dense(2)])
    for word in ("inputs", "outputs", "input", "output", "input_shape", "output_shape"):
        assert not hasattr(model, word)
        assert not hasattr(keryx.Sequential(), word)
        assert not hasattr(keryx.Model(), word)
    model.build((None, 3))
    assert [symbol.shape for symbol in (*model.inputs, *model.outputs)] == [(None, 3), (None, 2)]
