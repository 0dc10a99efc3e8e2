"""What a run hands out: one `StepInfo` per step to a callback, one `Result` at the end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from splatsmith.scenes.kinds import Scene


@dataclass(frozen=True, eq=False, kw_only=True)
class StepInfo:
    """What one step did, for a callback; the pictures are those of the step's views.

    `loss` is half the squared distance that the step pulled by, summed over a view's values and
    averaged over views, plus the regularizers; `distance` is the root mean square of render
    minus target, in the prior's own units (-1..1 for pixels). A skipped step has no pictures.
    """

    step: int  # finished steps of the whole run, this one included
    steps: int  # that the run will have
    stage: str
    views: int
    splats: int  # 0 for scenes that have none
    loss: float
    distance: float
    skipped: str = ""  # the tensor that was not finite, if the step was undone
    color: Float[Tensor, "views height width 3"] | None = None
    pseudo_ground_truth: Float[Tensor, "views rows columns 3"] | None = None


Callback = Callable[[StepInfo], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """A finished run.

    `scene` is what was optimized; what is handed out as `paths["scene"]` are always Gaussians.
    `metrics` are those of report.json: seconds, steps, splats, skipped steps, the moving
    averages of loss and distance at the end. `paths` name every file that was written (scene,
    turntable, contact, progress, recipe, events, report); empty if the run had no folder.
    Where several scenes were made together, `scene` is the first of the `particles`, and the
    files of the others have a number, "scene-2".
    """

    prompt: str
    seed: int
    scene: Scene
    particles: tuple[Scene, ...] = ()  # all scenes that were made together, this one first
    metrics: Mapping[str, Any]
    paths: Mapping[str, Path]
