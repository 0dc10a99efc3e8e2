"""Packages of the extra "mesh", imported when they are first needed."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from splatsmith.errors import InputError

PACKAGES = {
    "fast_simplification": "fast-simplification",
    "scipy.ndimage": "scipy",
    "scipy.optimize": "scipy",
    "scipy.sparse": "scipy",
    "scipy.sparse.csgraph": "scipy",
    "scipy.spatial": "scipy",
    "skimage.measure": "scikit-image",
    "trimesh": "trimesh",
    "xatlas": "xatlas",
}


def needed(module: str) -> Any:
    """The module; InputError that names the extra if its package is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise _missing(PACKAGES[module]) from error


def check_installed() -> None:
    """InputError that names the extra unless all of its packages are there."""
    for module, package in PACKAGES.items():
        if find_spec(module.partition(".")[0]) is None:
            raise _missing(package)


def _missing(package: str) -> InputError:
    return InputError(
        f'Meshes need {package}, which is not installed: pip install "splatsmith[mesh]".'
    )
