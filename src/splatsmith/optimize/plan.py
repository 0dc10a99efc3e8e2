"""What a run is going to do, settled before its first step: prompt, seed, recipe and prior."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from splatsmith.errors import InputError
from splatsmith.files import sha256_of
from splatsmith.optimize.stage import Setting
from splatsmith.priors.protocol import Prior
from splatsmith.prompts import Prompt, parse_prompt
from splatsmith.recipes.load import recipe_toml
from splatsmith.recipes.schema import Recipe, Stage


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """Everything that decides what a run does, and therefore every byte of its result."""

    prompt: Prompt
    seed: int
    recipe: Recipe
    prior: Prior
    prior_name: str
    prior_path: Path | None = None  # None: the prior that ships, or one that is not a file
    prior_sha256: str | None = None  # None: not a file

    @property
    def recipe_sha256(self) -> str:
        """Hash of the resolved recipe."""
        return hashlib.sha256(recipe_toml(self.recipe).encode()).hexdigest()

    @property
    def run(self) -> str:
        """Tells runs apart: equal for two runs that must give the same bytes."""
        prior = (self.prior_name, self.prior_sha256)
        decisive = (self.prompt.text, self.seed, self.recipe_sha256, *prior)
        return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()

    def about(self) -> dict[str, Any]:
        """The part of report.json from which a run can be taken up again."""
        return {
            "prompt": self.prompt.text,
            "seed": self.seed,
            "recipe": {"title": self.recipe.title, "sha256": self.recipe_sha256},
            "prior": {
                "name": self.prior_name,
                "path": None if self.prior_path is None else str(self.prior_path),
                "sha256": self.prior_sha256,
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
                    prompt=self.prompt,
                    prior=self.prior,
                    snapshots=snapshots,
                )
            )
            first += stage.steps
        return settings


def make_plan(
    words: str, seed: int, recipe: Recipe, prior: Prior | Path | str | None, *, nearest: bool
) -> Plan:
    """Open the prior and check prompt and seed; InputError if any of them will not do."""
    if not 0 <= seed < 2**63:
        raise InputError(f"The seed must lie in 0 to 2**63 - 1, got {seed}.")
    plan = _with_prior(words, seed, recipe, prior, nearest=nearest)
    for stage in recipe.stage:
        _check_fit(stage, plan.prior)
    return plan


def evenly(steps: int, count: int) -> frozenset[int]:
    """`count` steps spread from the first to the last, or all if there are fewer."""
    last = steps - 1
    return frozenset(round(last * i / max(1, count - 1)) for i in range(count))


def _with_prior(
    words: str, seed: int, recipe: Recipe, prior: Prior | Path | str | None, *, nearest: bool
) -> Plan:
    if prior is not None and not isinstance(prior, (str, Path)):
        prompt = Prompt(text=words)
        name = str(getattr(prior, "name", type(prior).__name__))
        return Plan(prompt=prompt, seed=seed, recipe=recipe, prior=prior, prior_name=name)
    from splatsmith.priors.embedded import load_embedded, shipped_weights

    path = None if prior is None else Path(prior).resolve()
    embedded = load_embedded(path)
    return Plan(
        prompt=parse_prompt(words, embedded.vocabulary, nearest=nearest),
        seed=seed,
        recipe=recipe,
        prior=embedded,
        prior_name=embedded.name,
        prior_path=path,
        prior_sha256=sha256_of(path or shipped_weights()),
    )


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
