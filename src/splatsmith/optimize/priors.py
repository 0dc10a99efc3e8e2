"""The priors of a run: from what the user calls one to an open prior that can be refound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from splatsmith.errors import InputError
from splatsmith.files import sha256_of
from splatsmith.priors.protocol import Prior
from splatsmith.prompts.vocabulary import Vocabulary
from splatsmith.recipes.load import value_of
from splatsmith.recipes.tables import Place, build, plain

OPTIONS = "--prior-set"

GivenOptions = Mapping[str, Any] | Sequence[str] | None


@dataclass(frozen=True, eq=False)
class Named:
    """A prior, and how to find it again."""

    prior: Prior
    name: str
    source: str | None = None  # a name that ships, a path or an id; None: it came as an object
    sha256: str | None = None  # of the file or files
    options: Mapping[str, Any] = field(default_factory=dict)  # of a published one, if not usual


def opened(
    prior: Prior | Path | str | None, options: GivenOptions = None
) -> tuple[Named, Vocabulary | None]:
    """A prior with its name, and its vocabulary if it has one.

    `options` are for published priors: ["memory=low", "size=384"] or {"memory": "low"}.
    """
    given = read_options(options)
    if prior is not None and not isinstance(prior, (str, Path)):
        _refuse(given, "a prior that is passed as an object")
        return Named(prior, str(getattr(prior, "name", type(prior).__name__))), None
    from splatsmith.priors.shipped import SHIPPED

    source = "embedded" if prior is None else str(prior)
    if source not in SHIPPED:
        from splatsmith.priors.pretrained import PriorOptions, is_published, open_pretrained

        if is_published(source):
            chosen = build(PriorOptions, given, Place(OPTIONS), {})
            published = open_pretrained(source, chosen)
            # With what its short name brought, such as the few times that it knows.
            run = read_options(plain(published.options))
            found = published.folder.source
            return Named(published, published.name, found, published.sha256, run), None
        source = str(Path(source).resolve())
    _refuse(given, "an embedded prior")
    return _embedded(source, shipped=source in SHIPPED)


def _embedded(source: str, *, shipped: bool) -> tuple[Named, Vocabulary]:
    from splatsmith.priors.embedded import load_embedded
    from splatsmith.priors.shipped import shipped_weights

    embedded = load_embedded(source)
    digest = sha256_of(shipped_weights(source) if shipped else Path(source))
    return Named(embedded, embedded.name, source, digest), embedded.vocabulary


def read_options(options: GivenOptions) -> dict[str, Any]:
    """Options by name without those that are as usual; InputError if one is wrong."""
    if not options:
        return {}
    from splatsmith.priors.pretrained import PriorOptions

    if isinstance(options, Mapping):
        table = dict(options)
    else:
        table = {}
        for pair in options:
            name, equals, text = pair.partition("=")
            if not equals or not name.strip():
                Place(OPTIONS).fail(f'"{pair}" must look like memory=low.')
            place = Place(OPTIONS).key(name.strip())
            table[name.strip()] = _option(name.strip(), text.strip(), place)
    chosen, usual = build(PriorOptions, table, Place(OPTIONS), {}), PriorOptions()
    return {
        item.name: plain(getattr(chosen, item.name))
        for item in fields(PriorOptions)
        if getattr(chosen, item.name) != getattr(usual, item.name)
    }


def _option(name: str, text: str, place: Place) -> Any:
    """Devices and ids are plain text, whatever letters they have; the rest is TOML."""
    bare = name in ("device", "control", "precision", "prediction", "memory", "pose")
    return text.strip("\"'") if bare else value_of(text, place)


def _refuse(options: Mapping[str, Any], what: str) -> None:
    if options:
        raise InputError(
            f"{', '.join(options)} can be said of published priors only, not of {what}."
        )
