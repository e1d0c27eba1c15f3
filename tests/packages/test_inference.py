"""BayesFlow, SHAP, LIME and ELI5: inference, and what a model looks at."""

import numpy as np
import pytest

from tests.packages.running import needs, run


@needs("bayesflow")
def test_bayesflow(tmp_path):
    found = run("bayesflow_inference", tmp_path)
    assert found["losses"][-1] < found["losses"][0] - 1
    assert len(found["validation"]) == 4
    assert found["correlation"] > 0.95
    assert found["spread"] == pytest.approx(found["known spread"], rel=0.5)
    assert found["densities"] < 1e-3, "a loaded approximator has other densities"
    assert len(found["diagnostics"]) >= 3


@needs("shap")
def test_shap(tmp_path):
    found = run("shap_values", tmp_path)
    for name in ("kernel", "kernel of a model", "exact"):
        np.testing.assert_allclose(found[name], found["known"], atol=1e-4, err_msg=name)
    # These two differentiate TensorFlow's graph.
    assert set(found["refused"]) == {"DeepExplainer", "GradientExplainer"}
    assert all("tensorflow" in text for _, text in found["refused"].values())


@needs("lime")
def test_lime(tmp_path):
    found = run("lime_weights", tmp_path)
    assert found["b"] > 0 > found["d"]
    assert abs(found["b"]) > abs(found["d"]) > 3 * max(abs(found["a"]), abs(found["c"]))


@needs("eli5", "scikeras")
def test_eli5(tmp_path):
    found = run("eli5_importance", tmp_path)
    assert found["importances"][1] > 0.3
    assert max(found["importances"][0], found["importances"][2]) < 0.05
    assert found["told"] == "feature importances"
