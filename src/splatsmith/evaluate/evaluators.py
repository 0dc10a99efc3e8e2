"""What an evaluator is, and how the two that ship are loaded.

E1 is a small convolutional network, E2 a logistic regression on gradients and colors. Both were
trained on meshes under a world light (`splatsmith train evaluator`), never on what the prior
saw. They never give gradients, stop a run early or pick the best of several.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from splatsmith.errors import InputError, InvalidFile
from splatsmith.evaluate.features import Regression, hog, lab_histogram
from splatsmith.evaluate.network import SIZE, Network, NetworkShape
from splatsmith.files import check_shipped, part_of, replace_file, shipped_file
from splatsmith.toybox.catalog import CATEGORIES
from splatsmith.toybox.words import COLORS

FORMAT = "splatsmith-evaluator-1"
SHIPPED = "evaluator-v1.safetensors"
MOST_BYTES = 25_000_000
BATCH = 48  # pictures that are judged at once


@dataclass(frozen=True, eq=False)
class Judgement:
    """What an evaluator reads out of pictures.

    Attributes:
        categories: log-probabilities, in the order of CATEGORIES.
        colors: log-probabilities of the main color (order of COLORS), given the category.
        azimuth: probabilities of 12 bins of 30 degrees, bin 0 centered on azimuth 0, given the
            category asked for; None where the evaluator cannot tell.
    """

    categories: Float[Tensor, "views categories"]
    colors: Float[Tensor, "views categories colors"]
    azimuth: Float[Tensor, "views bins"] | None


@runtime_checkable
class Evaluator(Protocol):
    """Anything that says what pictures show."""

    @property
    def name(self) -> str:
        """Its kind and the first twelve digits of its file's SHA-256, "E1 0123456789ab"."""
        ...

    @property
    def reads_azimuth(self) -> bool:
        """Whether its judgements say from where an object is seen."""
        ...

    def judge(
        self, pictures: Float[Tensor, "views height width 3"], category: str
    ) -> Judgement:
        """Read pictures of 96 x 96, values 0 to 1; `category` is what `azimuth` is about."""
        ...


@dataclass(frozen=True, eq=False)
class NetworkEvaluator:
    """E1."""

    network: Network
    name: str
    reads_azimuth: bool = True

    @torch.no_grad()
    def judge(
        self, pictures: Float[Tensor, "views height width 3"], category: str
    ) -> Judgement:
        """Category, color and azimuth; see `Evaluator`."""
        number = _number(category)
        found = []
        for batch in _checked(pictures).split(BATCH):
            answers = self.network(batch.permute(0, 3, 1, 2))
            found.append(
                (
                    answers.category.log_softmax(-1),
                    answers.color.log_softmax(-1),
                    answers.azimuth[:, number].softmax(-1),
                )
            )
        categories, colors, azimuth = (torch.cat(part) for part in zip(*found, strict=True))
        return Judgement(categories, colors, azimuth)

    @torch.no_grad()
    def features(
        self, pictures: Float[Tensor, "views height width 3"]
    ) -> Float[Tensor, "views features"]:
        """What the network's heads see, for distances between sets of pictures."""
        batches = _checked(pictures).split(BATCH)
        return torch.cat([self.network.features(part.permute(0, 3, 1, 2)) for part in batches])


@dataclass(frozen=True, eq=False)
class RegressionEvaluator:
    """E2; it cannot tell azimuths."""

    category: Regression  # of gradients and Lab histogram
    color: Regression  # of the Lab histogram
    name: str
    reads_azimuth: bool = False

    @torch.no_grad()
    def judge(
        self, pictures: Float[Tensor, "views height width 3"], category: str
    ) -> Judgement:
        """Category and color, the same color for all categories; see `Evaluator`."""
        _number(category)
        found = []
        for batch in _checked(pictures).split(BATCH):
            lab = lab_histogram(batch)
            shape = torch.cat([hog(batch), lab], dim=1)
            found.append(
                (self.category.log_probabilities(shape), self.color.log_probabilities(lab))
            )
        categories, colors = (torch.cat(part) for part in zip(*found, strict=True))
        spread = colors[:, None].expand(-1, categories.shape[1], -1)
        return Judgement(categories, spread, None)


def load_e1(path: Path | None = None) -> NetworkEvaluator:
    """E1 from its file, by default the one that ships.

    Raises InputError if there is no such file and InvalidFile if it is damaged, or was trained
    on other categories or colors than the toybox has.
    """
    file, header, tensors, digest = _read(path)
    try:
        network = Network(NetworkShape.from_plain(json.loads(header["shape"])))
        network.load_state_dict(part_of(tensors, "e1."))
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise InvalidFile(file, None, f"not a usable evaluator ({error})") from error
    network.eval().requires_grad_(False)
    return NetworkEvaluator(network, f"E1 {digest[:12]}")


def load_e2(path: Path | None = None) -> RegressionEvaluator:
    """E2 from its file, by default the one that ships; raises what `load_e1` does."""
    file, _, tensors, digest = _read(path)
    try:
        category, color = (
            Regression(**part_of(tensors, f"e2.{name}.")) for name in ("category", "color")
        )
    except TypeError as error:
        raise InvalidFile(file, None, f"not a usable evaluator ({error})") from error
    return RegressionEvaluator(category, color, f"E2 {digest[:12]}")


def save_evaluators(
    path: Path,
    network: Network,
    category: Regression,
    color: Regression,
    made: dict[str, Any],
) -> None:
    """Write both evaluators; `made` (command, figures) goes into the header."""
    tensors = {f"e1.{name}": value for name, value in network.state_dict().items()}
    for kind, regression in (("category", category), ("color", color)):
        tensors |= {f"e2.{kind}.{name}": value for name, value in vars(regression).items()}
    header = {
        "format": FORMAT,
        "shape": json.dumps(network.shape.to_plain()),
        "categories": json.dumps(list(CATEGORIES)),
        "colors": json.dumps(list(COLORS)),
        "made": json.dumps(made),
    }
    plain = {name: value.detach().cpu().half().contiguous() for name, value in tensors.items()}
    replace_file(path, save(plain, metadata=header))


def _read(path: Path | None) -> tuple[Path, dict[str, str], dict[str, Tensor], str]:
    """The file itself, its header, its tensors as float32 and its SHA-256."""
    file = shipped_file(SHIPPED) if path is None else Path(path)
    if not file.is_file():
        raise InputError(
            f"No evaluator at {file}; `splatsmith train evaluator` makes one, or leave out "
            "--evaluator to use the one that ships."
        )
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if path is None:
        check_shipped(file, digest)
    header = _header(file, data)
    try:
        tensors = {name: value.float() for name, value in load(data).items()}
    except (SafetensorError, ValueError) as error:
        raise InvalidFile(file, None, f"not a usable evaluator ({error})") from error
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise InvalidFile(file, None, "some weights are not finite numbers")
    return file, header, tensors, digest


def _header(path: Path, data: bytes) -> dict[str, str]:
    if len(data) > MOST_BYTES:
        raise InvalidFile(path, None, f"{len(data)} bytes; evaluators have at most 25 MB")
    length = int.from_bytes(data[:8], "little")
    try:
        header: dict[str, str] = json.loads(data[8 : 8 + length])["__metadata__"]
        known = {name: json.loads(header.get(name, "[]")) for name in ("categories", "colors")}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidFile(path, 0, "not a safetensors file with a header") from error
    if header.get("format") != FORMAT:
        raise InvalidFile(path, 8, f"format is {header.get('format')!r}, expected {FORMAT!r}")
    for name, words in (("categories", CATEGORIES), ("colors", COLORS)):
        if known[name] != list(words):
            raise InvalidFile(
                path, 8, f"trained on other {name} than the toybox has; train it again"
            )
    return header


def _number(category: str) -> int:
    if category not in CATEGORIES:
        raise InputError(
            f"There is no category {category!r}; known are {', '.join(CATEGORIES)}."
        )
    return list(CATEGORIES).index(category)


def _checked(pictures: Tensor) -> Tensor:
    """The pictures on the CPU, if they have the right size and values."""
    if pictures.shape[1:] != (SIZE, SIZE, 3) or len(pictures) == 0:
        raise InputError(
            f"Evaluators read pictures of {SIZE} x {SIZE} x 3, got {tuple(pictures.shape)}."
        )
    if not bool(torch.isfinite(pictures).all()):
        raise InputError("Some pixels are not finite numbers; evaluators need 0 to 1.")
    return pictures.detach().to("cpu", torch.float32).clamp(0, 1)
