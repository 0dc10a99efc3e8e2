"""What a radiance field is made of, as plain numbers that are kept with it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from jaxtyping import UInt8
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.render.hash_grid import Lattice, geometric


@dataclass(frozen=True, slots=True, kw_only=True)
class HashGrid:
    """A multiresolution hash grid (Mueller et al. 2022) before the network.

    With fewer `levels_at_start` than levels, finer ones come in one after another until
    progress is `levels_by` (Li et al. 2023, Neuralangelo, section 3.2; so does threestudio).
    """

    kind: Literal["hash"] = "hash"
    levels: int = 8  # 1 to 32, two features each
    base: int = 8  # cells a side of the coarsest level
    top: int = 128  # cells a side of the finest level
    log2_rows: int = 14  # a level has no more than this power of two of rows
    levels_at_start: int | None = None  # None: all
    levels_by: float = 0.5  # progress at which all levels are there, over 0 up to 1

    def __post_init__(self) -> None:
        start = self.levels if self.levels_at_start is None else self.levels_at_start
        _require(
            1 <= self.levels <= 32 and 1 <= start <= self.levels,
            f"A hash grid has 1 to 32 levels and starts with 1 or more of them, "
            f"got {self.levels} and {start}.",
        )
        _require(
            1 <= self.base <= self.top <= 4096 and 4 <= self.log2_rows <= 24,
            f"A hash grid needs 1 <= base <= top <= 4096 and log2_rows from 4 to 24, "
            f"got {self.base}, {self.top} and {self.log2_rows}.",
        )
        _require(
            0 < self.levels_by <= 1,
            f"levels_by must be over 0 and at most 1, got {self.levels_by}.",
        )

    def active(self, progress: float) -> int:
        """How many levels there are at this progress (0 to 1)."""
        start = self.levels if self.levels_at_start is None else self.levels_at_start
        share = min(1.0, max(0.0, progress) / self.levels_by)
        return start + int((self.levels - start) * share + 1e-9)

    def lattice(self) -> Lattice:
        """Its levels."""
        return Lattice.of(geometric(self.base, self.top, self.levels), 2**self.log2_rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequencies:
    """Sines and cosines before the network (Mildenhall et al. 2020, NeRF, equation 4)."""

    kind: Literal["frequencies"] = "frequencies"
    octaves: int = 6  # 1 to 16

    def __post_init__(self) -> None:
        _require(1 <= self.octaves <= 16, f"octaves must be from 1 to 16, got {self.octaves}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Voxels:
    """A dense grid that holds density and color themselves, without a network (as SJC)."""

    kind: Literal["voxels"] = "voxels"
    resolution: int = 100  # cells a side

    def __post_init__(self) -> None:
        _require(
            1 <= self.resolution <= 512,
            f"A voxel grid has 1 to 512 cells a side, got {self.resolution}.",
        )

    def lattice(self, values: int) -> Lattice:
        """Levels that hold so many values at each corner, two each."""
        return Lattice.of([self.resolution] * ((values + 1) // 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Triplane:
    """Three planes of features before the network, summed (Chan et al. 2022, EG3D)."""

    kind: Literal["triplane"] = "triplane"
    resolution: int = 64  # cells a side
    features: int = 16  # of each cell

    def __post_init__(self) -> None:
        _require(
            1 <= self.resolution <= 2048 and 1 <= self.features <= 128,
            f"A triplane has 1 to 2048 cells a side and 1 to 128 features, "
            f"got {self.resolution} and {self.features}.",
        )


Encoding = HashGrid | Frequencies | Voxels | Triplane
ENCODINGS: dict[str, type[Encoding]] = {
    "hash": HashGrid,
    "frequencies": Frequencies,
    "voxels": Voxels,
    "triplane": Triplane,
}

CHOICES = {
    "activation": ("softplus", "exp", "relu"),
    "blob": ("none", "gaussian", "linear"),
    "colors": ("sigmoid", "linear"),
    "backdrop": ("none", "directions", "picture"),
    "normals": ("finite", "autograd"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSettings:
    """A radiance field; lengths are world units, densities per world unit."""

    encoding: Encoding = field(default_factory=HashGrid)  # what the network is told of a place
    hidden: int = 32  # units of each hidden layer; one layer of a multiple of 4 is fast
    layers: int = 1  # hidden layers, 1 or more
    channels: int = 3  # of color, 16 at most; 4 for a field of latents
    colors: Literal["sigmoid", "linear"] = "sigmoid"  # linear: any value, for latents
    radius: float = 1.0  # nothing lies outside this ball
    activation: Literal["softplus", "exp", "relu"] = "softplus"  # makes density of a number
    shift: float = 0.0  # added to that number everywhere
    blob: Literal["none", "gaussian", "linear"] = "linear"  # and this about the origin
    blob_weight: float = 10.0  # at the origin: 10 in Magic3D (linear), 5 in DreamFusion
    blob_size: float = 0.5  # where the linear one crosses 0; of the gaussian, its deviation
    backdrop: Literal["none", "directions", "picture"] = "none"  # a background that learns
    samples: int = 64  # steps along a diameter
    normals: Literal["finite", "autograd"] = "finite"  # differences, or derivatives
    normal_step: float = 0.01  # of the differences
    cells: int = 48  # a side of the occupancy grid
    every: int = 8  # steps between updates of the occupancy grid
    fade: float = 0.7  # 0 to 1: what remains of an old density at each update
    threshold: float = 0.01  # optical depth over a diameter below which a cell is empty

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            _require(
                value in choices,
                f"{name} of a field is one of {', '.join(choices)}, got {value!r}.",
            )
        counts = ("hidden", "layers", "channels", "samples", "cells", "every")
        for name in counts:
            value = getattr(self, name)
            _require(1 <= value <= 4096, f"{name} of a field is from 1 to 4096, got {value!r}.")
        _require(self.channels <= 16, f"A field has at most 16 channels, got {self.channels}.")
        for name in ("radius", "blob_size", "normal_step"):
            value = getattr(self, name)
            _require(
                0 < value < float("inf"), f"{name} of a field must be positive, got {value!r}."
            )
        _require(
            0 <= self.fade < 1 and self.threshold >= 0,
            f"fade must be from 0 to below 1 and threshold 0 or more, "
            f"got {self.fade} and {self.threshold}.",
        )

    @property
    def holds_latents(self) -> bool:
        """Whether what it holds is for a prior's autoencoder to decode."""
        return self.colors == "linear"

    def to_tensor(self) -> UInt8[Tensor, "bytes"]:
        """The settings as the bytes of a JSON text, for a flat dict of tensors."""
        text = json.dumps(asdict(self), sort_keys=True)
        return torch.tensor(list(text.encode()), dtype=torch.uint8)

    @staticmethod
    def from_tensor(data: Tensor) -> "FieldSettings":
        """The settings that `to_tensor` was given; InputError if it was not it."""
        try:
            values: Any = json.loads(bytes(data.tolist()).decode())
            encoding = dict(values.pop("encoding"))
            kind = ENCODINGS[encoding["kind"]]
            return FieldSettings(encoding=kind(**encoding), **values)
        except InputError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise InputError(f"A field's settings cannot be read: {error}.") from error


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InputError(message)


def must_have(state: Mapping[str, Tensor], names: set[str]) -> None:
    """InputError unless these are the tensors of the state."""
    if set(state) != names:
        raise InputError(
            f"This field has the tensors {', '.join(sorted(names))}; "
            f"got {', '.join(sorted(state)) or 'none'}."
        )
