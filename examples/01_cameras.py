"""Which way is up: the convention, and the three ways to ask for cameras.

    python examples/01_cameras.py [OUT.png]

Draws a grey ball with a red ball on +X (the front), a green one on +Y (the object's own left)
and a blue one on +Z (up), and puts three rows of views into one picture: a contact sheet's
first row, a turntable's frames, and eight random views as one training step would draw them.
"""

import sys
from pathlib import Path

import torch
from PIL import Image

from splatsmith.cameras import OrbitSampler, sheet_cameras, turntable
from splatsmith.scenes import from_points
from splatsmith.scenes.starts import ball_points

SIZE = 64
out = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/cameras.png")

generator = torch.Generator().manual_seed(0)
balls = [  # center, radius, color
    ((0.0, 0.0, 0.0), 0.45, (0.6, 0.6, 0.6)),
    ((0.7, 0.0, 0.0), 0.2, (0.9, 0.2, 0.2)),
    ((0.0, 0.7, 0.0), 0.2, (0.2, 0.7, 0.2)),
    ((0.0, 0.0, 0.7), 0.2, (0.2, 0.3, 0.9)),
]
points, colors = [], []
for center, radius, color in balls:
    points.append(ball_points(300, radius, generator) + torch.tensor(center))
    colors.append(torch.tensor(color).expand(300, 3))
scene = from_points(torch.cat(points), torch.cat(colors), opacity=0.9, scale=0.6)

sampler = OrbitSampler(elevation=(-30.0, 80.0))  # stratified, uniform on the sphere
rows = {
    "contact sheet, azimuth 0 to 315": sheet_cameras(SIZE, SIZE, elevations=[10.0]),
    "turntable, elevation 30": turntable(8, elevation=30.0, width=SIZE, height=SIZE),
    "one training step": sampler.sample(8, SIZE, SIZE, generator),
}
strips = []
for name, cameras in rows.items():
    picture = scene.render(cameras, torch.ones(3)).color.detach()
    strips.append(torch.cat(list(picture), dim=1))
    azimuth = ", ".join(f"{value:.0f}" for value in cameras.azimuth.tolist())
    elevation = ", ".join(f"{value:.0f}" for value in cameras.elevation.tolist())
    print(f"{name}: azimuth {azimuth}; elevation {elevation} degrees")

out.parent.mkdir(parents=True, exist_ok=True)
pixels = (torch.cat(strips).clamp(0, 1) * 255).round().to(torch.uint8)
Image.fromarray(pixels.numpy()).save(out)
print(f"wrote {out}")
