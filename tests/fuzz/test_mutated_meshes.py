"""Some spoiled meshes of each format; meshes_fuzz.py makes more at night."""

import numpy as np
import pytest
from meshes_fuzz import MUTATE, fuzz, seeds_of

COUNT = 150


@pytest.mark.parametrize("ending", MUTATE)
def test_mutated_files_are_read_or_refused(tmp_path, ending):
    tally = fuzz(ending, COUNT, 7, tmp_path)
    print(f"{ending}: {tally.scenes} read, {len(tally.reasons)} reasons, 3/n = {3 / COUNT}")
    assert not tally.failures, "\n".join(tally.failures)
    assert 0 < tally.scenes < COUNT
    assert len(tally.reasons) >= 2


@pytest.mark.parametrize("ending", MUTATE)
def test_the_same_seed_makes_the_same_files(ending):
    seeds = seeds_of(ending)
    first, second = (np.random.default_rng(3) for _ in range(2))
    made = [MUTATE[ending](first, seeds) for _ in range(12)]
    assert len(set(made)) > 6
    assert made == [MUTATE[ending](second, seeds) for _ in range(12)]
