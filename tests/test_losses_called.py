"""Losses and metrics that are called by hand: with masks, on symbols, by name."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import keryx
from keryx import layers, losses, metrics

WEIGHTS = {"none": None, "rows": np.array([1.0, 2.0]), "steps": np.array([[1.0, 2.0], [1.0, 3.0]])}


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_a_loss_honours_the_mask_that_its_outputs_carry(weights):
    x = np.array([[[1.0], [0.0]], [[2.0], [3.0]]], "float32")
    target = np.array([[[3.0], [5.0]], [[4.0], [8.0]]], "float32")

    if weights is not None and weights.ndim == 1:
        weights = weights[:, None]  # a weight a row beside a mask a step goes along the steps in Keras

    def value(module):
        return module.losses.MeanSquaredError()(target, module.layers.Masking()(x), sample_weight=weights)

    np.testing.assert_allclose(value(keryx), value(keras), rtol=1e-6)
    assert float(value(keryx)) != float(losses.MeanSquaredError()(target, x, sample_weight=weights))


def test_a_mask_that_is_given_goes_before_the_one_that_is_carried():
    x = layers.Masking()(np.array([[[1.0], [0.0]]], "float32"))
    all_of_it = losses.MeanSquaredError()(np.full((1, 2, 1), 3.0), x, mask=jnp.ones((1, 2), bool))
    assert float(all_of_it) == 6.5


@pytest.mark.parametrize("weights", [None, np.full(4, 2.0)])
@pytest.mark.parametrize("masked", [False, True])
def test_a_loss_with_a_call_of_its_own_trains(weights, masked):
    class Squares(losses.Loss):
        def __call__(self, y_true, y_pred, sample_weight=None):
            value = jnp.mean(jnp.square(y_true - y_pred))
            return value if sample_weight is None else value * sample_weight[0]

    first = [layers.Masking()] if masked else []
    model = keryx.Sequential([keryx.Input((3, 2)), *first, layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", Squares())
    history = model.fit(np.ones((4, 3, 2)), np.zeros((4, 3, 1)), sample_weight=weights, verbose=0).history
    assert history["loss"] == [4.0 if weights is None else 8.0]


FUNCTIONS = sorted(
    {f.__name__ for f in losses.registry.table.values() if not isinstance(f, type)}
    - {"circle", "ctc", "categorical_generalized_cross_entropy", "sparse_categorical_crossentropy"}
)


@pytest.mark.parametrize(
    "name", [*FUNCTIONS, "sparse_categorical_crossentropy", "categorical_generalized_cross_entropy"]
)
def test_every_loss_function_takes_symbols(name):
    function = getattr(losses, name)
    words = {"q": 0.5} if name == "categorical_generalized_cross_entropy" else {}
    target = np.eye(3, dtype="float32")[[0, 2]]
    outputs = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]], "float32")
    if name not in FUNCTIONS:
        target = np.array([0, 2], "int32")
    a, b = keryx.Input(target.shape[1:], dtype=target.dtype), keryx.Input((3,))
    model = keryx.Model([a, b], function(a, b, **words))
    np.testing.assert_allclose(model([target, outputs]), function(target, outputs, **words), rtol=1e-6)


def test_a_loss_object_takes_symbols_and_masks_travel_to_it():
    x, target = keryx.Input((2, 1)), keryx.Input((2, 1))
    model = keryx.Model([x, target], losses.MeanSquaredError()(target, layers.Masking()(x)))
    assert model.outputs[0].shape == ()
    value = model([np.array([[[1.0], [0.0]]]), np.full((1, 2, 1), 3.0)])
    assert float(value) == 4.0


def test_metric_functions_take_symbols():
    a, b, labels = keryx.Input((3,)), keryx.Input((3,)), keryx.Input((1,), dtype="int32")
    parts = [
        metrics.categorical_accuracy(a, b),
        metrics.top_k_categorical_accuracy(a, b, k=1),
        metrics.sparse_categorical_accuracy(labels, b),
        metrics.cosine_similarity(a, b),
    ]
    model = keryx.Model([a, b, labels], parts)
    rows = np.eye(3, dtype="float32")
    assert [part.tolist() for part in model([rows, rows, np.array([[0], [1], [0]])])] == [
        [1, 1, 1],
        [1, 1, 1],
        [1, 1, 0],
        [1, 1, 1],
    ]


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("ignored", [0, -1])
def test_an_ignored_class_weighs_nothing(weights, ignored):
    labels = np.array([[0, ignored], [ignored, 2]])
    outputs = np.array([[[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]], [[0.2, 0.2, 0.6], [0.6, 0.3, 0.1]]], "float32")
    if weights is not None and weights.ndim == 1:
        weights = weights[:, None] * np.ones(2)  # a weight a row goes along the steps in Keras

    def value(module):
        metric = module.metrics.SparseCategoricalCrossentropy(ignore_class=ignored)
        metric.update_state(labels, outputs, sample_weight=weights)
        return float(metric.result())

    assert value(keryx) == pytest.approx(value(keras), rel=1e-5)


def test_a_weight_a_row_counts_for_its_steps():
    metric = metrics.SparseCategoricalCrossentropy(ignore_class=-1)
    outputs = np.array([[[0.5, 0.5], [0.5, 0.5]], [[0.25, 0.75], [0.25, 0.75]]], "float32")
    metric.update_state(np.array([[0, -1], [0, 0]]), outputs, sample_weight=np.array([1.0, 2.0]))
    assert float(metric.result()) == pytest.approx((np.log(2) + 4 * np.log(4)) / 5)


def test_a_name_gives_the_metric_that_keras_gives():
    names = ["mse", "MSE", "mean_squared_error", "mae", "bce", "accuracy", "binary_accuracy", "hinge", "poisson"]
    names += ["cosine_similarity", "kl_divergence", "categorical_crossentropy", "MeanSquaredError", "AUC", "auc"]
    for name in names:
        got, want = metrics.get(name), keras.metrics.get(name)
        assert (type(got).__name__, got.name.split("_1")[0]) == (type(want).__name__, want.name.split("_1")[0])
    assert metrics.get(metrics.mean_squared_error) is metrics.mean_squared_error


def test_an_activity_regularizer_on_no_rows_adds_nothing():
    layer = layers.Dense(2, activity_regularizer="l2")
    layer(np.zeros((0, 2), "float32"))
    assert [float(loss) for loss in layer.losses] == [0.0]
