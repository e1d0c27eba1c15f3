"""Distillation beside Keras: the losses, a run of fit, configs, and what is refused."""

import copy

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import keryx
from keryx import distillation
from keryx.errors import ArgumentError, ConfigError, ShapeError
from tests.oracle import array

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras's
X, Y = array(16, 4), np.eye(3, dtype="float32")[np.arange(16) % 3]
T, S = array(5, 3), array(5, 3, seed=1)


def models(K, units=6):
    K.utils.clear_session(free_memory=False)
    made = []
    for size, seed in ((units, 1), (4, 2)):
        body = [
            K.layers.Dense(size, "tanh", name="body"),
            K.layers.Dense(4, name="mid"),
            K.layers.Dense(3, name="head"),
        ]
        model = K.Sequential([K.Input((4,)), *body])
        model.set_weights([array(*v.shape, seed=seed + i) / 2 for i, v in enumerate(model.weights)])
        made.append(model)
    return made


LOSSES = [
    lambda D, L: D.LogitsDistillation(2.0, L.KLDivergence()),
    lambda D, L: D.LogitsDistillation(loss="mse"),
    lambda D, L: D.LogitsDistillation(4, L.CategoricalCrossentropy(from_logits=True)),
    lambda D, L: D.FeatureDistillation(),
    lambda D, L: D.FeatureDistillation(L.MeanAbsoluteError()),
    lambda D, L: D.FeatureDistillation("cosine_similarity"),
]


@pytest.mark.parametrize("make", LOSSES)
def test_losses_equal_keras(make):
    ours, theirs = (make(K.distillation, K.losses) for K in (keryx, keras))
    np.testing.assert_allclose(ours.compute_loss(T, S), theirs.compute_loss(T, S), 1e-5)


def test_a_loss_for_each_output_or_none():
    for nest in (["mse", None], {"a": "mse", "b": None}):
        outputs = [[T, 3 * T], [S, S]] if isinstance(nest, list) else [{"a": T, "b": 3 * T}, {"a": S, "b": S}]
        values = [K.distillation.FeatureDistillation(nest).compute_loss(*outputs) for K in (keryx, keras)]
        np.testing.assert_allclose(*values, 1e-5)
        loss = distillation.FeatureDistillation(nest)
        loss.validate_outputs(*outputs)
        with pytest.raises(ShapeError, match="has losses in the form"):
            loss.validate_outputs(T, S)
    with pytest.raises(ShapeError, match="nests of different form"):
        distillation.LogitsDistillation().validate_outputs(T, [S])


def test_the_divergence_is_that_of_probabilities_by_name_too():
    p, q = (np.exp(a / 3) / np.exp(a / 3).sum(-1, keepdims=True) for a in (T, S))
    wanted = 9 * (p * np.log(p / q)).sum(-1).mean()
    np.testing.assert_allclose(distillation.LogitsDistillation().compute_loss(T, S), wanted, 1e-4)


def distiller(K, share=0.3):
    D, (teacher, student) = K.distillation, models(K)
    losses = [
        D.LogitsDistillation(2.0, K.losses.KLDivergence()),
        D.FeatureDistillation("mse", "mid", "mid"),
        D.FeatureDistillation("mae", "body", "body") if share == 1 else D.FeatureDistillation("mae"),
    ]
    made = D.Distiller(teacher, student, losses, [1.0, 0.5, 0.25], share)
    loss = K.losses.CategoricalCrossentropy(from_logits=True)
    made.compile(K.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    return made


@pytest.mark.parametrize("share", [0.3, 0.0, 1.0])
def test_fit_equals_keras(share):
    runs = []
    for K in (keryx, keras):
        made = distiller(K, share)
        taught = made.teacher.get_weights()
        logs = made.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0).history
        measured = made.evaluate(X, Y, verbose=0, return_dict=True)
        for a, b in zip(taught, made.teacher.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        runs.append((logs, measured, made.student.get_weights(), made.predict(X, verbose=0)))
    ours, theirs = runs
    assert set(ours[0]) == set(theirs[0]) == {"accuracy", "distillation_loss", "loss", "student_loss", "total_loss"}
    for name in ours[0]:
        np.testing.assert_allclose(ours[0][name], theirs[0][name], 1e-5, 1e-5)
        np.testing.assert_allclose(ours[1][name], theirs[1][name], 1e-5, 1e-5)
    for a, b in zip(ours[2], theirs[2], strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-5)
    np.testing.assert_allclose(ours[3], theirs[3], 1e-5, 1e-5)


def test_it_is_saved_and_goes_on(tmp_path):
    made = distiller(keryx)
    made.fit(X, Y, verbose=0)
    made.save(tmp_path / "model.keras")
    again = keryx.models.load_model(tmp_path / "model.keras")
    twin = copy.deepcopy(made)
    for one in (made, again, twin):
        one.fit(X, Y, shuffle=False, verbose=0)
    for other in (again, twin):
        for a, b in zip(made.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    assert again.distillation_losses[0].temperature == 2.0
    assert again.student_loss_weight == 0.3
    assert not again.teacher.trainable


@pytest.mark.parametrize("make", LOSSES)
def test_configs_of_losses(make):
    loss = make(distillation, keryx.losses)
    again = keryx.saving.deserialize_keras_object(keryx.saving.serialize_keras_object(loss))
    np.testing.assert_array_equal(again.compute_loss(T, S), loss.compute_loss(T, S))


def test_a_loss_of_ones_own():
    class Own(distillation.DistillationLoss):
        def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
            return jnp.abs(teacher_outputs - student_outputs) if self.wide else jnp.zeros(())

    teacher, student = models(keryx)
    own = Own()
    own.wide = True
    made = distillation.Distiller(teacher, student, own)
    made.compile("sgd", "mse")
    with pytest.raises(ShapeError, match=r"Own.compute_loss has to return a scalar; got \(16, 3\)"):
        made.fit(X, Y, verbose=0)
    own.wide = False
    made.fit(X, Y, verbose=0)
    with pytest.raises(NotImplementedError, match="DistillationLoss wants a method compute_loss"):
        distillation.DistillationLoss().compute_loss(T, S)


def test_what_cannot_be_distilled():
    D, (teacher, student) = distillation, models(keryx)
    logits, named = D.LogitsDistillation(), D.FeatureDistillation("mse", "bodi", "body")
    wide = keryx.Sequential([keryx.Input((4,)), keryx.layers.Dense(5)])
    whole = keryx.Sequential([keryx.Input((4,), dtype="int32"), keryx.layers.Dense(3)])
    open_one = keryx.Sequential([keryx.layers.Dense(3)])
    cases = [
        (lambda: D.Distiller("teacher", student, logits), ArgumentError, "wants a model as the teacher; got 'teacher'"),
        (lambda: D.Distiller(teacher, None, logits), ArgumentError, "wants a model as the student"),
        (lambda: D.Distiller(teacher, student, None), ArgumentError, "wants distillation losses"),
        (lambda: D.Distiller(teacher, wide, logits), ShapeError, r"same outputs; the teacher has \(None, 3\) float32"),
        (lambda: D.Distiller(teacher, whole, logits), ShapeError, r"same inputs; .*int32"),
        (lambda: D.Distiller(teacher, student, [logits], [1, 2]), ConfigError, "of 1 losses; got 2 weights"),
        (lambda: D.Distiller(teacher, student, logits, None, 2.0), ConfigError, "from 0 to 1; got 2.0"),
        (lambda: D.Distiller(teacher, student, named), ConfigError, "of the teacher: .* no layer 'bodi'. Did you mean"),
        (lambda: D.Distiller(open_one, student, named), ConfigError, "the teacher .* has no graph to find one in"),
        (lambda: D.FeatureDistillation(None), ConfigError, "for one output at least"),
        (lambda: D.LogitsDistillation(0.0), ConfigError, "above 0; got 0.0"),
        (lambda: D.Distiller(teacher, student, logits).compile("sgd"), ArgumentError, "wants the loss of the student"),
        (lambda: D.Distiller(teacher, student, logits).compile("sgd", "mse", "mae"), ArgumentError, "list of metrics"),
    ]
    for make, error, text in cases:
        with pytest.raises(error, match=text):
            make()
