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

from splatsmith.distill import (
    VSD,
    Distilled,
    Guided,
    Refine,
    at,
    distill,
    distillation_loss,
    picture_loss,
    repelled,
)
from splatsmith.distill.perp_neg import Repelled
from splatsmith.optimize import guards, regularizers
from splatsmith.optimize.book import Book
from splatsmith.optimize.drawing import Seen, backgrounds, look
from splatsmith.optimize.own_model import Learner
from splatsmith.optimize.reference import reference_loss
from splatsmith.optimize.setting import Setting
from splatsmith.optimize.state import RunState
from splatsmith.optimize.timers import Timers
from splatsmith.priors.protocol import Condition, SeeingPrior, Sight
from splatsmith.recipes.rates import rate_at
from splatsmith.scenes import Field, Gaussians, upkeep

SNAPSHOT = 64  # pixels a side of the small pictures that progress.png is made of


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
    particles = [
        (setting.of_particle(number), one) for number, one in enumerate(state.particles, 1)
    ]
    if state.step == setting.first:
        own = own_model(setting)
        for its, one in particles:
            one.begin_stage(stage, own, its.draws("convert", state.step))
    while state.step < setting.end:
        steps = [take_step(its, one, book.timers) for its, one in particles]
        with book.timers("upkeep"):
            pairs = zip(particles, steps, strict=True)
            reports = [keep_up(its, one, taken) for (its, one), taken in pairs]
            keep_snapshot(setting, state, steps[0])
        for _, one in particles:
            one.step += 1
        skipped = next((taken for taken in steps if taken.skipped), steps[0])
        book.record(setting.stage, setting.prior, state, skipped, reports[0])


def own_model(setting: Setting) -> Learner | None:
    """A fresh model of the scene's own renders, if the stage's score needs one."""
    score = setting.stage.score
    if not isinstance(score, VSD):
        return None
    return Learner.begin(score.own, setting.prior, setting.draws("own start", setting.first))


def take_step(setting: Setting, state: RunState, timers: Timers) -> Taken:
    """Cameras, render, denoise, score, regularize, step; undone if a value is not finite."""
    state.optimizer.zero_grad(set_to_none=True)
    try:
        with timers("render"):
            seen = look(setting, state.scene, state.step)
        guards.check("render", seen.x)
        with timers("prior"), torch.no_grad():
            distilled = ask(setting, state, seen)
        guards.check("prediction", distilled.gradient)
        with timers("backward"):
            loss = total_loss(setting, state, seen, distilled)
            guards.check("loss", loss)
            loss.backward()
        if state.own is not None:
            # Before the scene moves: if this fails, all of the step can still be undone.
            with timers("own model"):
                teach(setting, state, seen, state.own)
        with timers("step"):
            move(setting, state)
    except guards.BadValue as bad:
        return Taken(skipped=bad.tensor)
    distance = (seen.x.detach() - distilled.pseudo_ground_truth).square().mean()
    return Taken(float(loss.detach()), math.sqrt(float(distance)), "", seen, distilled)


def ask(setting: Setting, state: RunState, seen: Seen) -> Distilled:
    """What the prior makes of the pictures, and the gradient that follows from it."""
    told, score = (setting.prompt, seen.cameras), setting.stage.score
    if isinstance(score, Guided) and score.perp_neg:
        condition: Condition = repelled(setting.prior, *told)
    else:
        condition = setting.prior.condition(*told)
    if isinstance(setting.prior, SeeingPrior):
        condition = shown(setting, state.step, seen, condition, setting.prior)
    draws = setting.draws("noise", state.step)
    progress = setting.progress(state.step)
    own = None if state.own is None else state.own.about(*told)
    return distill(score, setting.prior, condition, seen.x, progress, draws, own)


def total_loss(
    setting: Setting, state: RunState, seen: Seen, distilled: Distilled
) -> Float[Tensor, ""]:
    """The one loss, the same on pictures if the recipe says so, and what is asked beside."""
    score, color = setting.stage.score, seen.picture.color
    # The refined picture is compared as a picture, whatever space the prior works in.
    pulls = [] if isinstance(score, Refine) else [distillation_loss(seen.x, distilled)]
    if weight := at(score.image_loss, setting.progress(state.step)):
        pulls.append(weight * picture_loss(color, setting.prior, distilled))
    loss = sum(pulls[1:], pulls[0])
    extras = regularized(setting, state, seen, distilled), held_to_picture(setting, state)
    for extra in extras:
        loss = loss if extra is None else loss + extra
    return loss


def teach(setting: Setting, state: RunState, seen: Seen, own: Learner) -> None:
    """Show the model of the scene's own renders what the scene looks like."""
    draws = setting.draws("own", state.step)
    own.learn(setting.prior, setting.prompt, seen.cameras, seen.x, draws)


def held_to_picture(setting: Setting, state: RunState) -> Float[Tensor, ""] | None:
    """How far the scene is from the picture in the prompt; None if it is not looked at now."""
    settings, image = setting.stage.reference, setting.prompt.image
    if settings is None or image is None or not settings.holds:
        return None
    if (state.step - setting.first) % settings.every:
        return None
    background = backgrounds(setting, state.step)[0]
    progress = setting.progress(state.step)
    size = setting.stage.size
    return reference_loss(settings, image, state.scene, size, background, progress)


def regularized(
    setting: Setting, state: RunState, seen: Seen, distilled: Distilled
) -> Float[Tensor, ""] | None:
    """What the recipe asks of the scene beside the prior; None if it asks for nothing."""
    settings, progress = setting.stage.regularize, setting.progress(state.step)
    target = None
    if at(settings.exterior, progress):
        decoded = setting.prior.decode(distilled.pseudo_ground_truth)
        target = resized(decoded, setting.stage.size).clamp(0, 1).to(seen.picture.alpha)
    return regularizers.regularization(settings, state.scene, seen.picture, target, progress)


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


def move(setting: Setting, state: RunState) -> None:
    """One step of the optimizer, taken back if it makes a parameter bad."""
    parameters = state.scene.parameters_by_name()
    guards.check_gradients(parameters)
    progress = setting.progress(state.step)
    for group in state.optimizer.param_groups:
        group["lr"] = rate_at(setting.stage.rates, group["name"], progress)
    guards.step_or_undo(state.optimizer, parameters)


def keep_up(setting: Setting, state: RunState, taken: Taken) -> upkeep.UpkeepReport | None:
    """Density control, after a step that was undone too; None if the stage has none.

    Fields of latents learn now and then how they look.
    """
    settings, scene = setting.stage.upkeep, state.scene
    if isinstance(scene, Field) and scene.settings.holds_latents:
        learn_colors(setting, scene, state.step, taken)
    if settings is None or state.upkeep is None or not isinstance(scene, Gaussians):
        return None
    if taken.seen is not None and taken.seen.offset is not None:
        gradient = taken.seen.offset.grad
        if gradient is not None:
            upkeep.observe(
                state.upkeep, taken.seen.picture, gradient, loss_scale=setting.stage.views
            )
    draws = setting.draws("upkeep", state.step)
    step = state.step - setting.first
    return upkeep.apply(settings, state.upkeep, scene, state.optimizer, step, draws)


@torch.no_grad()
def learn_colors(setting: Setting, scene: Field, step: int, taken: Taken) -> None:
    """From what the prior makes of a render and its target, at snapshots and at the end."""
    if step not in setting.snapshots and step != setting.end - 1:
        return
    if taken.seen is not None and taken.distilled is not None:
        x = torch.cat([taken.seen.x, taken.distilled.pseudo_ground_truth.to(taken.seen.x)])
        color = resized(setting.prior.decode(x), setting.prior.resolution).to(taken.seen.x)
        scene.learn_colors(x.permute(0, 2, 3, 1), color)


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
    bytes_ = (resized(color.float().cpu(), SNAPSHOT).clamp(0, 1) * 255).round().to(torch.uint8)
    return bytes_.contiguous()


def resized(
    color: Float[Tensor, "views height width 3"], size: int
) -> Float[Tensor, "views rows columns 3"]:
    """The pictures with `size` pixels a side."""
    if color.shape[1:3] == (size, size):
        return color
    x = color.permute(0, 3, 1, 2)
    x = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
    return x.permute(0, 2, 3, 1)
