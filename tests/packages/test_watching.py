"""MLflow, Weights & Biases, tqdm and livelossplot: what looks at a training and keeps it."""

import pytest

from tests.packages.running import needs, run


@needs("mlflow")
def test_mlflow(tmp_path):
    found = run("mlflow_runs", tmp_path)
    assert found["losses"] == pytest.approx(found["expected"])
    assert len(found["losses"]) == 3
    assert set(found["metrics"]) >= {"loss", "mae", "val_loss", "val_mae"}
    assert found["parameters"] == {"epochs": "3", "optimizer_name": "adam", "optimizer_learning_rate": "0.01"}
    assert "model_summary.txt" in found["artifacts"]
    assert found["summary"]
    assert found["logged steps"] == 6  # of the steps 43 to 70 of the second run, each fifth
    assert found["distances"] == [0, 0, 0, 0]
    assert found["goes on"] < found["losses"][-1]


@needs("wandb")
def test_wandb(tmp_path):
    found = run("wandb_offline", tmp_path, "--tensorflow")
    summary, history = found["summary"], found["history"]
    assert summary["epoch/loss"] == pytest.approx(history["loss"][-1])
    assert summary["epoch/val_loss"] == pytest.approx(history["val_loss"][-1])
    assert summary["epoch/learning_rate"] == summary["batch/learning_rate"] == pytest.approx(0.03)
    assert summary["epoch/epoch"] == 1
    assert found["files"] == ["model-1.keras", "model-2.keras"]
    assert found["run"]
    assert "Dense" in found["graph"]


@needs("tqdm")
def test_tqdm(tmp_path):
    found = run("tqdm_bars", tmp_path)
    for verbose, seen in found.items():
        assert seen["epochs"] == [2, 2]
        assert "loss=" in seen["text"]
        assert seen["batches"] == (None if verbose == "0" else [4, 4])
    assert "| 4.00/4.00 [" in found["2"]["text"]


@needs("livelossplot")
def test_livelossplot(tmp_path):
    found = run("livelossplot_figures", tmp_path)
    assert len(found["figures"]) == 3
    assert all(spread > 10 for _, spread in found["figures"]), "a figure is blank"
    for values in found["history"].values():
        assert f"(min: {min(values):8.3f}, max: {max(values):8.3f}, cur: {values[-1]:8.3f})" in found["told"]


@needs("livelossplot")
def test_livelossplot_of_tf_keras(tmp_path):
    assert "cur:" in run("livelossplot_of_tf", tmp_path, "--tensorflow")["told"]
