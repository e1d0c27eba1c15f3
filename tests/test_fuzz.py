"""Random models beside Keras; `python -m tests.fuzz` tries thousands."""

import pytest

from tests.fuzz import compare
from tests.twin_models import quick_compilation  # noqa: F401


@pytest.mark.parametrize("seed", range(200))
def test_a_random_model_is_that_of_keras(seed):
    compare(seed)
