"""Losses on rays: against sums written out, closed forms and what they are for."""

import math

import pytest
import torch

from splatsmith.errors import InputError
from splatsmith.render.picture import Picture
from splatsmith.render.samples import Samples
from splatsmith.render.volume_reference import composite, starts_of
from splatsmith.scenes import field_losses

COUNTS = [3, 0, 5, 1, 0]
STEP, EXTENT = 0.05, 2.0


@pytest.fixture
def picture(gen):
    """One row of five pixels, whose rays have samples as in COUNTS."""
    count = sum(COUNTS)
    rays = torch.repeat_interleave(torch.arange(5), torch.tensor(COUNTS))
    starts = starts_of(torch.tensor(COUNTS))
    place = torch.arange(count) - starts[rays]
    density = (20 * torch.rand(count, generator=gen)).requires_grad_()
    normals = torch.randn(count, 3, generator=gen, requires_grad=True)
    unit = torch.nn.functional.normalize(normals, dim=-1)
    directions = torch.nn.functional.normalize(torch.randn(5, 3, generator=gen), dim=-1)
    samples = Samples(
        rays=rays,
        starts=starts,
        distances=1.0 + STEP * (place + torch.rand(5, generator=gen)[rays]),
        points=torch.randn(count, 3, generator=gen),
        directions=directions,
        step=STEP,
        extent=EXTENT,
    )
    sums = composite(samples, density, unit)
    full = Samples(**{**vars(samples), "weights": sums.weights, "normals": unit})
    made = Picture(
        color=torch.zeros(1, 1, 5, 3),
        alpha=sums.alpha.reshape(1, 1, 5, 1),
        depth=sums.distance.reshape(1, 1, 5, 1),
        normal=torch.nn.functional.normalize(sums.totals, dim=-1).reshape(1, 1, 5, 3),
        samples=full,
    )
    return made, density, normals


def by_ray(samples):
    """Weights and distances of each ray in turn."""
    for ray in range(5):
        own = samples.rays == ray
        yield samples.weights[own], samples.distances[own]


def test_distortion_is_the_double_sum(picture):
    made, density, _ = picture
    total = torch.zeros(())
    for w, t in by_ray(made.samples):
        s = t / EXTENT
        total = total + (w[:, None] * w * (s[:, None] - s).abs()).sum()
        total = total + w.square().sum() * STEP / EXTENT / 3
    ours = field_losses.distortion(made)
    torch.testing.assert_close(ours, total / 5, rtol=1e-5, atol=1e-7)
    mine = torch.autograd.grad(ours, density, retain_graph=True)[0]
    written_out = torch.autograd.grad(total / 5, density, retain_graph=True)[0]
    torch.testing.assert_close(mine, written_out, rtol=1e-4, atol=1e-7)


def test_z_variance_is_that_of_each_covered_ray(picture):
    made, *_ = picture
    found = []
    for w, t in by_ray(made.samples):
        if w.sum() > 0.5:
            share = w / w.sum()
            found.append((share * (t - (share * t).sum()).square()).sum())
    assert 0 < len(found) < 5
    ours = field_losses.z_variance(made)
    torch.testing.assert_close(ours, torch.stack(found).mean(), rtol=1e-4, atol=1e-8)
    assert field_losses.z_variance(made, covered=1.0) == 0


def test_emptiness_counts_the_empty_steps_too(picture):
    made, *_ = picture
    weights = made.samples.weights
    dense = torch.zeros(5, round(EXTENT / STEP))
    dense.view(-1)[: len(weights)] = weights.detach()
    expected = torch.log(1 + 10 * dense).mean()
    torch.testing.assert_close(field_losses.emptiness(made).detach(), expected)


def test_orientation_weighs_normals_that_face_away(picture):
    made, density, normals = picture
    samples, total = made.samples, 0.0
    weights, unit = samples.weights.detach(), samples.normals.detach()
    for i, ray in enumerate(samples.rays):
        total += float(weights[i]) * max(0.0, float(unit[i] @ samples.directions[ray])) ** 2
    loss = field_losses.orientation(made)
    assert abs(loss.item() - total / 5) < 1e-6
    grads = torch.autograd.grad(loss, (normals, density), allow_unused=True)
    assert grads[0].any()
    assert grads[1] is None  # weights are not taught by it


def test_entropy_and_sparsity_in_closed_form(picture):
    made, *_ = picture
    half = Picture(color=made.color, alpha=torch.full((1, 1, 5, 1), 0.5), depth=made.depth)
    torch.testing.assert_close(field_losses.opaqueness(half), torch.tensor(math.log(2)))
    torch.testing.assert_close(field_losses.sparsity(half), torch.tensor(math.sqrt(0.26)))
    for alpha in (0.0, 1.0):
        sure = Picture(
            color=made.color, alpha=torch.full((1, 1, 5, 1), alpha), depth=made.depth
        )
        assert field_losses.opaqueness(sure) < 0.01


def test_roughness_is_zero_on_a_plane_and_ignores_what_is_not_covered():
    normal = torch.tensor([0.0, 0, 1]).expand(1, 4, 5, 3)
    alpha = torch.ones(1, 4, 5, 1)
    flat = Picture(color=normal, alpha=alpha, depth=alpha, normal=normal)
    assert field_losses.normal_roughness(flat) == 0
    bent = normal.clone()
    bent[:, 1, 2] = torch.tensor([1.0, 0, 0])
    rough = Picture(color=normal, alpha=alpha, depth=alpha, normal=bent)
    expected = 2 * (1 / 16 * 2 + 1 / 15 * 2)  # |difference|^2 is 2, two pairs either way
    torch.testing.assert_close(field_losses.normal_roughness(rough), torch.tensor(expected))
    alpha = alpha.clone()
    alpha[:, 1, 2] = 0
    hidden = Picture(color=normal, alpha=alpha, depth=alpha, normal=bent)
    assert field_losses.normal_roughness(hidden) == 0


@pytest.mark.parametrize(
    "name", ["distortion", "opaqueness", "sparsity", "emptiness", "z_variance"]
)
def test_losses_teach_density(picture, name):
    made, density, _ = picture
    grad = torch.autograd.grad(getattr(field_losses, name)(made), density)[0]
    assert torch.isfinite(grad).all()
    assert grad.any()


def test_what_is_missing_is_named():
    bare = Picture(
        color=torch.zeros(1, 2, 2, 3),
        alpha=torch.zeros(1, 2, 2, 1),
        depth=torch.zeros(1, 2, 2, 1),
    )
    with pytest.raises(InputError, match="only fields have"):
        field_losses.distortion(bare)
    with pytest.raises(InputError, match="normals=True"):
        field_losses.normal_roughness(bare)
