from ply_fuzz import Tally, check, fuzz, mutate

from splatsmith.errors import InvalidFile


def test_1500_mutated_files_are_scenes_or_refused(tmp_path):
    tally = fuzz(1500, 7, tmp_path)
    print(f"{tally.scenes} scenes, slowest {tally.slowest * 1000:.0f} ms, 3/n = {3 / 1500}")
    assert not tally.failures, "\n".join(tally.failures)
    assert tally.scenes > 50  # Mutations reach past the header and past the checks.
    assert len(tally.reasons) > 40


def test_a_crash_and_a_refusal_without_a_place_would_be_noticed(tmp_path, monkeypatch):
    import ply_fuzz

    def crash(path):
        raise IndexError("oops")

    def nowhere(path):
        raise InvalidFile(path, 999, "x")

    for reader in (crash, nowhere):
        monkeypatch.setattr(ply_fuzz, "read_ply", reader)
        tally = Tally()
        check(tmp_path / "x.ply", b"ply\n", tally)
        assert len(tally.failures) == 1


def test_the_same_seed_makes_the_same_files():
    import numpy as np

    seeds = [b"ply\nformat ascii 1.0\nend_header\n1 2 3\n", b"abc" * 20]
    first, second = (np.random.default_rng(3) for _ in range(2))
    made = [mutate(first, seeds) for _ in range(50)]
    assert made == [mutate(second, seeds) for _ in range(50)]
    assert len(set(made)) > 40
