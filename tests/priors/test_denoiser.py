"""The denoiser's shapes, and the identity by which it grows."""

import math

import pytest
import torch
import torch.nn.functional as F

from splatsmith.priors.denoiser import Denoiser, DenoiserShape, camera_features, grow
from splatsmith.priors.text import PAD, WordTable

TINY = DenoiserShape(
    resolution=32, outer_width=8, middle_width=8, inner_width=16, inner_blocks=2,
    attentive_blocks=(1,), heads=2, signal_width=16, text_width=32, text_layers=1, vocabulary=9,
    words=6,
)  # fmt: skip


def _randomized(net: Denoiser, gen: torch.Generator) -> Denoiser:
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=gen) * 0.1)
    return net.eval()


def _question(size: int, gen: torch.Generator) -> tuple[torch.Tensor, ...]:
    camera = camera_features(torch.tensor([0.0, 90.0]), torch.zeros(2), torch.ones(2))
    tokens = torch.tensor([[1, 2, 3, 0, 0, 0], [0] * 6])
    log_snr = torch.tensor([-1.0, 2.0])
    return torch.randn(2, 3, size, size, generator=gen), log_snr, tokens, camera


def test_a_grown_network_says_what_its_core_says(gen: torch.Generator) -> None:
    core = _randomized(Denoiser(TINY), gen)
    grown = grow(core).eval()
    x_t, log_snr, tokens, camera = _question(64, gen)
    alpha = torch.sigmoid(log_snr).sqrt()[:, None, None, None]
    sigma = torch.sigmoid(-log_snr).sqrt()[:, None, None, None]
    with torch.no_grad():
        v = F.avg_pool2d(grown(x_t, log_snr, tokens, camera), 2)
        # The averaged picture is a noised picture too: signal alpha, noise sigma / 2.
        small, size = F.avg_pool2d(x_t, 2), (alpha**2 + sigma**2 / 4).sqrt()
        v_core = core(small / size, log_snr + math.log(4), tokens, camera)
    x0_from_core = alpha / size * small / size - sigma / (2 * size) * v_core
    x0_from_grown = alpha * small - sigma * v
    torch.testing.assert_close(x0_from_grown, x0_from_core, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("resolution", [32, 64])
def test_every_input_matters(resolution: int, gen: torch.Generator) -> None:
    core = Denoiser(TINY)
    net = _randomized(core if resolution == 32 else grow(core), gen)
    x_t, log_snr, tokens, camera = _question(resolution, gen)
    with torch.no_grad():
        v = net(x_t, log_snr, tokens, camera)
        changed = [
            net(x_t + 0.1, log_snr, tokens, camera),
            net(x_t, log_snr + 1, tokens, camera),
            net(x_t, log_snr, tokens.flip(0), camera),
            net(x_t, log_snr, tokens, camera.flip(0)),
        ]
    assert v.shape == x_t.shape
    for other in changed:
        assert (other - v).abs().max() > 1e-4


def test_pads_say_nothing(gen: torch.Generator) -> None:
    net = _randomized(Denoiser(TINY), gen)
    x_t, log_snr, tokens, camera = _question(32, gen)
    with torch.no_grad():
        net.text.table.weight[PAD] += 5.0
        before = net(x_t, log_snr, tokens, camera)
        net.text.table.weight[PAD] -= 9.0
        after = net(x_t, log_snr, tokens, camera)
    torch.testing.assert_close(before, after, atol=1e-6, rtol=1e-5)


def test_an_unknown_camera_is_all_zero() -> None:
    features = camera_features(torch.tensor([30.0]), torch.tensor([10.0]), torch.zeros(1))
    assert not features.any()


def test_word_table_pads_cuts_and_skips_unknown_words() -> None:
    table = WordTable(["red", "duck", "a"], length=3)
    rows = table.encode(["A red, DUCK!", "violin duck", "a a a a", ""])
    assert rows.tolist() == [[3, 1, 2], [2, 0, 0], [3, 3, 3], [0, 0, 0]]
