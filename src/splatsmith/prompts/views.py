"""View-dependent wording: the same object is told apart as seen from front, side, back, above.

Poole et al. 2022 (DreamFusion), section 3.2; thresholds as in threestudio.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewWords:
    """Where front ends and back begins, in degrees, and what each is called."""

    front_within: float = 45.0  # |azimuth| below this is the front
    back_beyond: float = 135.0  # |azimuth| above this is the back
    overhead_above: float = 60.0  # elevation above this is overhead, whatever the azimuth
    front: str = ", front view"
    side: str = ", side view"
    back: str = ", back view"
    overhead: str = ", overhead view"

    def __post_init__(self) -> None:
        if not 0 <= self.front_within <= self.back_beyond <= 180:
            raise InputError(
                f"View words need 0 <= front_within <= back_beyond <= 180 degrees, "
                f"got {self.front_within} and {self.back_beyond}."
            )
        if not 0 <= self.overhead_above <= 90:
            raise InputError(
                f"overhead_above must lie in 0 to 90 degrees, got {self.overhead_above}."
            )

    @property
    def words(self) -> dict[str, str]:
        """What to append to a prompt, by the name of the view."""
        return {
            "front": self.front,
            "side": self.side,
            "back": self.back,
            "overhead": self.overhead,
        }

    def suffixes(
        self, azimuth: Float[Tensor, "views"], elevation: Float[Tensor, "views"]
    ) -> list[str]:
        """What to append to the prompt of each view; angles in degrees, azimuth of any turn."""
        return [self.words[name] for name in self.names(azimuth, elevation)]

    def names(
        self, azimuth: Float[Tensor, "views"], elevation: Float[Tensor, "views"]
    ) -> list[str]:
        """front, side, back or overhead, for each view."""
        turned = torch.remainder(azimuth.double() + 180, 360) - 180
        pairs = zip(turned.abs().tolist(), elevation.tolist(), strict=True)
        return [self._name(azimuth_, elevation_) for azimuth_, elevation_ in pairs]

    def _name(self, azimuth: float, elevation: float) -> str:
        if elevation > self.overhead_above:
            return "overhead"
        if azimuth < self.front_within:
            return "front"
        return "back" if azimuth > self.back_beyond else "side"
