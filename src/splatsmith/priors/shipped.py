"""The priors that come with the package, by name."""

from pathlib import Path

from splatsmith.files import shipped_file
from splatsmith.toybox.words import names_two

# What `--prior NAME` means.
SHIPPED = {
    "embedded": "prior-v2.safetensors",
    "embedded-pairs": "pairs-v1.safetensors",
    "embedded-photo": "photo-v1.safetensors",
    "embedded-multiview": "multiview-v1.safetensors",
    "embedded-zero123": "zero123-v1.safetensors",
    "embedded-latent": "latent-v1.safetensors",
}


def usual_prior(prompt: str) -> str:
    """The name of the prior that is asked if none is named.

    `prompt` is in the words of the vocabulary. Of two things that stand together the usual
    prior makes one in two colors; `embedded-pairs` was taught more of them.
    """
    return "embedded-pairs" if names_two(prompt) else "embedded"


def shipped_weights(name: str = "embedded") -> Path:
    """The file of a prior that ships."""
    return shipped_file(SHIPPED.get(name, name))
