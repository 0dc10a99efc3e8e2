"""A folder of published weights in the layout of diffusers: its parts and their files.

`model_index.json` names the pipeline and the class of each part; each part is a folder with its
configuration and its weights. Weights are read from safetensors files and from nothing else:
the older .bin and .ckpt files are pickles, which run what is written in them.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from splatsmith.errors import InputError, InvalidFile

INDEX = "model_index.json"
LARGEST_CONFIG = 1 << 20  # bytes of a JSON file
WEIGHTS = re.compile(
    r"(diffusion_pytorch_model|model)(\.fp16)?(-\d{5}-of-\d{5})?\.safetensors(\.index(\.fp16)?\.json)?"
)
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
SMALL = (".json", ".txt", ".model")  # configurations and the tables of tokenizers


@dataclass(frozen=True)
class ModelFolder:
    """Weights on this machine."""

    root: Path
    source: str  # how to find them again: a path, or an id of the hub with its revision

    @cached_property
    def index(self) -> Mapping[str, Any]:
        """What model_index.json says."""
        return read_json(self.root / INDEX)

    @property
    def empty_is_zeros(self) -> bool:
        """Whether no text is told as zeros and not as the words of ""; SDXL's index says so."""
        if not (self.root / INDEX).is_file():
            return True  # a single checkpoint in the layout of its authors
        return bool(self.index.get("force_zeros_for_empty_prompt", True))

    @property
    def pipeline(self) -> str:
        """Class name of the pipeline that the parts belong to."""
        return pipeline_name(self.index)

    @property
    def title(self) -> str:
        """What the weights are called: the folder, or the name on the hub."""
        return self.source.rpartition("/")[2].partition("@")[0]

    def has(self, part: str) -> bool:
        """Whether the folder lists that part and has it."""
        return names_part(self.index.get(part)) and (self.root / part).is_dir()

    def class_of(self, part: str) -> tuple[str, str]:
        """Library and class of a part; InvalidFile if there is none."""
        if not self.has(part):
            raise InvalidFile(
                self.root, None, f"has no part {part!r}; download the whole folder again"
            )
        library, name = self.index[part]
        return str(library), str(name)

    def config(self, part: str) -> Mapping[str, Any]:
        """The configuration of a part (of a scheduler too)."""
        library, _ = self.class_of(part)
        name = "scheduler_config.json" if part.endswith("scheduler") else "config.json"
        if library == "transformers" and part.startswith("tokenizer"):
            name = "tokenizer_config.json"
        return read_json(self.root / part / name)

    def names(self, part: str) -> list[str]:
        """Names of the files of a part, sorted."""
        return sorted(path.name for path in (self.root / part).iterdir() if path.is_file())

    def variant(self, part: str, *, half: bool) -> str | None:
        """Which variant of a part's weights to load: "fp16" or None, the plain one."""
        chosen = weight_files(self.names(part), str(self.root / part), half=half)
        return "fp16" if any(".fp16" in name for name in chosen) else None

    def weights(self, part: str, *, half: bool) -> list[Path]:
        """The safetensors files of a part."""
        names = weight_files(self.names(part), str(self.root / part), half=half)
        return [self.root / part / name for name in names if name.endswith(".safetensors")]

    def prefix(self, part: str) -> str:
        """What the names of a part's tensors begin with in its files."""
        return ""

    def deciding(self, part: str, *, half: bool) -> list[Path]:
        """The files of a part that decide what a prior answers."""
        if part.startswith("tokenizer") or part.endswith("scheduler"):
            return [self.root / part / name for name in self.names(part)]
        return [self.root / part / "config.json", *self.weights(part, half=half)]


def names_part(value: Any) -> bool:
    """Whether an entry of model_index.json names a part: a library and a class."""
    return isinstance(value, list) and len(value) == 2 and value[1] is not None


def pipeline_name(index: Mapping[str, Any]) -> str:
    """The class of a pipeline; one from outside diffusers has its file's name before it."""
    name = index.get("_class_name", "")
    return str(name[-1] if isinstance(name, list) and name else name or "")


def read_json(path: Path) -> Mapping[str, Any]:
    """A JSON file that holds a table; InvalidFile if it is anything else."""
    try:
        long = path.stat().st_size > LARGEST_CONFIG
        table = None if long else json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InvalidFile(
            path, None, "is not there; the folder must be whole, as save_pretrained writes it"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InvalidFile(path, None, "is not JSON") from error
    if long:
        raise InvalidFile(path, LARGEST_CONFIG, "is too long for a configuration")
    if not isinstance(table, dict):
        raise InvalidFile(path, None, "is not a JSON table")
    return table


def weight_files(names: Iterable[str], where: str, *, half: bool) -> list[str]:
    """Of the names of a part's files, those of its weights: one variant, whole.

    With `half` the "fp16" files are taken where there are any, else the plain ones, and the
    other way round. InputError if there are none, or only pickles. `where` is for messages.
    """
    names = list(names)
    fitting = [name for name in names if WEIGHTS.fullmatch(name)]
    halves = [name for name in fitting if ".fp16" in name]
    plain = [name for name in fitting if ".fp16" not in name]
    chosen = (halves or plain) if half else (plain or halves)
    if not any(name.endswith(".safetensors") for name in chosen):
        if any(name.endswith(PICKLES) for name in names):
            raise InputError(
                f"{where} has its weights only as a pickle, which can run code and is never "
                f"opened; take a revision or a mirror that has .safetensors files."
            )
        raise InputError(f"{where} has no .safetensors weights; download the folder again.")
    return sorted(_whole(chosen, where))


def _whole(chosen: list[str], where: str) -> list[str]:
    """Refuse shards of which some are missing."""
    counts = [re.search(r"-(\d{5})-of-(\d{5})\.", name) for name in chosen]
    shards = [found for found in counts if found]
    if not shards:
        return chosen
    total = int(shards[0][2])
    have = {int(found[1]) for found in shards}
    missing = sorted(set(range(1, total + 1)) - have)
    if missing or not any(".index" in name for name in chosen):
        what = f"shard {missing[0]} of {total}" if missing else "the index of its shards"
        raise InputError(f"{where} lacks {what}; download the folder again.")
    return [name for name in chosen if "-of-" in name or ".index" in name]


def wanted_files(names: Iterable[str], parts: Iterable[str], *, half: bool) -> list[str]:
    """Of all files of a repository, those that a prior needs of these parts."""
    names, wanted = list(names), [INDEX]
    if "SHA256SUMS" in names:
        wanted.append("SHA256SUMS")
    for part in parts:
        inside = [
            name.removeprefix(f"{part}/") for name in names if name.startswith(f"{part}/")
        ]
        flat = [name for name in inside if "/" not in name]
        weights: list[str] = []
        if not part.startswith(("tokenizer", "scheduler", "image_noising_scheduler")):
            weights = weight_files(flat, part, half=half)
        small = [n for n in flat if n.endswith(SMALL) and not WEIGHTS.fullmatch(n)]
        wanted += [f"{part}/{name}" for name in sorted({*small, *weights})]
    return wanted
