"""How much a mesh looks like the splats that it was made from."""

import math

import torch

from splatsmith.export.meshing.mesh import Mesh
from splatsmith.export.meshing.texture import paint_of
from splatsmith.export.meshing.views import seen, sphere_cameras
from splatsmith.render.mesh_preview import draw_mesh
from splatsmith.scenes.gaussians import Gaussians

VIEWS, SIZE = 8, 256  # pictures, pixels a side
TURN = 77.0  # degrees by which these views are turned from those that colors come from
VISIBLE = 0.05  # alpha


def likeness(scene: Gaussians, mesh: Mesh) -> float:
    """PSNR, dB, of pictures of the mesh against those of the splats, from views of their own.

    Over white, in the pixels that either of the two covers; colors unlit.
    """
    cameras = sphere_cameras(VIEWS, *mesh.bounds, SIZE, turn=TURN)
    splats = seen(scene, cameras)
    drawn = draw_mesh(mesh.vertices, mesh.faces, cameras, paint_of(mesh), torch.ones(3))
    where = ((splats.alpha > VISIBLE) | (drawn.alpha > VISIBLE))[..., 0]
    error = float((splats.over(1.0) - drawn.color)[where].square().mean())
    return -10 * math.log10(max(error, 1e-10))
