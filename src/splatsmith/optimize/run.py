"""A run from its prompt to its last file: begun, taken up again, finished."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from splatsmith.distill import sources_of
from splatsmith.errors import InputError, InvalidFile
from splatsmith.files import replace_file, sha256_of
from splatsmith.images import Reference, read_reference
from splatsmith.optimize.book import Book
from splatsmith.optimize.events import Events, Mark
from splatsmith.optimize.finish import finish, progress_report
from splatsmith.optimize.folder import RunFolder, begin_folder, beginning, clear_folder
from splatsmith.optimize.hull import Tell, hull_start
from splatsmith.optimize.lock import locked
from splatsmith.optimize.plan import Plan, make_plan
from splatsmith.optimize.priors import GivenOptions
from splatsmith.optimize.progress import ProgressLine
from splatsmith.optimize.result import Callback, Result
from splatsmith.optimize.save import drop_unfinished, load_checkpoint, tidy
from splatsmith.optimize.setting import Setting
from splatsmith.optimize.signals import Signals
from splatsmith.optimize.stage import own_model, run_stage
from splatsmith.optimize.start import Source, kept_start
from splatsmith.optimize.state import RunState, fresh_upkeep, make_optimizer
from splatsmith.optimize.timers import Timers
from splatsmith.priors.protocol import LargePrior, Prior
from splatsmith.recipes.load import (
    load_recipe,
    overridden,
    parse_recipe,
    recipe_toml,
    usual_recipe,
)
from splatsmith.recipes.schema import Recipe
from splatsmith.scenes.kinds import begin_any
from splatsmith.scenes.point_starts import Hull


def generate(
    prompt: str = "",
    *,
    seed: int = 0,
    recipe: str | Path | Recipe | None = None,
    out: str | Path | None = None,
    callback: Callback | None = None,
    prior: Prior | str | Path | None = None,
    prior_options: GivenOptions = None,
    overrides: Mapping[str, Any] | Sequence[str] | None = None,
    image: str | Path | Reference | None = None,
    start: Source | None = None,
    nearest: bool = False,
    negative: str = "",
    hide: Sequence[str] = (),
    overwrite: bool = False,
    threads: int | None = None,
    progress: bool = False,
) -> Result:
    """Turn a prompt into a scene of 3D Gaussians.

    Args:
        prompt: what to make, in words that the prior knows; it may be empty where the prior
            makes new views of a picture.
        seed: decides every draw; the same seed gives the same bytes on the same machine, build
            and number of threads.
        recipe: name of a recipe, a TOML file, or a Recipe; by default what `usual_recipe` says.
        out: folder for everything a run leaves; without it nothing is written.
        callback: called after every step with a `StepInfo`.
        prior: an embedded prior by name or file, published weights by name, folder or id of
            the hub, or any Prior; by default the recipe's, else "embedded", or "embedded-pairs"
            for a prompt of two things.
        prior_options: how published weights are run, {"memory": "low"} or ["memory=low"];
            see `splatsmith.priors.pretrained.PriorOptions`.
        overrides: changed values of the recipe, {"shape.steps": 100} or ["shape.steps=100"].
        image: a picture of what to make, for recipes that work from one: a file, or a
            `Reference`, which also says where it was taken from.
        start: what the run begins from instead of the recipe's own start: a file of splats, a
            point cloud or a mesh, or such a thing itself. It is fitted into the unit ball.
        nearest: take the closest known word for one that the prior does not know.
        negative: a prompt for what is not wanted, the other side of guidance.
        hide: phrases of the prompt with the views that are not told of them, such as
            "smiling=back,side"; "auto" hides what speaks of a face from the back.
        overwrite: replace the run that is in `out`.
        threads: of torch and of the native kernels; None leaves them as they are.
        progress: show a live line on stderr.

    Raises:
        InputError: something given is not acceptable; nothing was written then.
        RunFailed: nothing but values that are not finite came out of many steps in a row.
        Interrupted: Ctrl-C or SIGTERM; the run was saved and `resume` goes on with it.
    """
    recipe = recipe or usual_recipe(prompt, pictured=image is not None)
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    chosen = overridden(
        chosen, overrides or (), str(recipe) if recipe is not chosen else "recipe"
    )
    if isinstance(image, (str, Path)):
        image = read_reference(image)
    given: dict[str, Any] = {"image": image, "negative": negative, "hide": hide}
    given |= {"options": prior_options, "start": start}
    plan = make_plan(prompt, seed, chosen, prior, nearest=nearest, **given)
    if progress:
        for text in (*plan.prompt.notes, *plan.notes):
            _note(text)
    _use_threads(threads)
    with ExitStack() as stack:
        folder = None
        if out is not None:
            folder = RunFolder(Path(out))
            begin_folder(folder.root)
            stack.enter_context(locked(folder.root))
            folder.check_free(overwrite=overwrite)
        timers, tell = Timers(), _note if progress else None
        state = _begun(plan, folder, timers, tell)
        return _carry_out(plan, folder, state, timers, Mark(), callback, progress)


def resume(
    folder: str | Path,
    *,
    callback: Callback | None = None,
    prior: Prior | str | Path | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> Result:
    """Go on with a run that was stopped or killed, to the same bytes as if it had not been.

    Prompt, seed and recipe are those of the run. `prior` is needed only if the run's prior was
    not a file, or if the file has moved.

    Raises:
        InputError: there is no run in `folder`, or its prior is not the one it began with.
        InvalidFile: the run's files are damaged beyond what an older checkpoint can mend.
    """
    place = RunFolder(Path(folder))
    place.read_report()
    with locked(place.root):
        report = place.read_report()
        plan = _plan_of(place, report, prior)
        _use_threads(threads or report.get("threads"))
        place.drop_drafts()
        drop_unfinished(place.checkpoints)
        timers = Timers(_seconds_of(report))
        with timers("start"):
            state, mark = _state_of(place, plan, _note if progress else None)
        return _carry_out(plan, place, state, timers, mark, callback, progress)


def default_folder(prompt: str, seed: int) -> Path:
    """runs/<prompt>-<seed>, the prompt (or a picture's name) in letters, digits and dashes."""
    letters = "".join(c if c.isascii() and c.isalnum() else " " for c in prompt.lower())
    return Path("runs") / f"{'-'.join(letters.split())[:60] or 'run'}-{seed}"


def fresh_state(plan: Plan, tell: Tell | None = None) -> RunState:
    """The run before its first step; `tell` gets lines about a start that takes time."""
    setting = plan.settings()[0]
    state, *others = (
        _fresh_particle(plan, setting.of_particle(number), tell)
        for number in range(1, plan.recipe.particles + 1)
    )
    state.others = others
    return state


def _fresh_particle(plan: Plan, setting: Setting, tell: Tell | None) -> RunState:
    """One of the scenes that are made together; all the same if the start is given."""
    stage = setting.stage
    assert stage.start is not None, "the schema refuses recipes without a start"
    if plan.start is not None:
        scene = plan.start.scene
    elif isinstance(stage.start, Hull):
        scene = hull_start(setting, tell)
    else:
        scene = begin_any(stage.start, setting.draws("start", 0))
    return RunState(
        step=0,
        scene=scene,
        optimizer=make_optimizer(scene, stage.adam),
        upkeep=fresh_upkeep(scene),
    )


def _carry_out(
    plan: Plan,
    folder: RunFolder | None,
    state: RunState,
    timers: Timers,
    mark: Mark,
    callback: Callback | None,
    progress: bool,
) -> Result:
    """All the stages that are still to come, then the files that a finished run has."""
    steps = plan.recipe.steps
    with ExitStack() as stack:
        signals = stack.enter_context(Signals())
        line = stack.enter_context(ProgressLine(steps, state.step)) if progress else None
        events = None if folder is None else Events(folder.events, mark)
        if events is not None:
            stack.callback(events.close)
        book = Book(
            steps=steps,
            save_every=plan.recipe.output.save_every,
            run=plan.run,
            timers=timers,
            signals=signals,
            folder=folder,
            events=events,
            callback=callback,
            line=line,
            on_save=lambda state: progress_report(plan, folder, state, timers),
        )
        book.saved_at = state.step if state.step else -1
        settings = plan.settings()
        for setting, following in zip(settings, [*settings[1:], None], strict=True):
            if state.step < setting.end or state.step == setting.first:
                run_stage(setting, state, book)
            if following is None or following.prior is not setting.prior:
                _release(setting.prior)
        return finish(plan, folder, state, book)


def _note(text: str) -> None:
    """Tell the user something that is no mistake."""
    print(f"note: {text}", file=sys.stderr, flush=True)


def _release(prior: Prior) -> None:
    """Make room for what comes after a stage."""
    if isinstance(prior, LargePrior):
        prior.release()


def _begun(plan: Plan, folder: RunFolder | None, timers: Timers, tell: Tell | None) -> RunState:
    """The state before the first step, and the folder with what the run can be resumed from.

    A run that cannot begin leaves nothing, and one that it was to replace stays.
    """

    def fresh() -> RunState:
        with timers("start"):
            return fresh_state(plan, tell)

    if folder is None:
        return fresh()
    if folder.holds_run():
        state = fresh()
        _claim(folder, plan)
        return state
    _claim(folder, plan)
    try:
        return fresh()
    except InputError:
        clear_folder(folder)
        raise


def _claim(folder: RunFolder, plan: Plan) -> None:
    """Put what the run can be resumed from into the folder, which then holds no other run."""
    clear_folder(folder)
    with beginning(folder):
        # The report comes last: with it the folder holds a run, and one that can be resumed.
        replace_file(folder.recipe, recipe_toml(plan.recipe).encode())
        if plan.prompt.image is not None:
            replace_file(folder.reference, plan.prompt.image.png)
        if plan.start is not None:
            plan.start.keep(folder)
        progress_report(plan, folder, None, Timers())


def _plan_of(
    place: RunFolder, report: dict[str, Any], prior: Prior | str | Path | None
) -> Plan:
    """The plan that the report and recipe.toml tell of; InvalidFile if they do not agree."""
    try:
        text, name = place.recipe.read_text("utf-8"), str(report["prior"]["name"])
        words, seed = str(report["prompt"]), int(report["seed"])
        negative = str(report.get("negative", ""))  # older runs have neither this
        hide = [str(hidden) for hidden in report.get("hide", ())]  # nor that
        path, sha256 = report["prior"]["path"], report["prior"]["sha256"]
        recipe_sha256 = report["recipe"]["sha256"]
        options = dict(report["prior"].get("options", {}))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFile(place.recipe, None, f"cannot be read ({error})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidFile(place.report, None, f"has no proper {error}") from error
    if prior is None and sha256 is None:
        raise InputError(f"The prior of this run, {name}, was not a file; pass it as prior.")
    recipe = parse_recipe(text, place.recipe.name)
    prior, image = path if prior is None else prior, _image_of(place, report)
    told: dict[str, Any] = {"image": image, "negative": negative, "hide": hide}
    told |= {"options": options, "start": kept_start(place, report)}
    plan = make_plan(words, seed, recipe, prior, nearest=False, **told)
    if plan.recipe_sha256 != recipe_sha256:
        added = sources_of(stage.score.kind for stage in recipe.stage)
        code = f", or the code of its score {' and '.join(added)} was" if added else ""
        reason = f"was changed since the run began{code}; begin a new run with it"
        raise InvalidFile(place.recipe, None, reason)
    if (plan.prior.name, plan.prior.sha256) != (name, sha256):
        raise InputError(
            f"This run began with the prior {name}, not {plan.prior.name}; "
            f"give the file it began with by --prior."
        )
    return plan


def _image_of(place: RunFolder, report: dict[str, Any]) -> Reference | None:
    """The picture that the run is held to; InvalidFile if it is not the one it began with."""
    told = report.get("image")
    if told is None:
        return None
    try:
        azimuth, elevation = float(told["azimuth"]), float(told["elevation"])
        digest = told["sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidFile(place.report, None, f"has no proper {error}") from error
    if not place.reference.is_file() or sha256_of(place.reference) != digest:
        raise InvalidFile(
            place.reference, None, "is not the picture that the run began with; put it back"
        )
    png = place.reference.read_bytes()
    return Reference(png=png, azimuth=azimuth, elevation=elevation)


def _state_of(place: RunFolder, plan: Plan, tell: Tell | None) -> tuple[RunState, Mark]:
    """Where the run stands, by its newest whole checkpoint."""
    found = load_checkpoint(place.checkpoints, plan.run, place.events)
    if found is None:
        return fresh_state(plan, tell), Mark()
    settings = [s for s in plan.settings() if s.first < found.step or s.first == 0]
    setting = settings[-1]
    state = RunState.restore(
        found.step,
        found.groups,
        found.counters,
        setting,
        own_model(setting),
        plan.recipe.particles,
    )
    every, last = plan.recipe.output.save_every, plan.recipe.steps
    tidy(place.checkpoints, found.step, lambda step: step % every == 0 or step == last)
    return state, found.events


def _seconds_of(report: dict[str, Any]) -> dict[str, float]:
    """Times of earlier parts of the run; they are for information, so nonsense is dropped."""
    seconds = report.get("parts_seconds")
    items = seconds.items() if isinstance(seconds, dict) else ()
    return {str(k): float(v) for k, v in items if isinstance(v, (int, float))}


def _use_threads(threads: Any) -> None:
    if isinstance(threads, int) and 1 <= threads <= 4096:
        torch.set_num_threads(threads)
