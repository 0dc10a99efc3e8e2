"""Which true instance a scene resembles most, and how the two are laid over each other.

All 64 instances and 24 turns of each are searched by small silhouettes, after center and size
are made equal; the best few are then fitted more closely, and the best of these is taken.
"""

import math
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from splatsmith.cameras import Cameras, orbit, shifted
from splatsmith.evaluate.instances import (
    AROUND,
    ELEVATION,
    FRAMING,
    OUTLINE,
    Frame,
    frame_of,
    framed,
    outlines,
    true_object,
)
from splatsmith.evaluate.views import (
    FOVY,
    OPAQUE,
    RADIUS,
    SIZE,
    Seen,
    angles,
    ring,
    unproject,
)
from splatsmith.evaluate.wanted import Wanted
from splatsmith.render.picture import Picture
from splatsmith.toybox import render
from splatsmith.toybox.objects import Toy

LOOKS = 12  # azimuths of the scene in the search, every second one of the instances'
FINALISTS = 8  # instances that are fitted more closely
FITS = 2  # corrections of center and size of each
FITTING = (12, (15.0,), SIZE)  # azimuths, elevations (degrees), pixels a side of a fit


@runtime_checkable
class Drawable(Protocol):
    """Anything that cameras can look at."""

    def render(self, cameras: Cameras, background: Float[Tensor, "3"]) -> Picture:
        """Pictures of it, one for each camera, over one background color."""
        ...


@torch.no_grad()
def look(scene: Drawable, cameras: Cameras) -> Seen:
    """What cameras see of a scene, without a background."""
    drawn = scene.render(cameras, torch.zeros(3))
    return Seen(drawn.color, drawn.alpha, drawn.depth)


@dataclass(frozen=True, eq=False)
class Match:
    """The true instance that a scene resembles most in outline.

    Seen from azimuth a, the scene looks like the instance seen from a + yaw (degrees).
    """

    toy: Toy
    yaw: float
    iou: float  # mean over views of the search
    scene: Frame
    truth: Frame

    def scene_cameras(self, count: int, elevations: tuple[float, ...], size: int) -> Cameras:
        """Cameras around the scene; it looks to them as the instance does to its own."""
        azimuth, elevation = angles(count, elevations)
        ratio = self.scene.size / self.truth.size
        origin = self.scene.center - ratio * turned(self.truth.center, -self.yaw)
        cameras = orbit(
            azimuth, elevation, radius=RADIUS * ratio, fovy=FOVY, width=size, height=size
        )
        return shifted(cameras, origin.expand(len(cameras), 3))

    def truth_cameras(self, count: int, elevations: tuple[float, ...], size: int) -> Cameras:
        """The cameras around the instance that go with `scene_cameras`."""
        azimuth, elevation = angles(count, elevations)
        return orbit(
            azimuth + self.yaw, elevation, radius=RADIUS, fovy=FOVY, width=size, height=size
        )

    def to_truth(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
        """Points of the scene where they lie in the instance's frame."""
        ratio = self.scene.size / self.truth.size
        return turned((points - self.scene.center) / ratio, self.yaw) + self.truth.center


def best_match(scene: Drawable, asked: Wanted) -> Match | None:
    """Search all instances and turns; None if the scene has no surface to compare."""
    around = ring(FRAMING, ELEVATION)
    seen = look(scene, around)
    frame = frame_of(unproject(seen.alpha, seen.depth, around))
    if frame is None:
        return None
    azimuth, elevation = angles(LOOKS, (ELEVATION,))
    alpha = look(scene, framed(frame, azimuth, elevation, OUTLINE)).alpha
    known = outlines(asked)
    overlap, turn = turned_overlap(alpha.reshape(LOOKS, -1) > OPAQUE, known.silhouettes).max(
        dim=1
    )
    found = [
        Match(
            toy=true_object(asked, known.shapes[i]),
            yaw=float(turn[i]) * 360.0 / AROUND,
            iou=float(overlap[i]),
            scene=frame,
            truth=known.frames[i],
        )
        for i in overlap.argsort(descending=True)[:FINALISTS].tolist()
    ]
    return max((fitted(scene, match) for match in found), key=lambda match: match.iou)


def fitted(scene: Drawable, match: Match) -> Match:
    """The match with center and size adjusted until silhouettes agree in place and area.

    Means over surface points are a first guess only: soft and hard edges show other points.
    """
    truth = render(match.toy, match.truth_cameras(*FITTING), samples=1).alpha[..., 0] > 0.5
    best = match
    for step in range(FITS + 1):
        cameras = match.scene_cameras(*FITTING)
        ours = look(scene, cameras).alpha[..., 0] > OPAQUE
        match = replace(match, iou=float(overlap_of(ours, truth).mean()))
        if step == 0 or match.iou > best.iou:
            best = match
        if not bool(ours.any()):
            break
        match = replace(match, scene=_nudged(match.scene, ours, truth, cameras))
    return best


def overlap_of(
    first: Bool[Tensor, "views height width"], second: Bool[Tensor, "views height width"]
) -> Float[Tensor, "views"]:
    """Intersection over union of each pair of silhouettes; 0 where neither shows anything."""
    both, either = ((m).sum(dim=(1, 2)) for m in (first & second, first | second))
    return both / either.clamp_min(1)


def _nudged(
    frame: Frame,
    ours: Bool[Tensor, "views height width"],
    truth: Bool[Tensor, "views height width"],
    cameras: Cameras,
) -> Frame:
    """The frame from which the scene's silhouettes would have the truth's area and place."""
    shown = ours.any(dim=2).any(dim=1) & truth.any(dim=2).any(dim=1)
    offset = (_middle(ours) - _middle(truth))[shown]  # pixels, x to the right and y down
    axes = cameras.viewmat[shown, :2, :3]
    away = cameras.radius[0] / cameras.K[0, 0, 0]  # world units a pixel, at the center
    normal = torch.einsum("vai,vaj->ij", axes, axes)
    moved = torch.einsum("vai,va->i", axes, offset * away)
    growth = math.sqrt(float(ours.sum() / truth.sum()))
    return Frame(frame.center + torch.linalg.solve(normal, moved), frame.size * growth)


def _middle(mask: Bool[Tensor, "views height width"]) -> Float[Tensor, "views 2"]:
    """Mean pixel (x, y) of each silhouette."""
    rows, columns = mask.float().sum(dim=2), mask.float().sum(dim=1)
    total = mask.sum(dim=(1, 2)).clamp_min(1)
    places = [torch.arange(line.shape[1]) + 0.5 for line in (columns, rows)]
    x, y = columns @ places[0] / total, rows @ places[1] / total
    return torch.stack([x, y], dim=-1)


def turned_overlap(
    scene: Bool[Tensor, "looks pixels"], truth: Bool[Tensor, "instances azimuths pixels"]
) -> Float[Tensor, "instances azimuths"]:
    """Mean intersection over union for each instance and turn.

    Look i of the scene goes with azimuth i * azimuths / looks + turn of the instance.
    """
    looks, azimuths = len(scene), truth.shape[1]
    both = torch.einsum("lp,iap->ila", scene.float(), truth.float())
    either = scene.sum(-1)[None, :, None] + truth.sum(-1)[:, None, :] - both
    iou = both / either.clamp_min(1)
    step = torch.arange(looks) * (azimuths // looks)
    places = (step[:, None] + torch.arange(azimuths)) % azimuths
    return iou.gather(2, places.expand(len(truth), -1, -1)).mean(dim=1)


def turned(points: Float[Tensor, "*points 3"], angle: float) -> Float[Tensor, "*points 3"]:
    """Points turned about the vertical axis, counter-clockwise from above, degrees."""
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y, z = points.unbind(-1)
    return torch.stack([c * x - s * y, s * x + c * y, z], dim=-1)
