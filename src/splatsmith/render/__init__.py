"""Scene and cameras in, `Picture` out: Gaussians, radiance fields and triangle meshes."""

from splatsmith.render.mesh import draw_mesh
from splatsmith.render.picture import Picture
from splatsmith.render.splat import splat
from splatsmith.render.volume import volume

__all__ = ["Picture", "draw_mesh", "splat", "volume"]
