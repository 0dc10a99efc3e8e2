"""`splatsmith generate`: a prompt becomes an asset."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from splatsmith.cli.options import MaybePath, Overrides, Plugins
from splatsmith.cli.plugins import load_plugins
from splatsmith.errors import InputError
from splatsmith.memory import loading

if TYPE_CHECKING:
    from splatsmith.images import Reference
    from splatsmith.optimize.result import Result

Matting = Literal["auto", "plain", "rembg"]
USUAL_VIEW = (0.0, 15.0)  # degrees: the front, from a little above

Hidden = Annotated[list[str], tyro.conf.arg(metavar="PHRASE=VIEWS"), tyro.conf.UseAppendAction]


def generate(
    prompt: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="PROMPT")] = None,
    *,
    out: MaybePath = None,
    seed: int = 0,
    recipe: Annotated[str | None, tyro.conf.arg(metavar="NAME|PATH")] = None,
    overrides: Overrides = [],  # noqa: B006 (tyro reads the default, nobody writes to it)
    resume: MaybePath = None,
    overwrite: bool = False,
    prior: Annotated[str | None, tyro.conf.arg(metavar="NAME|PATH|ID")] = None,
    memory: Literal["low", "medium", "high"] | None = None,
    prior_options: Annotated[
        list[str],
        tyro.conf.arg(name="prior-set", metavar="KEY=VALUE"),
        tyro.conf.UseAppendAction,
    ] = [],  # noqa: B006
    start: MaybePath = None,
    image: MaybePath = None,
    view: tuple[float, float] = USUAL_VIEW,
    matting: Matting = "auto",
    nearest: bool = False,
    negative: Annotated[str, tyro.conf.arg(metavar="WORDS")] = "",
    hide: Hidden = [],  # noqa: B006
    threads: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None,
    mesh: bool = False,
    plugins: Plugins = [],  # noqa: B006
) -> None:
    """Turn a prompt or a picture into 3D Gaussians; or go on with a run that was stopped.

    Args:
        prompt: what to make, such as "a red mushroom with white dots".
        out: folder of the run; by default runs/<prompt>-<seed>.
        seed: the same seed gives the same bytes on the same machine.
        recipe: name of a recipe (see `splatsmith recipes`) or a TOML file; by default quick,
            for a picture and words picture, for a picture alone zero123.
        overrides: change one value of the recipe, such as shape.steps=100.
        resume: folder of a run to go on with; nothing else is needed then (but its plugins).
        overwrite: replace the run that is in the folder.
        prior: another embedded prior, by its name or its file; or published weights, by a short
            name such as stable-diffusion, a folder, or an id of the Hugging Face hub.
        memory: how much memory published weights may take; less is slower.
        prior_options: change one option of published weights, such as size=384.
        start: what to begin from: a file of splats, a point cloud (.ply) or a mesh (.glb, .obj,
            .ply, .stl); it is fitted into the unit ball. Meshes need the extra "mesh".
        image: a picture of what to make (PNG, JPEG or WebP).
        view: azimuth and elevation from which the picture was taken, degrees; azimuth 0 makes
            what it shows the front.
        matting: how the object is found in the picture: auto (by its alpha, else by a plain
            background), plain, or rembg (an extra).
        nearest: take the closest known word for one that the prior does not know.
        negative: what is not wanted, in words that the prior knows.
        hide: do not say this phrase of the prompt of these views, such as smiling=back,side;
            "auto" hides what speaks of a face from the back.
        threads: how many threads to use; by default as torch decides.
        mesh: write asset.glb too, a textured mesh (needs the extra "mesh"); recipes that end in
            one write it in any case.
        plugins: run this Python file first; it may add scores that the recipe then names.
    """
    if resume is None and prompt is None and image is None:
        raise InputError('Say what to make, e.g. splatsmith generate "a red mushroom".')
    said = (prompt, out, image, start, seed, overwrite, nearest, negative, memory)
    unsaid = (None, None, None, None, 0, False, False, "", None)
    changed = [*overrides, *hide, *prior_options] or recipe is not None
    if resume is not None and (said != unsaid or changed):
        raise InputError("A resumed run has its prompt, seed and recipe; give --resume alone.")
    _check(threads, mesh=mesh)
    reference = _reference(image, view, matting)
    with loading():
        from splatsmith.optimize import run

    load_plugins(plugins)
    if resume is not None:
        return _tell(run.resume(resume, prior=prior, threads=threads, progress=True), mesh=mesh)
    result = run.generate(
        prompt or "",
        seed=seed,
        recipe=recipe,
        overrides=overrides,
        out=out or run.default_folder(prompt or (image.stem if image else ""), seed),
        overwrite=overwrite,
        prior=prior,
        image=reference,
        start=start,
        prior_options=[*([f"memory={memory}"] if memory else []), *prior_options],
        nearest=nearest,
        negative=negative,
        hide=hide,
        threads=threads,
        progress=True,
    )
    return _tell(result, mesh=mesh)


def _check(threads: int | None, *, mesh: bool) -> None:
    """What would be a pity to find out after the run."""
    if threads is not None and threads < 1:
        raise InputError(f"--threads must be 1 or more, got {threads}.")
    if mesh:
        with loading():
            from splatsmith.export.meshing.extras import check_installed

        check_installed()


def _tell(result: "Result", *, mesh: bool) -> None:
    """Say what was made and where it is; with `mesh`, make that as well."""
    from splatsmith.scenes.kinds import described

    print(f"{described(result.scene)} in {result.metrics['seconds']:.1f} s")
    for path in result.paths.values():
        print(path)
    if mesh:
        from splatsmith.cli.mesh import add_mesh, summary
        from splatsmith.optimize.folder import RunFolder

        folder = RunFolder(result.paths["report"].parent)
        print(summary(add_mesh(folder)))
        print(folder.asset)


def _reference(
    image: Path | None, view: tuple[float, float], matting: Matting
) -> "Reference | None":
    if image is None:
        if (view, matting) != (USUAL_VIEW, "auto"):
            raise InputError("--view and --matting are about a picture; give one by --image.")
        return None
    from splatsmith.images import read_reference

    azimuth, elevation = view
    return read_reference(image, azimuth=azimuth, elevation=elevation, matting=matting)
