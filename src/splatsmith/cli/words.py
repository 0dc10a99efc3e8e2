"""`splatsmith words`: what a prior knows."""

from typing import Annotated

import tyro

KINDS = ("object", "color", "part", "adjective", "relation")

MaybePrior = Annotated[str | None, tyro.conf.arg(metavar="NAME|PATH")]


def words(prior: MaybePrior = None) -> None:
    """List the words that a prompt may use.

    Args:
        prior: another embedded prior, by its name or its file.
    """
    from splatsmith.priors.embedded import load_embedded
    from splatsmith.priors.pretrained import is_published

    if prior is not None and is_published(prior):
        print("any: published weights were trained on captions of the web")
        return
    vocabulary = load_embedded(prior).vocabulary
    for kind in KINDS:
        if vocabulary.of_kind(kind):
            print(f"{kind + 's':12}{', '.join(vocabulary.of_kind(kind))}")
    others = [f"{word} ({known})" for word, known in sorted(vocabulary.synonyms.items())]
    if others:
        print(f"{'also':12}{', '.join(others)}")
