"""Where does the time of a run go?   python benchmarks/generate.py [PROMPT] [--threads N]

Carries out one whole run in a folder that is thrown away, and prints the seconds of each part
from the loop's own timers, the share of the whole, and milliseconds per step. "start" is what
comes before the first step: imports, weights, words. Without weights, `--analytic` takes a
prior that is a formula: then only the rest of the loop is measured.
"""

import argparse
import platform
import tempfile
import time
from pathlib import Path

BEGUN = time.perf_counter()

PARTS = {
    "prior": "prior: words, noise, prediction",
    "render": "render: cameras, forward",
    "backward": "loss and render backward",
    "step": "guards and Adam",
    "upkeep": "density control, snapshots",
    "save": "checkpoints",
    "export": "ply, film, sheets",
}


def analytic_prior(size: int = 64):
    """A prior that wants a red disk from all sides."""
    import torch

    from splatsmith.priors.analytic import AnalyticPrior

    line = torch.linspace(-1, 1, size)
    disk = (line[:, None] ** 2 + line[None] ** 2 < 0.2).float()
    picture = torch.ones(3, size, size)
    picture[1:] -= 2 * disk
    return AnalyticPrior(targets=lambda cameras: picture.repeat(len(cameras), 1, 1, 1, 1),
                         resolution=size)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("prompt", nargs="?", default="a red mushroom with white dots")
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--prior", default=None)
    parser.add_argument("--analytic", action="store_true")
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()

    from splatsmith.memory import keep_memory
    from splatsmith.threads import rest_soon

    kept = keep_memory()
    rest_soon()
    import torch

    import splatsmith

    prior = analytic_prior() if options.analytic else options.prior
    first_step = []
    with tempfile.TemporaryDirectory() as folder:
        result = splatsmith.generate(
            options.prompt,
            recipe=options.recipe,
            overrides=options.set,
            prior=prior,
            threads=options.threads,
            out=Path(folder) / "run",
            callback=lambda info: first_step or first_step.append(time.perf_counter()),
        )
        whole = time.perf_counter() - BEGUN
        report = (Path(folder) / "run" / "report.json").read_text()
    print_table(result.metrics, report, whole)
    memory = "keeps" if kept else "does not keep"
    print(
        f"\n{torch.get_num_threads()} threads, torch {torch.__version__}, {platform.machine()}"
    )
    print(f"glibc {memory} memory; first step done after {first_step[0] - BEGUN:.1f} s")


def print_table(metrics, report: str, whole: float) -> None:
    import json

    seconds = json.loads(report)["parts_seconds"]
    steps = metrics["steps"]
    print(f"{steps} steps, {metrics['splats']} splats, {whole:.1f} s from start to end\n")
    print(f"{'part':34}{'seconds':>9}{'share':>8}{'ms/step':>9}")
    rows = [(text, seconds.get(name, 0.0)) for name, text in PARTS.items()]
    rows.append(("start, and what no timer sees", whole - sum(seconds.values())))
    for text, spent in rows:
        print(f"{text:34}{spent:9.2f}{spent / whole:8.1%}{spent / steps * 1e3:9.2f}")


if __name__ == "__main__":
    main()
