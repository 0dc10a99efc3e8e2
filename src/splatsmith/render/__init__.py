"""Scene and cameras in, `Picture` out: `splat` draws Gaussians, `draw_mesh` triangle meshes."""

from splatsmith.render.mesh import draw_mesh
from splatsmith.render.picture import Picture
from splatsmith.render.splat import splat

__all__ = ["Picture", "draw_mesh", "splat"]
