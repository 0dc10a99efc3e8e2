"""What a run is going to do, settled before its first step: prompt, seed, recipe and prior."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from splatsmith.errors import InputError
from splatsmith.optimize.priors import GivenOptions, Named, opened
from splatsmith.optimize.stage import Setting
from splatsmith.priors.protocol import LargePrior, Prior
from splatsmith.priors.shipped import SHIPPED
from splatsmith.prompts import Prompt, parse_prompt
from splatsmith.recipes.load import recipe_toml
from splatsmith.recipes.schema import Recipe, Stage


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """Everything that decides what a run does, and therefore every byte of its result."""

    prompt: Prompt
    seed: int
    recipe: Recipe
    prior: Named
    others: Mapping[str, Named] = field(default_factory=dict)  # that stages ask for by name
    notes: tuple[str, ...] = ()  # what the user should know beforehand, a sentence each

    @property
    def recipe_sha256(self) -> str:
        """Hash of the resolved recipe."""
        return hashlib.sha256(recipe_toml(self.recipe).encode()).hexdigest()

    @property
    def run(self) -> str:
        """Tells runs apart: equal for two runs that must give the same bytes."""
        priors = [part for one in self.priors for part in (one.name, one.sha256)]
        decisive = (self.prompt.text, self.seed, self.recipe_sha256, *priors)
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
        return {
            "prompt": self.prompt.text,
            "seed": self.seed,
            "recipe": {"title": self.recipe.title, "sha256": self.recipe_sha256},
            "prior": {
                "name": self.prior.name,
                "path": self.prior.source,
                "sha256": self.prior.sha256,
                **({"options": dict(self.prior.options)} if self.prior.options else {}),
            },
        }

    def settings(self) -> list[Setting]:
        """The stages with their place in the whole run."""
        settings = []
        first = 0
        snapshots = evenly(self.recipe.steps, self.recipe.output.snapshots)
        for stage in self.recipe.stage:
            settings.append(
                Setting(
                    stage=stage,
                    first=first,
                    seed=self.seed,
                    prompt=self.prompt
                    if stage.view_words
                    else replace(self.prompt, views=None),
                    prior=self.prior_of(stage),
                    snapshots=snapshots,
                )
            )
            first += stage.steps
        return settings


def make_plan(
    words: str,
    seed: int,
    recipe: Recipe,
    prior: Prior | Path | str | None,
    *,
    nearest: bool,
    options: GivenOptions = None,
) -> Plan:
    """Open the prior and check prompt and seed; InputError if any of them will not do.

    `options` say how a published prior is run; those that stages name are run in the same way.
    """
    if not 0 <= seed < 2**63:
        raise InputError(f"The seed must lie in 0 to 2**63 - 1, got {seed}.")
    own, vocabulary = opened(prior, options)
    named = {stage.prior for stage in recipe.stage if stage.prior}
    others = {name: opened(name, None if name in SHIPPED else options)[0] for name in named}
    prompt = parse_prompt(words, vocabulary, nearest=nearest)
    plan = Plan(prompt=prompt, seed=seed, recipe=recipe, prior=own, others=others)
    notes = list[str]()
    for stage in recipe.stage:
        _check_fit(stage, plan.prior_of(stage))
        notes += _room(stage, plan.prior_of(stage))
    return replace(plan, notes=tuple(dict.fromkeys(notes)))


def evenly(steps: int, count: int) -> frozenset[int]:
    """`count` steps spread from the first to the last, or all if there are fewer."""
    last = steps - 1
    return frozenset(round(last * i / max(1, count - 1)) for i in range(count))


def _check_fit(stage: Stage, prior: Prior) -> None:
    """Refuse a stage that the prior could not serve at its first step."""
    if stage.views % prior.views:
        raise InputError(
            f"Stage {stage.name!r} has {stage.views} views, but this prior denoises "
            f"{prior.views} together; use --set {stage.name}.views={prior.views} or a "
            f"multiple of that."
        )
    if stage.score.clamp and prior.space != "pixel":
        raise InputError(
            f"Stage {stage.name!r} clamps its targets, which only pixel priors allow; use "
            f"--set {stage.name}.score.clamp=false."
        )


def _room(stage: Stage, prior: Prior) -> list[str]:
    """What a large prior needs for a stage; InputError if that is not there."""
    if not isinstance(prior, LargePrior):
        return []
    sides = 4 if stage.score.perp_neg else 1 if stage.score.guidance == 1 else 2
    return [prior.check_room(stage.views, sides)]
