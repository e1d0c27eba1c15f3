"""Keras Tuner, SciKeras and Optuna: searches of hyperparameters."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.packages.running import needs, run


@needs("keras-tuner")
def test_keras_tuner(tmp_path):
    found = run("keras_tuner_searches", tmp_path)
    network = found.pop("network")
    assert network[0] == [None, 3]
    assert network[1] == ["conv3_depth", "conv4_depth"]
    assert {name: search["trials"] for name, search in found.items()} == {"random": 3, "bayesian": 3, "hyperband": 10}
    for name, search in found.items():
        assert search["states"] == ["COMPLETED"], name  # a trial that fails is tried again, and told to stderr alone
        assert search["known again"] == search["trials"]
        assert search["score"] >= 0.8
        assert search["accuracy"] == pytest.approx(search["score"], abs=0.01)  # the weights of the best trial
    assert found["random"]["values"].keys() >= {"layers", "units_0", "learning_rate", "batch_size"}


@needs("keras-tuner")
def test_keras_tuner_on_several_workers(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": str(free.getsockname()[1])}

    def work(name):
        return run("keras_tuner_workers", tmp_path, KERASTUNER_TUNER_ID=name, **place)

    with ThreadPoolExecutor(2) as both:
        assert list(both.map(work, ["chief", "tuner0"])) == [["chief", 3], ["tuner0", 3]]


@needs("scikeras")
def test_scikeras(tmp_path):
    found = run("scikeras_estimators", tmp_path)
    assert found["hidden"] == 16
    assert found["score"] > 0.85
    assert found["rate"] == pytest.approx(0.03)
    assert found["classes"] == [0, 1, 2]
    assert found["same"], "a pickled estimator predicts something else"
    assert found["same again"], "random_state does not decide"
    assert found["epochs"][1] == found["epochs"][0] + 1
    assert found["explained"] > 0.4


@needs("optuna-integration")
def test_optuna(tmp_path):
    found = run("optuna_pruning", tmp_path)
    assert {"COMPLETE", "PRUNED"} == set(found["states"])
    for state, epochs in zip(found["states"], found["reported"], strict=True):
        assert (epochs == 5) == (state == "COMPLETE")
    assert found["best"] == found["highest"]
