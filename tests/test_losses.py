"""Losses against Keras: values, gradients, weights, masks; configs and errors."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras import losses as oracle

from keryx import losses
from keryx.errors import ConfigError, ShapeError

rng = np.random.default_rng(0)
B, T, C = 6, 4, 3

NUMBERS = rng.normal(size=(B, C)), rng.normal(size=(B, C))
POSITIVE = rng.uniform(0.1, 3, (B, C)), rng.uniform(0.1, 3, (B, C))
BINARY = rng.integers(0, 2, (B, C)), rng.uniform(0.02, 0.98, (B, C))
LOGITS = rng.integers(0, 2, (B, C)), 3 * rng.normal(size=(B, C))
ONE_HOT = np.eye(C)[rng.integers(0, C, B)], rng.uniform(0.1, 1, (B, C))
ONE_HOT_LOGITS = ONE_HOT[0], 3 * rng.normal(size=(B, C))
LABELS = rng.integers(0, C, B), ONE_HOT[1]
LABELS_LOGITS = rng.integers(0, C, (B, 1)), ONE_HOT_LOGITS[1]
SEQUENCE = rng.integers(0, C, (B, T)), rng.uniform(0.1, 1, (B, T, C))
SEQUENCE_BINARY = rng.integers(0, 2, (B, T, 2)), rng.uniform(0.02, 0.98, (B, T, 2))
SEQUENCE_NUMBERS = rng.normal(size=(B, T, 2)), rng.normal(size=(B, T, 2))
UNIT = ONE_HOT_LOGITS[1] / np.linalg.norm(ONE_HOT_LOGITS[1], axis=-1, keepdims=True)
ALIGNED = np.array([0, 1, 2, 0, 1, 2]), UNIT

# The class, its arguments, targets and outputs.
CASES = [
    ("MeanSquaredError", {}, NUMBERS),
    ("MeanSquaredError", {}, SEQUENCE_NUMBERS),
    ("MeanAbsoluteError", {}, NUMBERS),
    ("MeanAbsoluteError", {}, SEQUENCE_NUMBERS),
    ("MeanAbsolutePercentageError", {}, NUMBERS),
    ("MeanSquaredLogarithmicError", {}, POSITIVE),
    ("Huber", {}, NUMBERS),
    ("Huber", {"delta": 0.3}, NUMBERS),
    ("LogCosh", {}, NUMBERS),
    ("CosineSimilarity", {}, NUMBERS),
    ("CosineSimilarity", {"axis": 1}, SEQUENCE_NUMBERS),
    ("BinaryCrossentropy", {}, BINARY),
    ("BinaryCrossentropy", {}, SEQUENCE_BINARY),
    ("BinaryCrossentropy", {"from_logits": True}, LOGITS),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, BINARY),
    ("BinaryCrossentropy", {"axis": 1, "from_logits": True, "label_smoothing": 0.1}, SEQUENCE_NUMBERS),
    ("BinaryFocalCrossentropy", {}, BINARY),
    ("BinaryFocalCrossentropy", {"from_logits": True, "gamma": 1.5}, LOGITS),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "label_smoothing": 0.1}, BINARY),
    ("CategoricalCrossentropy", {}, ONE_HOT),
    ("CategoricalCrossentropy", {"from_logits": True}, ONE_HOT_LOGITS),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, ONE_HOT),
    ("CategoricalCrossentropy", {"axis": 1}, (np.abs(SEQUENCE_NUMBERS[0]), np.abs(SEQUENCE_NUMBERS[1]))),
    ("CategoricalFocalCrossentropy", {}, ONE_HOT),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, ONE_HOT_LOGITS),
    ("CategoricalFocalCrossentropy", {"alpha": [0.1, 0.2, 0.7], "gamma": 0.5}, ONE_HOT),
    ("SparseCategoricalCrossentropy", {}, LABELS),
    ("SparseCategoricalCrossentropy", {}, SEQUENCE),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, LABELS_LOGITS),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, SEQUENCE),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, SEQUENCE),
    ("SparseCategoricalCrossentropy", {"ignore_class": 0, "from_logits": True}, LABELS),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, LABELS),
    ("KLDivergence", {}, ONE_HOT),
    ("Poisson", {}, POSITIVE),
    ("Hinge", {}, LOGITS),
    ("Hinge", {}, NUMBERS),
    ("SquaredHinge", {}, LOGITS),
    ("CategoricalHinge", {}, ONE_HOT_LOGITS),
    ("Dice", {"axis": (1, 2)}, SEQUENCE_BINARY),
    ("Dice", {}, BINARY),
    ("Tversky", {"alpha": 0.3, "beta": 0.8, "axis": (1, 2)}, SEQUENCE_BINARY),
    ("Circle", {}, ALIGNED),
    ("Circle", {"gamma": 3.0, "margin": 0.2, "remove_diagonal": False}, ALIGNED),
    (
        "CTC",
        {},
        (np.array([[1, 2, 0], [1, 1, 0], [2, 0, 0], [1, 2, 1], [2, 2, 0], [1, 0, 0]]), ONE_HOT_LOGITS[1]),
    ),
]
IDS = [f"{name}-{i}" for i, (name, _, _) in enumerate(CASES)]


def arrays(case):
    y_true, y_pred = (np.asarray(y, np.float32 if y.dtype == np.float64 else np.int32) for y in case[2])
    if case[0] == "CTC":
        y_pred = np.stack([y_pred, y_pred[::-1], 2 * y_pred, y_pred + 1, y_pred**2], axis=1)
    return y_true, y_pred


def close(ours, theirs, tolerance=1e-5):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=tolerance, atol=tolerance)


def value_and_slope(function, y_true, y_pred):
    return jax.value_and_grad(lambda y: function(y_true, y).sum())(jnp.asarray(y_pred))


def weights_and_masks(values_shape):
    yield None, None
    if not values_shape:
        return
    each = np.linspace(0.5, 2, int(np.prod(values_shape)), dtype=np.float32).reshape(values_shape)
    mask = (np.arange(each.size).reshape(values_shape) % 3 != 1).astype(bool)
    yield each, None
    yield None, mask
    yield each, mask


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_values_are_those_of_keras(case):
    compare(case, "sum_over_batch_size")


@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight", "none", "mean"])
@pytest.mark.parametrize("name", ["MeanAbsoluteError", "SparseCategoricalCrossentropy", "Circle"])
def test_every_reduction_is_that_of_keras(name, reduction):
    compare([case for case in CASES if case[0] == name][-1], reduction)


def compare(case, reduction):
    (name, arguments, _), (y_true, y_pred) = case, arrays(case)
    ours = getattr(losses, name)(**arguments, reduction=reduction)
    theirs = getattr(oracle, name)(**arguments, reduction=reduction)
    values = np.asarray(getattr(oracle, name)(**arguments, reduction=None)(y_true, y_pred))
    for weight, mask in weights_and_masks(values.shape):
        outputs = keras.ops.convert_to_tensor(y_pred)
        if mask is not None:
            keras.src.backend.set_keras_mask(outputs, jnp.asarray(mask))
        wanted = theirs(y_true, outputs, sample_weight=weight)
        close(ours(y_true, y_pred, sample_weight=weight, mask=mask), wanted, 1e-4 if name == "Circle" else 1e-5)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_gradients_are_those_of_keras_under_jit_too(case):
    (name, arguments, _), (y_true, y_pred) = case, arrays(case)
    ours, theirs = getattr(losses, name)(**arguments), getattr(oracle, name)(**arguments)
    wanted = jax.grad(lambda y: theirs(y_true, y))(jnp.asarray(y_pred))
    close(jax.jit(jax.grad(lambda y: ours(y_true, y)))(y_pred), wanted, 1e-4 if name == "Circle" else 1e-5)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_function_gives_the_values_of_the_class(case):
    (name, arguments, _), (y_true, y_pred) = case, arrays(case)
    loss = getattr(losses, name)(**arguments)
    function = losses.get(losses.base.snake_case(name))
    assert not isinstance(function, losses.Loss)
    wrapped = losses.LossFunctionWrapper(function, **arguments)
    close(wrapped(y_true, y_pred), loss(y_true, y_pred))
    assert wrapped.name == function.__name__
    assert wrapped.label_range(y_pred.shape) == loss.label_range(y_pred.shape)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_configs_round_trip_and_keras_reads_them(case):
    name, arguments, _ = case
    loss = getattr(losses, name)(**arguments, reduction="sum", name="mine")
    again = losses.deserialize(losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config() | {"reduction": "sum", "name": "mine"}
    getattr(oracle, name)(**loss.get_config())
    theirs = oracle.serialize(getattr(oracle, name)(**arguments))
    assert losses.deserialize(theirs).name == losses.get(name).name


def test_names_that_old_code_uses():
    pairs = [
        ("mse", "MSE"),
        ("mae", "MAE"),
        ("mape", "MAPE"),
        ("msle", "MSLE"),
        ("bce", "BCE"),
        ("kld", "KLD"),
    ]
    names = [*pairs, ("logcosh", "log_cosh"), ("huber_loss", "huber"), ("cosine", "cosine_similarity")]
    assert all(losses.get(one) is losses.get(two) for one, two in names)
    assert losses.get("mse") is losses.mean_squared_error is losses.deserialize("mean_squared_error")
    assert losses.get(None) is None
    assert losses.get(losses.Huber).name == "huber_loss"
    with pytest.raises(ConfigError, match=r"There is no loss 'msee'\. Did you mean"):
        losses.get("msee")


def test_weights_one_a_sample_reach_every_timestep():
    y_true, y_pred = (y.astype("float32") for y in SEQUENCE_NUMBERS)
    weight = np.arange(1, B + 1, dtype=np.float32)
    values = ((y_true - y_pred) ** 2).mean(-1)
    close(losses.MeanSquaredError()(y_true, y_pred, weight), (values * weight[:, None]).mean())
    close(losses.MeanSquaredError()(y_true, y_pred, weight[:, None]), (values * weight[:, None]).mean())
    weighted = losses.MeanSquaredError("mean_with_sample_weight")(y_true, y_pred, weight)
    close(weighted, np.average(values, weights=np.broadcast_to(weight[:, None], values.shape)))


def test_a_weight_for_each_target_without_a_last_axis():
    y_true, y_pred = rng.normal(size=(B, T)).astype("float32"), rng.normal(size=(B, T, 1)).astype("float32")
    mask = np.arange(B * T).reshape(B, T) % 2 == 0
    wanted = ((y_true - y_pred[..., 0]) ** 2)[mask].mean()
    close(losses.MeanSquaredError()(y_true, y_pred, mask=mask), wanted)
    flat = ((y_true[:, 0] - y_pred[:, 0, 0]) ** 2) * np.arange(B)
    close(losses.MeanSquaredError()(y_true[:, 0], y_pred[:, 0, 0], np.arange(B)), flat.mean())


def test_a_value_of_weight_0_counts_for_nothing():
    y_true, y_pred = jnp.array([[1.0], [jnp.nan]]), jnp.array([[3.0], [1.0]])
    assert losses.MeanSquaredError()(y_true, y_pred, jnp.array([1.0, 0.0])) == 2.0
    assert losses.MeanSquaredError()(y_true, y_pred, mask=jnp.array([True, False])) == 4.0
    assert losses.MeanSquaredError()(y_true, y_pred, mask=jnp.array([False, False])) == 0.0


@pytest.mark.parametrize(
    ("y_true", "y_pred"), [((5,), (5, 1)), ((5, 1), (5,)), ((5, 4, 1), (5, 4)), ((5, 4), (5, 4, 1))]
)
def test_a_last_axis_of_1_may_be_missing(y_true, y_pred):
    a, b = rng.normal(size=y_true).astype("float32"), rng.normal(size=y_pred).astype("float32")
    for name in ("mse", "bce", "hinge", "log_cosh"):
        loss, theirs = losses.LossFunctionWrapper(losses.get(name)), oracle.get(name)
        b = np.clip(np.abs(b), 0.1, 0.9)
        close(loss(a, b), np.mean(theirs(a.reshape(5, -1), b.reshape(5, -1))))


ELEMENTWISE = [
    *("mse", "mae", "mape", "msle", "huber", "log_cosh", "cosine", "bce", "binary_focal_crossentropy", "kld"),
    *("categorical_crossentropy", "categorical_focal_crossentropy", "poisson", "hinge", "squared_hinge"),
    *("categorical_hinge", "dice", "tversky"),
]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_nothing_broadcasts_in_silence(name):
    one_each = r"End the model in 1 unit, Dense\(1\)|Class numbers go with loss='sparse_categorical_crossentropy'"
    for shape, way_out in [((10, 1), one_each), ((10,), one_each), ((3,), "Reshape"), ((1, 3), "Reshape")]:
        with pytest.raises(ShapeError, match=rf"targets have shape \(.*\), the outputs \(10, 3\).*({way_out})"):
            losses.get(name)(np.ones(shape, np.float32), np.ones((10, 3), np.float32))


def test_errors_say_what_fits():
    ones = np.ones((4, 3), np.float32)
    with pytest.raises(ShapeError, match=r"sample_weight has shape \(3,\), the values of the loss \(4,\)"):
        losses.MeanSquaredError()(ones, ones, sample_weight=np.ones(3))
    with pytest.raises(ShapeError, match=r"mask has shape \(4, 3\)"):
        losses.MeanSquaredError()(ones, ones, mask=np.ones((4, 3)))
    with pytest.raises(ShapeError, match=r"labels have shape \(4, 3\), the outputs \(4, 3\).*one-hot"):
        losses.SparseCategoricalCrossentropy()(ones, ones)
    with pytest.raises(ConfigError, match=r"reduction is one of .*'sum'.*got 'average'"):
        losses.MeanSquaredError(reduction="average")
    with pytest.raises(ShapeError, match="a label for each embedding"):
        losses.circle(np.ones(3), ones)
    with pytest.raises(ShapeError, match="wants labels"):
        losses.ctc(np.ones(3), ones)
    with pytest.raises(ConfigError, match="q lies between"):
        losses.CategoricalGeneralizedCrossEntropy(q=2)
    with pytest.warns(SyntaxWarning, match="use binary_crossentropy"):
        losses.categorical_crossentropy(ones[:, :1], ones[:, :1])


def test_configs_of_other_kerases():
    theirs = oracle.serialize(keras.src.losses.losses.LossFunctionWrapper(oracle.huber, delta=2.0))
    ours = losses.deserialize(theirs)
    assert (ours.fn, ours.kwargs) == (losses.huber, {"delta": 2.0})
    keras2 = {
        "class_name": "SparseCategoricalCrossentropy",
        "config": {"reduction": "auto", "from_logits": True},
    }
    assert losses.get(keras2).reduction == "sum_over_batch_size"


def test_label_range():
    sparse = losses.SparseCategoricalCrossentropy
    assert sparse().label_range((32, 7)) == (0, 7)
    assert sparse(axis=1).label_range((32, 5, 7)) == (0, 5)
    assert sparse(ignore_class=0).label_range((32, 7)) is None
    assert losses.LossFunctionWrapper(losses.sparse_categorical_crossentropy).label_range((2, 4)) == (0, 4)
    assert losses.MeanSquaredError().label_range((32, 7)) is None


@pytest.mark.parametrize("from_logits", [False, True])
def test_a_label_outside_the_classes_is_nan_and_harmless_at_weight_0(from_logits):
    loss = losses.SparseCategoricalCrossentropy(from_logits)
    y_pred = jnp.full((3, 4), 0.25)
    assert np.isnan(loss(np.array([0, 4, 1]), y_pred))
    assert np.isnan(loss(np.array([0, -1, 1]), y_pred))
    weight = np.array([1.0, 0.0, 1.0])
    value, gradient = jax.value_and_grad(lambda y: loss(np.array([0, -1, 1]), y, weight))(y_pred)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_classes_on_another_axis():
    labels, y_pred = rng.integers(0, C, (B, T)), rng.uniform(0.1, 1, (B, C, T)).astype("float32")
    moved = losses.sparse_categorical_crossentropy(labels, y_pred.transpose(0, 2, 1))
    close(losses.sparse_categorical_crossentropy(labels, y_pred, axis=1), moved)


def test_large_labels_and_bytes_survive():
    y_pred = np.full((1, 2**24 + 2), -100.0, np.float32)
    y_pred[0, -1] = 0.0
    labels = np.array([2**24 + 1])  # no float32
    assert losses.SparseCategoricalCrossentropy(from_logits=True)(labels, y_pred) < 1e-3
    assert losses.MeanSquaredError()(np.array([[0]], np.uint8), np.array([[1]], np.uint8)) == 1.0


def test_extreme_logits_keep_value_and_gradient():
    logits = jnp.array([[-200.0, 0.0, 20.0, 200.0]])
    for target in (0.0, 1.0):
        y_true = jnp.full_like(logits, target)
        value, slope = value_and_slope(losses.BinaryCrossentropy(from_logits=True), y_true, logits)
        wanted, wanted_slope = value_and_slope(oracle.BinaryCrossentropy(from_logits=True), y_true, logits)
        close(value, wanted)
        close(slope, wanted_slope, 1e-7)
    sparse = losses.SparseCategoricalCrossentropy(from_logits=True)
    close(sparse(np.array([1]), 1e4 + logits), 200.0)


@pytest.mark.parametrize("name", ["bce", "categorical_crossentropy"])
def test_certain_probabilities_stay_finite_as_in_keras(name):
    y_true = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    value, slope = value_and_slope(losses.get(name), y_true, y_true[::-1])
    wanted, wanted_slope = value_and_slope(oracle.get(name), y_true, y_true[::-1])
    close(value, wanted)
    close(slope, wanted_slope)


def test_plain_functions_and_subclasses():
    def worst(y_true, y_pred, power=1):
        return jnp.max(jnp.abs(y_true - y_pred) ** power, axis=-1)

    loss = losses.LossFunctionWrapper(worst, power=2)
    assert (loss.name, repr(loss)) == ("worst", "LossFunctionWrapper(worst)")
    assert loss(np.array([1, 2]), np.array([[3.0], [2.0]])) == 2.0
    again = losses.deserialize(losses.serialize(loss), {"worst": worst})
    assert again(np.array([1, 2]), np.array([[3.0], [2.0]])) == 2.0
    known = losses.LossFunctionWrapper(losses.binary_crossentropy, "sum", label_smoothing=0.1)
    assert losses.base.LossFunctionWrapper.from_config(known.get_config()).get_config() == known.get_config()

    class Twice(losses.MeanSquaredError):
        def __init__(self, factor=2.0):
            super().__init__(name="twice")
            self.factor = factor

        def call(self, y_true, y_pred):
            return self.factor * super().call(y_true, y_pred)

    assert Twice()(np.array([[1.0]]), np.array([[3.0]])) == 8.0

    class Bare(losses.Loss):
        pass

    assert Bare().name == "bare"
    with pytest.raises(NotImplementedError, match=r"Bare must define call"):
        Bare()(np.ones(1), np.ones(1))
