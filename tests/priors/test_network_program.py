"""The whole network as one program of the kernels, held to its modules."""

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from torch.func import functional_call

from splatsmith.priors import denoiser, network_native, network_serving
from splatsmith.priors.across import REFERENCE, Reading
from splatsmith.priors.denoiser import Denoiser, DenoiserShape, channels_last

pytestmark = pytest.mark.skipif(
    not network_native.available(), reason="the kernels were not built"
)

SMALL = DenoiserShape(
    outer_width=16, middle_width=32, inner_width=48, inner_blocks=2, attentive_blocks=(0, 1),
    heads=4, signal_width=24, text_width=32, text_layers=1, vocabulary=9, words=6,
)  # fmt: skip


@pytest.fixture(autouse=True, params=network_native.isas())
def each_isa(request, monkeypatch):
    monkeypatch.setenv("SPLATSMITH_ISA", request.param)


@pytest.fixture
def answers(monkeypatch):
    """A list that grows with every pass that a program answers."""
    found = []

    def counted(program, *args):
        found.append(program)
        return network_serving.answer(program, *args)

    monkeypatch.setattr(denoiser, "answer", counted)
    return found


def made(gen, **changed):
    """A network whose weights are such that every part of it matters."""
    net = Denoiser(replace(SMALL, **changed))
    with torch.no_grad():
        for parameter in net.parameters():
            spread = 1.2 / max(1, parameter[0].numel()) ** 0.5 if parameter.dim() > 1 else 0.3
            parameter.copy_(torch.randn(parameter.shape, generator=gen) * spread)
    return channels_last(net.eval().requires_grad_(False))


def question(net, rows, gen, words=True):
    """What a network is asked, with captions read beforehand."""
    size, channels = net.shape.resolution, net.shape.channels
    x_t = torch.randn(rows, channels, size, size, generator=gen)
    tokens = torch.randint(0, 9, (rows, net.shape.words), generator=gen) * int(words)
    log_snr = torch.linspace(-4.0, 5.0, rows) if rows > 1 else torch.tensor([0.7])
    camera = torch.randn(rows, 7, generator=gen)
    guidance = torch.linspace(1.0, 9.0, rows) if net.shape.guided else None
    with torch.no_grad():
        return x_t, log_snr, tokens, camera, guidance, net.text(tokens)


def by_modules(net, asked):
    """The same network's answer in double precision, which no kernel gives."""
    twin = copy.deepcopy(net).double()
    x_t, log_snr, tokens, camera, guidance, _ = asked
    with torch.no_grad():
        return twin(x_t.double(), log_snr, tokens, camera, guidance)


def off(found, expected):
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"resolution": 32},
        {"channels": 4, "guided": True},
        {"resolution": 32, "guided": True, "attentive_blocks": ()},
    ],
)
def test_the_program_says_what_the_modules_say(changed, gen, answers):
    net = made(gen, **changed)
    for rows in (1, 2, 5, 8):
        asked = question(net, rows, gen, words=rows != 5)
        with torch.no_grad():
            found = net(*asked)
        assert len(answers) == 1
        answers.clear()
        assert off(found, by_modules(net, asked)) < 2e-5


def test_at_the_sizes_of_those_that_ship(gen, answers):
    net = made(gen, outer_width=48, middle_width=96, inner_width=192, signal_width=256)
    asked = question(net, 2, gen)
    with torch.no_grad():
        found = net(*asked)
    assert answers
    assert off(found, by_modules(net, asked)) < 2e-5


def test_without_being_asked_it_guides_by_one(gen, answers):
    net = made(gen, guided=True)
    *asked, _, text = question(net, 2, gen)
    with torch.no_grad():
        plain, one = net(*asked, None, text), net(*asked, torch.ones(2), text)
    assert len(answers) == 2
    assert torch.equal(plain, one)
    assert off(plain, by_modules(net, (*asked, torch.ones(2), text))) < 2e-5


def test_shorter_captions_are_a_program_of_their_own(gen, answers):
    net = made(gen)
    x_t, log_snr, tokens, camera, _, _ = question(net, 2, gen)
    for count in (4, 6):
        asked = (x_t, log_snr, tokens[:, :count], camera, None, None)
        with torch.no_grad():
            assert off(net(*asked), by_modules(net, asked)) < 2e-5
    assert len(set(answers)) == 2


def test_memory_may_be_laid_out_in_any_way(gen):
    net = made(gen)
    x_t, *rest = question(net, 2, gen)
    with torch.no_grad():
        first = net(x_t, *rest)
        last = net(x_t.contiguous(memory_format=torch.channels_last), *rest)
        every_other = net(torch.stack([x_t, x_t], dim=1).flatten(0, 1)[::2], *rest)
    assert torch.equal(first, last)
    assert torch.equal(first, every_other)


def test_neither_threads_nor_other_rows_change_a_bit(gen):
    net = made(gen)
    x_t, log_snr, tokens, camera, _, text = question(net, 19, gen)
    before, found = torch.get_num_threads(), []
    try:
        with torch.no_grad():
            for threads in (1, 2, 3):
                torch.set_num_threads(threads)
                found.append(net(x_t, log_snr, tokens, camera, None, text))
            few = [
                net(x_t[rows], log_snr[rows], tokens[rows], camera[rows])
                for rows in (slice(0, 1), slice(7, 12))
            ]
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[1], found[0])
    assert torch.equal(found[2], found[0])
    assert off(few[0], found[0][:1]) < 1e-6  # the captions are read together by torch
    assert off(few[1], found[0][7:12]) < 1e-6


def test_several_may_ask_at_the_same_time(gen):
    net = made(gen)
    asked = [question(net, rows, gen) for rows in (1, 3, 9, 2)]

    def passed(one):
        with torch.no_grad():
            return net(*one)

    expected = [passed(one) for one in asked]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for found, known in zip(pool.map(passed, asked), expected, strict=True):
                assert torch.equal(found, known)


@pytest.mark.parametrize(
    "name",
    [
        "outer.up.conv_in.weight", "blocks.1.conv_out.bias", "attentions.0.norm.weight",
        "attentions.1.words.weight", "signal.mix.2.bias", "up.0.modulation.weight",
    ],
)  # fmt: skip
def test_a_changed_weight_is_read_again(name, gen, answers):
    net = made(gen)
    asked = question(net, 1, gen)
    with torch.no_grad():
        first = net(*asked)
        net.get_parameter(name).add_(0.5)
        second = net(*asked)
    assert len(set(answers)) == 2
    assert off(second, first) > 1e-3
    assert off(second, by_modules(net, asked)) < 2e-5


def test_weights_that_were_replaced_are_read_again(gen, answers):
    net = made(gen)
    asked = question(net, 1, gen)
    with torch.no_grad():
        first = net(*asked)
        net.fold_in.weight.data = net.fold_in.weight.data * 2  # the version stays
        second = net(*asked)
        net.fold_in.weight = torch.nn.Parameter(net.fold_in.weight / 2, requires_grad=False)
        third = net(*asked)
    assert len(answers) == 3
    assert off(second, first) > 1e-3
    assert torch.equal(third, first)


def test_nothing_that_learns_is_served(gen, answers):
    net = made(gen)
    asked = question(net, 1, gen)
    net(*asked)
    assert not answers
    looking = asked[0].clone().requires_grad_()
    net(looking, *asked[1:]).sum().backward()
    assert looking.grad is not None
    with torch.no_grad():
        net.down.conv_in.weight.requires_grad_(True)
        net(*asked)
        net.down.conv_in.weight.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16):
            net(*asked)
        assert not answers
        net(*asked)
    assert len(answers) == 1


def test_weights_made_up_for_one_pass_are_left_to_torch(gen, answers):
    net = made(gen)
    asked = question(net, 1, gen)
    name = "attentions.0.out.weight"
    with torch.no_grad():
        own = net(*asked)
        made_up = functional_call(net, {name: net.get_parameter(name) * 3}, asked)
        assert torch.equal(net(*asked), own)
    assert len(answers) == 2
    assert len(set(answers)) == 1, "the program was made again"
    assert off(made_up, own) > 1e-4


SEEING = [
    {"views": 2, "guided": True},
    {"views": 4},
    {"views": 8, "resolution": 32},
    {"reference": True},
    {"views": 4, "reference": True, "guided": True},
]


def looked_at(net, rows, gen):
    """A picture for all rows, as they stand to it; every third of them is shown none."""
    if net.looking is None:
        return None
    relation = torch.randn(rows, 5, generator=gen)
    relation[:, -1] = 1.0
    relation[1::3] = 0.0
    picture = torch.randn(1, 4, REFERENCE, REFERENCE, generator=gen)
    with torch.no_grad():
        return net.looking.look(picture, relation)


def in_double(reading):
    if reading is None:
        return None
    return Reading(**{name: part.double() for name, part in vars(reading).items()})


@pytest.mark.parametrize("changed", SEEING)
def test_views_look_at_each_other_and_at_a_picture(changed, gen, answers):
    net = made(gen, **changed)
    twin = copy.deepcopy(net).double()
    for groups in (1, 3):
        rows = groups * net.shape.views
        asked = question(net, rows, gen, words=groups == 1)
        reading = looked_at(net, rows, gen)
        x_t, log_snr, tokens, camera, guidance, _ = asked
        with torch.no_grad():
            found = net(*asked, reading)
            plain = net(*asked)
            expected = twin(
                x_t.double(), log_snr, tokens, camera, guidance, None, in_double(reading)
            )
        assert len(answers) == 2
        assert len(set(answers)) == 1
        answers.clear()
        assert off(found, expected) < 2e-5
        assert off(plain, by_modules(net, asked)) < 2e-5
        assert (reading is None) == torch.equal(found, plain)


@pytest.mark.parametrize("changed", SEEING)
def test_neither_threads_nor_other_groups_change_a_bit(changed, gen):
    net = made(gen, **changed)
    views = net.shape.views
    rows = 5 * views
    x_t, log_snr, tokens, camera, guidance, text = question(net, rows, gen)
    reading = looked_at(net, rows, gen)
    asked = (x_t, log_snr, tokens, camera, guidance, text, reading)
    before, found = torch.get_num_threads(), []
    try:
        with torch.no_grad():
            for threads in (1, 2, 3):
                torch.set_num_threads(threads)
                found.append(net(*asked))
            other = x_t.clone()
            other[:views] += 1.0
            apart = net(other, *asked[1:])
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[1], found[0])
    assert torch.equal(found[2], found[0])
    assert torch.equal(apart[views:], found[0][views:])
    assert not torch.equal(apart[:views], found[0][:views])


def test_each_view_of_a_group_hears_of_the_others(gen, answers):
    net = made(gen, views=4)
    asked = question(net, 8, gen)
    other = asked[0].clone()
    other[1] += 1.0
    with torch.no_grad():
        moved = (net(*asked) - net(other, *asked[1:])).abs().amax(dim=(1, 2, 3))
    assert len(answers) == 2
    assert (moved[:4] > 1e-4).all()
    assert not moved[4:].any()


def test_groups_that_no_block_of_rows_holds_are_left_to_torch(gen, answers):
    net = made(gen, views=3)
    asked = question(net, 6, gen)
    with torch.no_grad():
        found = net(*asked)
    assert not answers
    assert off(found, by_modules(net, asked)) < 2e-5


def test_channels_that_fill_no_register_are_left_to_torch(gen, answers):
    net = made(gen, outer_width=24, middle_width=24, inner_width=24)
    asked = question(net, 1, gen)
    with torch.no_grad():
        found = net(*asked)
    assert bool(answers) == (24 % network_native.lanes() == 0)
    assert off(found, by_modules(net, asked)) < 2e-5


def test_arrays_of_other_sizes_are_refused(gen, answers):
    net = made(gen)
    asked = question(net, 2, gen)
    with torch.no_grad():
        net(*asked)
    with pytest.raises(ValueError, match="other sizes"):
        answers[0].run([torch.zeros(2, 64, 64, 3)], 2, 1)
