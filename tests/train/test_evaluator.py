"""Training the evaluators: it learns, resumes, writes a usable file, and shares no key."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from splatsmith.errors import InputError, InvalidFile
from splatsmith.evaluate.evaluators import load_e1, load_e2
from splatsmith.evaluate.network import Answers, Network, NetworkShape
from splatsmith.toybox import CATEGORIES, COLORS
from splatsmith.toybox.objects import ToyObject
from splatsmith.toybox.sampler import BatchSampler
from splatsmith.toybox.split import allowed
from splatsmith.train import evaluator_pool
from splatsmith.train.degradations import degrade
from splatsmith.train.evaluator import (
    EvaluatorTraining,
    Lesson,
    azimuth_target,
    losses,
    train_evaluator,
)
from splatsmith.train.evaluator_pool import (
    CHUNK,
    NOTHING,
    PAIRED,
    cast_of,
    chunk_casts,
    draw_chunk,
    draw_pool,
    keys,
    painted_as,
)
from splatsmith.train.evaluator_state import (
    CHECKPOINT,
    EvaluatorState,
    Pupil,
    load_pupil,
    save_pupil,
)

SHAPE = NetworkShape(
    categories=len(CATEGORIES), colors=len(COLORS), widths=(8, 8, 8, 8, 16), blocks=(0,) * 5
)
BRIEF = EvaluatorTraining(
    minutes=0.02, pictures=96, held=48, batch=8, regression_pictures=64, widths=SHAPE.widths
)


def test_no_key_is_shared_with_the_training_of_a_prior():
    """Color, category and shape parameters: the bands that shapes come from are disjoint."""
    ours = [key for number in range(8) for key in keys(BRIEF.seed, number)]
    assert all(allowed(shape, "held") and not allowed(shape, "train") for *_, shape in ours)
    batch = BatchSampler(size=1, batch=64, seed=BRIEF.seed).batch_at(0)
    theirs = {
        (thing.color, thing.category, thing.shape)
        for toy in batch.toys
        for thing in ([toy] if isinstance(toy, ToyObject) else [toy.first, toy.second])
    }
    assert all(allowed(shape, "train") for *_, shape in theirs)
    assert not theirs & set(ours)
    assert all(kind.parameters for kind in CATEGORIES.values())


def test_a_chunk_shows_what_it_says_and_depends_on_seed_and_number_alone():
    first, again = draw_chunk(5, 3), draw_chunk(5, 3)
    np.testing.assert_array_equal(first.pictures, again.pictures)
    assert first.pictures.shape == (CHUNK, 96, 96, 3)
    pair = first.category[:, 1] != NOTHING
    assert pair.sum() == PAIRED
    assert ((first.azimuth == NOTHING) == pair).all()
    names = [cast.toy.category for cast in chunk_casts(5, 3)]
    assert names[0] == list(CATEGORIES)[3]
    assert {list(CATEGORIES)[i] for i in first.category[:, 0]} == set(names)
    assert first.pictures[pair].std() > 10
    assert (first.pictures != draw_chunk(6, 3).pictures).any()


def test_a_repainted_mesh_is_the_mesh_of_the_repainted_toy(gen):
    cast = cast_of("house", gen)
    toy = evaluator_pool.dressed_again(cast.toy, gen)
    fresh = evaluator_pool.mesh(toy, evaluator_pool.RESOLUTION)
    torch.testing.assert_close(painted_as(cast, toy).color, fresh.color)
    torch.testing.assert_close(cast.mesh.vertices, fresh.vertices)


def test_a_pool_is_drawn_once_and_then_read(tmp_path, monkeypatch):
    told = []
    made = draw_pool(tmp_path, 7, 90, lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    assert len(made) == 96
    monkeypatch.setattr(evaluator_pool, "draw_chunk", None)  # would fail if it were called
    read = draw_pool(tmp_path, 7, 90, lambda done, total: None)
    np.testing.assert_array_equal(made.pictures, read.pictures)
    torch.testing.assert_close(made.azimuth, read.azimuth)
    index = torch.tensor([70, 3, 3, 50])
    shown = read.shown(index).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(shown, made.pictures[index.numpy()] / 255, rtol=1e-5)


def test_degradations_leave_some_clean_all_in_range_and_the_ground_even(gen):
    pictures = torch.ones(64, 3, 96, 96)
    pictures[:, :, 30:60, 30:60] = torch.tensor([0.8, 0.2, 0.1])[:, None, None]
    spoiled = degrade(pictures, torch.Generator().manual_seed(1))
    again = degrade(pictures, torch.Generator().manual_seed(1))
    torch.testing.assert_close(spoiled, again)
    assert spoiled.min() >= 0
    assert spoiled.max() <= 1
    same = (spoiled == pictures).flatten(1).all(1).float().mean()
    assert 0.1 < same < 0.45
    assert (spoiled[:, :, 0, 0] > 0.99).float().mean() > 0.95
    assert (spoiled - pictures).abs().mean() > 0.01


def test_azimuths_between_bins_belong_to_both():
    found = azimuth_target(torch.tensor([0.0, 15.0, 40.0, 350.0]))
    wanted = torch.zeros(4, 12)
    wanted[0, 0] = 1
    wanted[1, 0] = wanted[1, 1] = 0.5
    wanted[2, 1], wanted[2, 2] = 2 / 3, 1 / 3
    wanted[3, 11], wanted[3, 0] = 1 / 3, 2 / 3
    torch.testing.assert_close(found, wanted)


def test_losses_ask_only_for_what_is_known(gen):
    """Against their definition, for one thing and for two; what is not asked is not charged."""
    net = [torch.randn(2, *shape, generator=gen) for shape in ((5,), (5, 3), (5, 12))]
    lesson = Lesson(
        torch.zeros(2, 3, 96, 96),
        torch.tensor([[2, NOTHING], [0, 4]]),
        torch.tensor([[1, NOTHING], [NOTHING, 2]]),
        torch.tensor([30.0, NOTHING]),
    )
    category, color, azimuth = losses(Answers(*net), lesson)
    log = [values.log_softmax(-1) for values in net]
    torch.testing.assert_close(
        category, -(log[0][0, 2] + 0.5 * log[0][1, 0] + 0.5 * log[0][1, 4]) / 2
    )
    torch.testing.assert_close(color, -(log[1][0, 2, 1] + log[1][1, 4, 2]) / 2)
    torch.testing.assert_close(azimuth, -log[2][0, 2, 1])


def test_a_network_can_tell_left_from_right(gen):
    """It learns the azimuth of a few pictures by heart, and their colors and categories."""
    chunk = draw_chunk(1, 10)
    index = torch.arange(PAIRED + 2, PAIRED + 18)
    pupil = Pupil(SHAPE, 0, "cpu")
    lesson = Lesson(
        chunk.shown(index), chunk.category[index], chunk.color[index], chunk.azimuth[index]
    )
    found = []
    for _ in range(60):
        parts = losses(pupil.net(lesson.pictures), lesson)
        sum(parts).backward()
        pupil.move(1e-2, 0.0, 0.9)
        found.append([float(part.detach()) for part in parts])
    for before, after in zip(found[0], found[-1], strict=True):
        assert after < 0.6 * before


@pytest.mark.slow
def test_training_saves_resumes_and_ends_in_a_usable_file(tmp_path, gen):
    path = train_evaluator(BRIEF, tmp_path)
    state, _ = load_pupil(tmp_path, BRIEF.shape, "cpu")
    assert state.step > 0
    again = train_evaluator(replace(BRIEF, minutes=0.03), tmp_path, resume=True)
    assert again == path
    resumed, _ = load_pupil(tmp_path, BRIEF.shape, "cpu")
    assert resumed.step > state.step
    with pytest.raises(InputError, match="begun with another --seed"):
        train_evaluator(replace(BRIEF, seed=5), tmp_path, resume=True)
    pictures = torch.rand(2, 96, 96, 3, generator=gen)
    for evaluator in (load_e1(path), load_e2(path)):
        found = evaluator.judge(pictures, "dog")
        assert torch.isfinite(found.categories).all()
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert set(last["E1"]) >= {"clean category", "spoiled color", "toybox azimuth"}
    assert "clean azimuth" not in last["E2"]
    assert path.stat().st_size < 25_000_000
    assert (tmp_path / "toybox-readings.png").is_file()


def test_a_checkpoint_holds_everything(tmp_path):
    pupil = Pupil(SHAPE, 3, "cpu")
    for _ in range(2):
        pupil.net.category.bias.sum().backward()
        pupil.move(1e-2, 0.0, 0.5)
    save_pupil(tmp_path, EvaluatorState(2, 5.0), pupil)
    state, loaded = load_pupil(tmp_path, SHAPE, "cpu")
    assert state == EvaluatorState(2, 5.0)
    for each in (pupil, loaded):
        each.net.category.bias.sum().backward()
        each.move(1e-2, 0.0, 0.5)
    for net in ("net", "average"):
        for a, b in zip(
            getattr(pupil, net).parameters(), getattr(loaded, net).parameters(), strict=True
        ):
            torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_nothing_to_resume_and_damaged_checkpoints_are_said(tmp_path):
    with pytest.raises(InputError, match="nothing to resume"):
        train_evaluator(BRIEF, tmp_path, resume=True)
    (tmp_path / CHECKPOINT).write_bytes(b"\x00" * 50)
    with pytest.raises(InvalidFile, match="not a checkpoint"):
        train_evaluator(BRIEF, tmp_path, resume=True)
    save_pupil(tmp_path, EvaluatorState(), Pupil(SHAPE, 0, "cpu"))
    with pytest.raises(InvalidFile, match="not a checkpoint"):
        load_pupil(tmp_path, replace(SHAPE, color_rank=7), "cpu")


def test_the_network_answers_for_every_category(gen):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Network(SHAPE)
    answers = net(torch.rand(2, 3, 96, 96, generator=gen))
    assert answers.category.shape == (2, len(CATEGORIES))
    assert answers.color.shape == (2, len(CATEGORIES), len(COLORS))
    assert answers.azimuth.shape == (2, len(CATEGORIES), 12)
    assert NetworkShape.from_plain(json.loads(json.dumps(SHAPE.to_plain()))) == SHAPE
