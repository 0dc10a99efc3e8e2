"""What a run is going to do, settled before its first step: prompt, seed, recipe and prior."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from splatsmith.distill import VSD, Guided, sources_of
from splatsmith.errors import InputError
from splatsmith.export.meshing.extras import check_installed
from splatsmith.images import Reference
from splatsmith.optimize.hull import check_hull
from splatsmith.optimize.priors import GivenOptions, Named, opened
from splatsmith.optimize.setting import Setting
from splatsmith.optimize.start import GivenStart, Source, given_start, recipe_for_given
from splatsmith.priors.protocol import Adaptable, HearingPrior, LargePrior, Prior, sees_image
from splatsmith.priors.shipped import SHIPPED, usual_prior
from splatsmith.prompts import Prompt, parse_prompt
from splatsmith.recipes.load import recipe_toml
from splatsmith.recipes.schema import Recipe, Stage
from splatsmith.scenes.handover import check_marching_cubes, needs_marching_cubes
from splatsmith.scenes.kinds import FieldStart
from splatsmith.scenes.point_starts import Points


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """Everything that decides what a run does, and therefore every byte of its result."""

    prompt: Prompt
    seed: int
    recipe: Recipe
    prior: Named
    others: Mapping[str, Named] = field(default_factory=dict)  # that stages ask for by name
    start: GivenStart | None = None  # what the run begins with, if that is given
    notes: tuple[str, ...] = ()  # what the user should know beforehand, a sentence each

    @property
    def recipe_sha256(self) -> str:
        """Hash of the resolved recipe, and of the code of scores that are not the package's."""
        added = sources_of(stage.score.kind for stage in self.recipe.stage)
        text = recipe_toml(self.recipe) + "".join(f"# {each}\n" for each in added.items())
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def run(self) -> str:
        """Tells runs apart: equal for two runs that must give the same bytes."""
        priors = [part for one in self.priors for part in (one.name, one.sha256)]
        rest = (self.prompt.negative, *map(str, self.prompt.hidden))
        image = self.prompt.image
        seen = () if image is None else (image.digest, image.azimuth, image.elevation)
        begun = () if self.start is None else (self.start.digest,)
        decisive = (
            self.prompt.text,
            self.seed,
            self.recipe_sha256,
            *priors,
            *filter(None, rest),
            *seen,
            *begun,
        )
        return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()

    @property
    def priors(self) -> tuple[Named, ...]:
        """The run's own prior, then those that stages name."""
        return (self.prior, *(self.others[name] for name in sorted(self.others)))

    def prior_of(self, stage: Stage) -> Prior:
        """The prior that a stage asks."""
        return (self.others[stage.prior] if stage.prior else self.prior).prior

    def about(self) -> dict[str, Any]:
        """The part of report.json from which a run can be taken up again."""
        image = self.prompt.image
        seen = {} if image is None else {"image": _told(image)}
        begun = {} if self.start is None else {"start": self.start.about()}
        return seen | {
            "prompt": self.prompt.text,
            "negative": self.prompt.negative,
            "hide": [str(hidden) for hidden in self.prompt.hidden],
            "seed": self.seed,
            "recipe": {"title": self.recipe.title, "sha256": self.recipe_sha256},
            "prior": {
                "name": self.prior.name,
                "path": self.prior.source,
                "sha256": self.prior.sha256,
                **({"options": dict(self.prior.options)} if self.prior.options else {}),
            },
            **begun,
        }

    def settings(self) -> list[Setting]:
        """The stages with their place in the whole run."""
        settings = []
        first = 0
        snapshots = evenly(self.recipe.steps, self.recipe.output.snapshots)
        for stage, kind in zip(self.recipe.stage, self.recipe.kinds, strict=True):
            settings.append(
                Setting(
                    stage=stage,
                    kind=kind,
                    first=first,
                    seed=self.seed,
                    prompt=self._prompt_for(stage),
                    prior=self.prior_of(stage),
                    snapshots=snapshots,
                )
            )
            first += stage.steps
        return settings

    def _prompt_for(self, stage: Stage) -> Prompt:
        prompt = self.prompt if stage.view_words else replace(self.prompt, views=None)
        if prompt.image is None or stage.reference is None:
            return prompt
        image = prompt.image.seen_from(stage.reference.radius, stage.reference.fovy)
        return replace(prompt, image=image)


def make_plan(
    words: str,
    seed: int,
    recipe: Recipe,
    prior: Prior | Path | str | None,
    *,
    nearest: bool,
    options: GivenOptions = None,
    image: Reference | None = None,
    negative: str = "",
    hide: Sequence[str] = (),
    start: Source | GivenStart | None = None,
) -> Plan:
    """Open the prior and check prompt and seed; InputError if any of them will not do.

    `options` say how a published prior is run; those that stages name are run in the same way.
    `start` is what the run begins from, a file or an object, or what it once began with.
    """
    if not 0 <= seed < 2**63:
        raise InputError(f"The seed must lie in 0 to 2**63 - 1, got {seed}.")
    recipe = recipe if start is None else recipe_for_given(recipe)
    asked = prior or recipe.prior or None
    own, vocabulary = opened(asked, options)
    named = {stage.prior for stage in recipe.stage if stage.prior}
    others = {name: opened(name, None if name in SHIPPED else options)[0] for name in named}
    if image is not None and not words.strip():
        if negative or hide:
            raise InputError("Without a prompt there is nothing to hide or avoid; give one.")
        prompt = Prompt(text="", image=image)
    else:
        prompt = parse_prompt(words, vocabulary, negative=negative, hide=hide, nearest=nearest)
        prompt = replace(prompt, image=image)
    notes = list[str]()
    if asked is None and (usual := usual_prior(prompt.text)) != "embedded":
        own, _ = opened(usual, options)
        notes.append(
            f"the prompt names two things, so the prior {usual} is asked; the usual one is "
            f"--prior embedded"
        )
    plan = Plan(prompt=prompt, seed=seed, recipe=recipe, prior=own, others=others)
    for stage in recipe.stage:
        _check_fit(stage, plan.prior_of(stage))
        if isinstance(hearing := plan.prior_of(stage), HearingPrior):
            hearing.check_words(prompt)
        notes += check_hull(stage, plan.prior_of(stage))
        notes += _room(stage, plan.prior_of(stage))
    for stage in recipe.of_latents:
        _check_latents(stage, recipe, plan.prior_of(stage))
    _check_image(plan)
    plan = _begun(plan, start)
    if needs_marching_cubes(recipe.kinds):
        check_marching_cubes()
    if "textured" in recipe.kinds:
        check_installed()
    return replace(plan, notes=(*dict.fromkeys(notes), *plan.notes))


def evenly(steps: int, count: int) -> frozenset[int]:
    """`count` steps spread from the first to the last, or all if there are fewer."""
    last = steps - 1
    return frozenset(round(last * i / max(1, count - 1)) for i in range(count))


def _begun(plan: Plan, start: Source | GivenStart | None) -> Plan:
    """The plan with what is given; InputError if that is missing or will not do."""
    stage = plan.recipe.stage[0]
    if start is None:
        if isinstance(stage.start, Points):
            raise InputError(
                f"Stage {stage.name!r} begins from something given: splats, a point cloud or a "
                f"mesh; give a file by --start."
            )
        return plan
    if not isinstance(start, GivenStart):
        start = given_start(start, plan.recipe, plan.seed)
    return replace(plan, start=start, notes=(f"start: {start.note}",))


def _told(image: Reference) -> dict[str, Any]:
    return {
        "sha256": image.digest,
        "azimuth": image.azimuth,
        "elevation": image.elevation,
    }


def _check_image(plan: Plan) -> None:
    """Refuse a picture that is missing, or of which nothing would be made."""
    image, stages = plan.prompt.image, plan.recipe.stage
    seeing = {stage.name for stage in stages if sees_image(plan.prior_of(stage))}
    asking = {stage.name for stage in stages if stage.reference is not None}
    holding = {stage.name for stage in stages if stage.reference and stage.reference.holds}
    if image is None:
        if seeing | asking:
            name = next(s.name for s in stages if s.name in seeing | asking)
            raise InputError(
                f"Stage {name!r} works from a picture, and there is none; give one by --image."
            )
        return
    if not seeing | holding:
        raise InputError(
            "This recipe makes nothing of a picture, nor does its prior; use a recipe such as "
            "--recipe picture or a --prior that sees pictures, or leave --image out."
        )
    blind = [stage.name for stage in stages if stage.name not in seeing]
    if blind and not plan.prompt.text:
        raise InputError(
            f"The prior of stage {blind[0]!r} knows things by words, not by pictures; say what "
            f'the picture shows, such as "a red mushroom", or give another --prior.'
        )


def _check_fit(stage: Stage, prior: Prior) -> None:
    """Refuse a stage that the prior could not serve at its first step."""
    if stage.views % prior.views:
        raise InputError(
            f"Stage {stage.name!r} has {stage.views} views, but this prior denoises "
            f"{prior.views} together; use --set {stage.name}.views={prior.views} or a "
            f"multiple of that."
        )
    if prior.views > 1 and stage.cameras.together != prior.views:
        raise InputError(
            f"Stage {stage.name!r} has cameras that stand {stage.cameras.together} together, "
            f"but this prior knows {prior.views} around the scene; use "
            f"--set {stage.name}.cameras.together={prior.views}."
        )
    if stage.score.clamp and prior.space != "pixel":
        raise InputError(
            f"Stage {stage.name!r} clamps its targets, which only pixel priors allow; use "
            f"--set {stage.name}.score.clamp=false."
        )
    if isinstance(stage.score, VSD) and not isinstance(prior, Adaptable):
        raise InputError(
            f"Stage {stage.name!r} has the score vsd, which trains a low-rank update of the "
            f"prior, and this prior has no place for one; take the embedded prior or another "
            f"recipe."
        )


def _check_latents(stage: Stage, recipe: Recipe, prior: Prior) -> None:
    """Refuse a field of latents that this prior does not have."""
    first = recipe.stage[0]
    assert isinstance(first.start, FieldStart)
    channels, wanted = first.start.field.channels, prior.channels
    if prior.space != "latent":
        raise InputError(
            f"Stage {stage.name!r} has a field of latents, but this prior works on pictures; "
            f"use --prior embedded-latent or another one of latents."
        )
    if channels != wanted:
        raise InputError(
            f"Stage {stage.name!r} has a field of {channels} channels, but the latents of this "
            f"prior have {wanted}; use --set {first.name}.start.field.channels={wanted}."
        )
    if stage.size != prior.resolution:
        raise InputError(
            f"Stage {stage.name!r} draws {stage.size} cells a side, but the latents of this "
            f"prior have {prior.resolution}; use --set {stage.name}.size={prior.resolution}."
        )


def _room(stage: Stage, prior: Prior) -> list[str]:
    """What a large prior needs for a stage; InputError if that is not there."""
    if not isinstance(prior, LargePrior):
        return []
    score = stage.score
    pushed = isinstance(score, Guided) and score.perp_neg
    alone = isinstance(score, Guided) and score.guidance == 1
    sides = 4 if pushed else 1 if alone else 2
    return [prior.check_room(stage.views, sides)]
