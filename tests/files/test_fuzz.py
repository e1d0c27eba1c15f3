"""Mutated files, 10,000 of them; `python -m tests.files.fuzz --mutants 1000000` for more."""

import pytest

from tests.files import fuzz


@pytest.mark.parametrize("seed", range(4))
def test_mutated_files_are_read_or_refused(seed):
    counts = fuzz.run(2_500, seed)
    assert len(counts) == 7
    for name, (_, refused) in counts.items():
        assert refused > 100, name  # the mutants do harm
