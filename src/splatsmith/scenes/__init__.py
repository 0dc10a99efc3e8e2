"""What is optimized: Gaussians, radiance fields and meshes; how they start and are kept."""

from splatsmith.scenes.clouds import Cloud, Growth
from splatsmith.scenes.field import Field
from splatsmith.scenes.field_settings import (
    FieldSettings,
    Frequencies,
    HashGrid,
    Triplane,
    Voxels,
)
from splatsmith.scenes.gaussians import Gaussians, color_to_sh
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.point_starts import Hull, Points
from splatsmith.scenes.starts import STARTS, Ball, SmallBall, StartSettings, begin, from_points
from splatsmith.scenes.tetrahedra import Tetrahedra
from splatsmith.scenes.upkeep import Upkeep, UpkeepReport, UpkeepState

__all__ = [
    "STARTS",
    "Ball",
    "Cloud",
    "Field",
    "FieldSettings",
    "Frequencies",
    "Gaussians",
    "Growth",
    "HashGrid",
    "Hull",
    "Mesh",
    "Points",
    "SmallBall",
    "StartSettings",
    "Tetrahedra",
    "Triplane",
    "Upkeep",
    "UpkeepReport",
    "UpkeepState",
    "Voxels",
    "begin",
    "color_to_sh",
    "from_points",
]
