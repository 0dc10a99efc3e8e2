"""True objects as Gaussians, and what is spoiled on purpose to test the testers.

Everything that is weighed is a scene of Gaussians, so the ceiling (true objects) and the
controls (objects with several faces, with floaters, in a wrong color) go the same way as what
a run made.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.scenes.gaussians import Gaussians, color_to_sh
from splatsmith.toybox.geometry import surface_points
from splatsmith.toybox.objects import DRAWS, Toy, ToyObject, dressed
from splatsmith.toybox.split import Split, pairs

COUNT = 6000  # splats; at 96 pixels about one for each pixel of a typical object
SHADOW = 0.6  # brightness of what faces straight down; straight up it is 1
OPACITY = 0.9
FLATNESS = 0.1  # thickness of a splat as a share of its width
WIDTH = 0.5  # standard deviation of a splat as a share of the distance to its neighbors
# World units by which splats lie below the surface, one pixel at 96. Seen edge-on, many blurred
# splats stand behind each other, and half of what they cover lies outside their centers.
SINK = 0.025
NEIGHBORS = 6
FLOATERS, FLOATER_SPLATS = 6, 25  # clumps, and splats in each
FLOATER_SIZE = 0.05  # standard deviation of a clump, world units
FLOATER_GAP = 0.25  # world units between a clump's center and the object, at least
FLOATER_REACH = 1.1  # world units from the origin, at most


def true_objects(
    chosen: Sequence[tuple[str, str]] | Split,
    generator: torch.Generator,
    each: int = 1,
) -> list[ToyObject]:
    """`each` plain objects of every (color, category), or of every pair of a split.

    Shape parameters lie in the band that no training of a prior sees; all parts but the main
    ones have their natural colors.
    """
    wanted = pairs(chosen, extra=False) if isinstance(chosen, str) else chosen
    rows = torch.rand(len(wanted) * each, DRAWS, generator=generator).tolist()
    return [
        dressed(category, color, rows[i * each + k], "held", plain=True)
        for i, (color, category) in enumerate(wanted)
        for k in range(each)
    ]


def as_gaussians(toy: Toy, generator: torch.Generator, count: int = COUNT) -> Gaussians:
    """The object's surface as `count` flat, nearly opaque splats.

    Color is the object's own, times a half-Lambert light from straight above (Valve 2004,
    without the square): from `SHADOW` below to 1 above. Such a light does not favor any side.
    """
    surface = surface_points(toy, count, generator)
    width = WIDTH * _spacing(surface.points)
    scales = torch.stack([width, width, FLATNESS * width], dim=-1)
    light = SHADOW + (1 - SHADOW) * (0.5 + 0.5 * surface.normals[:, 2:])
    return Gaussians(
        means=surface.points - SINK * surface.normals,
        log_scales=scales.log(),
        quats=_facing(surface.normals),
        logit_opacities=torch.full((count,), math.log(OPACITY / (1 - OPACITY))),
        sh=color_to_sh((surface.color * light).clamp(0, 1)),
    )


def with_faces(scene: Gaussians, faces: int) -> Gaussians:
    """The front sector of a scene, `faces` times around the vertical axis.

    The sector is what lies within 180 / `faces` degrees of the front. One face gives the scene
    itself back.
    """
    if faces < 1:
        raise InputError(f"An object has at least one face, got {faces}.")
    state = scene.state()
    x, y = state["means"][:, 0], state["means"][:, 1]
    front = torch.atan2(y, x).abs() <= math.pi / faces
    if not bool(front.any()):
        raise InputError("Nothing of the scene lies in front; its faces cannot be copied.")
    sector = {name: value[front] for name, value in state.items()}
    copies = [_turned(sector, 360.0 * i / faces) for i in range(faces)]
    return Gaussians(**{name: torch.cat([c[name] for c in copies]) for name in sector})


def with_floaters(
    scene: Gaussians, generator: torch.Generator, clumps: int = FLOATERS
) -> Gaussians:
    """The scene and a few opaque clumps in the air around it, in colors of the scene."""
    state = scene.state()
    means, count = state["means"], clumps * FLOATER_SPLATS
    center = _free_places(means, clumps, generator).repeat_interleave(FLOATER_SPLATS, 0)
    spread = FLOATER_SIZE * torch.randn(count, 3, generator=generator)
    like = torch.randint(len(means), (clumps,), generator=generator)
    like = like.repeat_interleave(FLOATER_SPLATS)
    added = {name: value[like] for name, value in state.items()}
    added["means"] = center + spread.clamp(-2 * FLOATER_SIZE, 2 * FLOATER_SIZE)
    added["log_scales"] = torch.full((count, 3), math.log(FLOATER_SIZE / 2))
    return Gaussians(**{name: torch.cat([state[name], added[name]]) for name in state})


def _spacing(points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
    """Mean distance to the nearest neighbors, at most twice the median."""
    known = min(NEIGHBORS + 1, len(points))
    nearest = [
        torch.cdist(part, points).topk(known, largest=False).values[:, 1:]
        for part in points.split(1024)
    ]
    mean = torch.cat(nearest).mean(1)
    return torch.minimum(mean, 2 * mean.median()).clamp(min=1e-4)


def _facing(normals: Float[Tensor, "points 3"]) -> Float[Tensor, "points 4"]:
    """Quaternions that turn +z to the normals by the smallest angle."""
    x, y, z = normals.unbind(-1)
    upward = torch.stack([1 + z, -y, x, torch.zeros_like(x)], dim=-1)
    about_x = normals.new_tensor([0.0, 1.0, 0.0, 0.0])
    return F.normalize(torch.where((z < -0.9999)[:, None], about_x, upward), dim=-1)


def _turned(state: dict[str, Tensor], degrees: float) -> dict[str, Tensor]:
    """Splats turned about the vertical axis, as seen by those that have one color a splat."""
    if state["sh"].shape[1] > 1:
        raise InputError("Only scenes without view-dependent color can be turned.")
    half = math.radians(degrees) / 2
    c, s = math.cos(2 * half), math.sin(2 * half)
    x, y, z = state["means"].unbind(-1)
    a, b = math.cos(half), math.sin(half)
    qw, qx, qy, qz = state["quats"].unbind(-1)
    quats = [a * qw - b * qz, a * qx - b * qy, a * qy + b * qx, a * qz + b * qw]
    means = torch.stack([c * x - s * y, s * x + c * y, z], dim=-1)
    return state | {"means": means, "quats": torch.stack(quats, dim=-1)}


def _free_places(
    means: Float[Tensor, "splats 3"], count: int, generator: torch.Generator
) -> Float[Tensor, "places 3"]:
    """Places within reach that keep their distance from all splats."""
    found = means.new_zeros(0, 3)
    for _ in range(100):
        tried = (2 * torch.rand(64, 3, generator=generator) - 1) * FLOATER_REACH
        near = torch.cdist(tried, means).amin(1)
        inside = tried.norm(dim=-1) < FLOATER_REACH
        found = torch.cat([found, tried[(near > FLOATER_GAP) & inside]])
        if len(found) >= count:
            return found[:count]
    raise InputError("The scene fills its surroundings; there is no room for floaters.")
