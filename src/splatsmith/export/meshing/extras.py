"""Packages of the extra "mesh", imported when they are first needed."""

from importlib import import_module
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
        raise InputError(
            f"Meshes need {PACKAGES[module]}, which is not installed: "
            'pip install "splatsmith[mesh]".'
        ) from error
