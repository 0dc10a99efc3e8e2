"""The weights that come with the package, by name, and how they are told from damaged ones."""

from pathlib import Path

from splatsmith.errors import InvalidFile

# What `--prior NAME` means.
SHIPPED = {"embedded": "prior-v1.safetensors"}


def shipped_weights(name: str = "embedded") -> Path:
    """Where the weights are: inside the package when installed, beside `src` in a checkout."""
    file = SHIPPED.get(name, name)
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "weights", package.parents[1] / "weights"):
        if (folder / file).is_file():
            return folder / file
    return package / "weights" / file


def check_shipped(path: Path, digest: str) -> None:
    """InvalidFile unless SHA-256 `digest` is the one that `SHA256SUMS` beside `path` gives."""
    sums = path.parent / "SHA256SUMS"
    lines = sums.read_text().splitlines() if sums.is_file() else []
    if [digest, path.name] not in [line.split() for line in lines]:
        raise InvalidFile(
            path, None, "its SHA-256 is not the one it shipped with; reinstall the package"
        )
