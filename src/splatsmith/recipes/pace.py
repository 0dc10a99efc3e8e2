"""The same recipe in fewer or more steps."""

from dataclasses import replace

from splatsmith.errors import InputError
from splatsmith.recipes.schema import Recipe, Stage
from splatsmith.scenes.upkeep import Upkeep


def paced(recipe: Recipe, pace: float) -> Recipe:
    """`recipe` with all counts of steps multiplied by `pace`: stages, density control, saves.

    Schedules of noise and of rates run over shares of a stage, so they stretch by themselves.
    Raises InputError for a pace that is not positive, or that leaves density control no time.
    """
    if not 0 < pace <= 100:
        raise InputError(f"The pace must be over 0 and at most 100, got {pace}.")
    output = replace(recipe.output, save_every=_scaled(recipe.output.save_every, pace))
    return replace(recipe, output=output, stage=tuple(_stage(s, pace) for s in recipe.stage))


def _stage(stage: Stage, pace: float) -> Stage:
    upkeep = None if stage.upkeep is None else _upkeep(stage.upkeep, pace)
    return replace(stage, steps=_scaled(stage.steps, pace), upkeep=upkeep)


def _upkeep(upkeep: Upkeep, pace: float) -> Upkeep:
    names = ("start", "stop", "every", "reset_at", "reset_every")
    scaled = {n: _scaled(getattr(upkeep, n), pace) for n in names}
    return replace(upkeep, **scaled)


def _scaled(steps: int, pace: float) -> int:
    return max(1, round(steps * pace)) if steps else 0
