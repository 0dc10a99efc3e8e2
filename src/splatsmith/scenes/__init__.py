"""What is optimized: Gaussians and meshes, how they start and are kept in shape."""

from splatsmith.scenes.gaussians import Gaussians, color_to_sh
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.starts import STARTS, Ball, SmallBall, StartSettings, begin, from_points
from splatsmith.scenes.tetrahedra import Tetrahedra
from splatsmith.scenes.upkeep import Upkeep, UpkeepReport, UpkeepState

__all__ = [
    "STARTS",
    "Ball",
    "Gaussians",
    "Mesh",
    "SmallBall",
    "StartSettings",
    "Tetrahedra",
    "Upkeep",
    "UpkeepReport",
    "UpkeepState",
    "begin",
    "color_to_sh",
    "from_points",
]
