"""Density control: where splats are added, where they are removed, when opacity is reset.

`Upkeep` holds only numbers. What was seen since the last visit is in an `UpkeepState` outside
the scene, a flat dict of tensors when saved. Every step calls `observe` with what the cameras
saw and then `apply`, which acts when its time has come.

Units: a screen gradient is that of the loss with respect to a splat's projected center in
pixels, times half the picture's width (x) and height (y), as in 3DGS and gsplat. Thresholds
known from the papers therefore mean what they say at any resolution. They do depend on the
loss: on its weight, and on whether it sums or averages over pixels and views.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.render.picture import Picture
from splatsmith.scenes.compactness import fill
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.surgery import SHRINK, clear_moments, rearrange, split_children


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """When and where density control acts; inf or 0 turns a part off, as each line says.

    Steps count from 0. Raises InputError for numbers that make no sense, and `check_run` for
    those that make none in a run of a given length.
    """

    start: int = 500  # first step at which splats are added and removed
    stop: int = 15_000  # first step at which nothing happens any more
    every: int = 100  # steps between two visits
    grow_gradient: float = 2e-4  # mean screen gradient above which a splat grows; inf: never
    split_scale: float = 0.01  # world units: growing splats above are split, others cloned
    prune_opacity: float = 0.005  # splats fainter than this go; 0: none
    prune_world_size: float = math.inf  # splats of a larger scale go, world units; inf: none
    prune_screen_size: float = math.inf  # radius as a share of the picture's side; inf: none
    reset_at: int = 0  # step of the one opacity reset; 0: none
    reset_every: int = 0  # steps between periodic opacity resets before `stop`; 0: none
    reset_to: float = 0.01  # a reset clamps opacities to at most this
    compactness: int = 0  # neighbors toward which gaps are filled (GSGEN), 0 to 16; 0: none
    cap: int = 100_000  # growth never makes more splats than this
    least: int = 16  # pruning never leaves fewer; the most opaque ones stay

    def __post_init__(self) -> None:
        if not (self.start >= 0 and self.every >= 1 and self.cap >= 1 and self.least >= 1):
            raise InputError(
                f"Upkeep needs start >= 0 and every, cap and least >= 1, got "
                f"start={self.start}, every={self.every}, cap={self.cap}, least={self.least}."
            )
        positive = ("grow_gradient", "split_scale", "prune_world_size", "prune_screen_size")
        for name in positive:
            if not getattr(self, name) > 0:
                raise InputError(
                    f"{name} must be positive (inf turns it off), got {getattr(self, name)}."
                )
        if not 0 <= self.prune_opacity < 1 or not 0 < self.reset_to < 1:
            raise InputError(
                f"prune_opacity must lie in 0 to 1 and reset_to between 0 and 1, "
                f"got {self.prune_opacity} and {self.reset_to}."
            )
        if not 0 <= self.compactness <= 16:
            raise InputError(f"compactness must lie in 0 to 16, got {self.compactness}.")
        if self.reset_at < 0 or self.reset_every < 0:
            raise InputError(
                f"reset_at and reset_every are steps (0: never), "
                f"got {self.reset_at} and {self.reset_every}."
            )

    def due(self, step: int) -> bool:
        """Whether splats are added and removed at this step."""
        return self.start <= step < self.stop and (step - self.start) % self.every == 0

    def resets(self, step: int) -> bool:
        """Whether opacity is reset at this step."""
        periodic = self.reset_every > 0 and step % self.reset_every == 0
        return 0 < step < self.stop and (periodic or step == self.reset_at)

    def check_run(self, steps: int) -> None:
        """Refuse settings of which a part could never act within `steps` steps.

        Published code has opacity resets that lie behind the end of the run without a word.
        """
        limits = {
            "start": (self.start, min(self.stop, steps)),
            "reset_at": (self.reset_at, min(self.stop, steps)),
            "reset_every": (self.reset_every, min(self.stop, steps)),
        }
        for name, (value, end) in limits.items():
            if value >= end > 0 and value > 0:
                raise InputError(
                    f"{name} is {value}, but density control ends at step {end}: it would "
                    f"never act; choose a smaller {name} or more steps."
                )


@dataclass(slots=True)
class UpkeepState:
    """What was seen of each splat since the last visit: sums and maxima over all views."""

    gradient_sum: Float[Tensor, "splats"]  # screen gradients, normalized as the file says
    seen: Float[Tensor, "splats"]  # in how many pictures the splat was drawn
    radius: Float[Tensor, "splats"]  # largest screen radius, share of the picture's longer side

    @classmethod
    def empty(cls, scene: Gaussians) -> "UpkeepState":
        """Nothing seen yet."""
        return cls(*(scene.means.new_zeros(scene.count) for _ in range(3)))

    def state(self) -> dict[str, Tensor]:
        """A flat dict of tensors for saving."""
        return {"gradient_sum": self.gradient_sum, "seen": self.seen, "radius": self.radius}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "UpkeepState":
        """The state that was saved; raises InputError when tensors are missing or differ."""
        names = ("gradient_sum", "seen", "radius")
        if set(state) != set(names) or len({state[name].shape for name in names}) != 1:
            raise InputError(f"An upkeep state has {', '.join(names)}, all of one length.")
        return cls(**{name: state[name].clone() for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepReport:
    """What one call of `apply` did."""

    cloned: int = 0  # splats that got a twin
    split: int = 0  # splats that were replaced by two smaller ones
    filled: int = 0  # splats that were put into gaps
    pruned: int = 0  # splats that were removed
    rescued: int = 0  # splats that had to go but stayed, because too few would have been left
    reset: bool = False  # whether opacity was reset
    count: int  # splats afterwards


@torch.no_grad()
def observe(
    state: UpkeepState,
    picture: Picture,
    screen_gradient: Float[Tensor, "views splats 2"],
    *,
    loss_scale: float = 1.0,
) -> None:
    """Add what one step saw, all its views, to the state.

    `screen_gradient` is the gradient at the renderer's `screen_offset`, per pixel. Pass the
    number of views as `loss_scale` if the loss is a mean over views: gsplat does so, and
    thresholds then do not depend on the number of views. Values that are not finite count as 0.
    """
    if picture.radii is None:
        raise InputError("Density control needs pictures with radii; this renderer has none.")
    height, width = picture.color.shape[1:3]
    half = screen_gradient.new_tensor([width / 2, height / 2]) * loss_scale
    size = torch.nan_to_num(screen_gradient * half, 0.0, 0.0, 0.0).norm(dim=-1)
    drawn = picture.radii > 0
    state.gradient_sum += torch.where(drawn, size, 0).sum(dim=0)
    state.seen += drawn.sum(dim=0)
    share = picture.radii.to(state.radius) / max(width, height)
    state.radius = torch.maximum(state.radius, share.amax(dim=0))


@torch.no_grad()
def apply(
    settings: Upkeep,
    state: UpkeepState,
    scene: Gaussians,
    optimizer: torch.optim.Optimizer,
    step: int,
    generator: torch.Generator,
) -> UpkeepReport:
    """Do what is due at this step: grow and prune, then reset opacity.

    Removal reads the state before growth clears it, and a reset comes last, so that splats have
    until the next visit to become opaque again. After growing and pruning the state is empty.
    """
    report = UpkeepReport(count=scene.count)
    if settings.due(step):
        report = _grow_and_prune(settings, state, scene, optimizer, generator)
    if not settings.resets(step):
        return report
    reset_opacity(scene, optimizer, settings.reset_to)
    return replace(report, reset=True)


@torch.no_grad()
def reset_opacity(scene: Gaussians, optimizer: torch.optim.Optimizer, highest: float) -> None:
    """Clamp every opacity to at most `highest` and forget the optimizer's moments of it."""
    scene.logit_opacities.clamp_(max=math.log(highest / (1 - highest)))
    clear_moments(optimizer, scene.logit_opacities)


def _grow_and_prune(
    settings: Upkeep,
    state: UpkeepState,
    scene: Gaussians,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> UpkeepReport:
    gradient = state.gradient_sum / state.seen.clamp_min(1)
    large = scene.scales.amax(dim=-1) > settings.split_scale
    grow = gradient > settings.grow_gradient
    keep, rescued = _rescue(settings, scene, ~_unwanted(settings, state, scene, grow & large))
    grow = _within_cap(grow & keep, gradient, settings.cap - int(keep.sum()))
    split, clone = grow & large, grow & ~large
    _carry_out(scene, optimizer, keep & ~split, clone, split, generator)
    filled = 0
    if settings.compactness:
        room = settings.cap - scene.count
        filled = fill(scene, optimizer, settings.compactness, room)
    pruned = int((~keep).sum())
    fresh = UpkeepState.empty(scene)
    state.gradient_sum, state.seen, state.radius = fresh.gradient_sum, fresh.seen, fresh.radius
    return UpkeepReport(
        cloned=int(clone.sum()),
        split=int(split.sum()),
        filled=filled,
        pruned=pruned,
        rescued=rescued,
        count=scene.count,
    )


def _unwanted(
    settings: Upkeep, state: UpkeepState, scene: Gaussians, split: Bool[Tensor, "splats"]
) -> Bool[Tensor, "splats"]:
    """Splats too faint or too large; one about to be split counts with its children's size."""
    shrink = torch.where(split, SHRINK, 1.0)
    too_wide = scene.scales.amax(dim=-1) / shrink > settings.prune_world_size
    too_near = state.radius / shrink > settings.prune_screen_size
    return (scene.opacities < settings.prune_opacity) | too_wide | too_near


def _rescue(
    settings: Upkeep, scene: Gaussians, keep: Bool[Tensor, "splats"]
) -> tuple[Bool[Tensor, "splats"], int]:
    """Keep the most opaque splats too, as many as are needed to have `least` of them."""
    missing = min(settings.least, scene.count) - int(keep.sum())
    if missing <= 0:
        return keep, 0
    opacity = scene.opacities.masked_fill(keep, -math.inf)
    saved = opacity.argsort(descending=True, stable=True)[:missing]
    keep = keep.clone()
    keep[saved] = True
    return keep, missing


def _within_cap(
    grow: Bool[Tensor, "splats"], gradient: Float[Tensor, "splats"], room: int
) -> Bool[Tensor, "splats"]:
    """Of the splats that would grow, those with the largest gradients that there is room for.

    A clone and a split both add one splat.
    """
    if int(grow.sum()) <= room:
        return grow
    ranked = gradient.masked_fill(~grow, -math.inf).argsort(descending=True, stable=True)
    chosen = torch.zeros_like(grow)
    chosen[ranked[: max(room, 0)]] = True
    return chosen


def _carry_out(
    scene: Gaussians,
    optimizer: torch.optim.Optimizer,
    stay: Bool[Tensor, "splats"],
    clone: Bool[Tensor, "splats"],
    split: Bool[Tensor, "splats"],
    generator: torch.Generator,
) -> None:
    """New row order: splats that stay, then twins, then the children of splits."""
    staying, twins, parents = (_rows(mask) for mask in (stay, clone, split))
    source = torch.cat([staying, twins, parents.repeat_interleave(2)])
    fresh = torch.arange(len(source), device=source.device) >= len(staying)
    changes = {}
    if len(parents):
        for name, values in split_children(scene, parents, generator).items():
            whole = scene.state()[name][source]
            whole[len(staying) + len(twins) :] = values
            changes[name] = whole
    rearrange(scene, optimizer, source, fresh, changes)


def _rows(mask: Bool[Tensor, "splats"]) -> Int[Tensor, "rows"]:
    return mask.nonzero()[:, 0]
