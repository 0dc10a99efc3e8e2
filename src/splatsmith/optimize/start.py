"""What a run begins with if it is given: read once, made ready, and kept with the run.

A run keeps the scene that it begins with, not the file that it was made from: a resumed run
needs neither the file nor what reads it, and begins with the same bits.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from splatsmith.errors import InputError, InvalidFile
from splatsmith.export.given import read_given
from splatsmith.files import replace_file, sha256_of
from splatsmith.optimize.folder import RunFolder
from splatsmith.optimize.streams import stream
from splatsmith.recipes.schema import Recipe
from splatsmith.scenes.clouds import Cloud
from splatsmith.scenes.given import (
    Given,
    Surface,
    as_gaussians,
    as_tetrahedra,
    described,
    fitted,
    upright,
)
from splatsmith.scenes.kinds import Kind, Scene, TetrahedraStart, restored
from splatsmith.scenes.kinds import described as size_of
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.point_starts import Hull, Points
from splatsmith.scenes.transforms import UPRIGHT

Source = str | Path | Given | Mesh  # a file, or an object of which a run can be begun


@dataclass(frozen=True, eq=False, kw_only=True)
class GivenStart:
    """The scene that a run begins with, ready, and where it came from."""

    data: bytes  # its tensors, as safetensors: what the run keeps
    kind: Kind  # of the scene
    file: str = ""  # name of the file that it was made from; empty: an object was given
    file_sha256: str = ""  # of that file
    note: str = ""  # what was done, a line

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of what the run keeps."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def scene(self) -> Scene:
        """The scene before its first step, a new one each time."""
        return restored(self.kind, load(self.data))

    def about(self) -> dict[str, Any]:
        """What report.json says of it."""
        told = {"file": self.file, "file_sha256": self.file_sha256, "done": self.note}
        return {"kind": self.kind, "sha256": self.digest} | {k: v for k, v in told.items() if v}

    def keep(self, folder: RunFolder) -> None:
        """Put it into the run's folder."""
        replace_file(folder.start, self.data)


def recipe_for_given(recipe: Recipe) -> Recipe:
    """The recipe with a start that takes what is given.

    One of Gaussians begins with `points`, in the numbers of a `hull` if it has one; one of
    tetrahedra stays as it is. InputError for fields: nothing that is given can become one.
    """
    stage, kind = recipe.stage[0], recipe.kinds[0]
    if kind == "field":
        raise InputError(
            f"Stage {stage.name!r} begins with a radiance field, and nothing that is given can "
            f"become one; leave --start out, or take a recipe of Gaussians such as "
            f"--recipe quick."
        )
    old = stage.start
    if isinstance(old, Points | TetrahedraStart) or kind != "gaussians":
        return recipe
    shared = ("count", "opacity", "scale", "sh_degree", "growth")
    names = shared if isinstance(old, Hull) else ("sh_degree",)
    start = Points(**{name: getattr(old, name) for name in names})
    return replace(recipe, stage=(replace(stage, start=start), *recipe.stage[1:]))


def given_start(source: Source, recipe: Recipe, seed: int) -> GivenStart:
    """Read what is given and make it what the recipe's first stage works on.

    Raises InputError for what cannot be that, and InvalidFile for files that are none of
    splats, clouds and meshes.
    """
    settings = recipe.stage[0].start
    numbers = settings if isinstance(settings, Points) else Points()
    file = Path(source) if isinstance(source, str | Path) else None
    given = read_given(file) if file is not None else _taken(source)
    what, steps = described(given), list[str]()
    if numbers.axes != "z-up":
        given = upright(given, torch.tensor(UPRIGHT[numbers.axes], dtype=torch.float64))
        steps.append(f"turned from {numbers.axes} to z-up")
    given, moves = fitted(given, numbers.radius)
    draws = stream(seed, "start", 0)
    scene: Scene
    if isinstance(settings, TetrahedraStart):
        scene = as_tetrahedra(given, settings.resolution, draws)
    else:
        scene = as_gaussians(numbers, given, draws)
    called = "what was given" if file is None else file.name
    steps += [moves, f"begins as {size_of(scene)}"]
    tensors = {name: tensor.contiguous() for name, tensor in scene.state().items()}
    return GivenStart(
        data=save(tensors),
        kind=recipe.kinds[0],
        file="" if file is None else file.name,
        file_sha256="" if file is None else sha256_of(file),
        note=f"{called}, {what}, {', '.join(steps)}",
    )


def kept_start(place: RunFolder, report: dict[str, Any]) -> GivenStart | None:
    """What the run in a folder began with; InvalidFile if the copy there is not that."""
    told = report.get("start")
    if told is None:
        return None
    try:
        digest, kind = told["sha256"], told["kind"]
        words = {name: str(told.get(name, "")) for name in ("file", "file_sha256")}
        note = str(told.get("done", ""))
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidFile(place.report, None, f"has no proper {error}") from error
    if not place.start.is_file() or sha256_of(place.start) != digest:
        raise InvalidFile(
            place.start, None, "is not the scene that the run began with; put it back"
        )
    start = GivenStart(data=place.start.read_bytes(), kind=kind, note=note, **words)
    try:
        start.scene  # noqa: B018 (a report that was changed along is noticed here)
    except (SafetensorError, InputError, RuntimeError, KeyError) as error:
        raise InvalidFile(place.start, None, f"holds no scene of kind {kind!r}") from error
    return start


def _taken(source: Any) -> Given:
    if isinstance(source, Mesh):
        return Surface((source,))
    if isinstance(source, Given | Cloud):
        return source
    raise InputError(
        f"A run can begin from a file, Gaussians, a Cloud, a Mesh or a Surface, "
        f"not from {type(source).__name__}."
    )
