"""The network's kernels against torch's own layers, and when they may be asked at all."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from splatsmith.priors import network_native
from splatsmith.priors.network_native import activated, convolved

pytestmark = pytest.mark.skipif(
    not network_native.available(), reason="the kernels were not built"
)


@pytest.fixture(autouse=True, params=network_native.isas())
def each_isa(request, monkeypatch):
    monkeypatch.setenv("SPLATSMITH_ISA", request.param)


def last(x):
    return x.contiguous(memory_format=torch.channels_last)


def frozen(layer):
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.3)
    return layer.requires_grad_(False)


def asked(monkeypatch):
    """A list that grows with every call of a kernel."""
    calls = []
    for name in ("convolve", "normalize"):
        kernel = getattr(network_native._network, name)

        def counted(*args, kernel=kernel, name=name, **named):
            calls.append(name)
            return kernel(*args, **named)

        monkeypatch.setattr(network_native._network, name, counted)
    return calls


@settings(max_examples=60, deadline=None)
@given(
    views=st.integers(1, 3),
    rows=st.integers(3, 13),
    columns=st.integers(3, 13),
    inputs=st.sampled_from([1, 12, 16, 48]),
    outputs=st.sampled_from([1, 7, 24, 50]),
    kind=st.sampled_from([(3, 1, 1), (3, 2, 1), (1, 1, 0), (2, 2, 0), (3, 1, 0)]),
    bias=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_convolution_is_torchs(views, rows, columns, inputs, outputs, kind, bias, seed):
    torch.manual_seed(seed)
    size, stride, padding = kind
    conv = frozen(nn.Conv2d(inputs, outputs, size, stride, padding, bias=bias))
    x = torch.randn(views, inputs, rows, columns)
    exact = conv.double()(x.double())
    added = torch.randn(exact.shape)
    conv.float()
    with torch.no_grad():
        for given in (x, last(x)):
            torch.testing.assert_close(
                convolved(conv, given).double(), exact, rtol=1e-4, atol=3e-4
            )
        found = convolved(conv, last(x), added=last(added))
    torch.testing.assert_close(found.double(), exact + added, rtol=1e-4, atol=3e-4)


@pytest.mark.parametrize("channels", [16, 48, 192])
@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize("far", [0.0, 1000.0])
def test_normalization_is_torchs(channels, modulated, far):
    torch.manual_seed(0)
    norm = frozen(nn.GroupNorm(8, channels))
    x = last(3 * torch.randn(2, channels, 5, 7) + far)
    modulation = torch.randn(2, 2 * channels) if modulated else None
    exact = norm.double()(x.double())
    if modulation is not None:
        scale, shift = modulation[:, :, None, None].double().chunk(2, dim=1)
        exact = exact * (1 + scale) + shift
    exact = nn.functional.silu(exact)
    norm.float()
    with torch.no_grad():
        found = activated(norm, x, modulation)
    bound = 2e-5 if far == 0 else 2e-3  # a float has seven digits
    torch.testing.assert_close(found.double(), exact, rtol=bound, atol=bound)


def test_silu_at_both_ends():
    norm = frozen(nn.GroupNorm(1, 16))
    nn.init.constant_(norm.weight, 200.0)
    nn.init.constant_(norm.bias, 0.0)
    x = last(torch.randn(1, 16, 4, 4))
    with torch.no_grad():
        found = activated(norm, x)
    expected = nn.functional.silu(norm.double()(x.double()))
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)


def test_the_number_of_threads_changes_no_bit():
    conv, norm = frozen(nn.Conv2d(48, 50, 3, padding=1)), frozen(nn.GroupNorm(8, 48))
    x = last(torch.randn(5, 48, 9, 9))
    before, found = torch.get_num_threads(), []
    try:
        with torch.no_grad():
            for threads in (1, 2, 3):
                torch.set_num_threads(threads)
                found.append((convolved(conv, x), activated(norm, x)))
    finally:
        torch.set_num_threads(before)
    for one in found[1:]:
        assert torch.equal(one[0], found[0][0])
        assert torch.equal(one[1], found[0][1])


def test_a_changed_weight_is_read_again():
    conv = frozen(nn.Conv2d(16, 16, 3, padding=1))
    x = last(torch.randn(1, 16, 4, 4))
    with torch.no_grad():
        first = convolved(conv, x)
        conv.weight.mul_(2)
        conv.bias.mul_(2)
        torch.testing.assert_close(convolved(conv, x), 2 * first, rtol=1e-4, atol=1e-4)


def test_nothing_that_learns_is_served(monkeypatch):
    calls = asked(monkeypatch)
    conv, norm = nn.Conv2d(16, 16, 3, padding=1), nn.GroupNorm(8, 16)
    # Torch 2.13 crashes if the input of a channels-last normalization wants no gradient.
    x = last(torch.randn(2, 16, 8, 8)).requires_grad_()
    convolved(conv, activated(norm, x)).sum().backward()
    assert conv.weight.grad is not None
    frozen(conv), frozen(norm)
    looking = x.detach().clone().requires_grad_()
    convolved(conv, activated(norm, looking)).sum().backward()
    assert looking.grad is not None
    assert not calls
    with torch.no_grad():
        made_up = torch.func.functional_call(conv, {"weight": conv.weight * 2}, (x,))
        convolved(conv, activated(norm, x.detach()))
    assert calls == ["normalize", "convolve"]
    assert torch.isfinite(made_up).all()


def test_only_float32_is_served(monkeypatch):
    calls = asked(monkeypatch)
    conv = frozen(nn.Conv2d(16, 16, 3, padding=1)).double()
    with torch.no_grad():
        convolved(conv, torch.randn(1, 16, 4, 4, dtype=torch.float64))
        conv.float()
        with torch.autocast("cpu", torch.bfloat16):
            convolved(conv, torch.randn(1, 16, 4, 4))
    assert not calls


def test_odd_convolutions_are_left_to_torch(monkeypatch):
    calls = asked(monkeypatch)
    x = torch.randn(1, 16, 8, 8)
    for conv in (
        nn.Conv2d(16, 16, 3, padding=1, groups=2),
        nn.Conv2d(16, 16, 3, padding=2, dilation=2),
        nn.Conv2d(16, 16, (1, 3), padding=(0, 1)),
        nn.Conv2d(16, 16, 3, padding="same"),
        nn.Conv2d(16, 16, 3, padding=1, padding_mode="circular"),
    ):
        with torch.no_grad():
            assert torch.equal(convolved(frozen(conv), x), conv(x))
    assert not calls
