"""Optimizers at the edges: gradients that are missing, settings out of range, what there is before the first step."""

import keras
import numpy as np
import pytest

import keryx
from keryx import optimizers
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ConfigError

SETTINGS = [
    ("Ftrl", "initial_accumulator_value", -1.0),
    ("Ftrl", "l1_regularization_strength", -1.0),
    ("Ftrl", "l2_regularization_strength", -1.0),
    ("Ftrl", "l2_shrinkage_regularization_strength", -1.0),
    ("Ftrl", "learning_rate_power", 1.0),
    ("Lion", "beta_1", 0.0),
    ("Lion", "beta_1", -1.0),
    ("Lion", "beta_1", 1.5),
]


@pytest.mark.parametrize(("name", "word", "value"), SETTINGS)
def test_settings_out_of_range(name, word, value):
    with pytest.raises(ValueError, match=word):
        getattr(keras.optimizers, name)(**{word: value})
    with pytest.raises(ConfigError, match=f"{word}.* got {value}"):
        getattr(optimizers, name)(**{word: value})


@pytest.mark.parametrize("make", [lambda m: m.SGD(0.5, momentum=0.9), lambda m: m.Adam(0.5), lambda m: m.Ftrl(0.5)])
@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_a_variable_without_a_gradient_stays_as_it_is(make):
    steps = [(None, [1.0, 2.0]), ([1.0, 1.0], None), ([0.5, 1.0], [2.0, 1.0])]

    def run(module, optimizer):
        a, b = module.Variable(np.ones(2, "float32")), module.Variable(np.ones(2, "float32"))
        for gradients in steps:
            gradients = [None if g is None else np.array(g, "float32") for g in gradients]
            optimizer.apply_gradients(zip(gradients, (a, b), strict=True))
        return np.asarray(a.value), np.asarray(b.value)

    want = run(keras, make(keras.optimizers))
    with pytest.warns(UserWarning, match="No gradient came for 'variable'"):
        got = run(keryx, make(optimizers))
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_no_gradient_at_all_is_an_error():
    with pytest.raises(ArgumentError, match="got None for each of 'w'"):
        optimizers.SGD().apply_gradients([(None, keryx.Variable(np.ones(2), name="w"))])


def test_what_an_optimizer_holds_before_it_has_weights():
    optimizer = optimizers.SGD(0.5)
    assert not optimizer.built
    assert [float(v) for v in optimizer.variables] == [0, 0.5]
    optimizer.build([keryx.Variable(np.ones(2))])
    assert optimizer.built


def test_apply_wants_a_gradient_for_each_variable():
    w = Variable(np.ones(2))
    with pytest.raises(ArgumentError, match="a gradient for each variable: 1; got 2"):
        optimizers.SGD().apply([np.ones(2), np.ones(2)], [w])
    np.testing.assert_array_equal(w.numpy(), np.ones(2))


@pytest.mark.parametrize(
    ("gradients", "said"),
    [
        ([np.ones(2), np.ones(2)], "wants a gradient for each variable: 1; got 2"),
        ([np.ones(3)], r"The gradient of 'w' has the variable's shape, \(2,\); got \(3,\)"),
    ],
)
def test_gradients_that_do_not_fit_their_variables(gradients, said):
    weight = keryx.Variable(np.ones(2), name="w")
    with pytest.raises(ValueError, match=said):
        keryx.optimizers.SGD().apply(gradients, [weight])
    np.testing.assert_array_equal(weight.value, 1)
