"""Surface points lie on the surface, evenly; meshes are closed and as large as the object."""

import sys

import pytest
import torch

from splatsmith.errors import InputError
from splatsmith.toybox import build
from splatsmith.toybox.geometry import distance, mesh, surface_points
from splatsmith.toybox.objects import ToyObject
from splatsmith.toybox.sketch import Sketch
from splatsmith.toybox.words import COLORS, INKS


def solid(draw: str, *given: object) -> ToyObject:
    """One primitive, drawn alone and scaled to 0.92."""
    sketch = Sketch({**INKS, "main": COLORS["red"]})
    getattr(sketch, draw)("main", (0.0, 0.0, 0.0), *given)
    return ToyObject("mug", "red", {}, (), sketch.finish((0.0, 0.0, 0.0))[0], ("main",))


def test_points_on_a_sphere_are_uniform(gen: torch.Generator) -> None:
    found = surface_points(solid("ball", 0.5), 40000, gen)
    assert torch.allclose(found.points.norm(dim=-1), torch.tensor(0.92), atol=1e-4)
    assert torch.allclose(found.normals, found.points / 0.92, atol=2e-3)
    # Archimedes: the heights of uniform points on a sphere are uniform.
    heights = (found.points[:, 2] / 0.92 + 1) / 2
    counts = torch.histc(heights, 10, 0, 1) / len(heights)
    assert (counts - 0.1).abs().max() < 0.01


def test_points_on_a_cylinder_follow_its_areas(gen: torch.Generator) -> None:
    toy = solid("cylinder", 0.6, 0.5)
    found = surface_points(toy, 30000, gen)
    caps = (found.normals[:, 2].abs() > 0.9).float().mean()
    assert caps == pytest.approx(0.6 / (0.6 + 2 * 0.5), abs=0.03)  # 2 pi r^2 of 2 pi r (r + h)


@pytest.mark.parametrize("name", ["mug", "mushroom", "cat"])
def test_points_carry_what_a_picture_shows(name: str, gen: torch.Generator) -> None:
    toy = build(name, color="blue")
    found = surface_points(toy, 5000, gen)
    assert found.points.shape == (5000, 3)
    assert distance(toy, found.points)[0].abs().max() < 1e-4
    outside = found.points + 5e-3 * found.normals
    assert (distance(toy, outside)[0] > 0).float().mean() > 0.97
    blue = torch.tensor(COLORS["blue"])
    assert ((found.color - blue).abs().amax(-1) < 1e-6).float().mean() > 0.4


def test_a_mesh_is_closed_and_faces_outward() -> None:
    made = mesh(solid("ball", 1.0), 48)
    a, b, c = made.vertices[made.faces].unbind(1)
    volume = (a * torch.linalg.cross(b, c)).sum() / 6
    assert volume == pytest.approx(4 / 3 * torch.pi * 0.92**3, rel=5e-3)
    corners = made.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).sort(1).values
    _, counts = corners.unique(dim=0, return_counts=True)
    assert (counts == 2).all()


def test_mesh_vertices_lie_on_the_surface() -> None:
    toy = build("teapot", color="green", colors={"lid": "pink"})
    made = mesh(toy, 64)
    assert distance(toy, made.vertices)[0].abs().quantile(0.99) < 1e-4
    shown = {tuple(round(v, 3) for v in color.tolist()) for color in made.color}
    assert {COLORS["green"], COLORS["pink"]} <= shown


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.measure", None)
    with pytest.raises(InputError, match=r"pip install .splatsmith\[mesh\]"):
        mesh(build("mug"))
    with pytest.raises(InputError, match=r"8\.\.512"):
        mesh(build("mug"), 4)
    with pytest.raises(InputError, match="At least one"):
        surface_points(build("mug"), 0, torch.Generator())
