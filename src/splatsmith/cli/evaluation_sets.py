"""What an evaluation says about all objects of a list together, not one by one."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cli.evaluation_jobs import Bench, truth
from splatsmith.evaluate.evaluators import NetworkEvaluator
from splatsmith.evaluate.instances import held_object
from splatsmith.evaluate.lists import Job, PromptList, prompt_lists
from splatsmith.evaluate.measures import spread_of_seeds
from splatsmith.evaluate.record import Record
from splatsmith.evaluate.report import spelled
from splatsmith.evaluate.resemblance import Set, kernel_distance, sureness
from splatsmith.evaluate.sheets import sheet_views, views_of
from splatsmith.evaluate.statistics import Interval
from splatsmith.evaluate.table import RollUp
from splatsmith.evaluate.wanted import wanted
from splatsmith.export import read_ply
from splatsmith.toybox import render

Pictures = dict[Job, Float[Tensor, "4 height width 3"]]

OTHERS = (1, 2)  # seeds of two sets of true objects; 0 is that of the ceiling's


def pictures_of(bench: Bench, records: Sequence[Record]) -> Pictures:
    """Four views of every run's scene; gray where there is none."""
    pictures: Pictures = {}
    for record in records:
        if record.kind == "run":
            job = Job(record.prompt, record.seed)
            scene = bench.folder(job) / "scene.ply"
            there = scene.is_file() and not record.failure
            pictures[job] = views_of(read_ply(scene) if there else None)
    return pictures


def remarks_of(bench: Bench, roll: RollUp, pictures: Pictures) -> dict[str, list[str]]:
    """Lines about each list: how its seeds differ, how its objects resemble true ones."""
    networks = [one for one in bench.evaluators if isinstance(one, NetworkEvaluator)]
    found = {}
    for name, seeds in roll.tier.runs:
        prompts = prompt_lists()[name]
        lines = diversity_lines(prompts, seeds, pictures)
        for network in networks:
            lines += resemblance_lines(network, prompts, seeds, pictures)
        found[name] = lines
    return found


def diversity_lines(prompts: PromptList, seeds: int, pictures: Pictures) -> list[str]:
    """Spread over seeds, true objects' being 1; nothing for a single seed."""
    ratios = [_diversity(prompt, seeds, pictures) for prompt in prompts.prompts]
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return []
    mean = sum(known) / len(known)
    return [f"Diversity over seeds (1: as much as true objects): {mean:.2f}"]


def resemblance_lines(
    network: NetworkEvaluator, prompts: PromptList, seeds: int, pictures: Pictures
) -> list[str]:
    """KD of the list's objects to true ones, and of which the network is unsure.

    Nothing for fewer than two prompts.
    """
    jobs = [
        job for p in prompts.prompts for s in range(seeds) if (job := Job(p, s)) in pictures
    ]
    asked = list(dict.fromkeys(job.prompt for job in jobs))
    if len(asked) < 2:
        return []
    made = [pictures[job] for job in jobs]
    true, other = ([views_of(truth(prompt, seed)) for prompt in asked] for seed in OTHERS)
    names = [tuple(job.prompt for job in jobs), tuple(asked), tuple(asked)]
    sets = [
        Set(network.features(torch.cat(kind)).unflatten(0, (len(kind), -1)), prompts)
        for kind, prompts in zip((made, true, other), names, strict=True)
    ]
    generator = torch.Generator().manual_seed(0)
    run, ceiling = (
        spelled(thousandths(kernel_distance(kind, sets[1], generator)), 1)
        for kind in (sets[0], sets[2])
    )
    ours, theirs = (
        sureness(network.judge(torch.cat(kind), asked[0].split()[-1]), len(kind))
        for kind in (made, true + other)
    )
    unsure = [job for job, sure in zip(jobs, ours, strict=True) if sure < theirs.min()]
    told = "; ".join(f"{job.prompt}, seed {job.seed}" for job in unsure)
    return [
        f"Distance of the set from true objects (KD x 1000, by E1's features): {run}; of other "
        f"true objects: {ceiling}",
        "E1 is less sure of what they are than of any true object, so that its readings are "
        f"guesses: {told or 'none'}",
    ]


def thousandths(found: Interval) -> Interval:
    """The same, times a thousand."""
    return Interval(found.value * 1000, found.low * 1000, found.high * 1000)


def _diversity(prompt: str, seeds: int, pictures: Pictures) -> float | None:
    mine = [pictures[job] for s in range(seeds) if (job := Job(prompt, s)) in pictures]
    if len(mine) < 2:
        return None
    nothing = views_of(None)
    if any(torch.equal(pictures, nothing) for pictures in mine):
        return 0.0  # A failed run differs from all others, and is no other object.
    generator = torch.Generator().manual_seed(0)
    true = [render(held_object(wanted(prompt), generator), sheet_views()).color for _ in mine]
    ours, theirs = spread_of_seeds(torch.stack(mine)), spread_of_seeds(torch.stack(true))
    assert ours is not None
    return ours / theirs if theirs else None
