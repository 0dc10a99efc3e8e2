"""A sheet of what a prior draws when no scene is involved."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras.convention import orbit
from splatsmith.distill.sampling import sample_pictures
from splatsmith.export.sheet import labeled_grid, save_png
from splatsmith.images import Reference
from splatsmith.priors.protocol import Prior, sees_image
from splatsmith.prompts.prompt import Prompt
from splatsmith.toybox.drawing import render
from splatsmith.toybox.objects import draw_object
from splatsmith.toybox.split import dev_prompts

AZIMUTHS = (0.0, 45.0, 90.0, 135.0, 180.0, 270.0)  # degrees: the front, round to the back
ELEVATION = 15.0
PICTURES = 8  # rows of a sheet of pictures
TAKEN_FROM = (30.0, 20.0)  # azimuth and elevation of those, degrees


def sample_sheet(prior: Prior, path: Path, *, steps: int = 20, guidance: float = 3.0) -> None:
    """Draw from all sides what is asked for, one seed, and save the sheet as PNG.

    What is asked for are the development prompts, or pictures of held-out objects of a prior
    that sees pictures; each then begins its row. Views that are not denoised together are
    drawn from noise of their own: nothing but what they are told holds them together.
    """
    pictured = sees_image(prior)
    asked = pictured_objects() if pictured else [Prompt(text=text) for text in dev_prompts()]
    generator = torch.Generator().manual_seed(0)
    rows = [
        sample_views(prior, prompt, generator, steps=steps, guidance=guidance)
        for prompt in asked
    ]
    names = [f"{azimuth:.0f}°" for azimuth in azimuths_for(prior)]
    labels = [prompt.text for prompt in asked]
    if pictured:
        names = ["picture", *names]
        labels = [f"object {number}" for number in range(1, len(asked) + 1)]
    save_png(path, labeled_grid(rows, labels, columns=names))


def azimuths_for(prior: Prior) -> list[float]:
    """The sides that a sheet shows, degrees."""
    if prior.views == 1:
        return list(AZIMUTHS)
    return [number * 360 / prior.views for number in range(prior.views)]


def sample_views(
    prior: Prior, prompt: Prompt, generator: torch.Generator, *, steps: int, guidance: float
) -> Float[Tensor, "views height width 3"]:
    """One prompt, seen from all sides; its picture, if it has one, comes first."""
    size = prior.resolution
    cameras = orbit(azimuths_for(prior), ELEVATION, width=size, height=size)
    condition = prior.condition(prompt, cameras)
    views = sample_pictures(prior, condition, generator, steps=steps, guidance=guidance)
    if prompt.image is None:
        return views
    return torch.cat([prompt.image.over(torch.ones(3), views.shape[1])[None], views])


def pictured_objects() -> list[Prompt]:
    """Pictures of held-out objects, without words, always the same ones."""
    azimuth, elevation = TAKEN_FROM
    generator = torch.Generator().manual_seed(0)
    camera = orbit([azimuth], elevation, width=128, height=128)
    prompts = []
    for _ in range(PICTURES):
        drawn = render(draw_object(generator, split="held"), camera, background=1.0)
        image = Reference.over_white(drawn.color[0], drawn.alpha[0], azimuth, elevation)
        prompts.append(Prompt(text="", image=image))
    return prompts
