"""What is odd about a model: each rule sees its fault, and nothing in a model that has not got it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import keryx
from keryx import Input, Model, Sequential, errors, layers, losses, optimizers
from keryx.models.explaining import explaining, graph, inputs, learning, outputs
from keryx.models.explaining.view import View

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(64, 4)).astype("float32")
YES = RANDOM.integers(2, size=64)
CLASSES = RANDOM.integers(3, size=64)
IDS = RANDOM.integers(1, 50, size=(64, 20))
PADDED = np.where(np.arange(20) < 8, IDS, 0)
PIXELS = RANDOM.integers(0, 256, size=(32, 8, 8, 1))


def dense(units, activation, loss="mse", metrics=None, optimizer="adam"):
    """Four numbers to a few, in one layer."""
    model = Sequential([Input((4,), name="x"), layers.Dense(units, activation=activation, name="last")])
    model.compile(optimizer, loss, metrics=metrics)
    return model


def stack(shape, *made, dtype=None):
    """Layers one after another, compiled for a yes or no where they end in one unit."""
    model = Sequential([Input(shape, name="x", dtype=dtype), *made])
    model.compile("adam", "binary_crossentropy" if model.output_shape[-1] == 1 else "mse")
    return model


def shared(first, second):
    """Two layers after one another, of which the first or the second is frozen."""
    model = stack((4,), layers.Dense(8, activation="relu", name="one"), layers.Dense(1, "sigmoid", name="two"))
    model.get_layer("one").trainable, model.get_layer("two").trainable = first, second
    return model


def yes(activation="sigmoid", name="last"):
    return layers.Dense(1, activation=activation, name=name)


def scaled(rate, kind=optimizers.Adam):
    return dense(1, "sigmoid", "binary_crossentropy", optimizer=kind(rate))


def silent(bias):
    """A hidden layer whose units a bias keeps below 0."""
    hidden = layers.Dense(8, activation="relu", name="hidden", bias_initializer=keryx.initializers.Constant(bias))
    return stack((4,), hidden, yes())


def unread(weight):
    """A branch that counts `weight` times."""
    x = Input((4,), name="x")
    branch = layers.Dense(3, name="branch")(x) * weight
    model = Model(x, layers.Dense(1, name="last")(layers.concatenate([x, branch])))
    model.compile("adam", "mse")
    return model


def reader(rows, mask):
    return stack((20,), layers.Embedding(rows, 2, mask_zero=mask, name="words"), layers.LSTM(3), yes(), dtype="int32")


def flat(between):
    return stack((16, 16, 8), *between, layers.Dense(64, activation="relu", name="hidden"), yes())


def norm(*made):
    return stack((4,), *made, layers.Activation("relu"), yes())


def logits(flag, activation):
    return dense(3, activation, losses.SparseCategoricalCrossentropy(from_logits=flag))


SKEWED = np.repeat([0, 1], [60, 4])
EVEN = np.tile([0, 1], 32)

# rule -> ((model, x, y) that has the fault, the same that has not, where it is, words of what is said)
CASES = {
    outputs.probabilities_as_logits: [
        ((logits(True, "softmax"),), (logits(False, "softmax"),), "last", "ends in softmax, and the loss takes logits"),
        (
            (dense(1, "sigmoid", losses.BinaryCrossentropy(from_logits=True)),),
            (dense(1, None, losses.BinaryCrossentropy(from_logits=True)),),
            "last",
            "ends in sigmoid",
        ),
    ],
    outputs.logits_as_probabilities: [
        (
            (stack((4,), layers.Dense(1, "tanh", name="end"), layers.Reshape((1,)), layers.Dropout(0.5)),),
            (stack((4,), layers.Dense(1, "sigmoid"), layers.Reshape((1,)), layers.Dropout(0.5)),),
            "end",
            "those of tanh",
        ),
        ((logits(False, None),), (logits(True, None),), "last", "any numbers (no activation), and sparse_categorical"),
        ((logits(False, "relu"),), (logits(False, "softmax"),), "last", "those of relu"),
        (
            (dense(1, "tanh", "binary_crossentropy"),),
            (dense(1, "sigmoid", "binary_crossentropy"),),
            "last",
            "those of tanh, and binary_crossentropy",
        ),
    ],
    outputs.other_probabilities: [
        (
            (dense(3, "sigmoid", "categorical_crossentropy"),),
            (dense(3, "sigmoid", "binary_crossentropy"),),
            "last",
            "3 sigmoids, and categorical_crossentropy",
        ),
        (
            (dense(3, "softmax", "binary_crossentropy"),),
            (dense(3, "softmax", "categorical_crossentropy"),),
            "last",
            "a softmax over 3, and binary_crossentropy",
        ),
    ],
    outputs.softmax_of_one: [
        ((dense(1, "softmax"),), (dense(2, "softmax"),), "last", "a softmax over one unit"),
    ],
    outputs.regression_of_classes: [
        ((dense(3, "softmax", "mse"),), (dense(3, None, "mse"),), "last", "a softmax, and mean_squared_error"),
    ],
    outputs.targets_out_of_reach: [
        ((dense(1, "sigmoid"), None, 50 * YES), (dense(1, "sigmoid"), None, YES), "last", "sigmoid gives 0 to 1"),
        ((dense(1, "relu"), None, X[:, 0]), (dense(1, None), None, X[:, 0]), "last", "relu gives at least 0"),
    ],
    outputs.targets_that_do_not_fit: [
        (
            (dense(1, "sigmoid", "binary_crossentropy"), None, 2 * YES - 1),
            (dense(1, "sigmoid", "binary_crossentropy"), None, YES),
            "last",
            "the targets lie between -1 and 1",
        ),
        (
            (dense(3, "softmax", "categorical_crossentropy"), None, np.ones((64, 3))),
            (dense(3, "softmax", "categorical_crossentropy"), None, np.eye(3)[CLASSES]),
            "last",
            "do not sum to 1",
        ),
    ],
    outputs.not_finite: [
        (
            (dense(1, None), X, np.where(np.arange(64) == 7, np.nan, X[:, 0])),
            (dense(1, None), X, X[:, 0]),
            "last",
            "1 of 64 targets are NaN or infinite, the first in row 7.",
        ),
    ],
    outputs.constant_targets: [
        ((shared(False, True), X, np.ones(64)), (shared(True, False), X, np.ones(64)), "two", "are the same 1"),
        ((dense(1, None), None, np.full(64, 3.0)), (dense(1, None), None, X[:, 0]), "last", "are the same 3"),
    ],
    outputs.classes_out_of_balance: [
        (
            (dense(1, "sigmoid", "binary_crossentropy"), None, SKEWED),
            (dense(1, "sigmoid", "binary_crossentropy"), None, EVEN),
            "last",
            "94% of the targets are class 0",
        ),
        (
            (dense(2, "softmax", "categorical_crossentropy"), None, np.eye(2)[SKEWED]),
            (dense(2, "softmax", "categorical_crossentropy"), None, np.eye(2)[EVEN]),
            "last",
            "94% of the targets are class 0",
        ),
    ],
    outputs.accuracy_of_numbers: [
        (
            (dense(1, None, metrics=["accuracy"]), None, X[:, 0]),
            (dense(1, None, metrics=["mae"]), None, X[:, 0]),
            "last",
            "the metric accuracy, and mean_squared_error",
        ),
    ],
    outputs.dropout_at_the_end: [
        (
            (stack((4,), yes(), layers.Dropout(0.5, name="drop")),),
            (stack((4,), layers.Dropout(0.5), yes()),),
            "drop",
            "drops outputs of the model",
        ),
    ],
    inputs.not_finite: [
        ((stack((4,), yes()), np.where(X > 2, np.nan, X)), (stack((4,), yes()), X), "x", "are NaN or infinite"),
    ],
    inputs.unscaled: [
        (
            (stack((8, 8, 1), layers.Conv2D(2, 3, name="edges")), PIXELS),
            (stack((8, 8, 1), layers.Rescaling(1 / 255), layers.Conv2D(2, 3)), PIXELS),
            "x",
            "lie between 0 and 255, and reach edges as they are",
        ),
        (
            (stack((4,), yes()), 1000 * X),
            (stack((4,), layers.BatchNormalization(), yes()), 1000 * X),
            "x",
            "reach last",
        ),
        ((stack((4,), yes()), X + 500), (stack((4,), yes()), X), "x", "reach last"),
        (
            (stack((8, 8, 1), layers.RandomFlip(), layers.Resizing(4, 4), layers.Conv2D(2, 3, name="edges")), PIXELS),
            (stack((8, 8, 1), layers.RandomFlip(), layers.Rescaling(1 / 255), layers.Conv2D(2, 3)), PIXELS),
            "x",
            "reach edges as they are",
        ),
        (
            (stack((4, 1), layers.Bidirectional(layers.LSTM(2), name="both"), yes()), 100 * X[..., None]),
            (stack((4, 1), layers.Bidirectional(layers.LSTM(2)), yes()), X[..., None]),
            "x",
            "reach both as they are",
        ),
    ],
    inputs.unlike_columns: [
        (
            (stack((4,), yes()), X * [1, 1e-4, 1, 1]),
            (stack((4,), yes()), X * [1, 0.1, 1, 1]),
            "x",
            "and others by",
        ),
    ],
    inputs.embedding_too_large: [
        (
            (reader(10000, True), IDS),
            (reader(60, True), IDS),
            "words",
            "it has 10,000 rows, and no id in x is above 49",
        ),
    ],
    inputs.padding_without_mask: [
        (
            (reader(60, False), PADDED),
            (reader(60, True), PADDED),
            "words",
            "100% of the rows of x begin or end in zeros",
        ),
        ((reader(60, False), PADDED[:, ::-1]), (reader(60, False), IDS), "words", "begin or end in zeros"),
    ],
    graph.linear_stacks: [
        (
            (stack((4,), layers.Dense(8, name="hidden"), layers.Dropout(0.5), yes()),),
            (stack((4,), layers.Dense(8, activation="relu"), layers.Dropout(0.5), yes()),),
            "hidden",
            "no activation between it and last",
        ),
        (
            (stack((8, 8, 3), layers.Conv2D(4, 3, name="edges"), layers.Flatten(), yes()),),
            (stack((8, 8, 3), layers.Conv2D(4, 3), layers.ReLU(), layers.Flatten(), yes()),),
            "edges",
            "no activation between it and last",
        ),
    ],
    graph.twice_activated: [
        (
            (stack((4,), layers.Dense(3, "softmax"), layers.Softmax(name="again")),),
            (stack((4,), layers.Dense(3), layers.Softmax(name="once")),),
            "again",
            "softmax of",
        ),
        (
            (stack((4,), layers.Dense(3, "relu"), layers.ReLU(name="again"), yes()),),
            (stack((4,), layers.Dense(3), layers.ReLU(name="once"), yes()),),
            "again",
            "relu of",
        ),
    ],
    graph.bias_before_normalization: [
        (
            (norm(layers.Dense(4, name="hidden"), layers.BatchNormalization()),),
            (norm(layers.Dense(4, use_bias=False), layers.BatchNormalization()),),
            "hidden",
            "adds a bias right before BatchNormalization",
        ),
    ],
    graph.dropout_before_normalization: [
        (
            (norm(layers.Dropout(0.5, name="drop"), layers.BatchNormalization()),),
            (norm(layers.BatchNormalization(), layers.Dropout(0.5)),),
            "drop",
            "right before BatchNormalization",
        ),
    ],
    graph.dropout_of_nearly_all: [
        ((norm(layers.Dropout(0.9, name="drop")),), (norm(layers.Dropout(0.5)),), "drop", "it drops 90%"),
    ],
    graph.momentum_of_others: [
        (
            (norm(layers.BatchNormalization(momentum=0.1, name="norm")),),
            (norm(layers.BatchNormalization(momentum=0.9)),),
            "norm",
            "momentum=0.1",
        ),
    ],
    graph.weights_in_one_place: [
        (
            (flat([layers.Flatten(name="flat")]),),
            (flat([layers.GlobalAveragePooling2D()]),),
            "hidden",
            "131,136 of 131,201 weights (100%), because of flat, which makes 2,048 numbers of (16, 16, 8)",
        ),
    ],
    graph.softmax_of_the_batch: [
        (
            (stack((4,), layers.Softmax(axis=0, name="chances")),),
            (stack((4,), layers.Softmax(name="chances")),),
            "chances",
            "along axis 0, that of the batch",
        ),
    ],
    learning.data_that_does_not_fit: [
        (
            (dense(3, "softmax", "sparse_categorical_crossentropy"), X, CLASSES + 1),
            (dense(3, "softmax", "sparse_categorical_crossentropy"), X, CLASSES),
            None,
            "takes 0 to 2. Classes count from 0: give y - 1.",
        ),
        (
            (dense(3, "softmax", "sparse_categorical_crossentropy"), X, np.eye(3)[CLASSES]),
            (dense(3, "softmax", "categorical_crossentropy"), X, np.eye(3)[CLASSES]),
            None,
            "For one-hot targets, use loss='categorical_crossentropy'",
        ),
        ((silent(0.0), X[:, :3]), (silent(0.0), X), None, "predict stops: Input 'x' wants (batch, 4); got (64, 3)."),
        ((silent(0.0), X.astype(str), YES), (silent(0.0), X, YES), None, "fit stops: The input 'x' holds <U"),
        (
            (silent(0.0), [X, X], YES),
            (silent(0.0), X, YES),
            None,
            "fit stops: There is 1 input ('x'); got a list of 2.",
        ),
        ((silent(0.0), X, {"y": YES}), (silent(0.0), X, YES), None, "Not a target: 'y'."),
    ],
    learning.all_frozen: [
        ((shared(False, False),), (shared(False, True),), None, "none of its 4 weights is trained"),
    ],
    learning.frozen_behind_trained: [
        ((shared(True, False),), (shared(False, True),), "two", "stands behind one, which is trained"),
    ],
    learning.learning_rate: [
        ((scaled(1.0),), (scaled(1e-3),), None, "the learning rate of Adam is 1."),
        ((scaled(1e-9),), (scaled(1e-5),), None, "the learning rate of Adam is 1e-09."),
        ((scaled(10.0, optimizers.SGD),), (scaled(0.1, optimizers.SGD),), None, "of SGD is 10."),
        (
            (scaled(optimizers.schedules.ExponentialDecay(2.0, 10, 0.5)),),
            (scaled(optimizers.schedules.ExponentialDecay(1e-3, 10, 0.5)),),
            None,
            "of Adam is 2.",
        ),
        (
            (scaled(optimizers.schedules.CosineDecay(0.0, 1000, warmup_target=3.0, warmup_steps=100)),),
            (scaled(optimizers.schedules.CosineDecay(0.0, 1000, warmup_target=1e-3, warmup_steps=100)),),
            None,
            "of Adam is 3.",
        ),
    ],
    learning.dead_units: [
        ((silent(-50.0), X), (silent(0.0), X), "hidden", "8 of 8 units are 0 on all 64 rows"),
    ],
    learning.weights_without_gradient: [
        ((unread(0.0), X, X[:, 0]), (unread(1.0), X, X[:, 0]), "branch", "the loss does not depend on its weights"),
        ((silent(-50.0), X, YES), (silent(0.0), X, YES), "hidden", "does not depend"),
    ],
}
ROWS = [(rule, *row) for rule, rows in CASES.items() for row in rows]


def test_every_rule_is_tried():
    assert set(CASES) == set(explaining.RULES)
    assert len(explaining.RULES) == len(set(explaining.RULES))


@pytest.mark.parametrize(
    ("rule", "fault", "clean", "where", "words"), ROWS, ids=[f"{row[0].__name__}-{row[-1]}" for row in ROWS]
)
def test_a_rule_sees_its_fault_and_nothing_else(rule, fault, clean, where, words):
    found = list(rule(View(*fault)))
    assert [finding.layer for finding in found] == [where]
    assert words in found[0].what
    assert found[0].why.endswith(".")
    assert found[0].suggestion
    assert list(rule(View(*clean))) == []


def test_it_prints_in_words_and_is_a_list():
    model = dense(3, "softmax", losses.CategoricalCrossentropy(from_logits=True), optimizer=optimizers.Adam(1.0))
    model.name = "classifier"
    found = model.explain()
    assert str(found) == repr(found)
    assert str(found).splitlines() == [
        "2 things are odd about Sequential 'classifier'.",
        " 1. last: it ends in softmax, and the loss takes logits (from_logits=True).",
        "    The loss applies softmax once more: its outputs hardly differ, and it learns slowly.",
        "    > model.compile(..., loss=keryx.losses.CategoricalCrossentropy())",
        " 2. the learning rate of Adam is 1.",
        "    Usual is about 0.001. This is much: steps overshoot, and the loss jumps or turns NaN.",
        "    > model.compile(keryx.optimizers.Adam(0.001), ...)",
        "Without x and y, data was not looked at: model.explain(x, y).",
    ]
    assert [finding.layer for finding in found] == ["last", None]
    clean = dense(1, "sigmoid", "binary_crossentropy")
    clean.name = "judge"
    assert list(clean.explain(X, YES)) == []
    assert str(clean.explain(X, YES)) == "Nothing odd was seen in Sequential 'judge'."


def test_nothing_is_changed_and_what_was_seen_is_seen_again():
    model = silent(-50.0)
    weights, names = model.get_weights(), keryx.Sequential().name
    first = model.explain(X, YES)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert not model.optimizer.built
    assert all(len(layer.nodes) == 1 for layer in model.layers)
    number = int(names.rpartition("_")[2])
    assert keryx.Sequential().name == f"sequential_{number + 1}"
    assert first == model.explain(X, YES)
    assert model.fit(X, YES, verbose=0)


@pytest.mark.parametrize("x", [X[:, :3], X.astype(str), [X, X], {"z": X}])
@pytest.mark.parametrize("y", [None, YES, [YES, YES], YES[:9]])
def test_data_that_does_not_fit_is_a_finding_of_every_model(x, y):
    plain = Sequential([Input((4,)), layers.Dense(1, "relu")])
    for model in (silent(0.0), dense(1, "sigmoid", "binary_crossentropy"), plain):
        assert [finding.what[:4] in ("fit ", "pred") for finding in model.explain(x, y)].count(True) == 1


def test_rows_are_those_of_the_data_where_some_are_looked_at():
    many = np.zeros((5000, 4), "float32")
    many[4999, 2] = np.nan
    model = silent(0.0)
    assert "the first in row 4999." in model.explain(many)[0].what
    said = model.explain(np.zeros((5000, 4)), np.arange(4000) % 2)[0].what
    assert said.endswith("got the shapes input 'x' (5000, 4), target 'last' (4000,).")


def test_what_it_says_to_write_runs():
    layers.Dense(1)  # so that names have numbers
    model = Sequential([Input((4,)), layers.Dense(3, bias_initializer="ones"), layers.ReLU(), layers.Dense(1)])
    model.layers[0].kernel.assign(np.zeros((4, 3)))
    model.layers[0].bias.assign([-9.0] * 3)
    model.compile("sgd", "mse")
    dead, silent_one = model.explain(X, X[:, 0])
    assert eval(dead.suggestion.partition(" = ")[2], {"layers": layers, "x": Input((3,))}).shape == (None, 3)
    assert eval(silent_one.suggestion, {"model": model}) is model.layers[0]


def test_of_a_stream_of_batches_it_wants_one():
    for data in (((X, YES) for _ in range(2)), iter([X])):
        with pytest.raises(errors.ArgumentError, match=r"looks at arrays; got a .*x, y = next\(iter\(data\)\)"):
            silent(0.0).explain(data)


def test_models_of_every_kind():
    with pytest.raises(errors.StateError, match=r"is not built, so there is nothing to look at. Give x"):
        Sequential([layers.Dense(1)]).explain()
    late = Sequential([layers.Dense(3, "softmax", name="last")])
    late.compile("adam", losses.CategoricalCrossentropy(from_logits=True))
    assert [finding.layer for finding in late.explain(X)] == ["last"]

    class Own(keryx.Model):
        def __init__(self):
            super().__init__(name="own")
            self.last = layers.Dense(1)

        def call(self, x):
            return self.last(x)

    own = Own()
    own.compile(optimizers.Adam(5.0), "mse")
    found = own.explain(X, YES)
    assert [finding.layer for finding in found] == [None]
    assert found.unseen == "The inside of a subclass is not looked at."


def test_nested_and_shared_layers_are_named_by_their_path_and_once():
    inner = Sequential([Input((4,)), layers.Dense(8, name="hidden")], name="inner")
    a, b = Input((4,), name="a"), Input((4,), name="b")
    model = Model([a, b], layers.Dense(1, name="last")(layers.Add()([inner(a), inner(b)])))
    assert list(model.explain()) == []  # the sum of two branches is no stack
    x = Input((4,))
    y = layers.Dense(2, name="last")(inner(x))
    (finding,) = Model([x], y).explain()
    assert finding.layer == "inner/hidden"
    twice = Model([a, b], layers.concatenate([Model(x, y)(a), Model(x, y)(b)]))
    assert len({finding.what for finding in twice.explain()}) == len(twice.explain())


def test_factors_and_residuals_are_no_stacks():
    x = Input((8, 8, 6))
    depthwise = layers.Conv2D(6, 1)(layers.DepthwiseConv2D(3, padding="same")(x))
    assert list(Model(x, depthwise).explain()) == []
    assert list(Model(x, layers.Conv2D(6, 3, groups=6)(layers.Conv2D(6, 1)(x))).explain()) == []
    low_rank = layers.Conv2D(6, 1)(layers.Conv2D(2, 1)(x))
    assert list(Model(x, low_rank).explain()) == []
    y = layers.Conv2D(6, 1, name="one")(x)
    residual = layers.Add()([y, layers.Conv2D(6, 3, padding="same")(y)])
    assert list(Model(x, residual).explain()) == []
    assert list(Model(x, [y, layers.Conv2D(6, 3)(y)]).explain()) == []
    (finding,) = Model(x, layers.Conv2D(6, 3)(y)).explain()
    assert finding.layer == "one"


def test_metrics_and_losses_belong_to_their_outputs():
    x = Input((4,), name="x")
    model = Model(x, {"price": layers.Dense(1, name="price")(x), "kind": layers.Dense(3, "softmax", name="kind")(x)})
    targets = {"price": X[:, 0], "kind": CLASSES}
    for metrics, wrong in (({"kind": ["accuracy"]}, []), ({"price": ["accuracy"]}, ["price"]), ("accuracy", ["price"])):
        model.compile("adam", {"price": "mse", "kind": "sparse_categorical_crossentropy"}, metrics=metrics)
        assert [finding.layer for finding in model.explain(X, targets)] == wrong
    model.compile("adam", {"price": "mse"})
    (finding,) = model.explain(X, {"price": X[:, 0]})
    assert finding.layer == "kind"  # which no loss looks at


def test_what_it_cannot_know_it_does_not_say():
    import optax

    def own(y_true, y_pred):
        return keryx.ops.mean(keryx.ops.abs(y_true - y_pred), -1)

    assert list(dense(1, None, own, optimizer=optax.adam(1.0)).explain(X, X[:, 0])) == []
    (finding,) = dense(1, None, None).explain(X, X[:, 0])
    assert "There is no loss to lower" in finding.what
    assert list(dense(1, None).explain(X.tolist(), X[:, 0].tolist())) == []


def test_several_inputs_and_outputs_by_name():
    words, more = Input((20,), dtype="int32", name="words"), Input((4,), name="more")
    read = layers.LSTM(3)(layers.Embedding(60, 2, name="table")(words))
    joined = layers.concatenate([read, more])
    model = Model([words, more], [yes("sigmoid", "good")(joined), layers.Dense(1, "relu", name="price")(joined)])
    model.compile("adam", {"good": "binary_crossentropy", "price": "mse"})
    found = model.explain({"words": PADDED, "more": 1000 * X}, {"good": SKEWED, "price": X[:, 0]})
    assert {finding.layer for finding in found} == {"good", "price", "more", "table"}


def example(name):
    path = Path(__file__).parents[1] / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"explained_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def shown(monkeypatch):
    """What the models of an example are told to learn from; none of them is trained."""
    given = []
    monkeypatch.setattr(Model, "fit", lambda self, x=None, y=None, **options: given.append((self, x, y)))
    monkeypatch.setattr(Model, "predict", lambda self, x, **options: None)
    return given


def test_the_models_of_the_guide_have_what_they_have(shown):
    guide = example("functional_guide")
    model, _ = guide.dense()
    guide.every_step(model)
    guide.news()
    guide.tweets()
    guide.inception(size=16)
    guide.residual(size=16)
    guide.shared_vision(rows=32)
    *_, parts = guide.visual_question_answering(size=48)
    found = [finding for model, x, y in shown for finding in model.explain(x, y)]
    # The guide's vision model has two convolutions without an activation between them, and that is all.
    assert [(finding.layer.split("/")[1].rpartition("_")[0] or "conv2d") for finding in found] == ["conv2d"]
    assert "no activation between it and" in found[0].what
    video, _ = guide.video_question_answering(*parts, frames=4, size=48)
    assert list(video.explain()) == []


def test_the_digits_are_as_they_should_be(shown):
    from sklearn.datasets import load_digits

    digits, data = example("digits"), load_digits()
    model = digits.build()
    model.compile(optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    views = digits.views(data.images.astype("float32")[..., None] / 16)
    assert list(model.explain(views, data.target)) == []
    (finding,) = model.explain(views | {"image": data.images[..., None] * 15}, data.target)
    assert finding.layer == "image"
    assert finding.suggestion == "x = layers.Rescaling(1 / 255)(x)"
