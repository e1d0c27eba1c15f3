"""Ten steps of every optimizer are Keras's ten steps; the rest of the room around it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from keryx import optimizers
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ConfigError, StateError
from keryx.optimizers import schedules

RULES = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.8}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.8, "rho": 0.7, "epsilon": 1e-3}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True}),
    ("Adam", {"beta_1": 0.5, "beta_2": 0.8, "epsilon": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.3, "amsgrad": True}),
    ("Adamax", {}),
    ("Adamax", {"epsilon": 0.1}),
    ("Nadam", {}),
    ("Nadam", {"epsilon": 0.1}),
    ("Lamb", {}),
    ("Adagrad", {}),
    ("Adadelta", {"rho": 0.8}),
    ("Lion", {}),
    ("Adafactor", {}),
    ("Adafactor", {"beta_2_decay": -0.5, "epsilon_1": 1e-3, "epsilon_2": 0.1, "clip_threshold": 0.5}),
    ("Muon", {}),
    ("Muon", {"nesterov": False, "rms_rate": None, "ns_steps": 3, "momentum": 0.5, "adam_lr_ratio": 0.5}),
    ("Muon", {"weight_decay": None, "adam_weight_decay": 0.1, "adam_beta_1": 0.5, "adam_beta_2": 0.8}),
    ("Muon", {"weight_decay": 0.3, "adam_weight_decay": None, "exclude_embeddings": False}),
    ("ScheduleFreeAdamW", {}),
    ("ScheduleFreeAdamW", {"warmup_steps": 4, "weight_decay": 0.1, "beta_1": 0.5, "beta_2": 0.8}),
    ("Ftrl", {}),
    (
        "Ftrl",
        {
            "l1_regularization_strength": 0.05,
            "l2_regularization_strength": 0.1,
            "l2_shrinkage_regularization_strength": 0.2,
            "beta": 0.3,
            "learning_rate_power": -0.4,
        },
    ),
]
OPTIONS = [
    {"clipvalue": 0.3},
    {"clipnorm": 0.5},
    {"global_clipnorm": 0.5},
    {"global_clipnorm": 100.0},
    {"weight_decay": 0.1},
    {"use_ema": True, "ema_momentum": 0.7},
    {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 3},
    {"loss_scale_factor": 8.0},
    {"gradient_accumulation_steps": 3},
    {
        "gradient_accumulation_steps": 3,
        "clipnorm": 0.5,
        "weight_decay": 0.1,
        "use_ema": True,
        "ema_overwrite_frequency": 2,
    },
]
SCHEDULE = {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5}


def problem(seed=0, steps=10):
    draw = np.random.default_rng(seed)
    shapes = [(3, 4), (4,), (2, 2, 3), ()]
    weights = [draw.normal(size=shape).astype("float32") for shape in shapes]
    grads = [[draw.normal(size=shape).astype("float32") for shape in shapes] for _ in range(steps)]
    return weights, grads


def ours(optimizer, weights, grads, update=None):
    weights = [jnp.asarray(w) for w in weights]
    state, update = optimizer.init(weights), update or jax.jit(optimizer.update)
    for g in grads:
        weights, state = update([jnp.asarray(x) for x in g], state, weights)
    return weights, state


def theirs(optimizer, weights, grads):
    import keras

    variables = [keras.Variable(w) for w in weights]
    for g in grads:
        optimizer.apply([keras.ops.convert_to_tensor(x) for x in g], variables)
    return [np.asarray(v) for v in variables]


def both(name, arguments):
    """The optimizer of both libraries; `schedule` stands for each one's own schedule."""
    import keras

    arguments, mine = dict(arguments), dict(arguments)
    if arguments.pop("schedule", False):
        del mine["schedule"]
        arguments["learning_rate"] = keras.optimizers.schedules.ExponentialDecay(**SCHEDULE)
        mine["learning_rate"] = schedules.ExponentialDecay(**SCHEDULE)
    return getattr(optimizers, name)(**mine), getattr(keras.optimizers, name)(**arguments)


@pytest.mark.parametrize(("name", "arguments"), RULES)
def test_ten_steps_equal_keras(name, arguments):
    mine, keras_one = both(name, arguments | {"schedule": True})
    weights, grads = problem()
    result, state = ours(mine, weights, grads)
    for w, expected in zip(result, theirs(keras_one, weights, grads), strict=True):
        np.testing.assert_allclose(w, expected, rtol=1e-5, atol=1e-5)
    assert int(state["iteration"]) == 10


@pytest.mark.parametrize("arguments", OPTIONS, ids=lambda a: "-".join(a))
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_options_equal_keras(name, arguments):
    mine, keras_one = both(name, arguments | {"schedule": True})
    weights, grads = problem()
    result, state = ours(mine, weights, grads)
    expected = theirs(keras_one, weights, grads)
    for w, e in zip(result, expected, strict=True):
        np.testing.assert_allclose(w, e, rtol=1e-5, atol=1e-5)
    if mine.use_ema:
        for a, e in zip(state["average"], keras_one._model_variables_moving_average, strict=True):
            np.testing.assert_allclose(a, np.asarray(e), rtol=1e-5, atol=1e-5)
        assert mine.finalize(state, result)[0] is not result[0]


@pytest.mark.parametrize(("name", "arguments"), [*RULES, ("Adam", {"gradient_accumulation_steps": 2, "use_ema": True})])
def test_jit_is_eager(name, arguments):
    weights, grads = problem(steps=3)
    compiled, _ = ours(getattr(optimizers, name)(**arguments), weights, grads)
    optimizer = getattr(optimizers, name)(**arguments)
    eager, _ = ours(optimizer, weights, grads, update=optimizer.update)
    for a, b in zip(compiled, eager, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted({name for name, _ in RULES}))
def test_bfloat16_weights_stay_bfloat16(name):
    weights, grads = problem(steps=2)
    optimizer = getattr(optimizers, name)(weight_decay=0.1, clipnorm=1.0, use_ema=True)
    weights = [jnp.asarray(w, jnp.bfloat16) for w in weights]
    result, state = ours(optimizer, weights, grads)
    assert {w.dtype for w in result} == {jnp.dtype("bfloat16")}
    assert all(bool(jnp.all(jnp.isfinite(w))) for w in result)
    before, after = optimizer.init(weights), state
    assert jax.tree.map(lambda x: x.dtype, before) == jax.tree.map(lambda x: x.dtype, after)


@pytest.mark.parametrize("limit", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_clipping_takes_zero_gradients(limit):
    optimizer = optimizers.SGD(**{limit: 1.0})
    weights = [jnp.ones(2)]
    result, _ = optimizer.update([jnp.zeros(2)], optimizer.init(weights), weights)
    np.testing.assert_array_equal(result[0], [1.0, 1.0])


def test_an_infinite_gradient_is_not_clipped_away():
    optimizer = optimizers.SGD(global_clipnorm=1.0)
    weights = [jnp.ones(1), jnp.ones(1)]
    grads = [jnp.full(1, jnp.inf), jnp.ones(1)]
    result, _ = optimizer.update(grads, optimizer.init(weights), weights)
    assert bool(jnp.isnan(result[1][0]))


# Configs


@pytest.mark.parametrize(("name", "arguments"), RULES)
def test_configs_round_trip_in_keras_words(name, arguments):
    mine, keras_one = both(name, arguments | {"schedule": True})
    config = optimizers.serialize(mine)
    again = optimizers.deserialize(config)
    assert type(again) is type(mine)
    assert again.get_config() == mine.get_config()

    import keras

    foreign = keras.optimizers.serialize(keras_one)
    assert set(foreign["config"]) == set(config["config"])
    assert foreign["config"] | {"name": mine.name, "learning_rate": None} == config["config"] | {"learning_rate": None}
    assert optimizers.deserialize(foreign).get_config() == mine.get_config() | {"name": keras_one.name}
    keras.optimizers.deserialize(config)


def test_a_config_holds_the_learning_rate_of_now():
    optimizer = optimizers.Adam()
    assert optimizer.get_config()["learning_rate"] == 0.001
    optimizer.learning_rate = 0.2
    assert optimizer.get_config()["learning_rate"] == 0.2


def test_configs_of_keras_1_and_2_load():
    tf_keras = {
        "class_name": "Custom>Adam",
        "config": {"name": "Adam", "jit_compile": True, "is_legacy_optimizer": False, "learning_rate": 0.5},
    }
    assert float(optimizers.deserialize(tf_keras).learning_rate) == 0.5
    keras_1 = {"class_name": "RMSprop", "config": {"lr": 0.5, "rho": 0.9, "epsilon": None, "decay": 0.0}}
    assert optimizers.deserialize(keras_1).epsilon == 1e-7
    decayed = optimizers.deserialize({"class_name": "SGD", "config": {"lr": 0.5, "decay": 1.0}})
    assert float(decayed._rate(jnp.int32(1))) == 0.25


@pytest.mark.parametrize("word", ["RMSprop", "rmsprop", "adam", "Adam", "ADAM", "sgd", "adamw", "nadam", "lion"])
def test_get_takes_names_in_any_case(word):
    assert type(optimizers.get(word)).__name__.lower() == word.lower()


def test_get_takes_what_stands_for_an_optimizer():
    optimizer = optimizers.SGD()
    assert optimizers.get(optimizer) is optimizer
    assert optimizers.get(None) is None
    assert isinstance(optimizers.get(optimizers.Adam), optimizers.Adam)
    with pytest.raises(ConfigError, match=r"There is no optimizer 'adamm'\. Did you mean 'adam'"):
        optimizers.get("adamm")
    with pytest.raises(ConfigError, match="Wanted an optimizer"):
        optimizers.get(lambda: None)


def test_optax_is_taken_as_it_is():
    rule = optax.adam(0.05)
    weights, grads = problem()
    result, _ = ours(optimizers.get(rule), weights, grads)
    expected, state = [jnp.asarray(w) for w in weights], rule.init([jnp.asarray(w) for w in weights])
    for g in grads:
        updates, state = rule.update([jnp.asarray(x) for x in g], state, expected)
        expected = optax.apply_updates(expected, updates)
    for a, b in zip(result, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    with pytest.raises(ConfigError, match="has no config"):
        optimizers.serialize(optimizers.get(rule))


# Words and values


def test_old_and_misspelt_arguments_name_the_new_ones():
    with pytest.raises(ArgumentError) as error:
        optimizers.Adam(lr=0.1)
    assert str(error.value) == "Adam() has no argument 'lr'; since Keras 2.3 it is 'learning_rate'."
    with pytest.raises(ArgumentError, match=r"has no argument 'decay'; .* schedule, .*InverseTimeDecay"):
        optimizers.SGD(decay=1e-6)
    with pytest.raises(ArgumentError, match=r"has no argument 'momemtum'\. Did you mean 'momentum'"):
        optimizers.SGD(momemtum=0.9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "Only one of clipnorm, clipvalue and global_clipnorm"),
        ({"use_ema": True, "ema_momentum": 2.0}, "ema_momentum lies in"),
        ({"ema_overwrite_frequency": 0}, "ema_overwrite_frequency is an integer from 1"),
        ({"gradient_accumulation_steps": 1}, "gradient_accumulation_steps is an integer from 2"),
        ({"momentum": 1.5}, "momentum lies in"),
        (
            {"learning_rate": "fast"},
            "learning_rate is a number, a schedule or a function of the step; got 'fast'",
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        optimizers.SGD(**arguments)


# The learning rate


def test_the_learning_rate_is_read_and_set_on_the_object():
    optimizer = optimizers.SGD(0.5)
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate = 0.25
    assert optimizer.learning_rate.numpy() == 0.25
    optimizer.learning_rate.assign(0.125)
    w = Variable(np.zeros(1))
    optimizer.apply([np.ones(1)], [w])
    optimizer.learning_rate = 1
    optimizer.apply([np.ones(1)], [w])
    np.testing.assert_allclose(w.numpy(), [-1.125])
    assert optimizer.iterations == 2


@pytest.mark.parametrize("rate", [lambda step: 1.0 / (step + 1), schedules.InverseTimeDecay(1.0, 1, 1.0)])
def test_functions_of_the_step_are_learning_rates(rate):
    optimizer, w = optimizers.SGD(rate), Variable(np.zeros(1))
    for expected in (-1.0, -1.5):
        optimizer.apply([np.ones(1)], [w])
        np.testing.assert_allclose(w.numpy(), [expected])
    assert float(optimizer.learning_rate) == pytest.approx(1 / 3)
    with pytest.raises(ArgumentError, match="follows a schedule"):
        optimizer.learning_rate = 0.1
    optimizer.learning_rate = lambda: 0.25
    optimizer.apply([np.ones(1)], [w])
    np.testing.assert_allclose(w.numpy(), [-1.75])


# Loops of one's own


def test_apply_gradients_on_variables():
    import keras

    weights, grads = problem()
    variables = [Variable(w) for w in weights]
    optimizer = optimizers.Adam(0.05)
    for g in grads:
        optimizer.apply_gradients(zip(g, variables, strict=True))
    for v, expected in zip(variables, theirs(keras.optimizers.Adam(0.05), weights, grads), strict=True):
        np.testing.assert_allclose(v.numpy(), expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ArgumentError, match="got None for each of 'kernel'"):
        optimizer.apply([None], [Variable(np.ones(1), name="kernel")])


def test_constraints_hold_after_a_step():
    w = Variable(np.ones(2), constraint=lambda w: jnp.maximum(w, 0.0))
    optimizers.SGD(1.0).apply([np.array([0.5, 2.0])], [w])
    np.testing.assert_allclose(w.numpy(), [0.5, 0.0])


def test_weights_left_out_of_the_decay():
    kernel, bias, other = (Variable(np.ones(1), name=n) for n in ("kernel", "bias", "other"))
    optimizer = optimizers.SGD(0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[other], var_names=["bias"])
    with pytest.raises(StateError, match="build"):
        optimizer.update([jnp.zeros(1)] * 3, optimizer.init([jnp.ones(1)] * 3), [jnp.ones(1)] * 3)
    optimizer.apply([np.zeros(1)] * 3, [kernel, bias, other])
    np.testing.assert_allclose([float(v.value[0]) for v in (kernel, bias, other)], [0.75, 1.0, 1.0])
    with pytest.raises(StateError, match="before training starts"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])


def test_a_rule_of_ones_own():
    class Signs(optimizers.Optimizer):
        def transformation(self):
            return optax.chain(optax.scale_by_sign(), optimizers.rules.descend())

    w = Variable(np.zeros(2))
    Signs(0.5).apply([np.array([3.0, -3.0])], [w])
    np.testing.assert_allclose(w.numpy(), [-0.5, 0.5])
    with pytest.raises(NotImplementedError, match="Optimizer wants a method transformation"):
        optimizers.Optimizer(0.1).init([jnp.ones(1)])
