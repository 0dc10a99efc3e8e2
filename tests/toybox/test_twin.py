"""The native kernel gives the pictures that its torch twin defines, on any instruction set."""

import numpy as np
import pytest
import torch

from splatsmith.cameras.convention import Cameras, orbit
from splatsmith.errors import InputError
from splatsmith.toybox import CATEGORIES, ToyPicture, build, draw_object, drawing, render, sdf
from splatsmith.toybox.geometry import distance
from splatsmith.toybox.objects import ToyObject
from splatsmith.toybox.tape import Kind, joined

native = drawing.native


def twin(toy: ToyObject, cameras: Cameras, samples: int = 2) -> ToyPicture:
    tape, starts = joined([toy.tape])
    which = np.zeros(len(cameras), np.int32)
    light = drawing.camera_light(cameras)
    white = torch.ones(len(cameras), 3)
    return ToyPicture(*sdf.trace_views(tape, starts, which, cameras, light, white, samples))


@pytest.mark.parametrize("name", CATEGORIES)
def test_native_and_twin_agree(name: str, gen: torch.Generator) -> None:
    toy = build(name, torch.rand(len(CATEGORIES[name].parameters), generator=gen).tolist())
    cameras = orbit([25.0], [15.0], width=20, height=24)
    fast, slow = render(toy, cameras), twin(toy, cameras)
    assert (fast.alpha - slow.alpha).abs().mean() < 1e-3
    assert (fast.color - slow.color).abs().mean() < 3e-4
    sure = ((fast.alpha == 1) & (slow.alpha == 1))[..., 0]
    assert sure.any()
    assert (fast.depth - slow.depth)[sure].abs().quantile(0.99) < 2e-3
    assert (fast.normal * slow.normal).sum(-1)[sure].quantile(0.02) > 0.99
    assert (fast.part == slow.part)[sure].float().mean() > 0.98


def test_all_instruction_sets_agree(gen: torch.Generator) -> None:
    toys = [draw_object(gen) for _ in range(6)]
    cameras = orbit(
        torch.rand(6, generator=gen) * 360,
        torch.rand(6, generator=gen) * 90,
        width=33,
        height=21,
    )
    tape, starts = joined([toy.tape for toy in toys])
    which, white = np.arange(6, dtype=np.int32), np.ones((6, 3), np.float32)
    light = drawing.camera_light(cameras).numpy()
    pictures = []
    for isa in native.variants():
        color, alpha = np.empty((6, 21, 33, 3), np.float32), np.empty((6, 21, 33), np.float32)
        given = (tape.rows, tape.heads, starts, which, cameras.viewmat.numpy())
        given = (*given, cameras.K.numpy(), light, white, color, alpha, None, None, None)
        native.render(*given, 3, 1, isa)
        pictures.append(color)
    assert "baseline" in native.variants()
    for picture in pictures[1:]:
        assert np.abs(picture - pictures[0]).mean() < 1e-4


def test_parts_left_out_by_a_packet_do_not_show() -> None:
    # A single sample a pixel makes wide packets, 4x4 samples a pixel make narrow ones that see
    # fewer parts; averaged over the same grid of rays the pictures must be the same.
    toy = build("dog", color="brown")
    narrow = render(toy, orbit(40.0, 20.0, width=24, height=24), samples=4).color[0]
    wide = render(toy, orbit(40.0, 20.0, width=96, height=96), samples=1).color[0]
    pooled = wide.reshape(24, 4, 24, 4, 3).mean((1, 3))
    assert (narrow - pooled).abs().max() < 2e-3


def test_distances_agree_for_every_kind(gen: torch.Generator) -> None:
    seen = set()
    points = torch.rand(2000, 3, generator=gen) * 2.4 - 1.2
    for name in CATEGORIES:
        toy = build(name)
        seen |= set(toy.tape.heads[:, 0].tolist())
        d, part = sdf.distance(toy.tape, points)
        fast, fast_part = distance(toy, points)
        assert torch.allclose(d, fast, atol=2e-5)
        # Where two parts are equally near, either is right.
        assert (part == fast_part).float().mean() > 0.95
    assert seen == set(Kind)


def test_the_twin_steps_in_for_a_missing_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    toys, cameras = [build("mug"), build("cat")], orbit([20.0, 50.0], 10.0, width=12, height=12)
    fast, points = render(toys, cameras), torch.zeros(1, 3)
    near = distance(toys[1], points)[0]
    monkeypatch.setattr(drawing, "native", None)
    slow = render(toys, cameras)
    assert (fast.color - slow.color).abs().mean() < 1e-4
    assert slow.part.dtype == fast.part.dtype == torch.int32
    assert torch.allclose(distance(toys[1], points)[0], near, atol=1e-6)


def test_the_twin_works_in_double_precision(gen: torch.Generator) -> None:
    toy = build("teapot")
    cameras = orbit([70.0], [20.0], width=16, height=16)
    double = cameras.to(torch.float64)
    tape, starts = joined([toy.tape])
    light = drawing.camera_light(double)
    which, white = np.zeros(1, np.int32), torch.ones(1, 3)
    exact = ToyPicture(*sdf.trace_views(tape, starts, which, double, light, white, 2))
    assert exact.color.dtype == torch.float64
    assert (exact.color - render(toy, cameras).color).abs().mean() < 1e-3


def test_no_ray_falls_through(gen: torch.Generator) -> None:
    # March finely along rays: whenever the surface is crossed, the picture must be covered.
    for name in ("duck", "bird", "airplane", "mug"):
        toy = build(name)
        cameras = orbit([33.0], [18.0], width=24, height=24)
        eye, directions, _ = sdf._rays(cameras, 0, 1)
        t = torch.linspace(2.1, 4.3, 900)
        points = (eye + directions[:, None] * t[:, None]).reshape(-1, 3)
        deepest = distance(toy, points)[0].reshape(-1, 900).amin(1).reshape(24, 24)
        met = render(toy, cameras, samples=1).alpha[0, :, :, 0] > 0
        assert met[deepest < -2e-3].all()
        assert not met[deepest > 2e-3].any()


def test_depth_and_normals_are_those_of_the_surface() -> None:
    toy = build("snowman")
    cameras = orbit([10.0], [25.0], width=40, height=40)
    seen = render(toy, cameras, samples=1)
    _, directions, cosine = sdf._rays(cameras, 0, 1)
    t = seen.depth.reshape(-1) / cosine
    mask = seen.alpha.reshape(-1) > 0
    points = (cameras.position[0] + directions * t[:, None])[mask]
    assert distance(toy, points)[0].abs().max() < 1e-3
    normals = seen.normal.reshape(-1, 3)[mask]
    assert torch.allclose(normals.norm(dim=-1), torch.ones(len(normals)), atol=1e-4)
    assert ((normals * directions[mask]).sum(-1) < 0.05).all()  # They face the eye.


def test_wrong_calls_are_refused() -> None:
    toy, cameras = build("mug"), orbit([0.0, 90.0], 0.0, width=8, height=8)
    with pytest.raises(InputError, match="3 objects cannot be seen by 2 cameras"):
        render([toy] * 3, cameras)
    with pytest.raises(InputError, match="samples"):
        render(toy, cameras, samples=0)
    empty = np.empty((1, 8, 8, 3), np.float32), np.empty((1, 8, 8), np.float32)
    one = (np.zeros(1, np.int32), np.eye(4, dtype=np.float32)[None])
    rest = (np.eye(3, dtype=np.float32)[None], *[np.ones((1, 3), np.float32)] * 2)
    tape, starts = joined([toy.tape])
    given = (tape.rows, tape.heads, starts, *one, *rest, *empty, None, None, None)
    with pytest.raises(ValueError, match="no variant"):
        native.render(*given, 1, 1, "z80")
