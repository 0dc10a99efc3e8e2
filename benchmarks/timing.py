"""What the benchmarks of the renderers share: whose clock, and the least of many runs."""

import argparse
import time
from collections.abc import Callable

import torch

Clock = Callable[[], float]


def options(about: str, budget: float = 1.0) -> argparse.ArgumentParser:
    """A parser with the options for timing; the first line of `about` describes it."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="*", default=[1, torch.get_num_threads()])
    parser.add_argument(
        "--budget", type=float, default=budget, help="seconds for each native figure"
    )
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="cpu: processor time, for one thread on a machine that does other things too",
    )
    return parser


def clock_of(asked: argparse.Namespace) -> Clock:
    """Seconds by the clock that was asked for."""
    return time.process_time if asked.clock == "cpu" else time.perf_counter


def least(call: Callable[[], object], clock: Clock, budget: float) -> float:
    """Least milliseconds of the calls that fit into `budget` seconds, of one at least."""
    best, spent = float("inf"), 0.0
    while spent < budget:
        start = clock()
        call()
        taken = clock() - start
        best, spent = min(best, taken), spent + taken
    return 1e3 * best
