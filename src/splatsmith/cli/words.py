"""`splatsmith words`: what a prior knows."""

from pathlib import Path
from typing import Annotated

import tyro

KINDS = ("object", "color", "part", "adjective")

MaybePath = Annotated[Path | None, tyro.conf.arg(metavar="PATH")]


def words(prior: MaybePath = None) -> None:
    """List the words that a prompt may use.

    Args:
        prior: weights of another embedded prior.
    """
    from splatsmith.priors.embedded import load_embedded

    vocabulary = load_embedded(prior).vocabulary
    for kind in KINDS:
        if vocabulary.of_kind(kind):
            print(f"{kind + 's':12}{', '.join(vocabulary.of_kind(kind))}")
    others = [f"{word} ({known})" for word, known in sorted(vocabulary.synonyms.items())]
    if others:
        print(f"{'also':12}{', '.join(others)}")
