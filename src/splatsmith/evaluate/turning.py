"""Does an object's look turn with the camera? The test for second faces (Janus).

An object with one face, seen from all around, shows each of its sides once. Turning score T is
the length of the mean of exp(i (read azimuth - camera's azimuth)): 1 if what is seen turns
exactly as the camera does, near 0 if it does not; by which angle it is turned is of no account.
Repeat score S finds how often a look comes back: its best shift tells the number of faces.
Counting views that look like a front was tried and is almost useless.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.evaluate.evaluators import Evaluator
from splatsmith.evaluate.views import ring
from splatsmith.export.sheet import draw_views
from splatsmith.scenes.gaussians import Gaussians

VIEWS = 24
ELEVATION = 15.0  # degrees
JANUS_BELOW = 0.5  # T of an object that counts as having several faces
SHIFTS = (90.0, 270.0)  # degrees, between which a look counts as coming back


@dataclass(frozen=True)
class Turning:
    """What the views around an object say together."""

    score: float  # T, 0 to 1
    repeat: float  # S, 0 to 1: how alike the looks are, `shift` apart
    shift: float  # degrees, at most 180
    faces: int  # 1 unless `janus`

    @property
    def janus(self) -> bool:
        """Whether the object has several faces, by T alone."""
        return self.score < JANUS_BELOW


def turning_cameras() -> Cameras:
    """The cameras of the test: 24 on a circle, 15 degrees apart and 15 degrees up."""
    return ring(VIEWS, ELEVATION)


def turning_of(scene: Gaussians, evaluator: Evaluator, category: str) -> Turning:
    """Look at a scene from all around, as at a thing of this category."""
    cameras = turning_cameras().to(scene.means.device)
    read = evaluator.judge(draw_views(scene, cameras), category).azimuth
    if read is None:
        raise InputError(f"{evaluator.name} cannot read azimuths; turning takes E1.")
    return turning(read, cameras.azimuth.cpu())


def turning(read: Float[Tensor, "views bins"], azimuth: Float[Tensor, "views"]) -> Turning:
    """T, S and the number of faces from the read azimuths.

    Row k of `read` are the probabilities of azimuth bins (bin 0 is centered on azimuth 0) in
    the view from camera azimuth `azimuth[k]`, degrees; the cameras must stand evenly around.
    """
    score = turning_score(mean_azimuth(read), azimuth)
    repeat, shift = repeat_score(read)
    faces = round(360 / shift) if score < JANUS_BELOW else 1
    return Turning(score, repeat, shift, faces)


def mean_azimuth(read: Float[Tensor, "views bins"]) -> Float[Tensor, "views"]:
    """Circular mean of each view's azimuth probabilities, degrees in -180 to 180."""
    center = torch.arange(read.shape[1]) * (math.tau / read.shape[1])
    return torch.rad2deg(torch.atan2(read @ center.sin(), read @ center.cos()))


def turning_score(read: Float[Tensor, "views"], azimuth: Float[Tensor, "views"]) -> float:
    """T = |mean exp(i (read - azimuth))|; both in degrees."""
    off = torch.deg2rad(read - azimuth)
    return float(torch.hypot(off.cos().mean(), off.sin().mean()))


def repeat_score(read: Float[Tensor, "views bins"]) -> tuple[float, float]:
    """S and its shift: the best mean Bhattacharyya overlap of views a shift apart.

    Shifts run from 90 to 270 degrees, and a shift by s compares the same views as one by
    360 - s, so the one up to 180 is told. Views stand evenly around, at least four of them.
    """
    views = len(read)
    if views < 4:
        raise InputError(f"Repeats are sought among at least four views, got {views}.")
    root = read.sqrt()
    step, (low, high) = 360.0 / views, SHIFTS
    shifts = [k for k in range(1, views) if low <= k * step <= high and k * step <= 180.0]
    overlap = [float((root * root.roll(-k, 0)).sum(1).mean()) for k in shifts]
    best = max(range(len(shifts)), key=lambda i: overlap[i])
    return overlap[best], shifts[best] * step
