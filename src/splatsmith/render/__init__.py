"""Scene and cameras in, `Picture` out: `splat` draws Gaussians, `volume` radiance fields."""

from splatsmith.render.picture import Picture
from splatsmith.render.splat import splat
from splatsmith.render.volume import volume

__all__ = ["Picture", "splat", "volume"]
