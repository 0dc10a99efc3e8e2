"""Networks for several views and for pictures: identities at the start, and who sees whom."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from splatsmith.cameras import Cameras, OrbitSampler, orbit
from splatsmith.distill import guided
from splatsmith.errors import InputError, InvalidFile
from splatsmith.images import Reference
from splatsmith.priors import Prior
from splatsmith.priors.across import (
    Across,
    Reading,
    check_around,
    relation_features,
    turned_features,
)
from splatsmith.priors.denoiser import (
    Denoiser,
    DenoiserShape,
    camera_features,
    grow,
    with_weights_of,
)
from splatsmith.priors.embedded import (
    EmbeddedPrior,
    Nature,
    load_embedded,
    reference_picture,
    save_embedded,
)
from splatsmith.prompts import Prompt
from splatsmith.train.words import embedded_vocabulary, word_table

TINY = DenoiserShape(
    resolution=32, outer_width=8, middle_width=8, inner_width=16, inner_blocks=2,
    attentive_blocks=(1,), heads=2, signal_width=16, text_width=32, text_layers=1, vocabulary=9,
    words=6,
)  # fmt: skip
FOUR = replace(TINY, views=4)
PICTURED = replace(TINY, reference=True)
BOTH = replace(TINY, views=4, reference=True)


def randomized(net: Denoiser, gen: torch.Generator) -> Denoiser:
    """Random weights; large ones where views meet, so that what passes there shows."""
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            size = 0.6 if name.startswith("across") else 0.1
            parameter.copy_(torch.randn(parameter.shape, generator=gen) * size)
    return net.eval()


def question(gen: torch.Generator, views: int = 8, size: int = 32) -> list[torch.Tensor]:
    camera = camera_features(torch.arange(views) * 90.0, torch.zeros(views), torch.ones(views))
    tokens = torch.randint(0, 9, (views, 6), generator=gen)
    log_snr = torch.linspace(-2, 2, views)
    return [torch.randn(views, 3, size, size, generator=gen), log_snr, tokens, camera]


def reading(net: Denoiser, views: int, gen: torch.Generator, known: float = 1.0) -> Reading:
    assert net.looking is not None
    picture = torch.rand(views, 4, 64, 64, generator=gen) * 2 - 1
    azimuth = torch.rand(views, generator=gen) * 360
    zero = torch.zeros(views)
    return net.looking.look(picture, relation_features(zero, azimuth, zero, zero + known))


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("shape", [FOUR, PICTURED, BOTH])
def test_at_the_start_it_answers_as_the_network_for_single_views(
    shape: DenoiserShape, size: int, gen: torch.Generator
) -> None:
    single = randomized(Denoiser(TINY), gen)
    single = single if size == 32 else randomized(grow(single), gen)
    net = with_weights_of(Denoiser(replace(shape, resolution=size)), single).eval()
    asked = question(gen, size=size)
    with torch.no_grad():
        expected = single(*asked)
        seen = reading(net, 8, gen, known=0.0) if shape.reference else None
        torch.testing.assert_close(net(*asked, reading=seen), expected, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_views_of_a_group_see_each_other_and_no_others(gen: torch.Generator) -> None:
    net = randomized(Denoiser(FOUR), gen)
    asked = question(gen)
    before = net(*asked)
    asked[0] = asked[0].clone()
    asked[0][1] += 1
    moved = (net(*asked) - before).abs().amax(dim=(1, 2, 3))
    assert (moved[:4] > 1e-4).all()
    assert (moved[4:] == 0).all()


@torch.no_grad()
def test_only_the_order_around_counts_and_not_who_is_first(gen: torch.Generator) -> None:
    """Told no cameras, the answer turns with the views; told another order, it changes."""
    net = randomized(Denoiser(FOUR), gen)
    x_t, log_snr, tokens, _ = question(gen, 4)
    log_snr, tokens = log_snr[:1].expand(4), tokens[:1].expand(4, -1)
    nothing = torch.zeros(4, 7)
    before = net(x_t, log_snr, tokens, nothing)
    turned = net(x_t.roll(1, dims=0), log_snr, tokens, nothing)
    torch.testing.assert_close(turned, before.roll(1, dims=0), atol=1e-5, rtol=1e-4)
    mirrored = net(x_t.flip(0), log_snr, tokens, nothing)
    assert (mirrored - before.flip(0)).abs().max() > 1e-3


@torch.no_grad()
def test_attention_across_is_what_its_formula_says(gen: torch.Generator) -> None:
    """The twin: one query at a time, keys gathered by index."""
    layer = Across(16, 2, 4, reference=True).double()
    for parameter in layer.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=gen) * 0.3)
    x = torch.randn(8, 16, 8, 8, generator=gen).double()
    reference = torch.randn(8, 64, 16, generator=gen).double()
    answer = layer(x, reference)
    cells = layer.norm(x).flatten(2).transpose(1, 2) + layer.position
    for view, cell, head in ((0, 0, 0), (2, 17, 1), (7, 63, 0), (5, 40, 1)):
        part = slice(8 * head, 8 * head + 8)
        query = layer.query(cells[view, cell])[part]
        scores, values = [], []
        for turn in range(4):
            other = view // 4 * 4 + (view + turn) % 4
            for number in range(64):
                key, value = (layer.key_value(cells[other, number]) + layer.turn[turn]).chunk(2)
                bias = layer.affinity[head, cell, 64 * turn + number]
                scores.append(query @ key[part] / 8**0.5 + bias)
                values.append(value[part])
        for number in range(64):
            key, value = layer.reference(reference[view, number]).chunk(2)
            scores.append(query @ key[part] / 8**0.5)
            values.append(value[part])
        mixed = torch.softmax(torch.stack(scores), 0) @ torch.stack(values)
        # Only this head's share of the output can be told apart by its columns of `out`.
        whole = answer[view, :, cell // 8, cell % 8] - x[view, :, cell // 8, cell % 8]
        rest = _other_head(layer, cells, reference, view, cell, 1 - head)
        expected = layer.out.weight[:, part] @ mixed + rest + layer.out.bias
        torch.testing.assert_close(whole, expected, atol=1e-6, rtol=1e-5)


def _other_head(
    layer: Across,
    cells: torch.Tensor,
    reference: torch.Tensor,
    view: int,
    cell: int,
    head: int,
) -> torch.Tensor:
    part = slice(8 * head, 8 * head + 8)
    others = [view // 4 * 4 + (view + turn) % 4 for turn in range(4)]
    made = torch.cat(
        [layer.key_value(cells[o]) + layer.turn[t] for t, o in enumerate(others)]
        + [layer.reference(reference[view])]
    )
    key, value = made.chunk(2, dim=-1)
    scores = key[:, part] @ layer.query(cells[view, cell])[part] / 8**0.5
    scores[:256] += layer.affinity[head, cell]
    return layer.out.weight[:, part] @ (torch.softmax(scores, 0) @ value[:, part])


@torch.no_grad()
def test_the_picture_and_its_place_matter_unless_there_is_none(gen: torch.Generator) -> None:
    net = randomized(Denoiser(PICTURED), gen)
    asked = question(gen, 4)
    first, second = reading(net, 4, gen), reading(net, 4, gen)
    answer = net(*asked, reading=first)
    other_cells = replace(first, cells=second.cells)
    other_place = replace(first, relation=second.relation)
    for seen in (other_cells, other_place):
        assert (net(*asked, reading=seen) - answer).abs().max() > 1e-4
    unknown = [reading(net, 4, gen, known=0.0) for _ in range(2)]
    torch.testing.assert_close(net(*asked, reading=unknown[0]), net(*asked, reading=unknown[1]))
    torch.testing.assert_close(net(*asked, reading=unknown[0]), net(*asked))


def test_a_camera_beside_the_picture_s_own_says_where_it_stands_itself(
    gen: torch.Generator,
) -> None:
    """Turning what a camera says is the same as asking the turned camera."""
    azimuth, turn = (torch.rand(20, generator=gen) * 360 - 180 for _ in range(2))
    elevation, up = (torch.rand(20, generator=gen) * 60 - 30 for _ in range(2))
    known = torch.ones(20)
    own = camera_features(azimuth, elevation, known)[:, :6]
    relation = relation_features(up, turn, torch.zeros(20), known)
    expected = camera_features(azimuth + turn, elevation + up, known)
    torch.testing.assert_close(turned_features(own, relation), expected, atol=1e-5, rtol=1e-5)
    assert (turned_features(own, torch.zeros(20, 5)) == 0).all()


@torch.no_grad()
def test_the_picture_speaks_where_the_caption_is_silent(gen: torch.Generator) -> None:
    net = randomized(Denoiser(PICTURED), gen)
    seen = reading(net, 4, gen)
    tokens = torch.tensor([[3, 4, 0, 0, 0, 0], [0] * 6, [5, 0, 0, 0, 0, 0], [0] * 6])
    assert net.looking is not None
    text = net.text(tokens)
    told = net.looking.told(seen, text)
    assert torch.equal(told.sentence[[0, 2]], text.sentence[[0, 2]])
    assert torch.equal(told.sentence[[1, 3]], seen.sentence[[1, 3]])
    unknown = net.looking.told(reading(net, 4, gen, known=0.0), text)
    assert torch.equal(unknown.sentence, text.sentence)


def make(shape: DenoiserShape, gen: torch.Generator, *, cameras: bool) -> EmbeddedPrior:
    table = word_table()
    shape = replace(shape, vocabulary=len(table.words) + 1, words=table.length)
    net = randomized(Denoiser(shape), gen)
    nature = Nature(sees_cameras=cameras)
    return EmbeddedPrior(net, embedded_vocabulary(), table, "tiny", nature)


def around(first: float, elevation: float = 10.0) -> Cameras:
    azimuth = first + torch.arange(4) * 90.0
    return orbit(azimuth, elevation, width=8, height=8)


def picture(azimuth: float = 30.0, value: int = 200) -> Reference:
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[16:48, 16:48] = (value, 30, 30, 255)
    return Reference.of(rgba, azimuth, 20.0)


def test_a_global_turn_leaves_what_a_relative_prior_is_told_unchanged(
    gen: torch.Generator,
) -> None:
    relative, absolute = (make(FOUR, gen, cameras=known) for known in (False, True))
    prompt = Prompt(text="a red duck")
    for first in (0.0, 33.0, -140.0, 500.0):
        told, untold = (p.condition(prompt, around(first)) for p in (absolute, relative))
        assert told.camera.any()
        assert not untold.camera.any()
        assert untold.tokens.tolist() == relative.words.encode(["a red duck"] * 4).tolist()
    front = absolute.condition(prompt, around(0.0))
    turned = absolute.condition(prompt, around(90.0))
    assert not torch.equal(front.camera, turned.camera)
    assert front.tokens.tolist() != turned.tokens.tolist()
    x_t = torch.randn(4, 3, 32, 32, generator=gen)
    t = torch.full((4,), 0.5)
    answers = [
        relative.predict(x_t, t, relative.condition(prompt, around(first))).v
        for first in (0.0, 77.0)
    ]
    torch.testing.assert_close(*answers, rtol=0, atol=0)


def test_cameras_that_do_not_stand_around_are_refused(gen: torch.Generator) -> None:
    prior = make(FOUR, gen, cameras=True)
    prompt = Prompt(text="a red duck")
    good = OrbitSampler(together=4, jitter=0.02).sample(8, 8, 8, gen)
    assert len(prior.condition(prompt, good)) == 8
    loose = OrbitSampler().sample(4, 8, 8, gen)
    clockwise = orbit([0.0, -90.0, -180.0, -270.0], 0.0, width=8, height=8)
    uneven = orbit([0.0, 90.0, 180.0, 270.0], [0.0, 0.0, 5.0, 0.0], width=8, height=8)
    for cameras in (loose, clockwise, uneven):
        with pytest.raises(InputError, match=r"use cameras\.together = 4"):
            prior.condition(prompt, cameras)
    with pytest.raises(InputError, match="3 is no multiple"):
        check_around(good[:3], 4)


@pytest.mark.parametrize(("shape", "views"), [(FOUR, 4), (PICTURED, 1), (BOTH, 4)])
def test_what_was_saved_is_what_is_loaded(
    shape: DenoiserShape, views: int, gen: torch.Generator, tmp_path: Path
) -> None:
    made = make(shape, gen, cameras=False)
    path = tmp_path / "tiny.safetensors"
    save_embedded(path, made, {})
    prior = load_embedded(path)
    assert isinstance(prior, Prior)
    assert (prior.views, prior.sees_image) == (views, shape.reference)
    assert prior.kind == made.kind
    assert prior.kind.encode() in path.read_bytes()
    for name, weight in prior.net.state_dict().items():
        torch.testing.assert_close(weight, made.net.state_dict()[name].half().float())
    single = prior.kind.encode()
    path.write_bytes(path.read_bytes().replace(single, b"x" * len(single)))
    with pytest.raises(InvalidFile, match="it says"):
        load_embedded(path)


def test_a_picture_is_told_by_differences_and_left_out_in_the_negative(
    gen: torch.Generator,
) -> None:
    prior = make(PICTURED, gen, cameras=False)
    cameras = orbit([30.0, 120.0, 0.0], [20.0, 20.0, 50.0], radius=3.0, width=8, height=8)
    condition = prior.condition(Prompt(text="", image=picture()), cameras)
    expected = relation_features(
        torch.tensor([0.0, 0.0, 30.0]),
        torch.tensor([0.0, 90.0, -30.0]),
        torch.full((3,), -0.2),
        torch.ones(3),
    )
    torch.testing.assert_close(condition.relation, expected)
    assert condition.relation is not None
    torch.testing.assert_close(condition.relation[1, 1:3], torch.tensor([1.0, 0.0]))
    assert not condition.tokens.any()
    moved = replace(picture(), azimuth=picture().azimuth + 40)
    turned = orbit(cameras.azimuth + 40, cameras.elevation, radius=3.0, width=8, height=8)
    same = prior.condition(Prompt(text="", image=moved), turned)
    torch.testing.assert_close(same.relation, condition.relation, atol=1e-5, rtol=0)
    negative = condition.negative()
    assert negative.relation is not None
    assert not negative.relation.any()
    with pytest.raises(InputError, match="none was given"):
        prior.condition(Prompt(text="a red duck"), cameras)


def test_guidance_asks_with_and_without_the_picture_in_one_batch(gen: torch.Generator) -> None:
    prior = make(BOTH, gen, cameras=False)
    x_t, t = torch.randn(4, 3, 32, 32, generator=gen), torch.full((4,), 0.6)
    told = Prompt(text="a red duck", image=picture())
    condition = prior.condition(told, around(10.0))
    both = guided(prior, x_t, t, condition, 3.0)
    yes = prior.predict(x_t, t, condition)
    no = prior.predict(x_t, t, condition.negative())
    assert (yes.v - no.v).abs().max() > 1e-3
    torch.testing.assert_close(both.v, no.v + 3 * (yes.v - no.v), atol=1e-4, rtol=1e-3)
    other = Prompt(text="a red duck", image=picture(value=60))
    again = prior.predict(x_t, t, prior.condition(other, around(10.0)))
    assert (again.v - yes.v).abs().max() > 1e-4
    torch.testing.assert_close(prior.predict(x_t, t, condition).v, yes.v)


def test_the_picture_that_a_network_is_shown(gen: torch.Generator) -> None:
    shown = reference_picture(picture())
    assert shown.shape == (4, 64, 64)
    torch.testing.assert_close(shown[:, 0, 0], torch.tensor([1.0, 1.0, 1.0, -1.0]))
    inside = torch.tensor([400 / 255, 60 / 255, 60 / 255, 2.0]) - 1
    torch.testing.assert_close(shown[:, 30, 30], inside)


@pytest.mark.usefixtures("in_float32")
def test_a_low_rank_update_begins_as_the_prior_with_its_picture(gen: torch.Generator) -> None:
    prior = make(BOTH, gen, cameras=False)
    prompt, cameras = (
        Prompt(text="a red duck", negative="a barrel", image=picture()),
        around(5.0),
    )
    x_t, t = torch.randn(4, 3, 32, 32, generator=gen), torch.full((4,), 0.4)
    adapter = prior.adapted(2, gen)
    told = adapter.condition(prompt, cameras, torch.ones(4))
    condition = prior.condition(prompt, cameras)
    with torch.no_grad():
        bent = adapter.predict(x_t, t, told).v
    torch.testing.assert_close(bent, prior.predict(x_t, t, condition).v)
    nothing = condition.nothing()
    assert not nothing.tokens.any()
    assert not nothing.negative_tokens.any()
    assert nothing.relation is not None
    assert not nothing.relation.any()
