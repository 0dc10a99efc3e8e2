"""Light from one lamp: what faces it is bright, what turns away has the ambient light left."""

import torch

from splatsmith.render.shading import Shading, shaded

LAMP = torch.tensor([[0.0, 0.0, 5.0], [0.0, 0.0, 5.0], [0.0, 0.0, 5.0]])
SHADING = Shading.of(["albedo", "lambertian", "textureless"], LAMP, 0.25)
RED = torch.tensor([[1.0, 0.0, 0.5]])


def lit(normal: list[float], view: int) -> list[float]:
    point, normals = torch.zeros(1, 3), torch.tensor([normal])
    return shaded(RED, normals, point, torch.tensor([view]), SHADING)[0].tolist()


def test_what_faces_the_lamp_shows_its_color_and_what_turns_away_the_ambient_share() -> None:
    assert lit([0.0, 0.0, 1.0], 1) == [1.0, 0.0, 0.5]
    assert lit([0.0, 0.0, -1.0], 1) == [0.25, 0.0, 0.125]
    assert lit([1.0, 0.0, 0.0], 1) == [0.25, 0.0, 0.125]


def test_albedo_knows_no_lamp_and_textureless_no_color() -> None:
    assert lit([0.0, 0.0, -1.0], 0) == [1.0, 0.0, 0.5]
    assert lit([0.0, 0.0, 1.0], 2) == [1.0, 1.0, 1.0]
    assert lit([0.0, 0.0, -1.0], 2) == [0.25, 0.25, 0.25]


def test_only_lit_views_need_normals() -> None:
    assert SHADING.needs_normals
    assert not Shading.of(["albedo"], LAMP[:1], 0.25).needs_normals


def test_gradients_reach_albedo_normals_and_points(gen: torch.Generator) -> None:
    draw = lambda: torch.randn(5, 3, generator=gen, dtype=torch.float64)  # noqa: E731
    albedo, normals, points = (
        draw().sigmoid(),
        torch.nn.functional.normalize(draw(), dim=-1),
        draw(),
    )
    shading = Shading.of(
        ["lambertian"], torch.tensor([[0.0, 1.0, 4.0]], dtype=torch.float64), 0.1
    )
    inputs = [part.requires_grad_() for part in (albedo, normals, points)]
    view = torch.zeros(5, dtype=torch.long)
    assert torch.autograd.gradcheck(lambda *parts: shaded(*parts, view, shading), inputs)
