"""Models as estimators of scikit-learn: its own checks, and what they do not look at."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import keryx
from keryx import wrappers
from keryx.errors import DataError, StateError
from tests.oracle import array

X, Y = array(40, 3), np.arange(40) % 3


def make(X, y, loss="mse", activation=None, rate=0.1):
    keryx.utils.set_random_seed(1)  # so that two fits are alike, as some of the checks want
    model = keryx.Sequential([keryx.Input((X.shape[1],)), keryx.layers.Dense(y.shape[1], activation)])
    model.compile(keryx.optimizers.Adam(rate), loss)
    return model


OPTIONS = {"loss": "categorical_crossentropy", "activation": "softmax"}
FIT = {"epochs": 2, "verbose": 0}


@pytest.mark.slow
@pytest.mark.parametrize(
    "estimator",
    [
        wrappers.SKLearnClassifier(make, model_kwargs=OPTIONS, fit_kwargs=FIT),
        wrappers.SKLearnRegressor(make, fit_kwargs=FIT),
        wrappers.SKLearnTransformer(make, fit_kwargs=FIT),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.filterwarnings("ignore")  # what scikit-learn says of its own checks
def test_scikit_learn_checks_pass(estimator):
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert failed == {}
    assert sum(r["status"] == "passed" for r in results) > 35


def test_a_classifier_in_a_grid():
    pipeline = make_pipeline(StandardScaler(), wrappers.SKLearnClassifier(make, model_kwargs=OPTIONS, fit_kwargs=FIT))
    kinds = [OPTIONS, OPTIONS | {"rate": 0.01}]
    search = GridSearchCV(pipeline, {"sklearnclassifier__model_kwargs": kinds}, cv=2).fit(
        X, np.array(["a", "b", "c"])[Y]
    )
    best = search.best_estimator_[-1]
    assert set(search.predict(X)) <= {"a", "b", "c"}
    assert list(best.classes_) == ["a", "b", "c"]
    assert best.decision_function(X).shape == (40, 3)
    assert best.decision_function(X[:, :3]).argmax(-1).shape == (40,)


def test_two_classes_have_one_decision():
    classifier = wrappers.SKLearnClassifier(make, model_kwargs=OPTIONS).fit(X, Y % 2, **FIT)
    decision = classifier.decision_function(X)
    assert decision.shape == (40,)
    np.testing.assert_array_equal(decision > 0, classifier.predict(X) == 1)


def test_a_model_is_cloned_and_only_a_warm_start_goes_on():
    model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(1)])
    model.compile(keryx.optimizers.SGD(0.01), "mse")
    before = model.get_weights()
    regressor = wrappers.SKLearnRegressor(model).fit(X, X[:, 0], epochs=2, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert regressor.model_ is not model
    assert len(regressor.history_.history["loss"]) == 2
    assert regressor.predict(X).shape == (40,)
    first = regressor.model_
    assert regressor.fit(X, X[:, 0], verbose=0).model_ is not first
    regressor.set_params(warm_start=True)
    first, loss = regressor.model_, regressor.history_.history["loss"][-1]
    assert regressor.fit(X, X[:, 0], verbose=0).model_ is first
    assert regressor.history_.history["loss"][-1] < loss


def test_a_clone_keeps_all_that_was_given():
    options = {"epochs": 1}
    estimator = wrappers.SKLearnClassifier(make, True, OPTIONS, options).fit(X, Y, verbose=0)
    again = clone(estimator)
    assert again.get_params() == estimator.get_params()
    assert not hasattr(again, "model_")
    assert options == {"epochs": 1}


def test_what_is_refused():
    model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(1)])
    with pytest.raises(StateError, match="is to be compiled"):
        wrappers.SKLearnRegressor(model).fit(X, X[:, 0])
    with pytest.raises(DataError, match="only one class"):
        wrappers.SKLearnClassifier(make, model_kwargs=OPTIONS).fit(X, 0 * Y)
    with pytest.raises(ValueError, match="Unknown label type"):
        wrappers.SKLearnClassifier(make, model_kwargs=OPTIONS).fit(X, X[:, 0])
    with pytest.raises(StateError, match="enable_metadata_routing=True"):
        wrappers.SKLearnRegressor(model).set_fit_request(epochs=True)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = wrappers.SKLearnRegressor(model).set_fit_request(epochs=True)
        assert estimator.get_metadata_routing().fit.requests == {"epochs": True}
