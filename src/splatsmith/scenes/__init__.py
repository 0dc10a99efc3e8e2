"""What is optimized: Gaussian scenes, how they start and how they are kept in shape."""

from splatsmith.scenes.gaussians import Gaussians, color_to_sh
from splatsmith.scenes.starts import STARTS, Ball, SmallBall, StartSettings, begin, from_points
from splatsmith.scenes.upkeep import Upkeep, UpkeepReport, UpkeepState

__all__ = [
    "STARTS",
    "Ball",
    "Gaussians",
    "SmallBall",
    "StartSettings",
    "Upkeep",
    "UpkeepReport",
    "UpkeepState",
    "begin",
    "color_to_sh",
    "from_points",
]
