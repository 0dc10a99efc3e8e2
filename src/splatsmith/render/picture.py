"""What a camera sees of a scene."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from splatsmith.render.samples import Samples


@dataclass(frozen=True, eq=False)
class Picture:
    """A batch of pictures, one for each camera, with what density control needs beside them.

    Attributes:
        color: display-referred RGB, 0 to 1, the background already blended in; of scenes that
            live in the latent space of a prior, its channels instead.
        alpha: how much of each pixel the scene covers, 0 to 1.
        depth: expected camera-space z of what covers a pixel, 0 where nothing does.
        normal: unit normals in the world, for scenes that have them.
        radii: radius of each splat in pixels (three standard deviations of its longer axis,
            rounded up, as 3DGS counts it); 0 if it leaves no mark on the picture.
        samples: what lies along the rays, for scenes that are drawn by volume rendering.
    """

    color: Float[Tensor, "views height width channels"]
    alpha: Float[Tensor, "views height width 1"]
    depth: Float[Tensor, "views height width 1"]
    normal: Float[Tensor, "views height width 3"] | None = None
    radii: Float[Tensor, "views splats"] | None = None
    samples: Samples | None = None
