"""Mutated files, 10,000 of them; `python tests/files/mutants.py --mutants 1000000` for more."""

import mutants
import pytest


@pytest.mark.parametrize("seed", range(4))
def test_mutated_files_are_read_or_refused(seed):
    counts = mutants.run(2_500, seed)
    assert len(counts) == 7
    for name, (_, refused) in counts.items():
        assert refused > 100, name  # the mutants do harm
