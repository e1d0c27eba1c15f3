"""Activations against Keras: values, gradients, names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from keras import activations as oracle

from keryx import activations
from keryx.core.registered import custom_object_scope
from keryx.errors import ConfigError

X = np.concatenate([np.random.default_rng(0).normal(size=21) * 3, [0.0, -40.0, 40.0]]).reshape(4, 6).astype("float32")

NAMES = [name for name, thing in vars(oracle).items() if callable(thing) and not isinstance(thing, type)]
PLAIN = [name for name in NAMES if name not in ("get", "serialize", "deserialize", "threshold")]
CASES = [(name, {}) for name in PLAIN if name != "sparsemax"] + [
    ("relu", {"negative_slope": 0.1}),
    ("relu", {"max_value": 2.0}),
    ("relu", {"max_value": 6}),
    ("relu", {"threshold": 1.5}),
    ("relu", {"negative_slope": 0.3, "max_value": 6, "threshold": 0.0}),
    ("relu", {"negative_slope": 0.3, "max_value": 3.0, "threshold": -0.5}),
    ("relu", {"max_value": 6, "threshold": 1.0}),
    ("leaky_relu", {"negative_slope": 0.5}),
    ("elu", {"alpha": 0.5}),
    ("celu", {"alpha": 2.0}),
    ("gelu", {"approximate": True}),
    ("squareplus", {"b": 1}),
    ("soft_shrink", {"threshold": 1.0}),
    ("hard_shrink", {"threshold": 1.0}),
    ("threshold", {"threshold": 0.5, "default_value": 7.0}),
    ("softmax", {"axis": 0}),
    ("softmax", {"axis": (0, 1)}),
    ("log_softmax", {"axis": 0}),
    ("glu", {"axis": 0}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CASES)])
def test_values_and_gradients_are_those_of_keras(name, arguments):
    ours, theirs = getattr(activations, name), getattr(oracle, name)
    x = X.clip(-5, 5) if name == "exponential" else X
    weights = np.linspace(0.5, 2, X.size).reshape(X.shape).astype("float32")

    def weighted(function):
        def scalar(x):
            y = function(x, **arguments)
            return jnp.sum(y * weights[: y.shape[0], : y.shape[1]])

        return scalar

    np.testing.assert_allclose(ours(x, **arguments), theirs(x, **arguments), rtol=1e-5, atol=1e-5)
    slope, wanted = (jax.jit(jax.grad(weighted(f)))(x) for f in (ours, theirs))
    np.testing.assert_allclose(slope, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("axis", [-1, 0])
def test_sparsemax_is_the_nearest_point_of_the_simplex(axis):
    # Keras 3.15 adds up the cumulative sums: its rows do not sum to 1 where two classes or more are left.
    x = np.moveaxis(X / 3, axis, -1)
    low, high = x.min(-1, keepdims=True) - 1, x.max(-1, keepdims=True)
    for _ in range(60):
        middle = (low + high) / 2
        above = np.maximum(x - middle, 0).sum(-1, keepdims=True) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    wanted = np.moveaxis(np.maximum(x - low, 0), -1, axis)
    assert ((wanted > 0).sum(axis) > 1).any()
    np.testing.assert_allclose(activations.sparsemax(X / 3, axis), wanted, atol=1e-5)


@pytest.mark.parametrize("name", PLAIN)
def test_dtype_is_kept(name):
    assert getattr(activations, name)(jnp.asarray(X, jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.parametrize("name", PLAIN)
def test_names_round_trip(name):
    function = activations.get(name)
    assert function is getattr(activations, name)
    written = activations.serialize(function)
    assert written == oracle.serialize(oracle.get(name))
    assert activations.deserialize(written) is function


def test_get():
    assert activations.get(None) is activations.linear
    assert activations.get(jnp.sin) is jnp.sin
    with pytest.raises(ConfigError, match=r"There is no activation 'rleu'\. Did you mean 'relu'"):
        activations.get("rleu")
    with pytest.raises(ConfigError, match="Wanted the activation"):
        activations.get(3)


def test_custom_activations():
    def double(x):
        return 2 * x

    assert activations.serialize(double)["config"] == "double"
    with pytest.raises(ConfigError, match="cannot be written down"):
        activations.serialize(lambda x: 2 * x)
    assert activations.deserialize("double", {"double": double}) is double
    with custom_object_scope({"relu": double}):
        assert activations.get("relu") is double
