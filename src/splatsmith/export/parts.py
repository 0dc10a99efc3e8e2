"""Files that hold several groups of splats, each placed by a matrix: one scene of all.

glTF and USD are graphs of nodes. Gaussians follow turns, moves and even scaling exactly; what
would mirror or shear them is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64

from splatsmith.errors import InvalidFile
from splatsmith.export.arrays import Arrays, scene_of
from splatsmith.export.frames import WORLD, Frame
from splatsmith.scenes.gaussians import PARAMETERS, Gaussians
from splatsmith.scenes.transforms import moved, resized, turned, with_degree

EVEN_WITHIN = 1e-4  # relative difference of a node's scales that rounding may cause


@dataclass(frozen=True, slots=True)
class Part:
    """Splats in coordinates of their own, and what takes those to the file's."""

    arrays: Arrays
    matrix: Float64[np.ndarray, "4 4"]


def merged(path: Path, parts: Sequence[Part], frame: Frame) -> Gaussians:
    """One scene in our world; raises InvalidFile for values and matrices that cannot be."""
    scenes = [_placed(path, part) for part in parts]
    degree = max(scene.sh_degree for scene in scenes)
    states = [with_degree(scene, degree).state() for scene in scenes]
    arrays = {name: torch.cat([s[name] for s in states]).numpy() for name in PARAMETERS}
    return scene_of(path, arrays, frame)


def _placed(path: Path, part: Part) -> Gaussians:
    scene = scene_of(path, part.arrays, WORLD)
    if np.array_equal(part.matrix, np.eye(4)):
        return scene
    linear = part.matrix[:3, :3]
    scale = float(np.cbrt(np.linalg.det(linear)))
    gram = linear @ linear.T / np.float64(scale) ** 2
    sound = np.isfinite(part.matrix).all() and 1e-12 < scale < 1e12
    if not sound or np.abs(gram - np.eye(3)).max() > EVEN_WITHIN:
        raise InvalidFile(
            path,
            None,
            "a node mirrors its splats or scales them unevenly, which they cannot be",
        )
    if not np.abs(part.matrix[:3, 3]).max() < 1e12:
        raise InvalidFile(path, None, "a node moves its splats too far away")
    placed = resized(turned(scene, torch.from_numpy(linear / scale)), scale)
    return moved(placed, torch.from_numpy(part.matrix[:3, 3].copy()))
