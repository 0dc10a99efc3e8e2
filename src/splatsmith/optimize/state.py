"""What the next step depends on: all of it, and nothing that could be worked out again.

Randomness is not in it, because every draw is a function of seed, stream and step.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.optimize.adam import PlainAdam
from splatsmith.optimize.moments import moments_of, restore_moments
from splatsmith.optimize.own_model import Learner
from splatsmith.optimize.setting import Setting
from splatsmith.optimize.texturing import handed_on
from splatsmith.recipes.schema import Adam, Stage
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.kinds import Scene, restored
from splatsmith.scenes.upkeep import UpkeepState

Snapshot = UInt8[Tensor, "2 64 64 3"]  # a render and its pseudo-ground-truth


@dataclass(slots=True)
class Counters:
    """Numbers that are carried from step to step; all exact in a checkpoint."""

    skipped: int = 0  # steps that were undone because of a value that was not finite
    in_a_row: int = 0  # of these, how many just before the next step
    loss: float = 0.0  # moving average over about 50 steps
    distance: float = 0.0  # root mean square distance of render and target, moving average
    averaged: int = 0  # steps in the averages

    def average_in(self, loss: float, distance: float) -> None:
        """Add one step to the averages; the first step counts fully."""
        share = max(0.02, 1 / (self.averaged + 1))
        self.loss += share * (loss - self.loss)
        self.distance += share * (distance - self.distance)
        self.averaged += 1


PARTS = ("scene", "optimizer", "record")  # what a checkpoint has of each particle


@dataclass(slots=True, kw_only=True)
class RunState:
    """A run between two steps; `step` counts the finished steps of all its stages.

    Where several scenes are made together, the `others` have a state of their own each, of
    which counters and snapshots are not used; the own model is one and the same.
    """

    step: int
    scene: Scene
    optimizer: PlainAdam
    upkeep: UpkeepState | None  # of Gaussians only
    own: Learner | None = None  # of stages whose score compares with a model of the scene
    counters: Counters = field(default_factory=Counters)
    snapshots: list[Snapshot] = field(default_factory=list)
    snapshot_steps: list[int] = field(default_factory=list)
    others: list["RunState"] = field(default_factory=list)

    @property
    def particles(self) -> list["RunState"]:
        """The scenes that are made together, this one first."""
        return [self, *self.others]

    def begin_stage(
        self, stage: Stage, own: Learner | None, generator: torch.Generator
    ) -> None:
        """A new stage goes on with the scene, as another kind if it says so.

        Optimizer, upkeep and own model start afresh.
        """
        if stage.convert is not None:
            self.scene = handed_on(stage.convert, self.scene, generator)
        self.optimizer = make_optimizer(self.scene, stage.adam)
        self.upkeep = fresh_upkeep(self.scene)
        self.own = own

    def groups(self) -> dict[str, dict[str, Tensor]]:
        """The tensors of a checkpoint, in named groups."""
        groups = self._own_groups()
        for number, other in enumerate(self.others, start=2):
            groups |= {f"{name}-{number}": t for name, t in other._own_groups().items()}
        return groups if self.own is None else groups | {"own": self.own.state()}

    def _own_groups(self) -> dict[str, dict[str, Tensor]]:
        """Those of one particle, by the names of PARTS."""
        kept = {} if self.upkeep is None else self.upkeep.state()
        record = {f"upkeep.{name}": tensor for name, tensor in kept.items()}
        if self.snapshots:
            record["snapshots"] = torch.stack(self.snapshots)
            record["snapshot_steps"] = torch.tensor(self.snapshot_steps)
        moments = moments_of(self.optimizer)
        return {"scene": self.scene.state(), "optimizer": moments, "record": record}

    def plain(self) -> dict[str, Any]:
        """The numbers of a checkpoint."""
        return asdict(self.counters)

    @classmethod
    def restore(
        cls,
        step: int,
        groups: Mapping[str, Mapping[str, Tensor]],
        plain: Mapping[str, Any],
        setting: Setting,
        own: Learner | None = None,
        particles: int = 1,
    ) -> "RunState":
        """The state that a checkpoint was made from; InputError if parts do not fit.

        `own` is a fresh model of the stage, to be brought to where the checkpoint had it.
        """
        try:
            state = cls._restored(step, groups, plain, setting)
            for number in range(2, particles + 1):
                its = {name: groups[f"{name}-{number}"] for name in PARTS}
                state.others.append(cls._restored(step, its, {}, setting))
            if own is not None:
                own.restore(groups["own"])
        except (KeyError, TypeError, RuntimeError) as error:
            raise InputError(f"The checkpoint of step {step} has no proper {error}.") from error
        for one in state.particles:
            one.own = own
        return state

    @classmethod
    def _restored(
        cls,
        step: int,
        groups: Mapping[str, Mapping[str, Tensor]],
        plain: Mapping[str, Any],
        setting: Setting,
    ) -> "RunState":
        """One of the scenes that are made together, still without the model that they share."""
        scene = restored(setting.kind, groups["scene"])
        optimizer = make_optimizer(scene, setting.stage.adam)
        restore_moments(optimizer, groups["optimizer"])
        record = dict(groups["record"])
        snapshots = list(record.pop("snapshots", torch.empty(0)))
        snapshot_steps = record.pop("snapshot_steps", torch.empty(0)).tolist()
        seen = {name.removeprefix("upkeep."): value for name, value in record.items()}
        upkeep = UpkeepState.from_state(seen) if seen else None
        counters = Counters(**plain)
        wanted = fresh_upkeep(scene)
        if _length(upkeep) != _length(wanted) or len(snapshots) != len(snapshot_steps):
            raise InputError(f"The checkpoint of step {step} has parts of different length.")
        return cls(
            step=step,
            scene=scene,
            optimizer=optimizer,
            upkeep=upkeep,
            counters=counters,
            snapshots=snapshots,
            snapshot_steps=snapshot_steps,
        )


def fresh_upkeep(scene: Scene) -> UpkeepState | None:
    """What density control has seen before a stage's first step; nothing for other kinds."""
    return UpkeepState.empty(scene) if isinstance(scene, Gaussians) else None


def _length(upkeep: UpkeepState | None) -> int | None:
    return None if upkeep is None else len(upkeep.seen)


def make_optimizer(scene: Scene, adam: Adam) -> PlainAdam:
    """Adam with one group per parameter; the learning rates are set before each step."""
    groups = [
        {"params": [parameter], "name": name, "lr": 0.0}
        for name, parameter in scene.parameters_by_name().items()
    ]
    return PlainAdam(groups, betas=(adam.beta1, adam.beta2), eps=adam.eps, fused=True)
