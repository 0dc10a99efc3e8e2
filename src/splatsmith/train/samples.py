"""A sheet of what a prior draws of the development prompts when no scene is involved."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras.convention import orbit
from splatsmith.distill.sampling import sample_pictures
from splatsmith.export.sheet import labeled_grid, save_png
from splatsmith.priors.protocol import Prior
from splatsmith.prompts.prompt import Prompt
from splatsmith.toybox.split import dev_prompts

AZIMUTHS = (0.0, 45.0, 90.0, 135.0, 180.0, 270.0)  # degrees: the front, round to the back
ELEVATION = 15.0


def sample_sheet(prior: Prior, path: Path, *, steps: int = 20, guidance: float = 3.0) -> None:
    """Draw every development prompt from all sides, one seed, and save the sheet as PNG.

    Every view is a picture of its own, drawn from its own noise: nothing but the prompt and the
    camera holds them together.
    """
    prompts = dev_prompts()
    generator = torch.Generator().manual_seed(0)
    rows = [
        sample_views(prior, text, generator, steps=steps, guidance=guidance) for text in prompts
    ]
    names = [f"{azimuth:.0f}°" for azimuth in AZIMUTHS]
    save_png(path, labeled_grid(rows, prompts, columns=names))


def sample_views(
    prior: Prior, text: str, generator: torch.Generator, *, steps: int, guidance: float
) -> Float[Tensor, "views height width 3"]:
    """One prompt, seen from all sides."""
    size = prior.resolution
    cameras = orbit(AZIMUTHS, ELEVATION, width=size, height=size)
    condition = prior.condition(Prompt(text=text), cameras)
    return sample_pictures(prior, condition, generator, steps=steps, guidance=guidance)
