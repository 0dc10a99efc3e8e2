"""What leaves the loop: diary, checkpoints, callback and progress line."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from splatsmith.optimize.events import Events
from splatsmith.optimize.folder import RunFolder
from splatsmith.optimize.guards import MOST_IN_A_ROW, too_many
from splatsmith.optimize.progress import ProgressLine
from splatsmith.optimize.result import Callback, StepInfo
from splatsmith.optimize.save import Checkpoint, save_checkpoint, tidy
from splatsmith.optimize.signals import Interrupted, Signals
from splatsmith.optimize.state import RunState
from splatsmith.optimize.timers import Timers
from splatsmith.priors.protocol import Prior
from splatsmith.recipes.schema import Stage
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.kinds import Scene, described
from splatsmith.scenes.upkeep import UpkeepReport

if TYPE_CHECKING:
    from splatsmith.optimize.stage import Taken


@dataclass(kw_only=True)
class Book:
    """Records a run; without a folder nothing is written and signals only stop it."""

    steps: int  # of the whole run
    save_every: int
    run: str  # tells runs apart, see `Checkpoint`
    timers: Timers
    signals: Signals
    folder: RunFolder | None = None
    events: Events | None = None
    callback: Callback | None = None
    line: ProgressLine | None = None
    on_save: Callable[[RunState], None] | None = None  # brings report.json up to date
    saved_at: int = field(default=-1, init=False)

    def record(
        self,
        stage: Stage,
        prior: Prior,
        state: RunState,
        taken: "Taken",
        report: UpkeepReport | None,
    ) -> None:
        """Everything that follows a step: count, write down, save, show, and stop if asked."""
        self._count(state, taken)
        self._write_down(stage, state, taken, report)
        if state.counters.in_a_row >= MOST_IN_A_ROW:
            raise too_many(MOST_IN_A_ROW, taken.skipped, state.step, stage.name)
        if self.scheduled(state.step):
            self.save(state)
        if self.callback is not None:
            self.callback(self._info(stage, prior, state, taken))
        if self.line is not None:
            self.line.update(state.step, stage.name, stage.views, described(state.scene))
        self.stop_if_asked(state)

    def scheduled(self, step: int) -> bool:
        """Whether a checkpoint belongs at this step, whatever happens."""
        return step % self.save_every == 0 or step == self.steps

    def save(self, state: RunState) -> None:
        """Write a checkpoint, then remove those that are no longer needed."""
        if self.folder is None or self.events is None or self.saved_at == state.step:
            return
        with self.timers("save"):
            checkpoint = Checkpoint(
                step=state.step,
                run=self.run,
                groups=state.groups(),
                counters=state.plain(),
                events=self.events.mark(),
            )
            save_checkpoint(self.folder.checkpoints, checkpoint)
            tidy(self.folder.checkpoints, state.step, self.scheduled)
        self.saved_at = state.step
        if self.on_save is not None:
            self.on_save(state)

    def stop_if_asked(self, state: RunState) -> None:
        """After a signal: save, then raise Interrupted."""
        if self.signals.pending is None:
            return
        self.save(state)
        folder = None if self.folder is None else str(self.folder.root)
        raise Interrupted(self.signals.pending, state.step, folder)

    def _count(self, state: RunState, taken: "Taken") -> None:
        counters = state.counters
        if not taken.skipped:
            counters.in_a_row = 0
            counters.average_in(taken.loss, taken.distance)
            return
        counters.skipped += 1
        counters.in_a_row += 1

    def _write_down(
        self, stage: Stage, state: RunState, taken: "Taken", report: UpkeepReport | None
    ) -> None:
        if self.events is None:
            return
        if taken.skipped:
            self.events.add("skipped", state.step, stage=stage.name, tensor=taken.skipped)
        else:
            self.events.add(
                "step",
                state.step,
                stage=stage.name,
                loss=taken.loss,
                distance=taken.distance,
                **_size(state.scene),
            )
        changes = _changes(report)
        if changes:
            self.events.add("upkeep", state.step, stage=stage.name, **changes)

    def _info(self, stage: Stage, prior: Prior, state: RunState, taken: "Taken") -> StepInfo:
        color = target = None
        if taken.seen is not None and taken.distilled is not None:
            color = taken.seen.picture.color.detach()
            target = prior.decode(taken.distilled.pseudo_ground_truth)
        return StepInfo(
            step=state.step,
            steps=self.steps,
            stage=stage.name,
            views=stage.views,
            splats=_size(state.scene).get("splats", 0),
            loss=taken.loss,
            distance=taken.distance,
            skipped=taken.skipped,
            color=color,
            pseudo_ground_truth=target,
        )


def _size(scene: Scene) -> dict[str, int]:
    """How many splats a scene of Gaussians has; nothing for other kinds."""
    return {"splats": scene.count} if isinstance(scene, Gaussians) else {}


def _changes(report: UpkeepReport | None) -> dict[str, Any]:
    """What upkeep did, without what it did not do."""
    if report is None:
        return {}
    names = ("cloned", "split", "filled", "pruned", "rescued", "reset")
    changes = {name: getattr(report, name) for name in names if getattr(report, name)}
    return changes | {"count": report.count} if changes else {}
