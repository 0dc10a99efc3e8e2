"""The start of kind `hull`: the prior draws the object from all sides and is taken at its word.

Published methods begin with the point cloud of a 3D generator. This one has no other source
than the prior that the run has anyway: it samples pictures for cameras in rings, cuts the
object out of their white, and keeps of space what nearly all of them show.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from splatsmith.cameras import Cameras, orbit
from splatsmith.distill.sampling import sample_pictures
from splatsmith.errors import InputError
from splatsmith.optimize.exterior import exterior
from splatsmith.optimize.setting import Setting
from splatsmith.priors.protocol import Prior, knows_cameras
from splatsmith.recipes.schema import Stage
from splatsmith.scenes.clouds import grown
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.hull import carved, colored_hull
from splatsmith.scenes.point_starts import Hull, ball_for, splats_of
from splatsmith.scenes.starts import begin

WHITE = (
    0.9  # least value of every channel around an object: what priors draw there is not clean
)

Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Pictures from all around, as the prior draws them by itself."""

    pictures: Float[Tensor, "views height width 3"]  # 0..1, on white
    masks: Bool[Tensor, "views height width"]  # where the object is
    cameras: Cameras  # of the pictures' size


def check_hull(stage: Stage, prior: Prior) -> list[str]:
    """What to say of a stage that begins with a hull.

    InputError if its prior cannot draw for one, and nothing else is to be begun with.
    """
    settings = stage.start
    if not isinstance(settings, Hull):
        return []
    if not knows_cameras(prior):
        if settings.otherwise == "ball":
            return [
                f"the prior does not know from where its pictures are seen, so stage "
                f"{stage.name!r} begins with a ball instead of a hull"
            ]
        raise InputError(
            f"Stage {stage.name!r} begins with a hull of the prior's own pictures, but this "
            f"prior does not know from where its pictures are seen; begin from a file "
            f"(--start), or from a ball: --set '{stage.name}.start={{ kind = \"ball\" }}'."
        )
    if settings.views % prior.views:
        raise InputError(
            f"Stage {stage.name!r} begins with a hull from rings of {settings.views} cameras, "
            f"but this prior draws {prior.views} views together; use "
            f"--set {stage.name}.start.views={2 * prior.views} or another multiple."
        )
    return []


def hull_start(setting: Setting, tell: Tell | None = None) -> Gaussians:
    """The scene that a stage with a hull begins with; the same for the same seed.

    Raises InputError if the pictures agree on nothing, and that was not provided for.
    """
    settings = setting.stage.start
    assert isinstance(settings, Hull)
    draws = setting.draws("start", 0)
    if not knows_cameras(setting.prior):
        return begin(ball_for(settings), draws)
    drawn = draw_around(setting, settings, tell)
    hull = carved(drawn.masks, drawn.cameras, settings.cells, settings.agreed)
    if not bool(hull.any()):
        if settings.otherwise == "ball":
            if tell is not None:
                tell("start: the pictures agree on nothing, so a ball is begun with")
            return begin(ball_for(settings), draws)
        raise InputError(
            f"Stage {setting.stage.name!r} begins with a hull, but the prior's pictures agree "
            f"on nothing; lower --set {setting.stage.name}.start.agreed, try another --seed, "
            f"or begin from a file (--start)."
        )
    seen = (drawn.pictures, drawn.masks, drawn.cameras)
    count = settings.count if settings.growth is None else max(1, settings.count // 2)
    cloud = colored_hull(hull, *seen, count, draws)
    if settings.growth is not None:
        cloud = grown(cloud, settings.growth, draws, settings.count)
    if tell is not None:
        share = float(hull.float().mean())
        tell(f"start: a hull that fills {share:.1%} of its cube, begins as {len(cloud)} splats")
    return splats_of(settings, cloud)


def draw_around(setting: Setting, settings: Hull, tell: Tell | None = None) -> Drawn:
    """What the prior draws for the cameras of all rings."""
    prior, pictures, masks = setting.prior, [], []
    rings = [ring(setting, settings, number) for number in range(len(settings.elevations))]
    draws = setting.draws("hull", 0)
    shape = (prior.views, prior.channels, prior.resolution, prior.resolution)
    # The same noise for all views, but for those drawn together, which had noises of their own
    # in training: what the noise decides comes out alike from all sides.
    noise = torch.randn(shape, generator=draws)
    for number, cameras in enumerate(rings):
        if tell is not None:
            tell(
                f"start: the prior draws {len(cameras)} views at elevation "
                f"{settings.elevations[number]:g}, ring {number + 1} of {len(rings)}"
            )
        condition: Any = prior.condition(setting.prompt, cameras)
        drawn = sample_pictures(
            prior,
            condition,
            draws,
            steps=settings.steps,
            guidance=settings.guidance,
            one_pass=True,
            noise=noise.repeat(settings.views // prior.views, 1, 1, 1),
        )
        pictures.append(drawn.float().cpu())
        masks.append(object_in(pictures[-1]))
    return Drawn(torch.cat(pictures), torch.cat(masks), _all(rings, pictures[0].shape[1]))


def object_in(
    pictures: Float[Tensor, "views height width 3"],
) -> Bool[Tensor, "views height width"]:
    """Where the object is: all but the white around it, without specks.

    A pixel counts with most of the nine that it is the middle of.
    """
    ink = (~exterior(pictures, white=WHITE, margin=0)).float()[:, None]
    return (F.avg_pool2d(ink, 3, stride=1, padding=1) > 0.5)[:, 0]


def ring(setting: Setting, settings: Hull, number: int) -> Cameras:
    """Cameras evenly around at one elevation; every other ring is turned by half a gap.

    Their distance and angle are the middle ones of the stage's. Those that the prior denoises
    together stand evenly around, too.
    """
    usual, views = setting.stage.cameras, settings.views
    groups = views // setting.prior.views
    places = [g + k * groups for g in range(groups) for k in range(setting.prior.views)]
    azimuths = [(place + 0.5 * (number % 2)) * 360 / views for place in places]
    size = setting.prior.resolution
    return orbit(
        azimuths,
        settings.elevations[number],
        radius=sum(usual.radius) / 2,
        fovy=sum(usual.fovy) / 2,
        width=size,
        height=size,
    )


def _all(rings: list[Cameras], size: int) -> Cameras:
    names = ("viewmat", "K", "azimuth", "elevation", "radius")
    whole = {name: torch.cat([getattr(r, name) for r in rings]) for name in names}
    return Cameras(width=rings[0].width, height=rings[0].height, **whole).resized(size, size)
