"""`splatsmith generate`: a prompt becomes an asset."""

from pathlib import Path
from typing import Annotated, Literal

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
    prior: Annotated[str | None, tyro.conf.arg(metavar="NAME|PATH|ID")] = None,
    memory: Literal["low", "medium", "high"] | None = None,
    prior_options: Annotated[
        list[str],
        tyro.conf.arg(name="prior-set", metavar="KEY=VALUE"),
        tyro.conf.UseAppendAction,
    ] = [],  # noqa: B006
    nearest: bool = False,
    threads: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None,
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
        prior: another embedded prior, by its name or its file; or published weights, by a short
            name such as stable-diffusion, a folder, or an id of the Hugging Face hub.
        memory: how much memory published weights may take; less is slower.
        prior_options: change one option of published weights, such as size=384.
        nearest: take the closest known word for one that the prior does not know.
        threads: how many threads to use; by default as torch decides.
    """
    if resume is None and prompt is None:
        raise InputError('Say what to make, e.g. splatsmith generate "a red mushroom".')
    settled = (prompt, out, seed, recipe, overrides, overwrite, nearest, memory, prior_options)
    if resume is not None and settled != ((None, None, 0, "quick", [], False, False, None, [])):
        raise InputError("A resumed run has its prompt, seed and recipe; give --resume alone.")
    if threads is not None and threads < 1:
        raise InputError(f"--threads must be 1 or more, got {threads}.")
    from splatsmith.optimize import run

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
            prior_options=[*([f"memory={memory}"] if memory else []), *prior_options],
            nearest=nearest,
            threads=threads,
            progress=True,
        )
    print(f"{result.scene.count} splats in {result.metrics['seconds']:.1f} s")
    for path in result.paths.values():
        print(path)
