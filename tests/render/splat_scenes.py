"""Scenes that the tests of the splat renderer draw."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from splatsmith.cameras import Cameras, orbit
from splatsmith.render import Picture, splat

INPUTS = ("means", "quats", "scales", "opacities", "sh", "background", "screen_offset")


@dataclass(frozen=True)
class Scene:
    means: Tensor
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    sh: Tensor
    background: Tensor
    screen_offset: Tensor
    cameras: Cameras

    def tensors(self) -> list[Tensor]:
        return [getattr(self, name) for name in INPUTS]

    def to(self, dtype: torch.dtype) -> "Scene":
        moved = {name: getattr(self, name).to(dtype) for name in INPUTS}
        return replace(self, cameras=self.cameras.to(dtype), **moved)

    def draw(self, tensors: list[Tensor], backend: str) -> Picture:
        *scene, background, offset = tensors
        return splat(*scene, self.cameras, background, screen_offset=offset, backend=backend)


def random_scene(
    gen: torch.Generator,
    count: int,
    *,
    width: int = 48,
    height: int = 48,
    views: int = 1,
    degree: int = 0,
    background: str = "color",
    dtype: torch.dtype = torch.float32,
) -> Scene:
    """An object of `count` splats in the unit ball, smaller the more there are."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=gen)

    direction = torch.nn.functional.normalize(normal(count, 3), dim=-1)
    distance = 0.9 * torch.rand(count, 1, generator=gen) ** (1 / 3)
    shape = (views, height, width, 3) if background == "picture" else (views, 3)
    scene = Scene(
        means=direction * distance,
        quats=normal(count, 4),
        scales=0.5 * max(count, 1) ** (-1 / 3) * torch.exp(0.5 * normal(count, 3)),
        opacities=torch.sigmoid(normal(count)),
        sh=0.4 * normal(count, (degree + 1) ** 2, 3),
        background=torch.rand(shape, generator=gen),
        screen_offset=torch.zeros(views, count, 2),
        cameras=orbit(
            torch.arange(views) * 100.0 + 20,
            torch.linspace(-30, 60, views),
            radius=2.5,
            fovy=49.0,
            width=width,
            height=height,
        ),
    )
    return scene.to(dtype)


def degenerate_scene(gen: torch.Generator, count: int = 60) -> Scene:
    """Every kind of trouble that finite numbers can be, mixed at random."""
    scene = random_scene(gen, count, width=29, height=21, views=2, degree=1)

    def mix(values: Tensor, strange: list[float]) -> Tensor:
        choice = torch.randint(0, 3 * len(strange), values.shape[:1], generator=gen)
        for i, value in enumerate(strange):
            values = torch.where(
                (choice == i).view(-1, *[1] * (values.ndim - 1)), value, values
            )
        return values

    means = mix(scene.means, [0.0, 1e6, -1e30, 3e38])
    eye = scene.cameras.position[0]
    close = torch.rand(count, 1, generator=gen) < 0.2  # astride the near plane, or behind it
    means = torch.where(close, eye + 0.05 * torch.randn(count, 3, generator=gen), means)
    scales = mix(scene.scales, [0.0, 1e-30, 30.0, 1e4, 1e20, 3e38])
    scales[:, 0] = mix(scene.scales[:, 0], [0.0, 1e4, 1e20])
    return replace(
        scene,
        means=means,
        scales=scales,
        quats=mix(scene.quats, [0.0, 1e-25, 1e-12, 1e18, 3e38]),
        opacities=mix(scene.opacities, [0.0, 1e-30, 0.0039, 0.004, 1.0]),
        sh=mix(scene.sh, [0.0, -1e6, 1e6]),
        screen_offset=mix(scene.screen_offset.transpose(0, 1), [1e9, -3e38]).transpose(0, 1),
    )


def draw_with_gradients(
    scene: Scene, backend: str, gen: torch.Generator
) -> tuple[Picture, list[Tensor]]:
    """The picture, and gradients of a random weighting of color, alpha and depth."""
    tensors = [tensor.clone().requires_grad_() for tensor in scene.tensors()]
    picture = scene.draw(tensors, backend)
    outputs = (picture.color, picture.alpha, picture.depth)
    weights = [torch.randn(out.shape, generator=gen).to(out) for out in outputs]
    loss = sum((out * weight).sum() for out, weight in zip(outputs, weights, strict=True))
    return picture, list(torch.autograd.grad(loss, tensors))
