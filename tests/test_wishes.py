"""What Keras users ask for and do not get: the graph, fit, start and old code."""

import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

import keryx
from keryx import layers, ops
from keryx.errors import ArgumentError, ConfigError, DataError, ShapeError

ROWS = 12
random = np.random.default_rng(0)
A = random.normal(size=(ROWS, 3)).astype(np.float32)
B = random.normal(size=(ROWS, 2)).astype(np.float32)
LABELS = random.integers(0, 3, ROWS)


def two_inputs(as_dict=False):
    """a (3) and b (2) to their concatenation (5)."""
    a, b = keryx.Input((3,), name="a"), keryx.Input((2,), name="b")
    return keryx.Model({"a": a, "b": b} if as_dict else [a, b], layers.Concatenate()([a, b]))


def two_outputs(**options):
    """x (3) to `left` and `right`, softmaxes of 3 classes."""
    x = keryx.Input((3,), name="x")
    outputs = [layers.Dense(3, activation="softmax", name=name)(x) for name in ("left", "right")]
    model = keryx.Model(x, outputs)
    model.compile(**{"optimizer": keryx.optimizers.SGD(0.1), "loss": "sparse_categorical_crossentropy"} | options)
    return model


def dense(**options):
    x = keryx.Input((3,), name="x")
    model = keryx.Model(x, layers.Dense(2, name="y")(x))
    model.compile(**{"optimizer": keryx.optimizers.SGD(0.1), "loss": "mse"} | options)
    return model


# -- graph -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fit", "predict", "evaluate", "predict_on_batch", "__call__"])
def test_a_wrong_shape_leaves_the_weights_whole(method):
    model = dense()
    before = model.get_weights()
    data = (A[:, :2], B) if method in ("fit", "evaluate") else (A[:, :2],)
    with pytest.raises(ShapeError, match=r"Input 'x' wants \(batch, 3\); got \(12, 2\)"):
        getattr(model, method)(*data)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert np.isfinite(model.fit(A, B, verbose=0).history["loss"]).all()


def test_a_single_sample_is_told_its_batch_axis():
    with pytest.raises(ShapeError, match=r"got \(3,\).* The batch axis is missing: give x\[None\]"):
        dense().predict(A[0], verbose=0)


@pytest.mark.parametrize("as_dict", [False, True])
def test_a_dict_is_matched_by_key(as_dict):
    model = two_inputs(as_dict)
    expected = np.concatenate([A, B], axis=1)
    assert np.array_equal(model.predict({"b": B, "a": A}, verbose=0), expected)
    extra = {"0_first" if as_dict else "1_first": B, "a": A, "b": B}
    with pytest.warns(UserWarning, match=r"The inputs are 'a', 'b'; left aside: '._first'\."):
        assert np.array_equal(model.predict(extra, verbose=0), expected)
    assert np.array_equal(model(extra), expected)  # in silence
    assert np.array_equal(model.predict(extra, verbose=0), expected)
    with pytest.raises(DataError, match=r"The inputs are 'a', 'b'. Missing: 'b'. .*'bb'. Did you mean 'b'\?"):
        model.predict({"a": A, "bb": B}, verbose=0)
    with pytest.raises(DataError, match="Missing: 'a'"):
        model.predict({"b": B}, verbose=0)


def test_a_list_for_a_dict_model_says_what_is_expected_missing_and_extra():
    model = two_inputs(as_dict=True)
    with pytest.raises(DataError, match=r"dict with the keys 'a', 'b'; got a list of 1: 'b' is missing"):
        model.predict([A], verbose=0)
    with pytest.raises(DataError, match=r"dict with the keys 'a', 'b'; got a list of 3, 1 too many"):
        model.predict([A, B, B], verbose=0)
    with pytest.raises(DataError, match=r"dict with the keys 'a', 'b'; got a list of 2. Give \{'a': ..., 'b': ...\}"):
        model.predict([A, B], verbose=0)


def test_a_list_of_the_wrong_length():
    with pytest.raises(DataError, match=r"There are 2 inputs \('a', 'b'\); got a list of 1"):
        two_inputs().predict([A], verbose=0)
    with pytest.raises(DataError, match=r"There are 2 inputs \('a', 'b'\); got one ndarray"):
        two_inputs().predict(A, verbose=0)
    with pytest.raises(DataError, match=r"There is 1 input \('x'\); got a list of 12. .*np.stack"):
        dense().predict(list(A), verbose=0)


def test_a_layer_within_a_nested_model_can_be_an_output():
    x = keryx.Input((3,), name="x")
    inner = keryx.Model(x, layers.Dense(2, name="o2")(layers.Dense(4, name="o1")(x)), name="inner")
    y = keryx.Input((3,), name="y")
    outer = keryx.Model(y, layers.Dense(1)(inner(y * 2)))
    o1 = outer.get_layer("inner/o1")
    probe = keryx.Model(outer.input, o1.output)
    kernel, bias = o1.get_weights()
    np.testing.assert_allclose(probe.predict(A, verbose=0), 2 * A @ kernel + bias, rtol=1e-5, atol=1e-6)


def test_numpy_functions_operators_and_methods_of_symbols():
    x = keryx.Input((3,), name="x")
    outputs = [np.exp(x), A[0] + x, x.sum(axis=1), x.astype("int32"), np.maximum(x, 0)]
    results = keryx.Model(x, outputs).predict(A, verbose=0)
    expected = [np.exp(A), A[0] + A, A.sum(axis=1), A.astype("int32"), np.maximum(A, 0)]
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-6)


# -- add_loss --------------------------------------------------------------------------------------------------------


def with_added_loss():
    x = keryx.Input((3,), name="x")
    hidden = layers.Dense(4, name="hidden")(x)
    model = keryx.Model(x, layers.Dense(2, name="y")(hidden))
    model.add_loss(ops.mean(hidden**2))
    model.compile(keryx.optimizers.SGD(0.1), "mse")
    return model


def expected_loss(model):
    kernel, bias = model.get_layer("hidden").get_weights()
    return np.mean((model.predict(A, verbose=0) - B) ** 2) + np.mean((A @ kernel + bias) ** 2)


def test_functional_add_loss():
    model = with_added_loss()
    assert model.evaluate(A, B, verbose=0) == pytest.approx(expected_loss(model), rel=1e-5)
    losses = model.fit(A, B, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert model.predict(A, verbose=0).shape == (ROWS, 2)
    model(A)
    assert len(model.losses) == 1


def test_the_sum_of_a_tensor_is_added():
    class Penalized(keryx.Layer):
        def call(self, x):
            self.add_loss(ops.square(x))
            return x

    x = keryx.Input((3,))
    model = keryx.Model(x, Penalized()(layers.Dense(2, name="hidden")(x)))
    model.compile(keryx.optimizers.SGD(1e-4))
    wanted = np.sum(model.predict(A, verbose=0) ** 2)
    assert model.evaluate(A, batch_size=ROWS, verbose=0) == pytest.approx(wanted, rel=1e-5)
    losses = model.fit(A, batch_size=ROWS, epochs=3, verbose=0).history["loss"]
    assert wanted == pytest.approx(losses[0], rel=1e-5)
    assert losses[-1] < losses[0]


def test_add_loss_of_a_nested_model_counts_in_the_outer_once_a_call():
    model = with_added_loss()
    x = keryx.Input((3,), name="x")
    outer = keryx.Model(x, model(x))
    outer.compile("sgd", "mse")
    assert outer.evaluate(A, B, verbose=0) == pytest.approx(expected_loss(model), rel=1e-5)
    twice = keryx.Model(x, (model(x) + model(x)) / 2)
    twice.compile("sgd", "mse")
    added = expected_loss(model) - np.mean((model.predict(A, verbose=0) - B) ** 2)
    assert twice.evaluate(A, B, verbose=0) == pytest.approx(expected_loss(model) + added, rel=1e-5)


def test_a_model_that_has_only_added_losses_trains_without_targets():
    x = keryx.Input((3,), name="x")
    code = layers.Dense(2)(x)
    model = keryx.Model(x, layers.Dense(3)(code))
    penalty = layers.Dense(1, name="only_in_the_loss")(code)
    model.add_loss([ops.mean((model.output - x) ** 2), ops.mean(penalty**2)])
    model.compile("adam")
    assert "only_in_the_loss" in [layer.name for layer in model.layers]
    losses = model.fit(A, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_add_loss_after_compile_and_of_what_is_no_scalar():
    model = dense()
    plain = model.evaluate(A, B, verbose=0)
    model.add_loss(ops.mean(model.output) * 0 + 1.0)
    assert model.evaluate(A, B, verbose=0) == pytest.approx(plain + 1)
    with pytest.raises(ShapeError, match=r"An added loss is a scalar; .* is \(batch, 2\). Take its mean"):
        model.add_loss(model.output)
    stranger = keryx.Input((1,), name="stranger")
    with pytest.raises(DataError, match="stranger"):
        model.add_loss(ops.mean(stranger))
    assert model.evaluate(A, B, verbose=0) == pytest.approx(plain + 1)


# -- fit -------------------------------------------------------------------------------------------------------------


def test_time_distributed_around_a_compiled_model_reports_the_outer_models_numbers():
    x = keryx.Input((3,))
    inner = keryx.Model(x, layers.Dense(3, activation="softmax")(x))
    inner.compile("sgd", "mse", metrics=["mae"])
    steps = keryx.Input((2, 3))
    outer = keryx.Model(steps, layers.TimeDistributed(inner)(steps))
    outer.compile(keryx.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    data, labels = A.reshape(6, 2, 3), LABELS.reshape(6, 2)
    history = outer.fit(data, labels, verbose=0).history
    predicted = outer.predict(data, verbose=0)
    chosen = np.take_along_axis(predicted, labels[..., None], -1)
    assert history["loss"] == pytest.approx([-np.log(chosen).mean()], rel=1e-5)
    assert history["accuracy"] == pytest.approx([(predicted.argmax(-1) == labels).mean()])


def test_one_loss_and_one_metric_go_to_every_output():
    model = two_outputs(loss_weights=[1.0, 0.2], metrics="accuracy")
    logs = model.evaluate(A, [LABELS, LABELS], return_dict=True, verbose=0)
    assert logs.keys() == {"loss", "left_loss", "right_loss", "left_accuracy", "right_accuracy"}
    assert logs["loss"] == pytest.approx(logs["left_loss"] + 0.2 * logs["right_loss"], rel=1e-5)


def test_partial_dicts():
    model = two_outputs(
        loss={"left": "sparse_categorical_crossentropy"}, loss_weights={"left": 2.0}, metrics={"left": "accuracy"}
    )
    weight = random.uniform(size=ROWS).astype(np.float32)
    plain = model.evaluate(A, {"left": LABELS}, return_dict=True, verbose=0)
    assert plain.keys() == {"loss", "accuracy"} or plain.keys() == {"loss", "left_accuracy"}
    nll = -np.log(model.predict(A, verbose=0)[0][np.arange(ROWS), LABELS])
    assert plain["loss"] == pytest.approx(2 * nll.mean(), rel=1e-5)
    weighted = model.evaluate(A, {"left": LABELS}, sample_weight={"left": weight}, verbose=0)
    weighted = weighted[0] if isinstance(weighted, list) else weighted
    assert weighted == pytest.approx(2 * (nll * weight).mean(), rel=1e-5)
    model.fit(A, {"left": LABELS}, verbose=0)
    with pytest.raises(ConfigError, match=r"'lfet', which is no output. Did you mean 'left'"):
        two_outputs(loss={"lfet": "mse"})
    with pytest.raises(DataError, match=r"Not a target: 'lfet'. Did you mean 'left'"):
        model.fit(A, {"lfet": LABELS}, verbose=0)


def test_several_losses_of_one_output_are_added_up_and_named():
    model = dense(loss=["mse", "mae"])
    logs = model.evaluate(A, B, return_dict=True, verbose=0)
    error = model.predict(A, verbose=0) - B
    assert logs["loss"] == pytest.approx(np.mean(error**2) + np.abs(error).mean(), rel=1e-5)
    assert len([name for name in logs if name.endswith("_loss")]) == 2


def test_class_weight_by_output():
    model = two_outputs()
    targets = [LABELS, LABELS[::-1].copy()]
    left, right = model.predict(A, verbose=0)
    rows = np.arange(ROWS)
    factor = np.where(LABELS == 1, 5.0, 1.0)
    expected = np.mean(-np.log(left[rows, LABELS]) * factor) + np.mean(-np.log(right[rows, targets[1]]))
    history = model.fit(A, targets, class_weight={"left": {1: 5.0}}, batch_size=ROWS, verbose=0)
    assert history.history["loss"] == pytest.approx([expected], rel=1e-5)
    with pytest.raises(DataError, match=r"class_weight for several outputs is a dict by output \(left, right\)"):
        model.fit(A, targets, class_weight={0: 1.0, 1: 5.0}, verbose=0)


@pytest.mark.parametrize("shape", [(ROWS - 1,), (ROWS, 5), ()])
def test_a_wrong_sample_weight_prints_shapes_only(shape):
    with pytest.raises(ValueError, match=r"\(12, 2\)|single number") as caught:
        dense().fit(A, B, sample_weight=np.full(shape, 0.123), verbose=0)
    assert "0.123" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_sample_weights_of_one_column():
    model, weight = dense(), random.uniform(size=ROWS)
    flat = model.evaluate(A, B, sample_weight=weight, verbose=0)
    assert model.evaluate(A, B, sample_weight=weight[:, None], verbose=0) == flat


# -- import and compilation ------------------------------------------------------------------------------------------


def run(code, **environment):
    """What a fresh Python process prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"JAX_PLATFORMS": "cpu"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_import_is_light():
    code = "import sys, json, keryx; print(json.dumps(sorted(sys.modules)))"
    modules = set(run(code, KERYX_COMPILATION_CACHE="off"))
    assert "keryx" in modules
    for heavy in ("optax", "h5py", "rich", "keras", "tensorflow", "torch", "pandas", "scipy"):
        assert heavy not in modules, heavy


TRAIN = """
import json, sys
import jax, numpy as np, keryx
counts = {}
jax.monitoring.register_event_listener(lambda name, **_: counts.update({name: counts.get(name, 0) + 1}))
keryx.utils.set_random_seed(1)
x = keryx.Input((3,), name="x")
h = keryx.layers.BatchNormalization()(keryx.layers.Dense(4, activation="relu")(x))
model = keryx.Model(x, keryx.layers.Dense(2, name="y")(keryx.layers.Dropout(0.5)(h)))
model.compile("adam", "mse", metrics=["mae"])
a, b = np.ones((40, 3)), np.ones((40, 2))
model.fit(a, b, epochs=2, validation_split=0.2, verbose=0)
model.evaluate(a, b, verbose=0)
model.predict(a, verbose=0)
print(json.dumps([counts.get(f"/jax/compilation_cache/cache_{what}", 0) for what in ("hits", "misses")]))
"""


def test_a_second_process_compiles_nothing(tmp_path):
    _, first_misses = run(TRAIN, KERYX_COMPILATION_CACHE=str(tmp_path))
    hits, misses = run(TRAIN, KERYX_COMPILATION_CACHE=str(tmp_path))
    assert first_misses > 0
    assert hits > 0
    assert misses == 0


@pytest.fixture
def compilations():
    """The number of programs that were compiled since, called as a function."""
    seen = []

    def listen(name, *_, **__):
        if name == "/jax/core/compile/backend_compile_duration":
            seen.append(name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield lambda: len(seen)
    jax.monitoring.unregister_event_duration_listener(listen)


def test_a_second_fit_with_the_same_shapes_compiles_nothing(compilations):
    x = keryx.Input((3,), name="x")
    h = layers.BatchNormalization()(layers.Dense(4, activation="relu")(x))
    model = keryx.Model(x, layers.Dense(2, name="y")(layers.Dropout(0.5)(h)))
    model.compile("adam", "mse", metrics=["mae"])

    def use():
        model.fit(A, B, epochs=2, batch_size=5, validation_data=(A, B), verbose=0)
        model.fit(((A, B) for _ in range(4)), steps_per_epoch=2, epochs=2, verbose=0)
        model.evaluate(A, B, verbose=0)
        model.predict(A, verbose=0)
        model.predict(np.tile(A, (9, 1)), verbose=0)
        model.train_on_batch(A, B)
        model(A)

    use()
    once = compilations()
    assert once > 0
    use()
    assert compilations() == once


def test_any_number_of_rows_costs_one_program_for_the_rest_at_most(compilations):
    model = dense()
    model.fit(A, B, batch_size=4, verbose=0)
    before = compilations()
    model.fit(A[:10], B[:10], batch_size=4, epochs=3, verbose=0)
    assert compilations() - before <= 2  # other rows: one loop for the whole batches, one for the rest


# -- dtype -----------------------------------------------------------------------------------------------------------


def test_mixed_bfloat16_predicts_float32():
    x = keryx.Input((3,))
    model = keryx.Model(x, layers.Dense(2, dtype="mixed_bfloat16")(x))
    assert model(A).dtype == "bfloat16"
    assert model.predict(A, verbose=0).dtype == np.float32
    assert model.predict(np.tile(A, (9, 1)), verbose=0).dtype == np.float32
    assert model.predict_on_batch(A).dtype == np.float32


# -- old code --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: dense().fit(A, B, nb_epoch=3), r"fit\(\) has no argument 'nb_epoch': it is 'epochs' now"),
        (lambda: dense().fit(A, B, epoch=3), r"fit\(\) has no argument 'epoch'. Did you mean 'epochs'"),
        (lambda: dense().fit(A, B, epohcs=3), r"fit\(\) has no argument 'epohcs'. Did you mean 'epochs'\?"),
        (lambda: dense().evaluate(A, B, show_accuracy=True), "no argument 'show_accuracy' any more"),
        (lambda: dense().fit_generator(iter([])), r"fit_generator\(.*\) is gone: write fit\(generator, ...\)"),
        (lambda: layers.Dense(output_dim=3), "'output_dim': it is 'units' now"),
        (lambda: layers.LSTM(output_dim=3), "'output_dim': it is 'units' now"),
        (lambda: layers.Dense(3, init="uniform"), "'init': it is 'kernel_initializer' now"),
        (lambda: layers.Embedding(3, 2, init="uniform"), "'init': it is 'embeddings_initializer' now"),
        (lambda: layers.Conv2D(8, (3, 3), border_mode="same"), "'border_mode': it is 'padding' now"),
        (lambda: layers.Conv2D(8, (3, 3), subsample=(2, 2)), "'subsample': it is 'strides' now"),
        (lambda: layers.Dense(3, W_regularizer="l2"), "'W_regularizer': it is 'kernel_regularizer' now"),
        (lambda: layers.Dropout(p=0.5), "'p': it is 'rate' now"),
        (lambda: layers.BatchNormalization(mode=1), "'mode' any more: leave it out"),
        (
            lambda: layers.Conv2D(8, 3, 3),
            r"was a kernel of \(3, 3\) in Keras 1, .*kernel_size=\(3, 3\), or strides=3",
        ),
        (lambda: keryx.optimizers.Adam(lr=0.1), "'lr'.*'learning_rate'"),
        (lambda: keryx.optimizers.Adam(decay=0.1), "'decay'.*InverseTimeDecay"),
        (
            lambda: layers.merge([1, 2], mode="concat"),
            r"keryx.layers.merge is gone: write concatenate\(",
        ),
        (lambda: layers.Merge(mode="sum"), r"keryx.layers.Merge is gone: write Concatenate\(\), Add\(\)"),
        (lambda: keryx.Model(input=1, output=2), r"Model\(\) has no argument 'input': it is 'inputs' now"),
        (lambda: dense(sample_weight_mode="temporal"), "'sample_weight_mode' any more: leave it out"),
    ],
)
def test_an_old_word_is_answered_with_the_new_one(call, said):
    with pytest.raises(ArgumentError, match=said):
        call()


def test_an_unknown_layer_is_answered_with_a_close_one():
    with pytest.raises(AttributeError, match=r"keryx.layers has no 'Desne'. Did you mean 'Dense'"):
        layers.Desne  # noqa: B018


def test_monitor_val_acc_says_val_accuracy():
    model = two_outputs()
    x = keryx.Input((3,))
    model = keryx.Model(x, layers.Dense(3, activation="softmax")(x))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = keryx.callbacks.EarlyStopping(monitor="val_acc")
    with pytest.raises(ConfigError, match=r"'val_acc', which fit does not log. Did you mean 'val_accuracy'"):
        model.fit(A, LABELS, validation_split=0.5, callbacks=[stop], verbose=0)
