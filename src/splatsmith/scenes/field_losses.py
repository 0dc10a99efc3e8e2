"""What a radiance field is asked to be, whatever the prior says: functions of its pictures.

All work on a `Picture` that `Field.render` made. Means are over rays, so a weight means the
same for any size of picture and any number of samples.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.render.picture import Picture
from splatsmith.render.samples import Samples


def distortion(picture: Picture) -> Float[Tensor, ""]:
    """Mean over rays of how far apart a ray's weights lie: one thin surface is best.

    Barron et al. 2022 (mip-NeRF 360), equation 15, in units of the scene's diameter.
    """
    samples, weights = _samples(picture)
    # In float64, because one running sum goes through all rays.
    w = weights.double()
    s = samples.distances.double() / samples.extent
    before, moment = _before(w, samples), _before(w * s, samples)
    apart = 2 * (w * (s * before - moment)).sum()
    own = w.square().sum() * (samples.step / samples.extent) / 3
    return ((apart + own) / _ray_count(samples)).to(weights)


def opaqueness(picture: Picture) -> Float[Tensor, ""]:
    """Mean binary entropy of alpha, in nats: every pixel is to be covered or empty."""
    alpha = picture.alpha.clamp(1e-3, 1 - 1e-3)
    return -(alpha * torch.log(alpha) + (1 - alpha) * torch.log(1 - alpha)).mean()


def sparsity(picture: Picture) -> Float[Tensor, ""]:
    """Mean of sqrt(alpha^2 + 0.01), as threestudio has it: what is not needed goes."""
    return torch.sqrt(picture.alpha.square() + 0.01).mean()


def emptiness(picture: Picture, scale: float = 10.0) -> Float[Tensor, ""]:
    """Mean over rays of the sum over samples of log(1 + scale * weight) / steps.

    The emptiness loss of Wang et al. 2022 (SJC), which divides by all steps of a ray, empty
    ones included.
    """
    samples, weights = _samples(picture)
    steps = round(samples.extent / samples.step)
    return torch.log1p(scale * weights).sum() / (steps * _ray_count(samples))


def orientation(picture: Picture) -> Float[Tensor, ""]:
    """Mean over rays of weight * max(0, normal . direction)^2: seen surfaces face the eye.

    Verbin et al. 2022 (Ref-NeRF), equation 11; weights are not taught by it, as in DreamFusion.
    """
    samples, weights = _samples(picture)
    if samples.normals is None:
        raise InputError("Orientation needs normals; render with normals=True.")
    away = (samples.normals * samples.directions[samples.rays]).sum(dim=-1)
    return (weights.detach() * away.clamp_min(0).square()).sum() / _ray_count(samples)


def z_variance(picture: Picture, covered: float = 0.5) -> Float[Tensor, ""]:
    """Mean variance (squared world units) of distance along rays whose alpha is over `covered`.

    Zhu et al. 2023 (HiFA), equation 12; zero if there is no such ray.
    """
    samples, weights = _samples(picture)
    alpha = _per_ray(weights, samples)
    share = weights / alpha.clamp_min(1e-6)[samples.rays]
    mean = _per_ray(share * samples.distances, samples)
    apart = (samples.distances - mean[samples.rays]).square()
    variance = _per_ray(share * apart, samples)
    chosen = alpha > covered
    return torch.where(chosen, variance, 0.0).sum() / chosen.sum().clamp_min(1)


def normal_roughness(picture: Picture) -> Float[Tensor, ""]:
    """Mean squared difference of the normals of neighboring pixels, where both are covered."""
    if picture.normal is None:
        raise InputError("The roughness of normals needs them; render with normals=True.")
    normal, alpha = picture.normal, picture.alpha.detach()
    across = (
        (normal[:, :, 1:] - normal[:, :, :-1]).square() * alpha[:, :, 1:] * alpha[:, :, :-1]
    )
    down = (normal[:, 1:] - normal[:, :-1]).square() * alpha[:, 1:] * alpha[:, :-1]
    return across.sum(dim=-1).mean() + down.sum(dim=-1).mean()


def _samples(picture: Picture) -> tuple[Samples, Tensor]:
    if picture.samples is None or picture.samples.weights is None:
        raise InputError("This loss needs samples along rays, which only fields have.")
    return picture.samples, picture.samples.weights


def _ray_count(samples: Samples) -> int:
    return len(samples.directions)


def _per_ray(values: Float[Tensor, "samples"], samples: Samples) -> Float[Tensor, "rays"]:
    zero = values.new_zeros(_ray_count(samples))
    return zero.index_add(0, samples.rays, values)


def _before(values: Float[Tensor, "samples"], samples: Samples) -> Float[Tensor, "samples"]:
    """The sum of the values of earlier samples of the same ray."""
    running = torch.cumsum(values, dim=0) - values
    start = samples.starts[:-1][samples.rays]
    return running - running[start]
