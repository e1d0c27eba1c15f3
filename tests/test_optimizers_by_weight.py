"""Optimizers that are written by Keras's contract: build() adds variables, update_step() assigns."""

import copy
import warnings

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import keryx
from keryx.errors import ArgumentError, StateError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
BOTH = [keryx, keras]
X, Y = (np.random.default_rng(i).normal(size=(20, n)).astype("float32") for i, n in enumerate((4, 2)))


def heavy(K):
    """Momentum that reads the count of the steps, and counts the weights."""

    class Heavy(K.optimizers.Optimizer):
        def __init__(self, learning_rate=0.05, momentum=0.9, name="heavy", **kwargs):
            super().__init__(learning_rate=learning_rate, name=name, **kwargs)
            self.momentum = momentum

        def build(self, variables):
            if self.built:
                return
            super().build(variables)
            self.speeds = []
            for variable in variables:
                self.speeds.append(self.add_variable_from_reference(variable, name="speed"))
            self.count = self.add_variable((), name="count", initializer="ones")

        def update_step(self, gradient, variable, learning_rate):
            rate = K.ops.cast(learning_rate, variable.dtype)
            t = K.ops.cast(self.iterations + 1, variable.dtype)
            speed = self.speeds[self._get_variable_index(variable)]
            self.assign(speed, self.momentum * speed + gradient)
            self.assign_add(self.count, 1.0)
            self.assign_sub(variable, rate * speed / K.ops.sqrt(t))

        def get_config(self):
            return super().get_config() | {"momentum": self.momentum}

    return K.saving.register_keras_serializable("by_weight")(Heavy)


OURS, THEIRS = map(heavy, BOTH)


def model_of(K, optimizer):
    K.utils.clear_session()
    model = K.Sequential([K.Input((4,)), K.layers.Dense(3, "tanh"), K.layers.Dense(2)])
    model.set_weights([np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(model.get_weights())])
    model.compile(optimizer, "mse")
    return model


def fitted(model, epochs=3):
    return model.fit(X, Y, batch_size=6, epochs=epochs, shuffle=False, verbose=0).history["loss"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.5, "weight_decay": 0.1, "clipnorm": 0.5},
        {"gradient_accumulation_steps": 2},
        {"use_ema": True, "ema_overwrite_frequency": 2},
    ],
    ids=str,
)
def test_fit_gives_the_numbers_of_keras(options):
    models = [model_of(K, cls(**options)) for K, cls in zip(BOTH, (OURS, THEIRS), strict=True)]
    np.testing.assert_allclose(*map(fitted, models), rtol=1e-4)
    for ours, theirs in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-4, 1e-5)
    ours, theirs = (model.optimizer for model in models)
    assert float(ours.count.value) == float(theirs.count.value) > 1
    for one, other in zip(ours.speeds, theirs.speeds, strict=True):
        np.testing.assert_allclose(one.value, other.value, 1e-4, 1e-5)
        assert one.path == other.path
    assert {v.path for v in ours.variables} >= {one.path for one in theirs.speeds}


@pytest.mark.parametrize("schedule", [True, False])
def test_a_loop_of_ones_own(schedule):
    got = []
    for K, cls in zip(BOTH, (OURS, THEIRS), strict=True):
        rate = K.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5) if schedule else 0.1
        optimizer, variables = cls(rate), [K.Variable(np.ones(n), name=str(n)) for n in (2, 3)]
        for i in range(3):
            gradients = [K.ops.ones(2) * i, None if i == 1 else K.ops.ones(3)]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of the gradient that is missing
                optimizer.apply(gradients, variables)
        got.append([np.asarray(v.value) for v in (*variables, *optimizer.speeds)])
    for ours, theirs in zip(*got, strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-5)


@pytest.mark.parametrize("other", BOTH, ids=["keryx", "keras"])
def test_a_file_keeps_what_the_rule_keeps(tmp_path, other):
    model = model_of(other, (OURS if other is keryx else THEIRS)())
    fitted(model)
    model.save(tmp_path / "m.keras")
    again = keryx.models.load_model(tmp_path / "m.keras", custom_objects={"Heavy": OURS})
    np.testing.assert_allclose(fitted(again), fitted(model), rtol=1e-4)
    if other is keryx:
        theirs = keras.models.load_model(tmp_path / "m.keras", custom_objects={"Heavy": THEIRS})
        model = keryx.models.load_model(tmp_path / "m.keras")
        np.testing.assert_allclose(fitted(theirs), fitted(model), rtol=1e-4)


def test_copies_go_on_alike():
    model = model_of(keryx, OURS())
    fitted(model)
    other = copy.deepcopy(model)
    assert fitted(other) == fitted(model)
    for one, same in zip(other.optimizer.speeds, model.optimizer.speeds, strict=True):
        assert one is not same
        np.testing.assert_array_equal(one.value, same.value)


def test_other_weights_are_a_new_beginning():
    model = model_of(keryx, OURS())
    fitted(model)
    model.layers[0].trainable = False
    model.compile(model.optimizer, "mse")
    frozen = model.layers[0].get_weights()
    fitted(model)
    np.testing.assert_array_equal(frozen[0], model.layers[0].get_weights()[0])
    assert [v.shape for v in model.optimizer.speeds] == [(3, 2), (2,)]
    assert float(model.optimizer.count.value) == 1 + 12 * 2


def test_within_a_scale_and_beside_another():
    losses = []
    for around in (lambda one: one, lambda one: keryx.optimizers.LossScaleOptimizer(one, initial_scale=8.0)):
        losses.append(fitted(model_of(keryx, around(OURS()))))
    np.testing.assert_allclose(*losses, rtol=1e-5)
    mine, sgd = OURS(), keryx.optimizers.SGD(0.1)
    both = keryx.optimizers.MultiOptimizer(lambda variable: mine if variable.name == "kernel" else sgd)
    before = (model := model_of(keryx, both)).get_weights()
    fitted(model)
    assert all(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_variables_of_several_names():
    class Three(keryx.optimizers.Optimizer):
        def __init__(self):
            super().__init__(0.1)
            self.calls = self.add_variable((), dtype="int32")  # before any weight is known

        def build(self, variables):
            super().build(variables)
            self.low, self.high = self.add_optimizer_variables(variables, ["low", "high"], ["zeros", "ones"])
            self.again = [self.add_variable_from_reference(v, "low") for v in variables]

        def update_step(self, gradient, variable, learning_rate):
            i = self._get_variable_index(variable)
            self.calls.assign_add(1)
            self.low[i].assign(gradient)
            self.high[i].assign_add(self.again[i] + self.learning_rate)
            self.again[i].assign(gradient * 2)

    optimizer, w = Three(), keryx.Variable(np.ones(1))
    for _ in range(2):
        optimizer.apply([jnp.ones(1)], [w])
    kept = (optimizer.calls, optimizer.low[0], optimizer.high[0], optimizer.again[0])
    np.testing.assert_allclose([float(jnp.squeeze(v.value)) for v in kept], [2, 1, 3.2, 2])
    assert float(w[0]) == 1


def test_what_it_cannot_do_is_said():
    class Double(keryx.optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(2 * gradient, variable, learning_rate)

    class Wrong(keryx.optimizers.Optimizer):
        def build(self, variables):
            super().build(variables)
            self.add_variable_from_reference(keryx.Variable(1.0))

        def update_step(self, gradient, variable, learning_rate): ...

    w = keryx.Variable(np.ones(1))
    with pytest.raises(NotImplementedError, match="no step above it to go on from"):
        Double().apply([np.ones(1)], [w])
    with pytest.raises(ArgumentError, match=r"one of the variables that build\(\) is given"):
        Wrong(0.1).apply([np.ones(1)], [w])
    with pytest.raises(StateError, match=r"call build\(variables\) before the first step"):
        OURS().init([jnp.ones(1)])


def with_an_apply(K, base):
    """Gradients around their mean, and a decay that depends on the count of the steps."""

    class Centred(base):
        def apply(self, grads, trainable_variables=None):
            trainable_variables = self._trainable_variables if trainable_variables is None else trainable_variables
            for variable in trainable_variables:
                t = K.ops.cast(self.iterations + 1, variable.dtype)
                self.assign(variable, variable * (1 - 0.1 * self.learning_rate / t))
            super().apply([g - K.ops.mean(g) for g in grads], trainable_variables)

    return Centred


@pytest.mark.parametrize("rule", ["adam", "own"])
@pytest.mark.parametrize("options", [{}, {"clipnorm": 0.5, "gradient_accumulation_steps": 2}], ids=str)
def test_an_apply_of_ones_own_is_what_fit_calls(rule, options):
    bases = [K.optimizers.Adam for K in BOTH] if rule == "adam" else [OURS, THEIRS]
    kinds = [with_an_apply(K, base) for K, base in zip(BOTH, bases, strict=True)]
    models = [model_of(K, kind(learning_rate=0.05, **options)) for K, kind in zip(BOTH, kinds, strict=True)]
    np.testing.assert_allclose(*map(fitted, models), rtol=1e-4)
    for ours, theirs in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-4, 1e-5)
    plain = model_of(keryx, bases[0](learning_rate=0.05, **options))
    assert abs(fitted(plain)[-1] - models[0].evaluate(X, Y, verbose=0)) > 1e-3


def test_an_apply_of_ones_own_takes_the_same_step_everywhere():
    kind = with_an_apply(keryx, keryx.optimizers.SGD)

    def mine():
        return kind(0.05, momentum=0.9)

    alone = model_of(keryx, mine())
    fitted(alone)
    by_batch, scaled, beside = (
        model_of(keryx, optimizer)
        for optimizer in (
            mine(),
            keryx.optimizers.LossScaleOptimizer(mine(), initial_scale=8.0),
            keryx.optimizers.MultiOptimizer(keryx.optimizers.OptimizerMap(mine())),
        )
    )
    for _ in range(3):
        for start in range(0, len(X), 6):
            by_batch.train_on_batch(X[start : start + 6], Y[start : start + 6])
    fitted(scaled)
    fitted(beside)
    for model in (by_batch, scaled, beside):
        for one, other in zip(model.get_weights(), alone.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, 1e-5, 1e-6)
    by_hand, weight = mine(), keryx.Variable(np.ones(3, "float32"))
    by_hand.apply([np.arange(3, dtype="float32")], [weight])
    np.testing.assert_allclose(weight.numpy(), 0.995 - 0.05 * np.array([-1, 0, 1]), rtol=1e-6)
    assert int(by_hand.iterations) == 1
