"""Mutated files, 1,400 of them; `python tests/files/mutants.py --mutants 10000` for what `.ci/run` does."""

import mutants
import pytest


@pytest.mark.parametrize("seed", range(2))
def test_mutated_files_are_read_or_refused(seed):
    counts = mutants.run(700, seed)
    assert len(counts) == 7
    for name, (_, refused) in counts.items():
        assert refused > 30, name  # the mutants do harm
