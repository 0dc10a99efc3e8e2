"""A scene as a radiance field: density and color at every point of a ball.

Color does not depend on the direction of view: what text-to-3D methods call albedo, lit by one
lamp if asked. What a point is told of (a hash grid, frequencies, voxels, a triplane) and how
density comes about are in its settings; `render` draws it, `advance` keeps it in shape.

A field of latents holds what a prior's autoencoder makes of pictures instead of color (Wang et
al. 2022, SJC; Metzer et al. 2022, Latent-NeRF). `render_latents` draws these; all else shows
how they look, by a linear map to color that `learn_colors` fits to decoded pictures.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.render import fields_native
from splatsmith.render.picture import Picture
from splatsmith.render.shading import Shading
from splatsmith.render.volume import Backend, volume
from splatsmith.scenes import backdrops, occupancy
from splatsmith.scenes.encodings import (
    apply_network,
    frequencies,
    fresh_network,
    on_lattice,
    parameter_count,
    triplane,
)
from splatsmith.scenes.field_settings import (
    FieldSettings,
    Frequencies,
    HashGrid,
    Triplane,
    Voxels,
    must_have,
)

LARGEST_EXPONENT = 15.0  # an exponential density is cut at exp(15); its gradient goes on
TABLE_START = 1e-4  # Mueller et al. 2022, section 4: features begin within this of 0
PLANE_START = 0.1  # deviation of triplane features and voxel values at the start
RIDGE = 1e-4  # of the mean square of a latent, against which its share in color is weighed
TETRAHEDRON = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))


class Field(nn.Module):
    """A trainable radiance field.

    Its parameters are `encoding` (what the grid, voxels or planes hold; frequencies have none),
    `network` (all weights and biases in one row; voxels have none) and `backdrop` (if it learns
    a background). `Field.fresh` makes a new one.

    `backend` = "reference" has everything done by the plain twins.

    Raises InputError for parameters that do not fit the settings or are not finite.
    """

    encoding: nn.Parameter
    network: nn.Parameter
    backdrop: nn.Parameter
    backend: Backend

    def __init__(self, settings: FieldSettings, parameters: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.settings = settings
        self.radius, self.samples = settings.radius, settings.samples
        self.backend = "auto"
        shapes = _shapes(settings)
        must_have(parameters, set(shapes))
        for name, shape in shapes.items():
            value = parameters[name]
            if value.shape != shape or not bool(torch.isfinite(value).all()):
                raise InputError(
                    f"{name} of this field must have shape {shape} and finite values, "
                    f"got shape {tuple(value.shape)}."
                )
            self.register_parameter(name, nn.Parameter(value.detach().clone()))
        # What is not learned: how far the field has come, and what was last seen of it.
        like = getattr(self, next(iter(shapes))).detach()
        self.progress: Tensor
        self.looks: Tensor
        self.estimates: Tensor
        self.to_color: Tensor  # of latents only: red, green, blue from each, and a constant
        self.register_buffer("progress", like.new_zeros((), dtype=torch.float64))
        self.register_buffer("looks", like.new_zeros((), dtype=torch.int64))
        self.register_buffer("estimates", like.new_zeros((settings.cells,) * 3))
        if settings.holds_latents:
            gray = torch.eye(1, settings.channels + 1).flip(1).expand(3, -1) / 2
            self.register_buffer("to_color", gray.to(like).contiguous())
        self._occupied: Tensor | None = None

    @classmethod
    def fresh(cls, settings: FieldSettings, generator: torch.Generator) -> "Field":
        """A field before its first step."""
        return cls(settings, _start(settings, generator))

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """The parameters under the names by which recipes give their learning rates."""
        return {name: getattr(self, name) for name in _shapes(self.settings)}

    def density(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        """Absorption per world unit at points of the world; means nothing outside the ball."""
        return self._density_of(self._raw(points, 1)[:, 0], points)

    def matter(
        self, points: Float[Tensor, "points 3"]
    ) -> tuple[Float[Tensor, "points"], Float[Tensor, "points channels"]]:
        """Density and color, 0 to 1 for `colors="sigmoid"`; density and latents of others."""
        raw = self._raw(points, 1 + self.settings.channels)
        color = raw[:, 1:].contiguous()  # what follows is several times faster on it
        if self.settings.colors == "sigmoid":
            color = torch.sigmoid(color)
        return self._density_of(raw[:, 0], points), color

    def color(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
        """Unlit color, 0 to 1, at points of the world."""
        return self.as_color(self.matter(points)[1]).clamp(0, 1)

    def as_color(self, values: Float[Tensor, "*any channels"]) -> Float[Tensor, "*any 3"]:
        """How latents look, about 0 to 1; colors as they are."""
        if not self.settings.holds_latents:
            return values
        return values @ self.to_color[:, :-1].T + self.to_color[:, -1]

    @torch.no_grad()
    def learn_colors(
        self,
        latents: Float[Tensor, "views height width channels"],
        color: Float[Tensor, "views height width 3"],
    ) -> None:
        """Fit how latents look to pictures (0..1) of them, by least squares."""
        x = F.pad(latents.flatten(0, 2).double(), (0, 1), value=1.0)
        # A little weight decay: a picture of one color alone leaves most of the map open.
        bare = RIDGE * len(x) * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        found = torch.linalg.solve(x.T @ x + bare, x.T @ color.flatten(0, 2).double())
        self.to_color.copy_(found.T)

    def normals(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
        """Unit vectors toward where density falls most; zero where it does not change.

        By differences over the corners of a tetrahedron, or by derivatives, as set. The latter
        are exact, but their own gradient takes the plain twin of a grid, which is slow.
        """
        if self.settings.normals == "autograd":
            slope = self._slope(points)
        else:
            corners = points.new_tensor(TETRAHEDRON)
            step = self.settings.normal_step
            around = (points + step * corners[:, None]).reshape(-1, 3)
            slope = torch.einsum("cp,ck->pk", self.density(around).reshape(4, -1), corners)
            slope = slope / (4 * step)
        return -F.normalize(slope, dim=-1, eps=1e-6)

    def _slope(self, points: Tensor) -> Float[Tensor, "points 3"]:
        wanted = torch.is_grad_enabled()
        with torch.enable_grad():
            places = points.detach().requires_grad_()
            total = self.density(places).sum()
            return torch.autograd.grad(total, places, create_graph=wanted)[0]

    def render(
        self,
        cameras: Cameras,
        background: Float[Tensor, "views 3"]
        | Float[Tensor, "3"]
        | Float[Tensor, "views height width 3"]
        | None,
        *,
        generator: torch.Generator | None = None,
        shading: Shading | None = None,
        normals: bool = False,
    ) -> Picture:
        """What the cameras see; see `splatsmith.render.volume.volume` for the arguments.

        Without a `background` the field shows the one that it learns, if it has one.
        """
        if background is None:
            background = self.as_color(self._own_background(cameras))
        return volume(
            _Look(self) if self.settings.holds_latents else self,
            cameras,
            background,
            generator=generator,
            shading=shading,
            normals=normals,
            backend=self.backend,
        )

    def render_latents(
        self,
        cameras: Cameras,
        background: Float[Tensor, "views height width channels"] | None,
        *,
        generator: torch.Generator | None = None,
        normals: bool = False,
    ) -> Picture:
        """Latents for colors, for cameras with as many pixels as the prior has cells."""
        if background is None:
            background = self._own_background(cameras)
        given = self, cameras, background
        return volume(*given, generator=generator, normals=normals, backend=self.backend)

    def advance(self, progress: float, generator: torch.Generator) -> None:
        """Before each step: bring in finer levels, and now and then look which cells are empty.

        `progress` runs from 0 to 1. Until the first call every cell counts as occupied.
        """
        self.progress.fill_(progress)
        if int(self.looks) % self.settings.every == 0:
            cells = self.settings.cells
            places = occupancy.random_places(cells, self.radius, generator, self.estimates)
            old = self.estimates if int(self.looks) > 0 else None
            new = occupancy.updated(old, self.density, places, cells, self.settings.fade)
            self.estimates.copy_(new)
            self._occupied = None
        self.looks += 1

    def occupied(self) -> Bool[Tensor, "cells cells cells"]:
        """Which cells (x, y, z) of the cube around the ball may hold something."""
        if self._occupied is None or self._occupied.device != self.estimates.device:
            if int(self.looks) == 0:
                return torch.ones_like(self.estimates, dtype=torch.bool)
            threshold = self.settings.threshold / (2 * self.radius)
            self._occupied = occupancy.occupied(self.estimates, threshold)
        return self._occupied

    def state(self) -> dict[str, Tensor]:
        """The field as a flat dict of detached tensors that share its memory."""
        learned = {name: p.detach() for name, p in self.parameters_by_name().items()}
        kept = {name: getattr(self, name) for name in _kept(self.settings)}
        return learned | kept | {"settings": self.settings.to_tensor()}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "Field":
        """The field that `state` was taken from, exactly; raises InputError if it is off."""
        if "settings" not in state:
            raise InputError("The state of a field needs the tensor settings.")
        settings = FieldSettings.from_tensor(state["settings"])
        names = set(_shapes(settings))
        must_have(state, names | {"settings", *_kept(settings)})
        made = cls(settings, {name: state[name] for name in names})
        for name in _kept(settings):
            buffer = getattr(made, name)
            if state[name].shape != buffer.shape or state[name].dtype != buffer.dtype:
                raise InputError(
                    f"{name} of this field must have shape {tuple(buffer.shape)} and dtype "
                    f"{buffer.dtype}, got {tuple(state[name].shape)} and {state[name].dtype}."
                )
            buffer.copy_(state[name])
        return made

    def _raw(self, points: Tensor, used: int) -> Float[Tensor, "points used"]:
        """The first outputs before their activations: density, then color."""
        settings = self.settings
        encoding, widths = settings.encoding, _widths(settings)
        active, native = self._active(), self._is_native()
        if isinstance(encoding, Voxels):
            lattice = encoding.lattice(1 + settings.channels)
            given = points, self.encoding, lattice, self.radius, active
            return on_lattice(*given, native=native)[:, :used]
        if isinstance(encoding, HashGrid):
            lattice = encoding.lattice()
            small = len(widths) == 3 and fields_native.fits(*widths)
            if native and small and not points.requires_grad:
                return fields_native.network(
                    points, self.encoding, self.network, lattice, self.radius, active,
                    hidden=settings.hidden, outputs=widths[-1], used=used,
                )  # fmt: skip
            given = points, self.encoding, lattice, self.radius, active
            x = on_lattice(*given, native=native)
        elif isinstance(encoding, Frequencies):
            x = frequencies(points, encoding.octaves, self.radius)
        else:
            x = triplane(points, self.encoding, self.radius)
        return apply_network(x, self.network, widths, used)

    def _active(self) -> int:
        encoding = self.settings.encoding
        if isinstance(encoding, HashGrid):
            return encoding.active(float(self.progress))
        return 32

    def _is_native(self) -> bool:
        if self.backend == "auto":
            return fields_native.serves(self.estimates)
        return self.backend == "native"

    def _density_of(self, raw: Tensor, points: Tensor) -> Float[Tensor, "points"]:
        settings = self.settings
        x = raw + settings.shift
        if settings.blob == "gaussian":  # Poole et al. 2022 (DreamFusion), section 3.1
            scale = -0.5 / settings.blob_size**2
            x = x + settings.blob_weight * torch.exp(scale * _square(points))
        elif settings.blob == "linear":  # Lin et al. 2022 (Magic3D), section 4
            # The small number keeps the derivative at the origin finite.
            away = torch.sqrt(_square(points) + 1e-12)
            x = x + settings.blob_weight * (1 - away / settings.blob_size)
        if settings.activation == "exp":
            return torch.exp(x + (x.clamp_max(LARGEST_EXPONENT) - x).detach())
        return F.softplus(x) if settings.activation == "softplus" else F.relu(x)

    def _own_background(self, cameras: Cameras) -> Float[Tensor, "views height width channels"]:
        settings = self.settings
        if settings.backdrop == "none":
            raise InputError(
                'This field learns no background; give one, or set backdrop="directions".'
            )
        learned = backdrops.show(settings.backdrop, self.backdrop, cameras, settings.channels)
        return torch.sigmoid(learned) if settings.colors == "sigmoid" else learned


class _Look:
    """A field of latents as it looks."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.radius, self.samples = field.radius, field.samples
        self.occupied, self.density, self.normals = field.occupied, field.density, field.normals

    def matter(self, points: Tensor) -> tuple[Tensor, Tensor]:
        density, latents = self.field.matter(points)
        return density, self.field.as_color(latents).clamp(0, 1)


def _kept(settings: FieldSettings) -> tuple[str, ...]:
    """What is not learned by gradients."""
    kept = ("progress", "looks", "estimates")
    return (*kept, "to_color") if settings.holds_latents else kept


def _square(points: Tensor) -> Float[Tensor, "points"]:
    """Squared lengths; a sum over three columns would be slower in torch."""
    x, y, z = points.unbind(-1)
    return x * x + y * y + z * z


def _widths(settings: FieldSettings) -> list[int]:
    encoding = settings.encoding
    if isinstance(encoding, HashGrid):
        features = 2 * encoding.levels
    elif isinstance(encoding, Frequencies):
        features = 3 + 6 * encoding.octaves
    else:
        features = encoding.features if isinstance(encoding, Triplane) else 0
    return [features, *[settings.hidden] * settings.layers, 1 + settings.channels]


def _shapes(settings: FieldSettings) -> dict[str, tuple[int, ...]]:
    encoding = settings.encoding
    shapes: dict[str, tuple[int, ...]] = {}
    if isinstance(encoding, HashGrid):
        shapes["encoding"] = (encoding.lattice().rows, 2)
    elif isinstance(encoding, Voxels):
        shapes["encoding"] = (encoding.lattice(1 + settings.channels).rows, 2)
    elif isinstance(encoding, Triplane):
        side = encoding.resolution + 1
        shapes["encoding"] = (3, side, side, encoding.features)
    if not isinstance(encoding, Voxels):
        shapes["network"] = (parameter_count(_widths(settings)),)
    if settings.backdrop != "none":
        shapes["backdrop"] = backdrops.shape(settings.backdrop, settings.channels)
    return shapes


def _start(settings: FieldSettings, generator: torch.Generator) -> dict[str, Tensor]:
    made: dict[str, Tensor] = {}
    for name, shape in _shapes(settings).items():
        if name == "network":
            made[name] = fresh_network(_widths(settings), generator)
        elif name == "backdrop":
            made[name] = backdrops.start(settings.backdrop, settings.channels, generator)
        elif isinstance(settings.encoding, HashGrid):
            made[name] = TABLE_START * (2 * torch.rand(shape, generator=generator) - 1)
        else:
            made[name] = PLANE_START * torch.randn(shape, generator=generator)
    return made
