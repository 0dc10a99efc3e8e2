"""What stays the same throughout a stage."""

from dataclasses import dataclass, replace

import torch

from splatsmith.optimize.streams import stream
from splatsmith.priors.protocol import Prior
from splatsmith.prompts import Prompt
from splatsmith.recipes.schema import Stage
from splatsmith.scenes.kinds import Kind


@dataclass(frozen=True, eq=False, kw_only=True)
class Setting:
    """A stage with its place in the run, its prompt and its prior."""

    stage: Stage
    kind: Kind  # of the scene that the stage works on
    first: int  # finished steps of the stages before
    seed: int
    prompt: Prompt
    prior: Prior
    snapshots: frozenset[int]  # steps of the whole run at which to keep small pictures
    particle: int = 1  # which of the scenes that are made together, from 1

    @property
    def end(self) -> int:
        """Finished steps of the run once this stage is over."""
        return self.first + self.stage.steps

    def progress(self, step: int) -> float:
        """0 at the stage's first step, 1 at its last one."""
        return (step - self.first) / max(1, self.stage.steps - 1)

    def draws(self, name: str, step: int) -> torch.Generator:
        """The generator for one kind of draw at one step; each particle has its own."""
        own = f"{name}, particle {self.particle}" if self.particle > 1 else name
        return stream(self.seed, own, step)

    def of_particle(self, particle: int) -> "Setting":
        """The same for another of the scenes."""
        return replace(self, particle=particle)
