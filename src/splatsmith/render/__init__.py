"""Scene and cameras in, `Picture` out. `splat` draws Gaussians, with three back ends."""

from splatsmith.render.picture import Picture
from splatsmith.render.splat import splat

__all__ = ["Picture", "splat"]
