"""A few hundred spoiled files of each format; splats_fuzz.py makes more at night."""

import numpy as np
import pytest
from splats_fuzz import MUTATE, fuzz, seeds_of

COUNT = 250


@pytest.mark.parametrize("suffix", [suffix for suffix in MUTATE if suffix != ".usda"])
def test_mutated_files_are_scenes_or_refused(tmp_path, suffix):
    tally = fuzz(suffix, COUNT, 11, tmp_path)
    print(f"{suffix}: {tally.scenes} scenes, {len(tally.reasons)} reasons, 3/n = {3 / COUNT}")
    assert not tally.failures, "\n".join(tally.failures)
    # Mutations reach past the headers and past the checks; .splat has next to none.
    assert tally.scenes > COUNT / 100
    assert len(tally.reasons) >= (3 if suffix == ".splat" else 5)


def test_mutated_stages_are_scenes_or_refused(tmp_path):
    pytest.importorskip("pxr", reason="NOT TESTED: USD, since usd-core is not installed")
    tally = fuzz(".usda", 3, 3, tmp_path)
    assert not tally.failures, "\n".join(tally.failures)


@pytest.mark.parametrize("suffix", [suffix for suffix in MUTATE if suffix != ".usda"])
def test_the_same_seed_makes_the_same_files(suffix):
    seeds = seeds_of(suffix)
    first, second = (np.random.default_rng(3) for _ in range(2))
    made = [MUTATE[suffix](first, seeds) for _ in range(12)]
    again = [MUTATE[suffix](second, seeds) for _ in range(12)]
    assert len(set(made)) > 6
    assert made == again
