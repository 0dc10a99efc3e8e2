"""The work behind `splatsmith evaluate`: make, weigh, write down, one object after another.

`evaluate/` may not know of the loop that makes scenes, so the two meet here. A line that is in
the folder is never made again; whatever a run raises becomes a line, too.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
from jaxtyping import Float
from torch import Tensor

import splatsmith
from splatsmith.cameras import orbit
from splatsmith.distill.sampling import sample_pictures
from splatsmith.errors import InputError
from splatsmith.evaluate.evaluators import Evaluator, load_e1, load_e2
from splatsmith.evaluate.instances import held_object
from splatsmith.evaluate.lists import Job, Tier, jobs, lists_hash, tier_named
from splatsmith.evaluate.record import (
    Origin,
    Record,
    append,
    drop_torn_line,
    read_records,
)
from splatsmith.evaluate.truth import as_gaussians
from splatsmith.evaluate.turning import turning_cameras
from splatsmith.evaluate.views import FOVY, RADIUS, SIZE, WHITE
from splatsmith.evaluate.wanted import wanted
from splatsmith.evaluate.weigh import Metrics, failed, weigh, weigh_pictures
from splatsmith.export import read_ply
from splatsmith.images import Reference
from splatsmith.optimize import run
from splatsmith.optimize.finish import peak_memory_mib
from splatsmith.optimize.plan import Plan, make_plan
from splatsmith.optimize.result import Result
from splatsmith.priors.protocol import sees_image
from splatsmith.recipes.load import load_recipe, overridden
from splatsmith.recipes.pace import paced
from splatsmith.recipes.schema import Recipe
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.handover import handed_out
from splatsmith.toybox import render
from splatsmith.toybox.objects import Toy
from splatsmith.toybox.split import split_of

PICTURE = 256  # pixels a side of the picture that a run is given
SAMPLE_STEPS, SAMPLE_GUIDANCE = 20, 3.0  # of the pictures that the prior draws by itself


@dataclass(frozen=True)
class Request:
    """What was asked for at the command line."""

    tier: str
    recipe: str
    overrides: tuple[str, ...]
    prior: str | None
    evaluator: Path | None
    out: Path
    limit: int | None


@dataclass(frozen=True, eq=False)
class Bench:
    """An evaluation with everything opened and checked."""

    tier: Tier
    recipe: Recipe
    plan: Plan  # of its first run: says what prior there is
    origin: Origin
    evaluators: tuple[Evaluator, ...]
    out: Path
    jobs: tuple[Job, ...]

    @property
    def lines(self) -> Path:
        """The file of records."""
        return self.out / "records.jsonl"

    def folder(self, job: Job) -> Path:
        """Where a run leaves its scene."""
        return self.out / "runs" / run.default_folder(job.prompt, job.seed).name

    def records(self) -> list[Record]:
        """What is written down so far."""
        return read_records(self.lines)


def prepare(request: Request) -> Bench:
    """Open recipe, prior and evaluators; InputError for what will not do, nothing written."""
    tier = tier_named(request.tier)
    return bench_of(request, tier, jobs(tier)[: request.limit])


def bench_of(request: Request, tier: Tier, wanted_jobs: Sequence[Job]) -> Bench:
    """The same for any runs; of the tier, pace and controls count."""
    recipe = overridden(load_recipe(request.recipe), request.overrides, request.recipe)
    recipe = paced(recipe, tier.steps) if tier.steps != 1 else recipe
    image = taken(wanted_jobs[0].prompt, tier)
    plan = make_plan(
        wanted_jobs[0].prompt, 0, recipe, request.prior, nearest=False, image=image
    )
    evaluators = (load_e1(request.evaluator), load_e2(request.evaluator))
    origin = Origin(
        recipe=recipe_label(request, tier),
        recipe_sha256=plan.recipe_sha256,
        prior=plan.prior.name,
        prior_sha256=plan.prior.sha256 or "",
        evaluators=tuple(one.name for one in evaluators),
        lists_sha256=lists_hash(),
        version=splatsmith.__version__,
        commit=commit(),
    )
    return Bench(tier, recipe, plan, origin, evaluators, request.out, tuple(wanted_jobs))


def claim(bench: Bench) -> str:
    """Mend the file of records and see that it is of this evaluation; returns what to say."""
    said = drop_torn_line(bench.lines)
    for record in bench.records():
        old, new = record.origin, bench.origin
        for what in ("recipe_sha256", "prior_sha256", "evaluators", "lists_sha256"):
            if getattr(old, what) != getattr(new, what):
                name = what.removesuffix("_sha256").replace("_", " ")
                raise InputError(
                    f"{bench.lines} was made with another {name}: {old.recipe} on {old.prior}, "
                    f"{', '.join(old.evaluators)}, lists {old.lists_sha256[:12]}; "
                    "choose another --out."
                )
    return said


def recipe_label(request: Request, tier: Tier) -> str:
    """The recipe's name and how it was changed."""
    changes = [*request.overrides]
    changes += [f"{tier.steps:g} of the steps"] if tier.steps != 1 else []
    return f"{Path(request.recipe).stem} ({', '.join(changes)})" if changes else request.recipe


def missing_runs(bench: Bench) -> list[Job]:
    """The runs that have no line yet."""
    done = {(r.prompt, r.seed) for r in bench.records() if r.kind == "run"}
    return [job for job in bench.jobs if (job.prompt, job.seed) not in done]


def carry_out(bench: Bench, job: Job) -> Record:
    """Make and weigh one object and write its line; failures of the run are lines, too."""
    begun = perf_counter()
    failure, scene = "", None
    try:
        result = make(bench, job, bench.folder(job))
        if "scene" in result.paths:
            scene = read_ply(result.paths["scene"])  # What the user gets is what is weighed.
        else:
            failure = "the scene has no surface, so nothing was handed out"
    except OSError:
        raise  # A full disk says nothing about the method.
    except Exception as error:
        failure = f"{type(error).__name__}: {error}"
    seconds = perf_counter() - begun
    metrics = _weighed(bench, job.prompt, scene)
    if not failure and metrics["Fail"]:
        failure = "the scene shows no object"
    return _write(bench, "run", job, metrics, seconds=round(seconds, 3), failure=failure)


def make(bench: Bench, job: Job, folder: Path, threads: int | None = None) -> Result:
    """The run itself, into a folder; what a kill has left there is replaced."""
    return run.generate(
        words_of(bench, job.prompt),
        seed=job.seed,
        image=taken(job.prompt, bench.tier),
        recipe=bench.recipe,
        prior=bench.plan.prior.source,
        prior_options=bench.plan.prior.options,
        out=folder,
        overwrite=True,
        threads=threads,
    )


def missing_references(bench: Bench) -> list[tuple[str, str]]:
    """(kind, prompt) of the ceilings, floors and samples without a line."""
    records = bench.records()
    done = {(r.kind, r.prompt) for r in records}
    prompts = dict.fromkeys(r.prompt for r in records if r.kind == "run")
    kinds = ("ceiling", "floor", "samples")
    found = [(kind, prompt) for prompt in prompts for kind in kinds]
    return [
        (kind, prompt)
        for kind, prompt in found
        if (kind, prompt) not in done and (wanted(prompt).alone or kind != "samples")
    ]


def weigh_reference(bench: Bench, kind: str, prompt: str) -> Record:
    """What the runs of a prompt are compared with, one object of seed 0."""
    if kind == "samples":
        metrics = weigh_pictures(samples(bench, prompt), prompt, bench.evaluators)
    else:
        scene = truth(prompt) if kind == "ceiling" else start(bench, prompt)
        metrics = _weighed(bench, prompt, scene)
    return _write(bench, kind, Job(prompt, 0), metrics)


def truth(prompt: str, seed: int = 0) -> Gaussians:
    """A true object of the band that no training saw."""
    generator = torch.Generator().manual_seed(seed)
    return as_gaussians(held_object(wanted(prompt), generator), generator)


def shown(prompt: str, tier: Tier) -> Toy | None:
    """The object that the tier shows instead of naming it: the one of `truth`."""
    if tier.image is None:
        return None
    return held_object(wanted(prompt), torch.Generator().manual_seed(0))


def taken(prompt: str, tier: Tier) -> Reference | None:
    """The picture that the tier takes of it, framed as the cameras of a scene frame it."""
    toy = shown(prompt, tier)
    if toy is None or tier.image is None:
        return None
    azimuth, elevation = tier.image
    camera = orbit(
        [azimuth], [elevation], radius=RADIUS, fovy=FOVY, width=PICTURE, height=PICTURE
    )
    drawn = render(toy, camera, background=WHITE)
    return Reference.over_white(drawn.color[0], drawn.alpha[0], azimuth, elevation)


def words_of(bench: Bench, prompt: str) -> str:
    """What a run is told: nothing, if its prior is shown it instead."""
    shown_instead = bench.tier.image is not None and sees_image(bench.plan.prior.prior)
    return "" if shown_instead else prompt


def plan_for(bench: Bench, prompt: str) -> Plan:
    """The plan of a prompt's run with seed 0."""
    words, source = words_of(bench, prompt), bench.plan.prior.source
    image = taken(prompt, bench.tier)
    options = bench.plan.prior.options
    return make_plan(
        words, 0, bench.recipe, source, nearest=False, options=options, image=image
    )


def start(bench: Bench, prompt: str) -> Gaussians | None:
    """The scene of seed 0 before its first step; None if it cannot begin, as its run cannot."""
    try:
        scene = run.fresh_state(plan_for(bench, prompt)).scene
        return handed_out(scene, torch.Generator().manual_seed(0))
    except InputError:
        return None


def samples(bench: Bench, prompt: str) -> Float[Tensor, "views 96 96 3"]:
    """What the prior draws for the views of the turning test, each by itself."""
    prior = bench.plan.prior.prior
    cameras = turning_cameras().resized(prior.resolution, prior.resolution)
    # Those that a prior draws together stand evenly around.
    order = torch.arange(len(cameras)).view(prior.views, -1).T.reshape(-1)
    drawn = sample_pictures(
        prior,
        prior.condition(plan_for(bench, prompt).prompt, cameras[order]),
        torch.Generator().manual_seed(0),
        steps=SAMPLE_STEPS,
        guidance=SAMPLE_GUIDANCE,
    )
    drawn = drawn[order.argsort()]
    large = torch.nn.functional.interpolate(
        drawn.permute(0, 3, 1, 2), size=(SIZE, SIZE), mode="bilinear", antialias=True
    )
    return large.permute(0, 2, 3, 1).clamp(0, 1)


def commit() -> str:
    """The checkout's commit, with a + if files differ from it; empty outside a checkout."""
    here = Path(__file__).parent
    try:
        found = _git(here, "rev-parse", "--short=12", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no", ".")
    except (OSError, subprocess.SubprocessError):
        return ""
    return found + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return done.stdout.strip()


def _weighed(bench: Bench, prompt: str, scene: Gaussians | None) -> Metrics:
    toy = shown(prompt, bench.tier)
    if scene is None:
        return failed(prompt, bench.evaluators, toy)
    return weigh(scene, prompt, bench.evaluators, torch.Generator().manual_seed(0), toy)


def _write(
    bench: Bench,
    kind: str,
    job: Job,
    metrics: Metrics,
    *,
    seconds: float = 0.0,
    failure: str = "",
) -> Record:
    asked = wanted(job.prompt)
    record = Record(
        kind=kind,
        prompt=job.prompt,
        seed=job.seed,
        split=split_of(asked.color, asked.category) if asked.alone else "pair",
        origin=bench.origin,
        metrics=metrics,
        seconds=seconds,
        peak_mib=peak_memory_mib(),
        failure=failure,
    )
    append(bench.lines, record)
    return record
