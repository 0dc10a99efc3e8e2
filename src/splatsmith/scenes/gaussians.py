"""A scene made of 3D Gaussians, held in the form in which an optimizer can move it freely.

Scales are kept as logarithms, opacities as logits, rotations as unnormalized quaternions
(w, x, y, z) and color as spherical harmonics of degree 0 to 3, as in 3D Gaussian Splatting
(Kerbl et al. 2023). Learning rates are meant for a scene of radius 1: nothing here multiplies
them.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.render.picture import Picture
from splatsmith.render.splat import Backend, splat

SH_C0 = 0.28209479177387814  # The constant harmonic: 1 / (2 sqrt(pi)).

PARAMETERS = ("means", "log_scales", "quats", "logit_opacities", "sh")


class Gaussians(nn.Module):
    """Trainable Gaussians; all five parameters have one row per splat.

    `means` are world positions, `log_scales` natural logarithms of standard deviations along
    the splat's own axes, `quats` turn those axes into the world, `logit_opacities` pass through
    a sigmoid, and color is `max(0, 0.5 + SH)`.

    Raises InputError for shapes that do not fit together, no splats at all, or values that are
    not finite.
    """

    means: nn.Parameter
    log_scales: nn.Parameter
    quats: nn.Parameter
    logit_opacities: nn.Parameter
    sh: nn.Parameter

    def __init__(
        self,
        means: Float[Tensor, "splats 3"],
        log_scales: Float[Tensor, "splats 3"],
        quats: Float[Tensor, "splats 4"],
        logit_opacities: Float[Tensor, "splats"],
        sh: Float[Tensor, "splats coefficients 3"],
    ) -> None:
        super().__init__()
        given = (means, log_scales, quats, logit_opacities, sh)
        tensors = dict(zip(PARAMETERS, given, strict=True))
        _check(tensors)
        for name, tensor in tensors.items():
            self.register_parameter(name, nn.Parameter(tensor.detach().clone()))

    @property
    def count(self) -> int:
        """How many splats there are."""
        return self.means.shape[0]

    @property
    def sh_degree(self) -> int:
        """Degree of the spherical harmonics, 0 (one color for all directions) to 3."""
        return {1: 0, 4: 1, 9: 2, 16: 3}[self.sh.shape[1]]

    @property
    def scales(self) -> Float[Tensor, "splats 3"]:
        """Standard deviations along the splats' own axes, world units."""
        return torch.exp(self.log_scales)

    @property
    def opacities(self) -> Float[Tensor, "splats"]:
        """Opacity of each splat at its center, 0 to 1."""
        return torch.sigmoid(self.logit_opacities)

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """The parameters under the names by which recipes give their learning rates."""
        return {name: getattr(self, name) for name in PARAMETERS}

    def render(
        self,
        cameras: Cameras,
        background: Float[Tensor, "views 3"]
        | Float[Tensor, "3"]
        | Float[Tensor, "views height width 3"],
        *,
        screen_offset: Float[Tensor, "views splats 2"] | None = None,
        backend: Backend = "auto",
    ) -> Picture:
        """What the cameras see; see `splatsmith.render.splat.splat` for the arguments."""
        return splat(
            self.means,
            self.quats,
            self.scales,
            self.opacities,
            self.sh,
            cameras,
            background,
            screen_offset=screen_offset,
            backend=backend,
        )

    def state(self) -> dict[str, Tensor]:
        """The scene as a flat dict of detached tensors that share its memory."""
        return {name: value.detach() for name, value in self.parameters_by_name().items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "Gaussians":
        """The scene that `state` was taken from, exactly; raises InputError if keys are off."""
        if set(state) != set(PARAMETERS):
            raise InputError(
                f"A Gaussian scene has the tensors {', '.join(PARAMETERS)}; "
                f"got {', '.join(sorted(state)) or 'none'}."
            )
        return cls(**{name: state[name] for name in PARAMETERS})

    @torch.no_grad()
    def replace(self, state: Mapping[str, Tensor]) -> None:
        """Exchange every parameter for a new one, such as one with another number of splats.

        The old parameters keep their values; an optimizer that holds them must be told, which
        is what `splatsmith.scenes.surgery` does.
        """
        fresh = Gaussians.from_state(state)
        for name, parameter in fresh.parameters_by_name().items():
            parameter.requires_grad_(getattr(self, name).requires_grad)
            setattr(self, name, parameter)


def color_to_sh(
    color: Float[Tensor, "splats 3"], degree: int = 0
) -> Float[Tensor, "splats coefficients 3"]:
    """Harmonics that show `color` (0 to 1) from every side: all but the constant are zero."""
    if degree not in (0, 1, 2, 3):
        raise InputError(
            f"The degree of spherical harmonics must be 0, 1, 2 or 3, got {degree}."
        )
    sh = color.new_zeros(color.shape[0], (degree + 1) ** 2, 3)
    sh[:, 0] = (color - 0.5) / SH_C0
    return sh


def _check(tensors: Mapping[str, Tensor]) -> None:
    splats = tensors["means"].shape[0] if tensors["means"].ndim else 0
    widths = {"means": (3,), "log_scales": (3,), "quats": (4,), "logit_opacities": ()}
    shapes = {name: (splats, *width) for name, width in widths.items()}
    for name, shape in shapes.items():
        if tensors[name].shape != shape:
            raise InputError(
                f"{name} of {splats} splats must have shape {shape}, "
                f"got {tuple(tensors[name].shape)}."
            )
    sh = tensors["sh"]
    if (
        sh.ndim != 3
        or sh.shape[0] != splats
        or sh.shape[1] not in (1, 4, 9, 16)
        or sh.shape[2] != 3
    ):
        raise InputError(
            f"sh of {splats} splats must have shape ({splats}, 1 or 4 or 9 or 16, 3), "
            f"got {tuple(sh.shape)}."
        )
    if splats == 0:
        raise InputError("A Gaussian scene needs at least one splat, got none.")
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise InputError(f"{name} must hold floating-point numbers, got {tensor.dtype}.")
        if not bool(torch.isfinite(tensor).all()):
            row = int((~torch.isfinite(tensor.reshape(splats, -1)).all(dim=1)).nonzero()[0, 0])
            raise InputError(f"{name} must be finite; row {row} is {tensor[row].tolist()}.")
