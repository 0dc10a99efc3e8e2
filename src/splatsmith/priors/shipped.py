"""The priors that come with the package, by name."""

from pathlib import Path

from splatsmith.files import shipped_file

# What `--prior NAME` means.
SHIPPED = {
    "embedded": "prior-v2.safetensors",
    "embedded-pairs": "pairs-v1.safetensors",
    "embedded-photo": "photo-v1.safetensors",
    "embedded-multiview": "multiview-v1.safetensors",
}


def shipped_weights(name: str = "embedded") -> Path:
    """The file of a prior that ships."""
    return shipped_file(SHIPPED.get(name, name))
