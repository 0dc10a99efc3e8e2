"""A scene that is a triangle mesh with a paint: stage two of Fantasia3D or DreamGaussian.

The vertices can be optimized or left alone; the faces stay.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.render.mesh import draw_mesh
from splatsmith.render.picture import Picture
from splatsmith.render.raster import Backend, check_faces, face_neighbors
from splatsmith.render.shading import Shading
from splatsmith.scenes.paint import (
    ImageTexture,
    Paint,
    VertexColors,
    colors_to_logits,
    paint_from_state,
)


class Mesh(nn.Module):
    """A triangle mesh whose vertices and paint are trainable.

    `vertices` are world positions; `faces` are counter-clockwise seen from outside. To fix the
    shape, turn off `vertices.requires_grad`; to fix the color, that of the paint's parameters.

    Raises InputError for a mesh without faces, faces that name missing vertices, vertices that
    are not finite, or a paint of another size.
    """

    vertices: nn.Parameter
    faces: Tensor
    neighbors: Tensor

    def __init__(
        self,
        vertices: Float[Tensor, "vertices 3"],
        faces: Int[Tensor, "faces 3"],
        paint: Paint,
    ) -> None:
        super().__init__()
        _check(vertices, faces, paint)
        self.vertices = nn.Parameter(vertices.detach().clone())
        self.register_buffer("faces", faces.detach().long().clone())
        self.register_buffer("neighbors", face_neighbors(self.faces, len(vertices)))
        self.paint = paint

    @classmethod
    def colored(
        cls,
        vertices: Float[Tensor, "vertices 3"],
        faces: Int[Tensor, "faces 3"],
        colors: Float[Tensor, "vertices 3"] | None = None,
    ) -> "Mesh":
        """A mesh with colors (0..1) at its vertices; grey when left out."""
        colors = torch.full_like(vertices, 0.5) if colors is None else colors
        return cls(vertices, faces, VertexColors(colors_to_logits(colors.to(vertices))))

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """`vertices` and the paint's parameters, by the names that recipes use."""
        return {"vertices": self.vertices, **self.paint.parameters_by_name()}

    def render(
        self,
        cameras: Cameras,
        background: Float[Tensor, "views 3"]
        | Float[Tensor, "3"]
        | Float[Tensor, "views height width 3"],
        *,
        shading: Shading | None = None,
        backend: Backend = "auto",
    ) -> Picture:
        """What the cameras see; see `splatsmith.render.mesh.draw_mesh` for the arguments."""
        return draw_mesh(
            self.vertices,
            self.faces,
            lambda hits: self.paint.color(hits, self.faces),
            cameras,
            background,
            shading=shading,
            neighbors=self.neighbors,
            backend=backend,
        )

    def state(self) -> dict[str, Tensor]:
        """The scene as a flat dict of detached tensors that share its memory."""
        return {
            "vertices": self.vertices.detach(),
            "faces": self.faces,
            **self.paint.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], field: nn.Module | None = None) -> "Mesh":
        """The scene that `state` was taken from, exactly; raises InputError if keys are off.

        `field` takes up the tensors of a scene that is colored by one.
        """
        if not {"vertices", "faces"} <= set(state):
            raise InputError(
                f"A mesh has the tensors vertices and faces; got {', '.join(sorted(state))}."
            )
        rest = {k: v for k, v in state.items() if k not in ("vertices", "faces")}
        return cls(state["vertices"], state["faces"], paint_from_state(rest, field))


def _check(vertices: Tensor, faces: Tensor, paint: Paint) -> None:
    if vertices.ndim != 2 or vertices.shape[1] != 3 or not vertices.is_floating_point():
        raise InputError(
            f"Vertices must be floating-point numbers of shape (vertices, 3), got "
            f"{vertices.dtype} of {tuple(vertices.shape)}."
        )
    if len(faces) == 0:
        raise InputError("A mesh needs at least one face, got none.")
    check_faces(faces, len(vertices))
    finite = torch.isfinite(vertices).all(dim=1)
    if not bool(finite.all()):
        row = int((~finite).nonzero()[0, 0])
        raise InputError(f"Vertices must be finite; row {row} is {vertices[row].tolist()}.")
    if isinstance(paint, VertexColors) and paint.logit_colors.shape != vertices.shape:
        raise InputError(
            f"Colors of {len(paint.logit_colors)} vertices do not fit {len(vertices)} vertices."
        )
    if isinstance(paint, ImageTexture):
        if paint.uv_faces.shape != faces.shape:
            raise InputError(
                f"uv_faces has shape {tuple(paint.uv_faces.shape)}, but there are {len(faces)} "
                "faces; give each its three corners in uv."
            )
        check_faces(paint.uv_faces, len(paint.uv))
        _check_repeats(paint)


def _check_repeats(paint: ImageTexture) -> None:
    size, repeats = paint.logit_texture.shape[:2], paint.repeats
    if repeats is None:
        return
    fits = repeats.shape == size and 0 <= int(repeats.min()) <= int(repeats.max())
    if not fits or int(repeats.max()) >= size.numel():
        raise InputError(
            f"repeats must name one of the image's {size.numel()} pixels for each of them, got "
            f"{int(repeats.min())} to {int(repeats.max())} in shape {tuple(repeats.shape)}."
        )


def enclosed_volume(corners: Float[Tensor, "faces 3 3"]) -> float:
    """What closed triangles enclose, world units cubed; negative if they look inward."""
    return float(torch.linalg.det(corners.double()).sum()) / 6
