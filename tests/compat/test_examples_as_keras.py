"""The examples under the name keras: their source with that one word replaced, as programs for Keras are written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import json
import digits, functional_guide as guide, keras, jax
import numpy as np

jax.config.update("jax_disable_most_optimizations", True)
keras.utils.set_random_seed(0)
histories, shapes = {}, {}

def keep(name, model, *trained):
    histories[name] = [history.history["loss"] for history in trained]
    shapes[name] = [list(shape[1:]) for shape in [output.shape for output in model.outputs]]
    assert isinstance(model, keras.Model)

model, history = guide.dense(epochs=3)
keep("dense", model, history)
again = guide.model_as_layer(model)
np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
keep("every step", *guide.every_step(model))
keep("news", *guide.news(rows=32))
keep("tweets", *guide.tweets(epochs=2, rows=8))
keep("inception", *guide.inception(size=8))
keep("residual", *guide.residual(size=8))
keep("shared vision", *guide.shared_vision(rows=8))
model, history, parts = guide.visual_question_answering(size=32, epochs=2)
keep("visual question answering", model, history)
model, answer = guide.video_question_answering(*parts, frames=2, size=32)
shapes["video question answering"] = [list(answer.shape[1:])]
model = digits.build()
model.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
images = digits.load_digits().images[:256, ..., None] / 16
history = model.fit(digits.views(images), digits.load_digits().target[:256], epochs=4, verbose=0)
keep("digits", model, history)
print(json.dumps([histories, shapes, type(model).__module__, keras.__version__]))
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("as_keras")
    for name in ("functional_guide.py", "digits.py"):
        source = (ROOT / "examples" / name).read_text().replace("keryx", "keras")
        assert "import keras\n" in source
        (folder / name).write_text(source)
    (folder / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "keryx", "program.py"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    histories, shapes, module, version = json.loads(done.stdout.splitlines()[-1])
    assert module.startswith("keryx.")
    assert version.startswith("3.15")
    return histories, shapes, done.stdout


SHAPES = {
    "dense": [[10]],
    "every step": [[20, 10]],
    "news": [[1], [1]],
    "tweets": [[1]],
    "inception": [[24, 8, 64]],
    "residual": [[8, 8, 3]],
    "shared vision": [[1]],
    "visual question answering": [[1000]],
    "video question answering": [[1000]],
    "digits": [[10]],
}


@pytest.mark.parametrize("name", SHAPES)
def test_an_example_builds_and_learns(ran, name):
    histories, shapes, _ = ran
    assert shapes[name] == SHAPES[name]
    for losses in histories.get(name, ()):
        assert losses[-1] < losses[0]


def test_progress_is_shown(ran):
    assert "Epoch 3/3" in ran[2]
