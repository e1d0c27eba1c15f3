"""What compile() is asked for and what fit and evaluate then report, beside Keras."""

import keras
import numpy as np
import pytest
from twin_models import For, compile_both, same_logs, same_weights, twins

import keryx
from keryx.errors import ConfigError, StateError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's

rng = np.random.default_rng(0)
ROWS = 10
X = rng.normal(size=(ROWS, 4)).astype("float32")
ONE = rng.normal(size=(ROWS, 1)).astype("float32")
THREE = rng.normal(size=(ROWS, 3)).astype("float32")
BINARY = rng.integers(0, 2, (ROWS, 1)).astype("float32")
LABELS = rng.integers(0, 3, (ROWS, 1)).astype("int32")
ONE_HOT = np.eye(3, dtype="float32")[LABELS[:, 0]]
WEIGHT = rng.uniform(0.1, 2, ROWS).astype("float32")
STEPS = rng.normal(size=(ROWS, 5, 2)).astype("float32")
STEPS[:, 3:] = 0  # masked
STEPS[::3, 2:] = 0
STEP_LABELS = rng.integers(0, 3, (ROWS, 5, 1)).astype("int32")
STEP_WEIGHT = rng.uniform(0.1, 2, (ROWS, 5)).astype("float32")


def squared(y_true, y_pred):
    return (y_true - y_pred) ** 2


def largest(y_true, y_pred):
    return abs(y_true - y_pred).max(-1)


def dense(units, activation=None, **options):
    def build(K):
        x = K.Input((4,), name="x")
        hidden = K.layers.Dense(5, activation="tanh", name="hidden")(x)
        return K.Model(x, K.layers.Dense(units, activation=activation, name="out", **options)(hidden))

    return build


def two(nest=lambda a, b: [a, b]):
    def build(K):
        x = K.Input((4,), name="x")
        hidden = K.layers.Dense(5, activation="tanh", name="hidden")(x)
        one = K.layers.Dense(1, name="one")(hidden)
        classes = K.layers.Dense(3, activation="softmax", name="classes")(hidden)
        return K.Model(x, nest(one, classes))

    return build


def subclass(nest, layers=2):
    def build(K):
        class Mine(K.Model):
            def __init__(self):
                super().__init__()
                self.first = K.layers.Dense(1)
                self.second = K.layers.Dense(3, activation="softmax")

            def call(self, x):
                return nest(self.first(x), self.second(x))

        model = Mine()
        model(X[:2])
        return model

    return build


def masked(K):
    x = K.Input((5, 2), name="x")
    kept = K.layers.Masking()(x)
    return K.Model(x, K.layers.Dense(3, activation="softmax", name="out")(kept))


def regularized(K):
    x = K.Input((4,), name="x")
    hidden = K.layers.Dense(5, activation="tanh", kernel_regularizer="l2", bias_regularizer="l1")(x)
    hidden = K.layers.Dense(5, activity_regularizer="l2")(hidden)
    return K.Model(x, K.layers.Dense(1)(hidden))


def adds_loss(K):
    class Penalty(K.layers.Layer):
        def call(self, x):
            self.add_loss(0.1 * K.ops.mean(x**2))
            return x

    x = K.Input((4,), name="x")
    return K.Model(x, K.layers.Dense(1)(Penalty()(K.layers.Dense(5)(x))))


MSE = For(lambda K: K.losses.MeanSquaredError())
SPARSE = "sparse_categorical_crossentropy"

# name: (build, compile's arguments, y, fit's other arguments)
CASES = {
    "string": (dense(1), {"loss": "mse"}, ONE, {}),
    "long string": (dense(1), {"loss": "mean_squared_error", "metrics": ["mae"]}, ONE, {}),
    "object": (dense(1), {"loss": MSE, "metrics": ["mse", "mean_absolute_error"]}, ONE, {}),
    "function": (dense(3), {"loss": squared, "metrics": [largest, "mse"]}, THREE, {}),
    "list of one": (dense(1), {"loss": ["mse"], "metrics": [["mae"]]}, ONE, {}),
    "dict of one": (dense(1), {"loss": {"out": "mse"}, "metrics": {"out": ["mae"]}}, ONE, {}),
    "target without last axis": (dense(1), {"loss": "mse", "metrics": ["mae", "mse"]}, ONE[:, 0], {}),
    "binary": (
        dense(1, "sigmoid"),
        {
            "loss": "binary_crossentropy",
            "metrics": ["accuracy", "acc", "binary_accuracy", "binary_crossentropy"],
        },
        BINARY,
        {},
    ),
    "categorical": (
        dense(3, "softmax"),
        {"loss": "categorical_crossentropy", "metrics": ["accuracy", "categorical_accuracy", "acc"]},
        ONE_HOT,
        {},
    ),
    "sparse": (dense(3, "softmax"), {"loss": SPARSE, "metrics": ["acc", "accuracy", SPARSE]}, LABELS, {}),
    "sparse, flat": (dense(3, "softmax"), {"loss": SPARSE, "metrics": ["acc"]}, LABELS[:, 0], {}),
    "crossentropy": (dense(3, "softmax"), {"loss": "crossentropy"}, LABELS, {}),
    "crossentropy, one-hot": (dense(3, "softmax"), {"loss": "ce"}, ONE_HOT, {}),
    "crossentropy, binary": (dense(1, "sigmoid"), {"loss": "crossentropy"}, BINARY, {}),
    "metric objects": (
        dense(3, "softmax"),
        {
            "loss": "categorical_crossentropy",
            "metrics": [
                For(lambda K: K.metrics.CategoricalAccuracy()),
                For(lambda K: K.metrics.TopKCategoricalAccuracy(k=2, name="top")),
                For(lambda K: K.metrics.AUC(name="auc")),
                For(lambda K: K.metrics.Precision(name="p")),
            ],
        },
        ONE_HOT,
        {},
    ),
    "weighted metrics": (
        dense(1),
        {"loss": "mse", "metrics": ["mse", "mae"], "weighted_metrics": ["mse", "mae", largest]},
        ONE,
        {"sample_weight": WEIGHT},
    ),
    "weighted metrics alone": (
        dense(1),
        {"loss": "mse", "weighted_metrics": ["mae"]},
        ONE,
        {"sample_weight": WEIGHT},
    ),
    "a metric twice": (dense(1), {"loss": "mse", "metrics": ["mae", "mae"]}, ONE, {}),
    "class weight": (
        dense(3, "softmax"),
        {"loss": SPARSE, "metrics": ["acc"], "weighted_metrics": ["acc"]},
        LABELS,
        {"class_weight": {0: 1.0, 1: 3.0, 2: 0.5}},
    ),
    "class weight, one-hot": (
        dense(3, "softmax"),
        {"loss": "categorical_crossentropy"},
        ONE_HOT,
        {"class_weight": {0: 1.0, 1: 3.0, 2: 0.5}},
    ),
    "loss weight of one": (dense(1), {"loss": "mse", "loss_weights": [0.3]}, ONE, {}),
    "validation": (dense(1), {"loss": "mse", "metrics": ["mae"]}, ONE, {"validation_data": (X[:7], ONE[:7])}),
    "validation, weighted": (
        dense(1),
        {"loss": "mse", "weighted_metrics": ["mae"]},
        ONE,
        {"validation_data": (X[:7], ONE[:7], WEIGHT[:7])},
    ),
    "validation_split": (
        dense(1),
        {"loss": "mse", "metrics": ["mae"]},
        ONE,
        {"validation_split": 0.3, "sample_weight": WEIGHT},
    ),
    "validation_freq": (
        dense(1),
        {"loss": "mse"},
        ONE,
        {"validation_data": (X[:7], ONE[:7]), "validation_freq": 2, "epochs": 5},
    ),
    "initial_epoch": (dense(1), {"loss": "mse"}, ONE, {"initial_epoch": 2, "epochs": 4}),
    "steps_per_epoch": (dense(1), {"loss": "mse"}, ONE, {"steps_per_epoch": 2}),
    "regularizers": (regularized, {"loss": "mse", "metrics": ["mse"]}, ONE, {}),
    "add_loss": (adds_loss, {"loss": "mse", "metrics": ["mse"]}, ONE, {}),
    "list": (two(), {"loss": ["mse", SPARSE], "metrics": [["mae"], ["acc"]]}, [ONE, LABELS], {}),
    "a loss for all": (two(), {"loss": "mse", "metrics": ["mae", "acc"]}, [ONE, ONE_HOT], {}),
    "dict by layer": (
        two(),
        {
            "loss": {"classes": SPARSE, "one": "mse"},
            "metrics": {"classes": ["acc", "accuracy"], "one": "mae"},
        },
        [ONE, LABELS],
        {},
    ),
    "metrics of one output": (
        two(),
        {"loss": ["mse", SPARSE], "metrics": {"classes": "acc"}},
        [ONE, LABELS],
        {},
    ),
    "targets as a dict": (
        two(),
        {"loss": {"classes": SPARSE, "one": MSE}},
        {"classes": LABELS, "one": ONE},
        {},
    ),
    "loss_weights list": (two(), {"loss": ["mse", SPARSE], "loss_weights": [0.3, 2]}, [ONE, LABELS], {}),
    "loss_weights dict": (
        two(),
        {"loss": {"classes": SPARSE, "one": "mse"}, "loss_weights": {"classes": 2.0, "one": 0.3}},
        [ONE, LABELS],
        {},
    ),
    "None for an output": (two(), {"loss": ["mse", None], "metrics": [["mae"], None]}, [ONE, LABELS], {}),
    "weights for all": (
        two(),
        {"loss": ["mse", SPARSE], "weighted_metrics": [["mae"], ["acc"]]},
        [ONE, LABELS],
        {"sample_weight": WEIGHT},
    ),
    "weights by list": (
        two(),
        {"loss": ["mse", SPARSE], "metrics": [["mae"], ["acc"]], "weighted_metrics": [["mae"], ["acc"]]},
        [ONE, LABELS],
        {"sample_weight": [WEIGHT, WEIGHT[::-1].copy()]},
    ),
    "weights by dict": (
        two(lambda a, b: {"a": a, "b": b}),
        {"loss": {"a": "mse", "b": SPARSE}, "weighted_metrics": {"a": ["mae"], "b": ["acc"]}},
        {"a": ONE, "b": LABELS},
        {"sample_weight": {"a": WEIGHT, "b": WEIGHT[::-1].copy()}},
    ),
    "dict output": (
        two(lambda a, b: {"second": a, "first": b}),
        {"loss": {"second": "mse", "first": SPARSE}, "metrics": {"second": ["mae"], "first": ["acc"]}},
        {"second": ONE, "first": LABELS},
        {},
    ),
    "dict output, names of layers": (
        two(lambda a, b: {"one": a, "classes": b}),
        {
            "loss": {"one": "mse", "classes": SPARSE},
            "metrics": {"classes": ["acc"]},
            "loss_weights": {"one": 2.0, "classes": 0.5},
        },
        {"one": ONE, "classes": LABELS},
        {},
    ),
    "nested output": (
        two(lambda a, b: {"p": [a], "q": {"r": b}}),
        {"loss": {"p": ["mse"], "q": {"r": SPARSE}}},
        {"p": [ONE], "q": {"r": LABELS}},
        {},
    ),
    "nested output, metrics": (
        two(lambda a, b: [[a, b], {"k": a * 2}]),
        {"loss": [["mse", SPARSE], {"k": "mae"}], "metrics": [["mae", ["acc", "accuracy"]], {"k": "mse"}]},
        [[ONE, LABELS], {"k": ONE}],
        {},
    ),
    "subclass, list": (
        subclass(lambda a, b: [a, b]),
        {"loss": ["mse", SPARSE], "metrics": [["mae"], ["acc"]]},
        [ONE, LABELS],
        {},
    ),
    "subclass, dict": (
        subclass(lambda a, b: {"one": a, "classes": b}),
        {"loss": {"one": "mse", "classes": SPARSE}, "metrics": {"one": ["mae"], "classes": ["acc"]}},
        {"one": ONE, "classes": LABELS},
        {},
    ),
    "subclass, single": (subclass(lambda a, b: b), {"loss": SPARSE, "metrics": ["acc"]}, LABELS, {}),
}
# Cases whose last batch is smaller.
RAGGED = {"string", "weighted metrics", "class weight", "regularizers", "add_loss", "list", "weights by dict"}
REPEATS = {
    "weighted metrics",
    "class weight",
    "a metric twice",
}  # Keras's list has some of their numbers twice


@pytest.mark.parametrize("case", CASES)
def test_reports_what_keras_reports(case):
    build, compiled, y, options = CASES[case]
    x, y = y if isinstance(y, tuple) else (X, y)
    theirs, ours = twins(build)
    compile_both(theirs, ours, **compiled)
    size = 4 if case in RAGGED else 5
    options = {"batch_size": size, "shuffle": False, "verbose": 0} | options
    history = [model.fit(x, y, **options).history for model in (theirs, ours)]
    same_logs(history[1], history[0])
    same_weights(ours, theirs)
    weight = {"sample_weight": options["sample_weight"]} if "sample_weight" in options else {}
    options = {"batch_size": size, "verbose": 0} | weight
    logs = ours.evaluate(x, y, return_dict=True, **options)
    same_logs(logs, theirs.evaluate(x, y, return_dict=True, **options))
    numbers = np.atleast_1d(ours.evaluate(x, y, **options))
    np.testing.assert_allclose(numbers, [logs[name] for name in ours.metrics_names], 1e-6)
    if case not in REPEATS:
        np.testing.assert_allclose(numbers, np.atleast_1d(theirs.evaluate(x, y, **options)), 1e-5, 1e-5)


# -- where Keras refuses, or counts otherwise: numbers by hand ---------------------------------------------------


def by_hand(**compiled):
    """A model with the outputs `one` and `classes`, compiled, and its predictions."""
    model = two()(keryx)
    model.compile("sgd", **compiled)
    one, classes = model.predict(X)
    return model, one, classes


def cross(classes):
    return -np.log(classes[np.arange(ROWS), LABELS[:, 0]])


def reported(model, y, **options):
    return model.evaluate(X, y, verbose=0, return_dict=True, batch_size=4, **options)


def test_one_loss_for_two_outputs_with_a_list_of_loss_weights():
    model, one, classes = by_hand(loss="mse", loss_weights=[1.0, 0.2])
    logs = reported(model, [ONE, ONE_HOT])
    a, b = ((one - ONE) ** 2).mean(), ((classes - ONE_HOT) ** 2).mean()
    same_logs(logs, {"classes_loss": b, "loss": a + 0.2 * b, "one_loss": a})


def test_a_metric_that_is_no_list():
    model = dense(3, "softmax")(keryx)
    model.compile("sgd", SPARSE, metrics="accuracy")
    right = (model.predict(X).argmax(-1) == LABELS[:, 0]).mean()
    np.testing.assert_allclose(reported(model, LABELS)["accuracy"], right, 1e-6)


def test_partial_dicts():
    model, one, classes = by_hand(
        loss={"classes": SPARSE}, loss_weights={"classes": 0.5}, metrics={"one": "mae"}, weighted_metrics={"one": "mse"}
    )
    logs = reported(model, {"one": ONE, "classes": LABELS}, sample_weight={"classes": WEIGHT})
    expected = {
        "loss": 0.5 * (cross(classes) * WEIGHT).mean(),
        "one_mae": abs(one - ONE).mean(),
        "one_mse": ((one - ONE) ** 2).mean(),
    }
    same_logs(logs, expected)
    model, one, classes = by_hand(loss={"classes": SPARSE, "one": "mse"}, loss_weights={"one": 3.0})
    logs = reported(model, {"one": ONE, "classes": LABELS}, sample_weight={"one": WEIGHT})
    a, b = ((one - ONE)[:, 0] ** 2 * WEIGHT).mean(), cross(classes).mean()
    same_logs(logs, {"classes_loss": b, "loss": 3 * a + b, "one_loss": a})
    same_logs(by_hand(loss={"classes": SPARSE})[0].fit(X, {"classes": LABELS}, verbose=0).history, {"loss": [0]}, 99)


def test_a_name_that_is_no_output():
    with pytest.raises(ConfigError, match=r"'klasses', which is no output. Did you mean 'classes'"):
        by_hand(loss={"klasses": "mse"})
    with pytest.raises(ConfigError, match="list of 3 for the losses of 2 outputs"):
        by_hand(loss=["mse", "mse", "mae"])


def test_two_losses_on_one_output():
    model = dense(1)(keryx)
    model.compile("sgd", ["mse", "mae"], loss_weights=[1.0, 0.5])
    error = model.predict(X) - ONE
    logs = reported(model, ONE)
    same_logs(
        logs,
        {
            "loss": (error**2).mean() + 0.5 * abs(error).mean(),
            "mae_loss": abs(error).mean(),
            "mse_loss": (error**2).mean(),
        },
    )
    assert model.metrics_names == ["loss", "mse_loss", "mae_loss"]


def test_class_weight_by_output():
    model, one, classes = by_hand(loss=["mse", SPARSE])
    table = {0: 1.0, 1: 3.0, 2: 0.5}
    model.compile(keryx.optimizers.SGD(0.0), ["mse", SPARSE])
    logs = model.fit(X, [ONE, LABELS], class_weight={"classes": table}, verbose=0, batch_size=ROWS).history
    a, b = ((one - ONE) ** 2).mean(), (cross(classes) * np.array([table[c] for c in LABELS[:, 0]])).mean()
    same_logs(logs, {"classes_loss": [b], "loss": [a + b], "one_loss": [a]})


def test_the_last_smaller_batch_counts_by_its_rows():
    model = dense(1)(keryx)
    model.compile(keryx.optimizers.SGD(0.0), "mse", metrics=["mae"])
    error = model.predict(X) - ONE
    logs = model.fit(X, ONE, batch_size=4, verbose=0).history
    same_logs(logs, {"loss": [(error**2).mean()], "mae": [abs(error).mean()]})


def test_masked_steps_count_nowhere():
    """In Keras they do count in the metrics of fit, though not in those of evaluate."""
    theirs, ours = twins(masked)
    for model, library in ((theirs, keras), (ours, keryx)):
        optimizer = library.optimizers.SGD(0.0)
        model.compile(optimizer, SPARSE, metrics=["acc"], weighted_metrics=[SPARSE])
    keys = {"x": STEPS, "y": STEP_LABELS, "batch_size": 5, "verbose": 0}
    logs = ours.evaluate(**keys, return_dict=True)
    same_logs(logs, theirs.evaluate(**keys, return_dict=True))
    same_logs(ours.fit(**keys, shuffle=False).history, {name: [value] for name, value in logs.items()})
    found = ours.predict(STEPS)
    kept = STEPS.any(-1)
    right = found.argmax(-1) == STEP_LABELS[..., 0]
    # A mean over rows of means over steps, each with its share of kept steps.
    np.testing.assert_allclose(logs["acc"], right[kept].mean(), 1e-5)


def test_masks_times_weights():
    ours = masked(keryx)
    ours.compile("sgd", SPARSE, metrics=["acc"], weighted_metrics=["acc"])
    found, kept = ours.predict(STEPS), STEPS.any(-1)
    values = -np.log(np.take_along_axis(found, STEP_LABELS, -1)[..., 0])
    right = found.argmax(-1) == STEP_LABELS[..., 0]
    for weight in (WEIGHT, STEP_WEIGHT):
        each = np.broadcast_to(weight.reshape(ROWS, -1), kept.shape) * kept
        logs = ours.evaluate(STEPS, STEP_LABELS, sample_weight=weight, batch_size=ROWS, verbose=0, return_dict=True)
        np.testing.assert_allclose(logs["loss"], (values * each).sum() / kept.sum(), 1e-5)
        np.testing.assert_allclose(logs["acc"], right[kept].mean(), 1e-5)
        np.testing.assert_allclose(logs["weighted_acc"], (right * each).sum() / each.sum(), 1e-5)


def test_weights_by_step_without_a_mask():
    def build(K):
        x = K.Input((5, 2), name="x")
        return K.Model(x, K.layers.Dense(3, activation="softmax", name="out")(x))

    theirs, ours = twins(build)
    compile_both(theirs, ours, loss=SPARSE, metrics=["acc"], weighted_metrics=["acc"])
    options = {"sample_weight": STEP_WEIGHT, "batch_size": 5, "shuffle": False, "verbose": 0}
    history = [model.fit(STEPS, STEP_LABELS, **options).history for model in (theirs, ours)]
    same_logs(history[1], history[0])


def test_a_metric_of_ones_own_is_handed_what_keras_hands_it():
    class Mine(keryx.metrics.Metric):
        def __init__(self, name="mine"):
            super().__init__(name=name)
            self.total = self.add_weight(name="total")

        def update_state(self, y_true, y_pred, sample_weight=None):
            assert sample_weight is None
            self.total.assign_add(y_pred.sum())

        def result(self):
            return {"a": self.total.value, "b": 2 * self.total.value}

    ours = masked(keryx)
    ours.compile("sgd", SPARSE, metrics=[Mine()])
    logs = ours.evaluate(STEPS, STEP_LABELS, verbose=0, return_dict=True)
    same_logs({"a": logs["a"], "b": logs["b"]}, {"a": 50.0, "b": 100.0})


def test_a_model_without_a_loss_but_with_an_added_one():
    model = adds_loss(keryx)
    model.compile("sgd")
    hidden = np.asarray(keryx.Model(model.input, model.layers[1].output)(X))
    np.testing.assert_allclose(model.evaluate(X, verbose=0), 0.1 * (hidden**2).mean(), 1e-5)


def test_time_distributed_reports_the_outer_models_numbers():
    inner = dense(3, "softmax")(keryx)
    inner.compile("sgd", SPARSE, metrics=["acc"])
    x = keryx.Input((5, 4))
    outer = keryx.Model(x, keryx.layers.TimeDistributed(inner)(x))
    outer.compile("sgd", SPARSE, metrics=["acc"])
    data = np.repeat(X[:, None], 5, 1)
    logs = outer.evaluate(data, STEP_LABELS, verbose=0, return_dict=True, batch_size=ROWS)
    found = outer.predict(data)
    np.testing.assert_allclose(logs["acc"], (found.argmax(-1) == STEP_LABELS[..., 0]).mean(), 1e-5)
    values = -np.log(np.take_along_axis(found, STEP_LABELS, -1))
    np.testing.assert_allclose(logs["loss"], values.mean(), 1e-5)


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64")  # by Keras
def test_a_tagger_of_padded_sentences():
    def build(K):
        x = K.Input((5,), name="x", dtype="int32")
        h = K.layers.Embedding(7, 4, mask_zero=True)(x)
        h = K.layers.LSTM(3, return_sequences=True)(h)
        return K.Model(x, K.layers.TimeDistributed(K.layers.Dense(3, activation="softmax"), name="tags")(h))

    theirs, ours = twins(build)
    words = rng.integers(1, 7, (ROWS, 5)) * STEPS.any(-1)
    compile_both(theirs, ours, loss=SPARSE, metrics=["acc"])
    options = {"batch_size": 5, "shuffle": False, "verbose": 0}
    history = [model.fit(words, STEP_LABELS, **options).history for model in (theirs, ours)]
    np.testing.assert_allclose(history[1]["loss"], history[0]["loss"], 1e-5)  # Keras counts padding in fit's acc
    same_weights(ours, theirs)
    logs = [m.evaluate(words, STEP_LABELS, batch_size=5, verbose=0, return_dict=True) for m in (theirs, ours)]
    same_logs(logs[1], logs[0])


def test_metrics_in_the_place_of_the_loss_weights():
    model = dense(3, "softmax")(keryx)
    with pytest.raises(ConfigError, match=r"loss_weights, its third argument by place.*'accuracy'.*metrics="):
        model.compile("sgd", SPARSE, ["accuracy"])


def test_a_metric_that_keeps_its_sum_in_an_attribute():
    class Total(keryx.metrics.Metric):
        def __init__(self):
            super().__init__(name="total")
            self.seen = 0.0

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.seen += keryx.ops.sum(y_pred)

        def result(self):
            return self.seen

    model = dense(3, "softmax")(keryx)
    model.compile("sgd", SPARSE, metrics=[Total()])
    with pytest.raises(StateError, match=r"update_state\(\) of metric 'total' sets self.seen.*add_weight\(name='seen'"):
        model.fit(X, LABELS, verbose=0)
