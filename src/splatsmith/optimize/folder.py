"""The folder of a run: what lies in it, how it is begun, reopened and cleared."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from splatsmith.distill.scores.vsd import MOST_PARTICLES
from splatsmith.errors import InputError, InvalidFile
from splatsmith.files import replace_file
from splatsmith.optimize.lock import LOCK

FORMAT = "splatsmith-run-1"
LARGEST_REPORT = 1 << 20  # bytes


def _numbered(name: str, particle: int) -> str:
    """The name of a file of one of several scenes; the first one's is the plain name."""
    path = Path(name)
    return name if particle == 1 else f"{path.stem}-{particle}{path.suffix}"


REPORT = "report.json"
# There while a run is begun or cleared: what lies here then is ours.
BEGUN = f".{REPORT}.begun"
OF_PARTICLES = ("scene.ply", "optimized.safetensors", "contact.png", "asset.glb")
FILES = (
    "recipe.toml",
    "events.jsonl",
    "scene.ply",
    "optimized.safetensors",
    "turntable.mp4",
    "contact.png",
    "progress.png",
    "reference.png",
    "start.safetensors",
    "asset.glb",
    *(
        _numbered(name, number)
        for number in range(2, MOST_PARTICLES + 1)
        for name in OF_PARTICLES
    ),
    REPORT,
)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where the parts of a run lie; of scenes that are made together, those of one."""

    root: Path
    particle: int = 1

    def of_particle(self, number: int) -> "RunFolder":
        """The files of another scene, from 2 on: scene-2.ply and so on."""
        return replace(self, particle=number)

    @property
    def recipe(self) -> Path:
        """The resolved recipe; `--recipe` takes it."""
        return self.root / "recipe.toml"

    @property
    def events(self) -> Path:
        """What happened, step by step."""
        return self.root / "events.jsonl"

    @property
    def checkpoints(self) -> Path:
        """The two newest checkpoints."""
        return self.root / "checkpoints"

    @property
    def report(self) -> Path:
        """Seed, prompt, versions, hashes, times and counts."""
        return self.root / REPORT

    @property
    def scene(self) -> Path:
        """The asset: Gaussians that any splat viewer opens."""
        return self.root / _numbered("scene.ply", self.particle)

    @property
    def tensors(self) -> Path:
        """What was optimized, if that is of another kind than Gaussians."""
        return self.root / _numbered("optimized.safetensors", self.particle)

    @property
    def asset(self) -> Path:
        """The textured mesh, if the run made one or was asked for it."""
        return self.root / _numbered("asset.glb", self.particle)

    @property
    def turntable(self) -> Path:
        """A film of one turn around the scene."""
        return self.root / "turntable.mp4"

    @property
    def contact(self) -> Path:
        """The scene from 8 azimuths and 2 elevations."""
        return self.root / _numbered("contact.png", self.particle)

    @property
    def reference(self) -> Path:
        """The picture that the run is held to, as it was prepared; only if there is one."""
        return self.root / "reference.png"

    @property
    def start(self) -> Path:
        """The scene that the run began with; only if it was given."""
        return self.root / "start.safetensors"

    @property
    def progress(self) -> Path:
        """Renders and what they were pulled toward, over time."""
        return self.root / "progress.png"

    def present(self) -> dict[str, Path]:
        """The files of a run that are there, by short names."""
        paths = {Path(name).stem: self.root / name for name in FILES}
        return {name: path for name, path in paths.items() if path.exists()}

    def holds_run(self) -> bool:
        """Whether a run was begun here, as its report tells."""
        try:
            self.read_report()
        except InputError:
            return False
        return True

    def finished(self) -> bool:
        """Whether a run here came to its end; InvalidFile if its report is damaged."""
        return self.report.is_file() and self.read_report().get("status") == "done"

    def check_free(self, *, overwrite: bool) -> None:
        """Raise InputError if a new run here would touch what is not to be touched."""
        if self.holds_run():
            if overwrite:
                return
            raise InputError(
                f"{self.root} holds a run already; go on with it by --resume {self.root}, "
                f"replace it by --overwrite, or choose another --out."
            )
        begun = (self.root / BEGUN).exists()
        foreign = [path.name for path in self.root.iterdir() if not _ours(path, begun)]
        if foreign:
            raise InputError(
                f"{self.root} is not empty ({min(foreign)}) and holds no run; "
                f"choose another --out."
            )

    def drop_drafts(self) -> None:
        """Remove half-written files of a killed process."""
        for name in FILES:
            for draft in self.root.glob(f".{name}.*"):
                draft.unlink(missing_ok=True)

    def write_report(self, report: dict[str, Any]) -> None:
        """Replace report.json."""
        text = json.dumps({"format": FORMAT, **report}, indent=2, ensure_ascii=False)
        replace_file(self.report, text.encode() + b"\n")

    def read_report(self) -> dict[str, Any]:
        """What report.json says; InputError if no run is here, InvalidFile if it is damaged."""
        if not self.report.is_file():
            raise InputError(f"{self.root} holds no run to resume; {REPORT} is not there.")
        try:
            if self.report.stat().st_size > LARGEST_REPORT:
                raise InvalidFile(self.report, LARGEST_REPORT, "is too long for a report")
            report = json.loads(self.report.read_bytes())
        except (ValueError, RecursionError) as error:
            raise InvalidFile(self.report, None, "is not JSON") from error
        if not isinstance(report, dict) or report.get("format") != FORMAT:
            raise InvalidFile(self.report, None, f"is not a report of format {FORMAT!r}")
        return report


def begin_folder(root: Path) -> None:
    """Make the folder if it is not there; InputError if that cannot be."""
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{root} cannot be made a folder ({error.strerror}).") from error


def clear_folder(folder: RunFolder) -> None:
    """Remove the files of a run, and nothing else."""
    with beginning(folder):
        for checkpoint in folder.checkpoints.glob("step-*"):
            shutil.rmtree(checkpoint, ignore_errors=True)
        with contextlib.suppress(OSError):  # not there, or somebody else's things in it
            folder.checkpoints.rmdir()
        for name in FILES:
            (folder.root / name).unlink(missing_ok=True)
        folder.drop_drafts()  # the mark among them


@contextlib.contextmanager
def beginning(folder: RunFolder) -> Iterator[None]:
    """While what lies here makes no run, or none any more: what a kill leaves is ours."""
    begun = folder.root / BEGUN
    begun.touch()
    yield
    begun.unlink(missing_ok=True)


def _ours(path: Path, begun: bool) -> bool:
    """Whether a new run may remove it; what only has our names, if it was `begun` by us."""
    name = path.name
    drafts = any(name.startswith(f".{known}.") for known in FILES)
    return name == LOCK or drafts or (begun and name in (*FILES, "checkpoints"))
