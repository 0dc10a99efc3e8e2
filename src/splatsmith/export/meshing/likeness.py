"""How much a mesh looks like the splats that it was made from."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from splatsmith.export.meshing.mesh import Mesh
from splatsmith.export.meshing.texture import paint_of
from splatsmith.export.meshing.views import seen, sphere_cameras
from splatsmith.render.mesh_preview import draw_mesh
from splatsmith.scenes.gaussians import Gaussians

VIEWS, SIZE = 8, 256  # pictures, pixels a side
TURN = 77.0  # degrees by which these views are turned from those that colors come from
VISIBLE = 0.05  # alpha
HARD = 0.5  # alpha from which a splat's pixel would be covered by a surface


@dataclass(frozen=True)
class Likeness:
    """PSNR, dB, of pictures over white, colors unlit, against those of the splats."""

    picture: float  # the whole pictures of the mesh
    object: float  # the pixels that either of the two covers
    hard_edge: float  # the same pixels of the splats themselves, alpha made 0 or 1 at `HARD`


@torch.no_grad()
def likeness(scene: Gaussians, mesh: Mesh) -> Likeness:
    """Compare a mesh to its splats from views of their own, which see all of the mesh.

    `hard_edge` says what the soft rim of splats costs any surface, were it right otherwise.
    """
    cameras = sphere_cameras(VIEWS, *mesh.bounds, SIZE, turn=TURN)
    splats = seen(scene, cameras)
    drawn = draw_mesh(mesh.vertices, mesh.faces, cameras, paint_of(mesh), torch.ones(3))
    where = ((splats.alpha > VISIBLE) | (drawn.alpha > VISIBLE))[..., 0]
    shown = splats.over(1.0)
    full = splats.color / splats.alpha.clamp(min=HARD)
    cut = torch.where(splats.alpha >= HARD, full, 1.0)
    return Likeness(
        picture=_psnr(shown - drawn.color),
        object=_psnr((shown - drawn.color)[where]),
        hard_edge=_psnr((shown - cut)[where]),
    )


def _psnr(difference: Tensor) -> float:
    return -10 * math.log10(max(float(difference.square().mean()), 1e-10))
