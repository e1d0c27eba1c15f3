"""Regularizers and constraints against Keras."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from keras import constraints as constraint_oracle
from keras import regularizers as regularizer_oracle

from keryx import constraints, regularizers
from keryx.errors import ConfigError, ShapeError

W = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
KERNEL = np.random.default_rng(1).normal(size=(2, 2, 3, 4)).astype("float32")

CASES = [
    (regularizers, regularizer_oracle, "L1", {}),
    (regularizers, regularizer_oracle, "L1", {"l1": 0.3}),
    (regularizers, regularizer_oracle, "L2", {}),
    (regularizers, regularizer_oracle, "L2", {"l2": 0.3}),
    (regularizers, regularizer_oracle, "L1L2", {}),
    (regularizers, regularizer_oracle, "L1L2", {"l1": 0.2, "l2": 0.3}),
    (regularizers, regularizer_oracle, "OrthogonalRegularizer", {}),
    (regularizers, regularizer_oracle, "OrthogonalRegularizer", {"factor": 2.0, "mode": "columns"}),
    (constraints, constraint_oracle, "NonNeg", {}),
    (constraints, constraint_oracle, "UnitNorm", {}),
    (constraints, constraint_oracle, "UnitNorm", {"axis": (0, 1)}),
    (constraints, constraint_oracle, "MaxNorm", {}),
    (constraints, constraint_oracle, "MaxNorm", {"max_value": 0.5, "axis": 1}),
    (constraints, constraint_oracle, "MinMaxNorm", {}),
    (
        constraints,
        constraint_oracle,
        "MinMaxNorm",
        {"min_value": 1.5, "max_value": 1.8, "rate": 0.4, "axis": 1},
    ),
]
IDS = [f"{name}-{i}" for i, (*_, name, _) in enumerate(CASES)]


@pytest.mark.parametrize(("ours", "theirs", "name", "arguments"), CASES, ids=IDS)
def test_values_and_gradients_are_those_of_keras(ours, theirs, name, arguments):
    own, wanted = getattr(ours, name)(**arguments), getattr(theirs, name)(**arguments)
    for w in [W] if name.startswith("Orthogonal") else [W, KERNEL]:
        w = jnp.asarray(w)
        np.testing.assert_allclose(own(w), wanted(w), rtol=1e-5, atol=1e-6)
        slope, wanted_slope = (jax.grad(lambda w, f=f: jnp.sum(f(w) ** 2))(w) for f in (own, wanted))
        np.testing.assert_allclose(slope, wanted_slope, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("ours", "theirs", "name", "arguments"), CASES, ids=IDS)
def test_configs_round_trip_and_are_those_of_keras(ours, theirs, name, arguments):
    own, wanted = getattr(ours, name)(**arguments), getattr(theirs, name)(**arguments)
    for key, value in wanted.get_config().items():
        assert own.get_config()[key] == (pytest.approx(value) if isinstance(value, float) else value)
    assert ours.deserialize(ours.serialize(own)).get_config() == own.get_config()
    assert type(ours.deserialize(theirs.serialize(wanted))) is type(own)
    assert ours.deserialize(ours.serialize(own))(jnp.asarray(W)).dtype == jnp.float32


@pytest.mark.parametrize("name", ["l1", "l2", "l1l2", "l1_l2", "L2", "orthogonal_regularizer"])
def test_names_of_regularizers(name):
    assert isinstance(regularizers.get(name), regularizers.Regularizer)


@pytest.mark.parametrize("name", ["max_norm", "min_max_norm", "non_neg", "unit_norm", "MaxNorm"])
def test_names_of_constraints(name):
    assert isinstance(constraints.get(name), constraints.Constraint)
    assert type(constraints.get(name)) is getattr(constraints, name)


def test_none_and_errors():
    assert regularizers.get(None) is constraints.get(None) is None
    assert regularizers.L1(None).l1 == 0.01
    with pytest.raises(ConfigError, match="There is no regularizer 'l3'"):
        regularizers.get("l3")
    with pytest.raises(ConfigError, match="l2 must be a finite number, 0 or above; got -1"):
        regularizers.L2(-1)
    with pytest.raises(ConfigError, match="mode is 'rows' or 'columns'; got 'diagonal'"):
        regularizers.OrthogonalRegularizer(mode="diagonal")
    with pytest.raises(ShapeError, match=r"wants a matrix; got shape \(2, 2, 3, 4\)"):
        regularizers.OrthogonalRegularizer()(KERNEL)
