"""THE loop: cameras, render, denoise, score, regularize, step, upkeep, save; in this order.

There are no hooks. What differs between methods comes in as numbers and functions chosen by the
recipe; what leaves goes to the run's `Book`.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.distill import Distilled, distill, distillation_loss, repelled
from splatsmith.distill.perp_neg import Repelled
from splatsmith.optimize import guards, regularizers
from splatsmith.optimize.book import Book
from splatsmith.optimize.state import RunState
from splatsmith.optimize.streams import stream
from splatsmith.optimize.timers import Timers
from splatsmith.priors.protocol import Condition, Prior, SeeingPrior, Sight
from splatsmith.prompts import Prompt
from splatsmith.recipes.schema import Stage
from splatsmith.render.picture import Picture
from splatsmith.scenes import upkeep

SNAPSHOT = 64  # pixels a side of the small pictures that progress.png is made of


@dataclass(frozen=True, eq=False, kw_only=True)
class Setting:
    """What stays the same throughout a stage."""

    stage: Stage
    first: int  # finished steps of the stages before
    seed: int
    prompt: Prompt
    prior: Prior
    snapshots: frozenset[int]  # steps of the whole run at which to keep small pictures

    def progress(self, step: int) -> float:
        """0 at the stage's first step, 1 at its last one."""
        return (step - self.first) / max(1, self.stage.steps - 1)

    def draws(self, name: str, step: int) -> torch.Generator:
        """The generator for one kind of draw at one step."""
        return stream(self.seed, name, step)


@dataclass(frozen=True, eq=False)
class Seen:
    """What the cameras of a step saw, and x, which is what the prior will see of it."""

    cameras: Cameras
    picture: Picture
    x: Float[Tensor, "views channels rows columns"]
    offset: Float[Tensor, "views splats 2"] | None  # its gradient is what upkeep needs


@dataclass(frozen=True, eq=False)
class Taken:
    """One step: either all of it, or the name of the tensor for which it was undone."""

    loss: float = 0.0
    distance: float = 0.0
    skipped: str = ""
    seen: Seen | None = None
    distilled: Distilled | None = None


def run_stage(setting: Setting, state: RunState, book: Book) -> None:
    """Take the steps of the stage that are still to be taken."""
    stage = setting.stage
    if state.step == setting.first:
        state.begin_stage(stage)
    while state.step < setting.first + stage.steps:
        taken = take_step(setting, state, book.timers)
        with book.timers("upkeep"):
            report = keep_up(setting, state, taken)
            keep_snapshot(setting, state, taken)
        state.step += 1
        book.record(setting.stage, setting.prior, state, taken, report)


def take_step(setting: Setting, state: RunState, timers: Timers) -> Taken:
    """Cameras, render, denoise, score, regularize, step; undone if a value is not finite."""
    state.optimizer.zero_grad(set_to_none=True)
    try:
        with timers("render"):
            seen = look(setting, state)
        guards.check("render", seen.x)
        with timers("prior"), torch.no_grad():
            distilled = ask(setting, state.step, seen)
        guards.check("prediction", distilled.gradient)
        with timers("backward"):
            loss = distillation_loss(seen.x, distilled)
            extra = regularizers.regularization(setting.stage.regularize, state.scene)
            loss = loss if extra is None else loss + extra
            guards.check("loss", loss)
            loss.backward()
        with timers("step"):
            move(setting, state)
    except guards.BadValue as bad:
        return Taken(skipped=bad.tensor)
    distance = (seen.x.detach() - distilled.pseudo_ground_truth).square().mean()
    return Taken(float(loss.detach()), math.sqrt(float(distance)), "", seen, distilled)


def look(setting: Setting, state: RunState) -> Seen:
    """Draw cameras and background, and render the scene."""
    stage, scene = setting.stage, state.scene
    guards.check("log_scales", scene.scales)
    draws = setting.draws("cameras", state.step)
    cameras = stage.cameras.sample(stage.views, stage.size, stage.size, draws)
    background = backgrounds(setting, state.step)
    offset = None
    if stage.upkeep is not None:
        offset = torch.zeros(stage.views, scene.count, 2, requires_grad=True)
    picture = scene.render(cameras, background, screen_offset=offset)
    return Seen(cameras, picture, setting.prior.encode(picture.color), offset)


def ask(setting: Setting, step: int, seen: Seen) -> Distilled:
    """What the prior makes of the pictures, and the gradient that follows from it."""
    told = (setting.prompt, seen.cameras)
    if setting.stage.score.perp_neg:
        condition: Condition = repelled(setting.prior, *told)
    else:
        condition = setting.prior.condition(*told)
    if isinstance(setting.prior, SeeingPrior):
        condition = shown(setting, step, seen, condition, setting.prior)
    draws = setting.draws("noise", step)
    progress = setting.progress(step)
    return distill(setting.stage.score, setting.prior, condition, seen.x, progress, draws)


def shown(
    setting: Setting, step: int, seen: Seen, condition: Any, prior: SeeingPrior
) -> Condition:
    """The condition with what the prior wants to see of the render; all of Perp-Neg's alike."""
    if isinstance(condition, Repelled):
        others = [(shown(setting, step, seen, c, prior), w) for c, w in condition.others]
        return Repelled(shown(setting, step, seen, condition.condition, prior), tuple(others))
    picture = seen.picture
    sight = Sight(
        picture.color.detach(), picture.alpha, picture.depth, picture.normal, seen.cameras
    )
    return prior.shown(condition, sight, setting.draws("shown", step))


def backgrounds(setting: Setting, step: int) -> Float[Tensor, "views 3"]:
    """What lies behind the scene in each view, 0..1."""
    stage = setting.stage
    if stage.background == "random":
        return torch.rand(stage.views, 3, generator=setting.draws("background", step))
    return torch.full((stage.views, 3), 1.0 if stage.background == "white" else 0.0)


def move(setting: Setting, state: RunState) -> None:
    """One step of the optimizer, taken back if it makes a parameter bad."""
    parameters = state.scene.parameters_by_name()
    guards.check_gradients(parameters)
    progress = setting.progress(state.step)
    for group in state.optimizer.param_groups:
        group["lr"] = setting.stage.rates.at(group["name"], progress)
    guards.step_or_undo(state.optimizer, parameters)


def keep_up(setting: Setting, state: RunState, taken: Taken) -> upkeep.UpkeepReport | None:
    """Density control, after a step that was undone too; None if the stage has none."""
    settings = setting.stage.upkeep
    if settings is None:
        return None
    if taken.seen is not None and taken.seen.offset is not None:
        gradient = taken.seen.offset.grad
        if gradient is not None:
            upkeep.observe(
                state.upkeep, taken.seen.picture, gradient, loss_scale=setting.stage.views
            )
    draws = setting.draws("upkeep", state.step)
    step = state.step - setting.first
    return upkeep.apply(settings, state.upkeep, state.scene, state.optimizer, step, draws)


def keep_snapshot(setting: Setting, state: RunState, taken: Taken) -> None:
    """Add the first view and its target to the pictures of progress.png, if it is time."""
    if state.step in setting.snapshots and taken.seen and taken.distilled:
        target = setting.prior.decode(taken.distilled.pseudo_ground_truth[:1])
        pair = torch.cat([small(taken.seen.picture.color[:1].detach()), small(target)])
        state.snapshots.append(pair)
        state.snapshot_steps.append(state.step + 1)


def small(
    color: Float[Tensor, "views height width 3"],
) -> UInt8[Tensor, "views rows columns 3"]:
    """Pictures of 64 x 64 pixels, 0 to 255, on the CPU wherever the prior works."""
    x = color.float().cpu().permute(0, 3, 1, 2)
    if x.shape[-2:] != (SNAPSHOT, SNAPSHOT):
        x = F.interpolate(x, size=(SNAPSHOT, SNAPSHOT), mode="bilinear", antialias=True)
    return (x.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
