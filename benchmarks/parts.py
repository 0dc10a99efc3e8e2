"""How the long benchmarks share their runs among processes beside each other."""

import argparse
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def add_part(parser: argparse.ArgumentParser, what: str) -> None:
    """The option --part; `what` are the things that are shared, such as "run"."""
    parser.add_argument(
        "--part",
        metavar="K/N",
        help=f"only make every Nth {what} from the Kth on, for N processes beside each other; "
        "the page is written by a last call without this",
    )


def part_of(items: Sequence[T], part: str) -> Sequence[T]:
    """Those that "K/N" stands for."""
    first, every = map(int, part.split("/"))
    return items[first - 1 :: every]
