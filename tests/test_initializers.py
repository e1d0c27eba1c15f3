"""Initializers and random numbers: the distributions of Keras, the same numbers for the same seed."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras import initializers as oracle

from keryx import initializers, random
from keryx.core import draw, seeds
from keryx.errors import ConfigError, ShapeError

RANDOM = [
    ("RandomNormal", {"mean": 0.5, "stddev": 0.2}),
    ("RandomUniform", {"minval": -0.3, "maxval": 0.8}),
    ("TruncatedNormal", {"mean": -0.5, "stddev": 0.2}),
    ("VarianceScaling", {}),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"}),
    ("VarianceScaling", {"scale": 0.5, "mode": "fan_avg", "distribution": "uniform"}),
    ("VarianceScaling", {"input_axes": [0], "output_axes": [1, 3]}),
    ("GlorotUniform", {}),
    ("GlorotNormal", {}),
    ("HeUniform", {}),
    ("HeNormal", {}),
    ("LecunUniform", {}),
    ("LecunNormal", {}),
    ("GlorotUniform", {"input_axes": [0, 1], "output_axes": [2]}),
    ("Orthogonal", {"gain": 2.0}),
]
IDS = [f"{name}-{i}" for i, (name, _) in enumerate(RANDOM)]
SHAPES = [(3, 3, 40, 60), (150, 140)]


@pytest.mark.parametrize(("name", "arguments"), RANDOM, ids=IDS)
def test_the_distribution_is_that_of_keras(name, arguments):
    for shape in SHAPES[:1] if "input_axes" in arguments else SHAPES:
        ours = np.asarray(getattr(initializers, name)(**arguments, seed=1)(shape)).ravel()
        theirs = np.asarray(getattr(oracle, name)(**arguments, seed=1)(shape)).ravel()
        spread = theirs.std()
        assert ours.shape == theirs.shape
        assert abs(ours.mean() - theirs.mean()) < 0.05 * spread
        assert abs(ours.std() / spread - 1) < 0.03
        for share in (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0):
            allowed = 0.08 if 0 < share < 1 else 1.0  # the ends of a normal are far and few
            assert abs(np.quantile(ours, share) - np.quantile(theirs, share)) < allowed * spread


@pytest.mark.parametrize(
    ("name", "limit"), [("HeUniform", (6 / 400) ** 0.5), ("HeNormal", 2 * (2 / 400) ** 0.5 / 0.87962566)]
)
def test_bounds(name, limit):
    values = np.asarray(getattr(initializers, name)(seed=0)((400, 500)))
    assert 0.99 * limit < np.abs(values).max() <= limit * 1.000001


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 3, 2, 8)])
def test_orthogonal_is_orthogonal(shape):
    q = np.asarray(initializers.Orthogonal(2.0, seed=0)(shape)).reshape(-1, shape[-1])
    product = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


def test_orthogonal_prefers_no_sign():
    corners = [float(initializers.Orthogonal(seed=s)((3, 3))[0, 0]) for s in range(200)]
    assert abs(np.mean(corners)) < 0.15


@pytest.mark.parametrize(("name", "arguments"), RANDOM, ids=IDS)
def test_seeds(name, arguments):
    shape, cls = (3, 4, 5, 6), getattr(initializers, name)
    seeded = cls(**arguments, seed=3)
    assert (seeded(shape) == seeded(shape)).all()
    assert not (seeded(shape) == cls(**arguments, seed=4)(shape)).all()
    unseeded = cls(**arguments)
    seeds.set_seed(11)
    first, second = unseeded(shape), unseeded(shape)
    assert not (first == second).all()
    seeds.set_seed(11)
    assert (first == unseeded(shape)).all()
    generator = cls(**arguments, seed=random.SeedGenerator(5))
    again = cls(**arguments, seed=random.SeedGenerator(5))
    one, two = generator(shape), generator(shape)
    assert not (one == two).all()
    assert (one == again(shape)).all()
    assert (two == again(shape)).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", jnp.bfloat16])
@pytest.mark.parametrize("name", ["zeros", "ones", "constant", "identity", "glorot_uniform", "orthogonal", "normal"])
def test_shape_and_dtype(name, dtype):
    values = initializers.get(name)((4, 3), dtype=dtype)
    assert isinstance(values, jax.Array)
    assert (values.shape, values.dtype) == ((4, 3), jnp.dtype(dtype))
    assert initializers.get(name)((4, 3)).dtype == jnp.float32


def test_many_weights_are_drawn_in_chunks_that_differ():
    values = np.asarray(initializers.RandomNormal(seed=1)((6 * draw.CHUNK + 7,)))
    chunks = values[: 6 * draw.CHUNK].reshape(6, -1)
    assert abs(np.corrcoef(chunks) - np.eye(6)).max() < 0.02
    assert (values == initializers.RandomNormal(seed=1)(values.shape)).all()


def test_constants():
    np.testing.assert_array_equal(initializers.Zeros()((2, 3)), np.zeros((2, 3)))
    np.testing.assert_array_equal(initializers.Ones()((2, 3), "int32"), np.ones((2, 3)))
    np.testing.assert_array_equal(initializers.Constant([1.0, 2.0])((3, 2)), oracle.Constant([1.0, 2.0])((3, 2)))
    np.testing.assert_array_equal(initializers.Identity(2.0)((2, 3)), oracle.Identity(2.0)((2, 3)))
    np.testing.assert_array_equal(initializers.get(np.eye(2))((2, 2)), np.eye(2))


def test_making_weights_compiles_nothing():
    events = []

    def listen(name, *_, **__):
        events.append(name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        for name in ("zeros", "ones", "glorot_uniform", "he_normal", "random_normal", "orthogonal"):
            initializers.get(name)((17, 19 + len(name)))
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert not [name for name in events if "compile" in name]


@pytest.mark.parametrize(("name", "arguments"), [*RANDOM, ("Zeros", {}), ("Constant", {"value": 2.0})])
def test_configs_round_trip_and_are_those_of_keras(name, arguments):
    ours, theirs = getattr(initializers, name)(**arguments), getattr(oracle, name)(**arguments)
    assert ours.get_config() == theirs.get_config()
    again = initializers.deserialize(initializers.serialize(ours))
    assert type(again) is type(ours)
    assert again.get_config() == ours.get_config()
    assert type(initializers.deserialize(oracle.serialize(theirs))) is type(ours)
    snake = initializers.serialize(initializers.get(name))["class_name"]
    assert snake == name


@pytest.mark.parametrize("name", [name for name in dir(oracle) if name[0] != "_" and "stft" not in name.lower()])
def test_every_name_of_keras_is_there(name):
    assert hasattr(initializers, name)
    if isinstance(getattr(oracle, name), type):
        assert getattr(initializers, name).__name__ == getattr(oracle, name).__name__


def test_a_seed_generator_and_an_array_in_a_config():
    ours = initializers.GlorotUniform(seed=random.SeedGenerator(5))
    again = initializers.deserialize(initializers.serialize(ours))
    assert again.seed.seed == 5
    theirs = oracle.serialize(oracle.GlorotUniform(seed=keras.random.SeedGenerator(5)))
    assert initializers.deserialize(theirs).seed.seed == 5
    given = initializers.deserialize(initializers.serialize(initializers.get(np.eye(2))))
    np.testing.assert_array_equal(given((2, 2)), np.eye(2))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: initializers.get("glorot"), ConfigError, "There is no initializer 'glorot'. Did you mean"),
        (lambda: initializers.GlorotUniform(seed="a"), ConfigError, "A seed is an integer; got 'a'"),
        (lambda: initializers.VarianceScaling(0), ConfigError, "scale must be above 0; got 0"),
        (
            lambda: initializers.VarianceScaling(mode="fan"),
            ConfigError,
            "mode is 'fan_in', 'fan_out' or 'fan_avg'",
        ),
        (
            lambda: initializers.VarianceScaling(distribution="beta"),
            ConfigError,
            "distribution is .*got 'beta'",
        ),
        (
            lambda: initializers.Constant([[1, 2]])((3, 3)),
            ShapeError,
            r"an array of \(1, 2\); the weight is \(3, 3\)",
        ),
        (lambda: initializers.Identity()((2, 2, 2)), ShapeError, r"a matrix; got shape \(2, 2, 2\)"),
        (lambda: initializers.Orthogonal()((3,)), ShapeError, r"two axes or more; got shape \(3,\)"),
        (
            lambda: initializers.get(np.eye(2))((2, 3)),
            ShapeError,
            r"shape \(2, 2\); the weight wants \(2, 3\)",
        ),
        (
            lambda: random.randint((2,), 0, 3, dtype="float32"),
            ConfigError,
            "integers; got dtype='float32'",
        ),
        (lambda: random.uniform((2,), dtype="int32"), ConfigError, "floats; got dtype='int32'"),
        (lambda: random.categorical(np.ones(3), 1, seed=1), ShapeError, r"wants logits \(batch, classes\)"),
        (lambda: random.normal((2,), seed="a"), ConfigError, "A seed is an integer"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


DRAWS = [
    ("normal", ((50,), 1.0, 2.0)),
    ("uniform", ((50,), -1.0, 2.0)),
    ("truncated_normal", ((50,), 1.0, 2.0)),
    ("randint", ((50,), 2, 9)),
    ("categorical", (np.log([[0.2, 0.8], [0.7, 0.3]]).astype("float32"), 20)),
    ("shuffle", (np.arange(12.0).reshape(4, 3),)),
    ("dropout", (np.ones((4, 6), "float32"), 0.5)),
    ("dropout", (np.ones((4, 6), "float32"), 0.3, (None, 1))),
    ("binomial", ((20,), 10.0, 0.3)),
    ("beta", ((20,), 2.0, 3.0)),
    ("gamma", ((20,), 2.0)),
]


@pytest.mark.parametrize(("name", "arguments"), DRAWS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(DRAWS)])
def test_random_numbers_are_those_of_keras_for_the_same_seed(name, arguments):
    ours, theirs = getattr(random, name), getattr(keras.random, name)
    np.testing.assert_allclose(ours(*arguments, seed=7), theirs(*arguments, seed=7), rtol=1e-6)
    one, two = random.SeedGenerator(7), keras.random.SeedGenerator(7)
    for _ in range(2):
        np.testing.assert_allclose(ours(*arguments, seed=one), theirs(*arguments, seed=two), rtol=1e-6)
    key = jax.random.key(3)
    np.testing.assert_array_equal(ours(*arguments, seed=key), ours(*arguments, seed=key))


def test_dropout_at_its_ends():
    x = np.ones((3,), np.float32)
    np.testing.assert_array_equal(random.dropout(x, 0.0), x)
    np.testing.assert_array_equal(random.dropout(x, 1.0), 0 * x)


def test_numbers_without_a_seed_follow_the_global_seed():
    seeds.set_seed(3)
    first, second = random.normal((4,)), random.normal((4,))
    assert not (first == second).all()
    seeds.set_seed(3)
    assert (first == random.normal((4,))).all()


def test_global_seeds():
    seeds.set_seed(5)
    assert seeds.seed() == 5
    assert [seeds.next_seed(), seeds.next_seed()] == [(5, 0), (5, 1)]
    seeds.set_seed(5)
    assert random.SeedGenerator().next_seed() != random.SeedGenerator().next_seed()
    with pytest.raises(ConfigError, match="integer"):
        seeds.set_seed(1.5)


@pytest.mark.parametrize("side", ["real", "imag"])
@pytest.mark.parametrize("scaling", ["density", "spectrum", None])
@pytest.mark.parametrize("window", ["hann", None])
def test_stft(side, scaling, window):
    options = {"side": side, "scaling": scaling, "window": window, "periodic": True}
    ours, theirs = initializers.STFT(**options)((8, 1, 5)), keras.initializers.STFT(**options)((8, 1, 5))
    np.testing.assert_allclose(ours, theirs, 1e-4, 1e-5)
    assert initializers.get(initializers.serialize(initializers.STFT(**options))).get_config() == options
