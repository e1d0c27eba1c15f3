"""Every metric, batch by batch, weighted and not, is Keras's; and is pure under jit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from keryx import metrics
from keryx.core import scope
from keryx.errors import ConfigError, ShapeError, StateError


def draw(kind, batch, rng):
    """Targets and outputs of one kind, and the shape of weights that fits beside (batch,)."""
    numbers, shares = rng.normal(size=(batch, 3)), rng.dirichlet(np.ones(4), size=batch)
    return {
        "numbers": lambda: (numbers, rng.normal(size=(batch, 3))),
        "positive": lambda: (rng.uniform(0.1, 2, size=(batch, 3)), rng.uniform(0.1, 2, size=(batch, 3))),
        "column": lambda: (numbers[:, 0], rng.normal(size=(batch, 1))),
        "binary": lambda: (rng.integers(0, 2, size=(batch, 1)), rng.uniform(size=(batch, 1))),
        "flat": lambda: (rng.integers(0, 2, size=batch), rng.uniform(size=batch)),
        # Many predictions lie on a threshold.
        "grid": lambda: (rng.integers(0, 2, size=batch), rng.integers(0, 5, size=batch) / 4),
        "labels": lambda: (rng.integers(0, 2, size=(batch, 4)), rng.uniform(size=(batch, 4))),
        "logits": lambda: (rng.integers(0, 2, size=(batch, 4)), rng.normal(size=(batch, 4))),
        "onehot": lambda: (np.eye(4)[rng.integers(0, 4, size=batch)], shares),
        "shares": lambda: (rng.dirichlet(np.ones(4), size=batch), shares),
        "sparse": lambda: (rng.integers(0, 4, size=batch), shares),
        "sparse_column": lambda: (rng.integers(0, 4, size=(batch, 1)), shares),
        "ties": lambda: (rng.integers(0, 4, size=batch), rng.integers(0, 3, size=(batch, 4)) / 2),
        "onehot_ties": lambda: (
            np.eye(4)[rng.integers(0, 4, size=batch)],
            rng.integers(0, 3, size=(batch, 4)) / 2,
        ),
        "sequence": lambda: (rng.integers(0, 4, size=(batch, 3)), rng.dirichlet(np.ones(4), size=(batch, 3))),
        "sequence_column": lambda: (
            rng.integers(0, 4, size=(batch, 3, 1)),
            rng.dirichlet(np.ones(4), size=(batch, 3)),
        ),
        "ids": lambda: (rng.integers(0, 4, size=batch), rng.integers(0, 4, size=batch)),
        "sorted": lambda: (rng.integers(0, 4, size=batch), np.argsort(rng.normal(size=(batch, 4)))),
        "values": lambda: (numbers,),
    }[kind]()


CASES = [
    ("Mean", {}, "values"),
    ("Sum", {}, "values"),
    ("MeanSquaredError", {}, "numbers"),
    ("MeanSquaredError", {}, "column"),
    ("RootMeanSquaredError", {}, "numbers"),
    ("RootMeanSquaredError", {}, "column"),
    ("MeanAbsoluteError", {}, "numbers"),
    ("MeanAbsolutePercentageError", {}, "positive"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("CosineSimilarity", {}, "numbers"),
    ("LogCoshError", {}, "numbers"),
    ("KLDivergence", {}, "shares"),
    ("Poisson", {}, "positive"),
    ("Hinge", {}, "logits"),
    ("SquaredHinge", {}, "logits"),
    ("CategoricalHinge", {}, "onehot"),
    ("BinaryCrossentropy", {}, "binary"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "logits"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "onehot"),
    ("SparseCategoricalCrossentropy", {}, "sparse"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "sequence"),
    ("Accuracy", {}, "ids"),
    ("BinaryAccuracy", {}, "binary"),
    ("BinaryAccuracy", {"threshold": 0.25}, "grid"),
    ("BinaryAccuracy", {}, "labels"),
    ("CategoricalAccuracy", {}, "onehot"),
    ("SparseCategoricalAccuracy", {}, "sparse"),
    ("SparseCategoricalAccuracy", {}, "sparse_column"),
    ("SparseCategoricalAccuracy", {}, "sequence"),
    ("SparseCategoricalAccuracy", {}, "sequence_column"),
    ("TopKCategoricalAccuracy", {"k": 2}, "onehot_ties"),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, "ties"),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, "sequence"),
    ("SparseTopKCategoricalAccuracy", {"k": 2, "from_sorted_ids": True}, "sorted"),
    ("TruePositives", {}, "flat"),
    ("FalsePositives", {"thresholds": [0.0, 0.25, 0.5, 1.0]}, "grid"),
    ("TrueNegatives", {"thresholds": [0.1, 0.9]}, "labels"),
    ("FalseNegatives", {"thresholds": 0.3}, "binary"),
    ("Precision", {}, "flat"),
    ("Precision", {"thresholds": [0.2, 0.5, 0.6]}, "labels"),
    ("Precision", {"top_k": 2}, "labels"),
    ("Precision", {"top_k": 2, "class_id": 1}, "labels"),
    ("Precision", {"class_id": 2}, "onehot"),
    ("Recall", {}, "grid"),
    ("Recall", {"top_k": 2, "thresholds": 0.4}, "labels"),
    ("Recall", {"class_id": 3, "thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}, "labels"),
    ("AUC", {}, "flat"),
    ("AUC", {"num_thresholds": 5}, "grid"),
    ("AUC", {"summation_method": "majoring", "num_thresholds": 20}, "labels"),
    ("AUC", {"summation_method": "minoring", "num_thresholds": 20}, "binary"),
    ("AUC", {"curve": "PR"}, "flat"),
    ("AUC", {"curve": "PR", "num_thresholds": 5}, "grid"),
    ("AUC", {"curve": "PR", "summation_method": "majoring"}, "flat"),
    ("AUC", {"curve": "PR", "summation_method": "minoring"}, "flat"),
    ("AUC", {"curve": "PRGAIN"}, "flat"),
    ("AUC", {"thresholds": [0.7, 0.2, 0.3]}, "labels"),
    ("AUC", {"thresholds": [0.25, 0.5, 0.75]}, "grid"),
    ("AUC", {"from_logits": True, "label_weights": [1.0, 2.0, 0.0, 0.5]}, "logits"),
    ("AUC", {"multi_label": True}, "labels"),
    ("AUC", {"multi_label": True, "num_labels": 4, "curve": "PR"}, "labels"),
    ("AUC", {"multi_label": True, "label_weights": [1.0, 2.0, 0.0, 0.5]}, "labels"),
    ("AUC", {"multi_label": True, "thresholds": [0.2, 0.3]}, "labels"),
    ("SensitivityAtSpecificity", {"specificity": 0.6}, "flat"),
    ("SpecificityAtSensitivity", {"sensitivity": 0.6, "num_thresholds": 5}, "flat"),
    ("PrecisionAtRecall", {"recall": 0.6, "num_thresholds": 1}, "flat"),
    ("PrecisionAtRecall", {"recall": 0.6, "class_id": 1}, "labels"),
    ("RecallAtPrecision", {"precision": 0.6}, "flat"),
    ("F1Score", {}, "onehot"),
    ("F1Score", {"average": "micro", "threshold": 0.5}, "labels"),
    ("FBetaScore", {"average": "macro", "beta": 2.0}, "onehot"),
    ("FBetaScore", {"average": "weighted", "beta": 0.5, "threshold": 0.3}, "labels"),
    ("R2Score", {}, "numbers"),
    ("R2Score", {"class_aggregation": "variance_weighted_average", "num_regressors": 2}, "numbers"),
    ("R2Score", {"class_aggregation": None}, "numbers"),
    ("PearsonCorrelation", {}, "numbers"),
    ("ConcordanceCorrelation", {}, "numbers"),
    ("IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, "ids"),
    ("MeanIoU", {"num_classes": 4, "ignore_class": 1, "dtype": "float32"}, "ids"),
    ("BinaryIoU", {"threshold": 0.3}, "flat"),
    ("OneHotIoU", {"num_classes": 4, "target_class_ids": [1]}, "onehot"),
    ("OneHotMeanIoU", {"num_classes": 4}, "onehot"),
]


def batches(kind, weights, name):
    rng = np.random.default_rng(1)
    for size in (6, 6, 3):
        arrays = [a.astype("int32" if a.dtype.kind == "i" else "float32") for a in draw(kind, size, rng)]
        shape = arrays[0].shape if weights == "each" else (size,)
        weight = rng.integers(0, 3, size=shape) if "IoU" in name else rng.uniform(size=shape).astype("float32")
        yield arrays, (None if weights == "none" else weight)


def with_weights(case):
    """The weights that Keras takes: one a sample, and for metrics of single numbers one a number."""
    name, _, kind = case
    each = kind == "values" or (
        kind in ("sequence", "labels")
        and name in ("SparseCategoricalAccuracy", "BinaryAccuracy", "TrueNegatives", "AUC")
    )
    return [(*case, weights) for weights in ("none", "sample", *["each"] * each)]


WEIGHTED = [row for case in CASES for row in with_weights(case)]


# Keras asks JAX for int64 in its confusion matrix.
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64")
@pytest.mark.parametrize(("name", "arguments", "kind", "weights"), WEIGHTED)
def test_metric_equals_keras(name, arguments, kind, weights):
    import keras

    ours, theirs = getattr(metrics, name)(**arguments), getattr(keras.metrics, name)(**arguments)
    first = None
    for arrays, weight in batches(kind, weights, name):
        ours.update_state(*arrays, sample_weight=weight)
        theirs.update_state(*arrays, sample_weight=weight)
        np.testing.assert_allclose(ours.result(), np.asarray(theirs.result()), rtol=1e-5, atol=1e-5)
        first = np.asarray(ours.result()) if first is None else first
    assert [v.shape for v in ours.variables] == [tuple(v.shape) for v in theirs.variables]
    ours.reset_state()
    arrays, weight = next(batches(kind, weights, name))
    np.testing.assert_allclose(ours(*arrays, sample_weight=weight), first, rtol=1e-6)


@pytest.mark.parametrize(("name", "arguments", "kind"), CASES)
def test_metric_is_pure_under_jit(name, arguments, kind):
    eager, lent = getattr(metrics, name)(**arguments), getattr(metrics, name)(**arguments)
    every = list(batches(kind, "sample", name))
    lent.build(every[0][0][0].shape, every[0][0][-1].shape)
    values = [v.value for v in lent.variables]
    update = jax.jit(lambda values, arrays, weight: lent.stateless_update_state(values, *arrays, weight))
    for arrays, weight in every:
        eager.update_state(*arrays, weight)
        values = update(values, arrays, weight)
    np.testing.assert_allclose(lent.stateless_result(values), eager.result(), rtol=1e-5, atol=1e-6)
    assert not any(np.any(v.numpy()) for v in lent.variables)


@pytest.mark.parametrize(("name", "arguments", "kind"), CASES)
def test_configs_round_trip_in_keras_words(name, arguments, kind):
    import keras

    ours, theirs = getattr(metrics, name)(**arguments), getattr(keras.metrics, name)(**arguments)
    config = metrics.serialize(ours)
    again = metrics.deserialize(config)
    assert type(again) is type(ours)
    assert again.get_config() == ours.get_config()
    keras.metrics.deserialize(config)
    if "label_weights" not in arguments:  # which Keras writes as a tensor
        foreign = metrics.deserialize(keras.metrics.serialize(theirs))
        assert foreign.get_config() == ours.get_config() | {"name": theirs.name}


def test_names_are_keras_names():
    import keras

    from keryx.core.graph import clear_names

    clear_names()
    keras.utils.clear_session(free_memory=False)
    for name in (
        "AUC",
        "AUC",
        "Precision",
        "Recall",
        "Recall",
        "TruePositives",
        "MeanSquaredError",
        "LogCoshError",
    ):
        assert getattr(metrics, name)().name == getattr(keras.metrics, name)().name
    assert metrics.MeanIoU(2).name == keras.metrics.MeanIoU(2).name


def test_get_takes_what_stands_for_a_metric():
    assert isinstance(metrics.get("mse"), metrics.MeanSquaredError)
    assert metrics.get(metrics.MSE) is metrics.mean_squared_error
    assert type(metrics.get("acc")) is type(metrics.get("accuracy")) is metrics.Accuracy
    assert type(metrics.get("bce")) is type(metrics.get("binary_crossentropy")) is metrics.BinaryCrossentropy
    assert isinstance(metrics.get("cosine_similarity"), metrics.CosineSimilarity)
    assert isinstance(metrics.get("AUC"), metrics.AUC)
    assert isinstance(metrics.get("auc"), metrics.AUC)
    assert metrics.get(None) is None
    assert metrics.get(metrics.get("Recall")).thresholds is None
    assert metrics.get({"class_name": "Precision", "config": {"thresholds": 0.3}}).thresholds == 0.3
    with pytest.raises(ConfigError, match=r"There is no metric 'acuracy'\. Did you mean 'accuracy'"):
        metrics.get("acuracy")


def test_a_wrapped_function_keeps_its_options():
    wrapped = metrics.MeanMetricWrapper(metrics.binary_accuracy, name="high", threshold=0.9)
    config = metrics.serialize(wrapped)
    assert config["config"] == {"name": "high", "dtype": "float32", "fn": "binary_accuracy", "threshold": 0.9}
    assert float(metrics.deserialize(config)([1, 0], [0.8, 0.95])) == 0.0


class Hits(metrics.Metric):
    """As people write them for Keras."""

    def __init__(self, name="hits", **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.seen = self.add_weight(name="seen")
        self.inner = metrics.Mean(name="inner")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign(self.total + jnp.sum(y_true == y_pred))
        self.seen.assign_add(y_true.size)
        self.inner.update_state(y_pred)

    def result(self):
        return self.total / self.seen


def test_a_metric_of_ones_own():
    metric = Hits()
    assert float(metric(jnp.array([1, 2]), jnp.array([1, 3]))) == 0.5
    assert [v.path for v in metric.variables] == ["hits/total", "hits/seen", "inner/total", "inner/count"]
    call = scope.pure(metric.update_state, metric.variables)
    _, updates, _ = jax.jit(call)([jnp.zeros(())] * 4, None, jnp.array([1, 2]), jnp.array([1, 2]))
    assert [float(updates[i]) for i in range(4)] == [2, 2, 3, 2]
    assert float(metric.result()) == 0.5
    metric.reset_state()
    assert not any(v.numpy() for v in metric.variables)
    assert Hits.from_config(metric.get_config()).name == "hits"


def test_a_result_may_be_the_variable_itself():
    class Total(metrics.Sum):
        def result(self):
            return self.total

    metric = Total()
    assert isinstance(metric([1.0, 2.0]), jax.Array)
    assert float(jax.jit(metric.stateless_result)([5.0])) == 5.0


def test_a_metric_that_forgot_its_base():
    class Forgetful(metrics.Metric):
        def __init__(self):
            self.total = self.add_weight(name="total")

    with pytest.raises(StateError, match=r"has to call super\(\).__init__\(\)"):
        Forgetful()


@pytest.mark.parametrize("name", ["binary_accuracy", "accuracy", "mean_squared_error", "top_k_categorical_accuracy"])
def test_nothing_broadcasts_in_silence(name):
    with pytest.raises(ShapeError, match=r"\(10, 1\).*\(10, 3\)"):
        metrics.get(name)(np.zeros((10, 1)), np.zeros((10, 3)))


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ShapeError, match=r"\(10, 3\).*\(10, 4\).*categorical_accuracy"):
        metrics.sparse_categorical_accuracy(np.zeros((10, 3)), np.zeros((10, 4)))
    with pytest.raises(ShapeError, match=r"sample_weight \(2,\) does not fit the values \(3,\)"):
        metrics.Mean()(np.zeros(3), sample_weight=np.ones(2))
    with pytest.raises(ShapeError, match="precision"):
        metrics.Precision(name="precision")(np.zeros((3, 1)), np.zeros((3, 2)))
    with pytest.raises(ShapeError, match="class_id"):
        metrics.Recall(class_id=1)(np.zeros(3), np.zeros(3))
    with pytest.raises(ShapeError, match=r"f1_score wants outputs \(batch, outputs\); got \(3,\)"):
        metrics.F1Score()(np.zeros(3), np.zeros(3))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("AUC", {"curve": "ROCK"}, "curve is one of 'ROC', 'PR'"),
        ("AUC", {"num_labels": 2}, "num_labels means nothing"),
        ("AUC", {"num_thresholds": 1}, "num_thresholds"),
        ("Precision", {"thresholds": [0.5, 2.0]}, r"Thresholds lie in \[0, 1\]"),
        ("PrecisionAtRecall", {"recall": 2}, r"rate in \[0, 1\]"),
        ("F1Score", {"average": "mean"}, "average is None"),
        ("FBetaScore", {"beta": 0.0}, "beta is above 0"),
        ("R2Score", {"class_aggregation": "mean"}, "class_aggregation"),
        ("IoU", {"num_classes": 2, "target_class_ids": [2]}, "target_class_ids"),
    ],
)
def test_settings_that_mean_nothing_are_refused(name, arguments, message):
    with pytest.raises(ConfigError, match=message):
        getattr(metrics, name)(**arguments)


def test_fractional_weights_of_whole_counts_warn():
    with pytest.warns(UserWarning, match="weights lose their fractions"):
        metrics.MeanIoU(2, name="m")([0, 1], [0, 1], sample_weight=np.array([0.5, 1.0]))


def test_exact_sums_where_a_prediction_is_zero():
    metric = metrics.SensitivityAtSpecificity(0.0, num_thresholds=3)
    metric.update_state(np.array([1, 1]), np.array([0.0, 0.6]))
    np.testing.assert_allclose(metric.true_positives.numpy(), [1, 1, 0])
    np.testing.assert_allclose(metric.false_negatives.numpy(), [1, 1, 2])
