"""What color a mesh has: at its vertices, in an image around it, or in a field through space.

Every paint answers `color(hits)` and names its parameters, so that a scene with any of them is
optimized, saved and read alike.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from splatsmith.errors import InputError
from splatsmith.render.mesh import Hits
from splatsmith.render.raster import interpolate_at

DULL = 1e-3  # how far from 0 and 1 a color is kept, so that its logit is finite


@runtime_checkable
class Paint(Protocol):
    """The color of a surface."""

    def color(self, hits: Hits, faces: Int[Tensor, "faces 3"]) -> Float[Tensor, "points 3"]:
        """Unlit color, 0..1, where `faces` are hit."""

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """What can be optimized, by the names that recipes use."""

    def state(self) -> dict[str, Tensor]:
        """Everything that the paint consists of, as detached tensors."""


class VertexColors(nn.Module):
    """A color for each vertex, blended over the faces; kept as logits."""

    logit_colors: nn.Parameter

    def __init__(self, logit_colors: Float[Tensor, "vertices 3"]) -> None:
        super().__init__()
        self.logit_colors = nn.Parameter(logit_colors.detach().clone())

    def color(self, hits: Hits, faces: Int[Tensor, "faces 3"]) -> Float[Tensor, "points 3"]:
        """The sigmoid of the corners' logits, blended."""
        colors = torch.sigmoid(self.logit_colors)
        return interpolate_at(colors, faces, hits.triangle, hits.barycentric)

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """One parameter, `logit_colors`."""
        return {"logit_colors": self.logit_colors}

    def state(self) -> dict[str, Tensor]:
        """The logits."""
        return {"logit_colors": self.logit_colors.detach()}


class ImageTexture(nn.Module):
    """An image around the mesh; texture coordinates u (right) and v (up) lie in 0..1.

    The first row of `logit_texture` is the top, v = 1, as in glTF's pictures seen upright. Each
    face has corners of its own in `uv`, by `uv_faces`, so that the image may have seams.

    `repeats` says for each pixel which one (row * width + column) it shows. Pixels beside a
    piece of the surface repeat its border, so that what is blended at a seam is always a color
    of the surface, and follows it when it is optimized. None: each pixel shows itself.
    """

    logit_texture: nn.Parameter
    uv: Tensor
    uv_faces: Tensor
    repeats: Tensor | None

    def __init__(
        self,
        logit_texture: Float[Tensor, "height width 3"],
        uv: Float[Tensor, "corners 2"],
        uv_faces: Int[Tensor, "faces 3"],
        repeats: Int[Tensor, "height width"] | None = None,
    ) -> None:
        super().__init__()
        self.logit_texture = nn.Parameter(logit_texture.detach().clone())
        self.register_buffer("uv", uv.detach().clone())
        self.register_buffer("uv_faces", uv_faces.detach().clone())
        told = None if repeats is None else repeats.detach().long().clone()
        self.register_buffer("repeats", told)

    def image(self) -> Float[Tensor, "height width 3"]:
        """What is around the mesh, 0..1, as it is drawn: pixels that repeat others do so."""
        colors = torch.sigmoid(self.logit_texture)
        if self.repeats is None:
            return colors
        rows = colors.reshape(-1, 3).index_select(0, self.repeats.reshape(-1))
        return rows.reshape(colors.shape)

    def color(self, hits: Hits, faces: Int[Tensor, "faces 3"]) -> Float[Tensor, "points 3"]:
        """Bilinear between the image's pixel centers; beyond its rim the rim goes on."""
        place = interpolate_at(self.uv, self.uv_faces, hits.triangle, hits.barycentric)
        across = torch.stack([2 * place[:, 0] - 1, 1 - 2 * place[:, 1]], dim=-1)
        image = self.image().permute(2, 0, 1)[None]
        found = F.grid_sample(
            image, across[None, None], padding_mode="border", align_corners=False
        )
        return found[0, :, 0].T

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """One parameter, `logit_texture`."""
        return {"logit_texture": self.logit_texture}

    def state(self) -> dict[str, Tensor]:
        """The image's logits, where the faces lie in it, and what repeats, if any does."""
        state = {
            "logit_texture": self.logit_texture.detach(),
            "uv": self.uv,
            "uv_faces": self.uv_faces,
        }
        return state if self.repeats is None else state | {"repeats": self.repeats}


class FieldColors(nn.Module):
    """Color from a field: any module from points [points 3] to colors [points 3] in 0..1."""

    def __init__(self, field: nn.Module) -> None:
        super().__init__()
        self.field = field

    def color(self, hits: Hits, faces: Int[Tensor, "faces 3"]) -> Float[Tensor, "points 3"]:
        """What the field says where the surface is seen."""
        return self.field(hits.points)

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """The field's parameters, their names after `field.`."""
        return {f"field.{name}": value for name, value in self.field.named_parameters()}

    def state(self) -> dict[str, Tensor]:
        """The field's parameters and buffers, their names after `field.`."""
        return {f"field.{name}": value for name, value in self.field.state_dict().items()}


def colors_to_logits(color: Float[Tensor, "*rows 3"]) -> Float[Tensor, "*rows 3"]:
    """The logits of colors, which are first moved a little away from 0 and 1."""
    return torch.logit(color.clamp(DULL, 1 - DULL))


def paint_from_state(state: Mapping[str, Tensor], field: nn.Module | None) -> Paint:
    """The paint that `state` was taken from, exactly.

    A field's tensors go into `field`, a module of the same make, whose own values are lost.
    Raises InputError if the keys are those of no paint, or do not fit the field.
    """
    if set(state) == {"logit_colors"}:
        return VertexColors(state["logit_colors"])
    if set(state) - {"repeats"} == {"logit_texture", "uv", "uv_faces"}:
        return ImageTexture(**state)
    if state and all(name.startswith("field.") for name in state):
        if field is None:
            raise InputError("The scene's color is a field; give a field of the same make.")
        own = {name.removeprefix("field."): value for name, value in state.items()}
        try:
            field.load_state_dict(own)
        except RuntimeError as error:
            raise InputError(f"The field is of another make: {error}") from error
        return FieldColors(field)
    raise InputError(
        "A surface's color has the tensors logit_colors, or logit_texture, uv and uv_faces, or "
        f"those of a field; got {', '.join(sorted(state)) or 'none'}."
    )
