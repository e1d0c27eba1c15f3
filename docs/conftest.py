"""The pages run as tests: each begins as a new process would, and its translation, of the same code, is left aside."""

import pytest

import keryx

collect_ignore_glob = ["*.zh.md"]  # tests/test_translations.py holds their code to be the same


@pytest.fixture(autouse=True)
def names_begin_anew():
    keryx.utils.clear_session()
