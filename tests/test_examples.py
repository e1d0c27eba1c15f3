"""The examples run, in small: what they train has finite losses that fall, and shapes as in the guide."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.optimized

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def guide():
    """The guide from its start: the same weights and data whichever test comes first."""
    module = example("functional_guide")
    module.keryx.utils.set_random_seed(0)
    return module


def losses(history):
    """The losses of all epochs: finite, and lower at the end than at the start."""
    values = history.history["loss"]
    assert np.isfinite(values).all()
    assert values[-1] < values[0]
    return values


def test_dense_called_as_a_layer_and_over_every_step(guide):
    model, history = guide.dense()
    losses(history)
    assert [w.shape for w in model.get_weights()] == [(784, 64), (64,), (64, 64), (64,), (64, 10), (10,)]

    again = guide.model_as_layer(model)
    for ours, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)

    sequence_model, history = guide.every_step(model)
    assert losses(history)[0] > 0.1  # its own loss: the model inside was compiled too, and reports nothing
    assert history.history["accuracy"][-1] > 0
    assert tuple(sequence_model.output_shape) == (None, 20, 10)
    assert len(sequence_model.get_weights()) == 6


def test_news_by_position_and_by_name(guide):
    model, by_position, by_name = guide.news()
    losses(by_position)
    losses(by_name)
    assert by_name.history["loss"][0] < by_position.history["loss"][0]  # it goes on from the same weights
    history = by_name.history
    np.testing.assert_allclose(
        history["loss"][-1],
        history["main_output_loss"][-1] + 0.2 * history["aux_output_loss"][-1],
        rtol=1e-4,
    )
    assert [tensor.name for tensor in model.inputs] == ["main_input", "aux_input"]
    assert model.output_names == ["main_output", "aux_output"]


def test_tweets_share_a_layer(guide):
    model, history = guide.tweets(epochs=3)
    losses(history)
    assert 0 <= history.history["accuracy"][-1] <= 1
    assert [w.shape for w in model.get_weights()] == [(256, 256), (64, 256), (256,), (128, 1), (1,)]


def test_inception(guide):
    model, history = guide.inception(size=16, epochs=3)
    losses(history)
    assert tuple(model.output_shape) == (None, 48, 16, 64)


def test_residual(guide):
    model, history = guide.residual(size=16)
    losses(history)
    assert tuple(model.output_shape) == (None, 16, 16, 3)


def test_shared_vision(guide):
    model, history = guide.shared_vision(rows=8)
    losses(history)
    assert len(model.get_weights()) == 6  # two convolutions once, and the dense layer


def test_question_answering_on_images_and_videos(guide):
    model, history, parts = guide.visual_question_answering(size=32, epochs=2)
    losses(history)
    assert tuple(model.output_shape) == (None, 1000)

    video_model, answer = guide.video_question_answering(*parts, frames=3, size=32)
    assert answer.shape == (1, 1000)
    np.testing.assert_allclose(answer.sum(), 1, rtol=1e-4)
    shared = {id(weight) for weight in model.weights} & {id(weight) for weight in video_model.weights}
    assert len(shared) == 14 + 1 + 3  # seven convolutions, the embedding, the LSTM that reads questions


@pytest.mark.slow
def test_digits_are_read(capsys):
    accuracy = example("digits").main()
    assert accuracy >= 0.98
    shown = capsys.readouterr().out
    assert "held-out digits read right" in shown
    assert shown.count("truth:") == 8
