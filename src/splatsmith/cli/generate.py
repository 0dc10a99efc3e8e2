"""`splatsmith generate`: a prompt becomes an asset."""

from pathlib import Path
from typing import Annotated

import tyro

from splatsmith.errors import InputError

MaybePath = Annotated[Path | None, tyro.conf.arg(metavar="PATH")]


def generate(
    prompt: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="PROMPT")] = None,
    *,
    out: MaybePath = None,
    seed: int = 0,
    recipe: str = "quick",
    overrides: Annotated[
        list[str], tyro.conf.arg(name="set", metavar="KEY=VALUE"), tyro.conf.UseAppendAction
    ] = [],  # noqa: B006 (tyro reads the default, nobody writes to it)
    resume: MaybePath = None,
    overwrite: bool = False,
    prior: Annotated[str | None, tyro.conf.arg(metavar="NAME|PATH")] = None,
    nearest: bool = False,
    negative: Annotated[str, tyro.conf.arg(metavar="WORDS")] = "",
    hide: Annotated[
        list[str], tyro.conf.arg(metavar="PHRASE=VIEWS"), tyro.conf.UseAppendAction
    ] = [],  # noqa: B006
    threads: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None,
    mesh: bool = False,
) -> None:
    """Turn a prompt into 3D Gaussians; or go on with a run that was stopped.

    Args:
        prompt: what to make, such as "a red mushroom with white dots".
        out: folder of the run; by default runs/<prompt>-<seed>.
        seed: the same seed gives the same bytes on the same machine.
        recipe: name of a recipe (see `splatsmith recipes`) or a TOML file.
        overrides: change one value of the recipe, such as shape.steps=100.
        resume: folder of a run to go on with; nothing else is needed then.
        overwrite: replace the run that is in the folder.
        prior: another embedded prior, by its name or its file.
        nearest: take the closest known word for one that the prior does not know.
        negative: what is not wanted, in words that the prior knows.
        hide: do not say this phrase of the prompt of these views, such as smiling=back,side;
            "auto" hides what speaks of a face from the back.
        threads: how many threads to use; by default as torch decides.
        mesh: write asset.glb too, a textured mesh (needs the extra "mesh").
    """
    if resume is None and prompt is None:
        raise InputError('Say what to make, e.g. splatsmith generate "a red mushroom".')
    given = (prompt, out, seed, recipe, overrides, overwrite, nearest, negative, hide)
    if resume is not None and given != (None, None, 0, "quick", [], False, False, "", []):
        raise InputError("A resumed run has its prompt, seed and recipe; give --resume alone.")
    if threads is not None and threads < 1:
        raise InputError(f"--threads must be 1 or more, got {threads}.")
    from splatsmith.optimize import run
    from splatsmith.scenes.kinds import described

    if resume is not None:
        result = run.resume(resume, prior=prior, threads=threads, progress=True)
    else:
        words = str(prompt)
        result = run.generate(
            words,
            seed=seed,
            recipe=recipe,
            overrides=overrides,
            out=out or run.default_folder(words, seed),
            overwrite=overwrite,
            prior=prior,
            nearest=nearest,
            negative=negative,
            hide=hide,
            threads=threads,
            progress=True,
        )
    print(f"{described(result.scene)} in {result.metrics['seconds']:.1f} s")
    for path in result.paths.values():
        print(path)
    if mesh:
        from splatsmith.cli.mesh import ASSET, add_mesh, summary
        from splatsmith.optimize.folder import RunFolder

        folder = RunFolder(result.paths["scene"].parent)
        print(summary(add_mesh(folder)))
        print(folder.root / ASSET)
