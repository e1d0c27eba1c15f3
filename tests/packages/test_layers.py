"""Keras RS and Keras TCN: layers of other libraries."""

import numpy as np
import pytest

from tests.packages.running import needs, run


@needs("keras-rs")
def test_keras_rs(tmp_path):
    found = run("keras_rs_ranking", tmp_path)
    assert found["losses"][1] < 0.2 * found["losses"][0]
    assert found["distance"] == 0
    assert found["places"] == found["nearest"]
    # Gains are 2**y - 1; by prediction come first 0, then 2, then 1.
    got, best = 3 / np.log2(3) + 1 / 2, 3 + 1 / np.log2(3)
    assert found["gain"] == pytest.approx(got / best, abs=1e-4)


@needs("keras-tcn")
def test_keras_tcn(tmp_path):
    found = run("keras_tcn_sequences", tmp_path, "--tensorflow", "--keras", "2")
    assert found["losses"][1] < 0.5 * found["losses"][0]
    assert found["reach"] == 15
    assert found["distance"] == 0
