"""The examples with other libraries: each trains for a while, and reads digits that it has not seen."""

import importlib.util
import warnings
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "integrations"
NEEDS = {
    "equinox_module": "equinox",
    "flax_module": "flax",
    "grain_loader": "grain",
    "hugging_face_dataset": "datasets",
    "optax_chain": "optax",
    "torch_loader": "torch",
}


def test_each_example_is_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(NEEDS)


@pytest.mark.parametrize("name", NEEDS)
def test_an_example_learns(name, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # those of the other library's own parts
        pytest.importorskip(NEEDS[name], reason=f"pip install {NEEDS[name]}")
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    assert module.main(epochs=6) > 0.7
    assert "Epoch 6/6" in capsys.readouterr().out
