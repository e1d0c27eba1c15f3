"""Random models beside Keras; `python -m tests.fuzz` tries thousands."""

import pytest

from tests.fuzz import compare

# Keras says so of its own arrays, of layers that end a mask, and of a softmax of one.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning"),
    pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask:UserWarning"),
]


@pytest.mark.parametrize("seed", range(200))
def test_a_random_model_is_that_of_keras(seed):
    compare(seed)
