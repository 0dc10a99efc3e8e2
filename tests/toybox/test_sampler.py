"""A batch is a function of (seed, number): whatever came before, however many threads."""

import pytest
import torch

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.toybox import BatchSampler, ToyPair, render
from splatsmith.toybox.sampler import Batch, azimuths, elevations
from splatsmith.toybox.split import split_of


def same(a: Batch, b: Batch) -> bool:
    tensors = ("color", "alpha", "azimuth", "elevation")
    equal = all(torch.equal(getattr(a, name), getattr(b, name)) for name in tensors)
    return equal and a.captions == b.captions


def test_same_seed_same_bytes_for_any_number_of_threads() -> None:
    batches = [
        BatchSampler(size=24, batch=9, seed=5, threads=threads).batch_at(7)
        for threads in (1, 2, 5)
    ]
    assert same(batches[0], batches[1])
    assert same(batches[0], batches[2])


def test_resuming_needs_only_the_counter() -> None:
    stream = BatchSampler(size=16, batch=4, seed=1)
    passed = [next(stream) for _ in range(4)]
    resumed = BatchSampler(size=16, batch=4, seed=1, counter=2)
    assert same(next(resumed), passed[2])
    assert same(next(resumed), passed[3])
    assert resumed.counter == stream.counter
    assert same(stream.batch_at(0), passed[0])


def test_seeds_and_numbers_give_other_batches() -> None:
    stream = BatchSampler(size=16, batch=8, seed=1)
    other = BatchSampler(size=16, batch=8, seed=2)
    assert not same(stream.batch_at(0), stream.batch_at(1))
    assert not same(stream.batch_at(1), other.batch_at(0))


def test_a_batch_is_what_it_says() -> None:
    batch = BatchSampler(size=32, batch=48, seed=3, split="held").batch_at(0)
    assert batch.color.shape == (48, 32, 32, 3)
    assert batch.color.min() >= 0
    assert batch.color.max() <= 1
    assert (batch.color[(batch.alpha == 0)[..., 0]] == 1).all()
    assert (batch.alpha.mean(dim=(1, 2, 3)) > 0.03).all()
    for toy in batch.toys:
        for thing in (toy.first, toy.second) if isinstance(toy, ToyPair) else (toy,):
            assert split_of(thing.color, thing.category) == "held"
    edge = torch.cat([batch.alpha[:, 0], batch.alpha[:, -1], batch.alpha[:, :, 0]], dim=1)
    assert edge.max() == 0  # Nothing is cut off, even at the nearest radius.


def test_background_is_blended_in() -> None:
    sampler = BatchSampler(size=16, batch=3, seed=0, background=(0.2, 0.4, 0.6))
    batch = sampler.batch_at(0)
    ground = batch.color[(batch.alpha == 0)[..., 0]]
    assert torch.allclose(ground, torch.tensor([0.2, 0.4, 0.6]).expand_as(ground))


def test_elevations_lie_where_they_should(gen: torch.Generator) -> None:
    drawn = elevations(torch.rand(20000, generator=gen), torch.rand(20000, generator=gen))
    assert drawn.min() >= -15
    assert drawn.max() <= 85
    assert ((drawn >= -10) & (drawn <= 40)).float().mean() > 0.7
    assert 0.03 < (drawn > 60).float().mean() < 0.12


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match="size and batch must be positive"):
        BatchSampler(size=0, batch=1, seed=0)
    with pytest.raises(InputError, match="train, dev or held"):
        BatchSampler(size=8, batch=1, seed=0, split="test")  # type: ignore[arg-type]


def test_photos_are_mostly_taken_from_the_front(gen: torch.Generator) -> None:
    drawn = azimuths(torch.rand(20000, generator=gen), 0.7)
    assert (drawn.abs() <= 45).float().mean() == pytest.approx(0.7, abs=0.01)
    rest = drawn[drawn.abs() > 45].abs()
    assert (rest < 112.5).float().mean() == pytest.approx(0.5, abs=0.02)
    even = azimuths(torch.rand(20000, generator=gen))
    assert (even.abs() <= 45).float().mean() == pytest.approx(0.25, abs=0.01)
    assert even.abs().max() <= 180


def test_views_of_one_object_stand_around_it() -> None:
    still = {"light_jitter": 0.0, "radius_jitter": 0.0}
    batch = BatchSampler(size=24, batch=8, seed=4, views=4, **still).batch_at(2)
    azimuth = batch.azimuth.view(2, 4)
    turns = torch.remainder(azimuth - azimuth[:, :1], 360)
    torch.testing.assert_close(turns, torch.tensor([[0.0, 90, 180, 270]] * 2))
    assert (batch.elevation.view(2, 4) == batch.elevation.view(2, 4)[:, :1]).all()
    assert batch.toys[0] is batch.toys[3]
    assert batch.toys[3] is not batch.toys[4]
    assert batch.captions[4:] == (batch.captions[4],) * 4
    for first in (0, 4):
        views = slice(first, first + 4)
        cameras = orbit(batch.azimuth[views], batch.elevation[views], width=24, height=24)
        drawn = render(batch.toys[first], cameras)
        torch.testing.assert_close(drawn.color, batch.color[views])
    with pytest.raises(InputError, match="multiple of views"):
        BatchSampler(size=16, batch=6, seed=0, views=4)


def test_a_reference_shows_the_same_object_from_elsewhere() -> None:
    still = {"light_jitter": 0.0, "radius_jitter": 0.15}
    sampler = BatchSampler(size=24, batch=4, seed=4, views=2, reference=32, **still)
    batch = sampler.batch_at(0)
    seen = batch.reference
    assert seen is not None
    assert seen.color.shape == (2, 32, 32, 3)
    for number in range(2):
        camera = orbit(
            seen.azimuth[number : number + 1],
            seen.elevation[number : number + 1],
            radius=seen.radius[number : number + 1],
            width=32,
            height=32,
        )
        drawn = render(batch.toys[2 * number], camera)
        torch.testing.assert_close(drawn.color[0], seen.color[number])
        torch.testing.assert_close(drawn.alpha[0], seen.alpha[number])
        assert abs(seen.radius[number] / batch.radius[2 * number] - 1) <= 0.041
    moved = BatchSampler(size=24, batch=4, seed=4, views=2, reference=32, shift=0.1, **still)
    other = moved.batch_at(0)
    assert other.reference is not None
    assert not torch.equal(other.color, batch.color)
    assert not torch.equal(other.reference.color, seen.color)


def test_more_views_do_not_change_which_objects_are_drawn() -> None:
    one = BatchSampler(size=16, batch=3, seed=7).batch_at(5)
    four = BatchSampler(size=16, batch=12, seed=7, views=4, reference=16).batch_at(5)
    assert one.captions == four.captions[::4]
    torch.testing.assert_close(one.color, four.color[::4])
