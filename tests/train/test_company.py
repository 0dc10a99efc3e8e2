"""Several workers go on from the mean of what each has learned, and count alike."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from test_training import BRIEF

from splatsmith.errors import InputError
from splatsmith.priors.embedded import load_embedded
from splatsmith.train.company import MEET_EVERY, Company, together
from splatsmith.train.prior import train_prior
from splatsmith.train.state import load_state


def mean_of_ranks(folder: Path, company: Company) -> tuple[float, int, list[int]]:
    """A task for `together`: what the leading worker has after a meeting."""
    own = torch.full((2, 3), float(company.rank), dtype=torch.float64)
    whole = torch.tensor([7])  # not a floating-point number: stays
    company.meet([own, whole], step=10)
    (folder / f"{company.rank}").write_text(str(own[1, 2].item()))
    return own[0, 0].item(), company.total(company.rank + 1), [company.number(4), int(whole)]


def unequal(company: Company) -> float:
    """A task whose second worker took three times as many steps since they last met."""
    company.rejoin(0.0, step=5)
    own = torch.tensor([float(company.rank)])
    company.meet([own], step=5 + (3 if company.rank else 1))
    return own.item()


def fails_in_others(company: Company) -> None:
    """A task whose second worker ends without meeting anybody."""
    if company.leads:
        company.meet([torch.zeros(1)], step=1)


def test_all_workers_have_the_mean_after_a_meeting(tmp_path: Path) -> None:
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    threads = torch.get_num_threads()
    value, total, numbers = together(3, partial(mean_of_ranks, tmp_path))
    assert value == 1.0
    assert total == 1 + 2 + 3
    assert numbers == [12, 7]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"]
    assert {path.read_text() for path in tmp_path.iterdir()} == {"1.0"}
    assert torch.get_num_threads() == threads
    assert cores is None or os.sched_getaffinity(0) == cores


def test_a_worker_counts_by_the_steps_it_took() -> None:
    assert together(2, unequal) == 0.75


def test_a_worker_that_is_gone_is_said() -> None:
    with pytest.raises(InputError, match="go on with --resume"):
        together(2, fails_in_others)


def test_meetings_are_due_once_a_minute_and_the_last_one_comes_after() -> None:
    pair = Company(0, 2)
    assert not pair.due(MEET_EVERY - 1, 1000)
    assert pair.due(MEET_EVERY, 1000)
    assert not pair.due(MEET_EVERY, MEET_EVERY)
    pair.rejoin(3.5 * MEET_EVERY, 70)
    assert pair.agreed(3.9 * MEET_EVERY) == 3 * MEET_EVERY
    assert not Company().due(1e6, 1e9)
    assert Company().agreed(12.5) == 12.5


def test_lessons_of_workers_never_coincide() -> None:
    numbers = {Company(rank, 3).number(step) for rank in range(3) for step in range(10)}
    assert len(numbers) == 30


def test_two_workers_train_one_prior(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("splatsmith.train.progress.sample_sheet", lambda prior, path: None)
    weights = train_prior(replace(BRIEF, small_share=0.0), tmp_path, workers=2)
    assert load_embedded(weights).resolution == 64
    state = load_state(tmp_path)
    assert state.step > 0
    assert not list(tmp_path.glob("*1*.safetensors"))  # the second worker wrote nothing
