"""Are our multi-view networks the authors' own?   python benchmarks/parity.py mvdream FOLDER

FOLDER is a checkout of the authors' repository: bytedance/MVDream for mvdream,
bytedance/ImageDream for imagedream, cvlab-columbia/zero123 for zero123. Their modules are run
beside ours on random weights, and the largest differences are printed; a difference over 1e-4
is an error. Nothing of theirs is part of this project. Needs einops, and no weights.
"""

import argparse
import importlib
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import diffusers  # noqa: F401 - before the dummies, which it would take for the packages
import torch
from torch import Tensor, nn

from splatsmith.cameras import orbit
from splatsmith.priors.pretrained.multiview_unet import camera_rows
from splatsmith.priors.pretrained.own import OWN, fitted

MOST = 1e-4  # difference
VIEWS, GROUPS, WORDS = 4, 3, 48
SMALL = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 64,
    "attention_resolutions": [4, 2, 1],
    "num_res_blocks": 2,
    "channel_mult": [1, 2, 2, 2],
    "use_spatial_transformer": True,
    "transformer_depth": 1,
    "context_dim": WORDS,
    "use_checkpoint": False,
    "legacy": False,
}
MANY = {"num_head_channels": 32, "use_linear_in_transformer": True, "camera_dim": 16}
KINDS: dict[str, dict[str, Any]] = {
    "mvdream": SMALL | MANY,
    "imagedream": SMALL | MANY | {"with_ip": True, "ip_dim": 16, "ip_mode": "local_resample"},
    "zero123": SMALL | {"in_channels": 8, "num_heads": 8},
}
FULL = {"model_channels": 320, "channel_mult": [1, 2, 4, 4]}
PACKAGES = {
    "mvdream": ("mvdream", "mvdream"),
    "imagedream": ("imagedream", "extern/ImageDream/imagedream"),
    "zero123": ("ldm", "zero123/ldm"),
}


def main() -> int:
    """Compare one model; 1 if it differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=KINDS)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    name, inside = PACKAGES[given.model]
    provide_dummies(name, given.folder / inside)
    code = "ldm.modules" if name == "ldm" else f"{name}.ldm.modules"
    networks = importlib.import_module(f"{code}.diffusionmodules.openaimodel")
    kind = networks.UNetModel if name == "ldm" else networks.MultiViewUNetModel
    class_name = "LdmUNet" if name == "ldm" else "MultiViewUNetModel"
    config = KINDS[given.model]
    theirs = scrambled(kind(**config))
    ours = converted(class_name, theirs.state_dict(), config)
    compare: Callable[[nn.Module, nn.Module], tuple[Tensor, Tensor]] = {
        "mvdream": ask_mvdream,
        "imagedream": ask_imagedream,
        "zero123": ask_zero123,
    }[given.model]
    with torch.no_grad():
        expected, got = compare(theirs, ours)
    worst = float((expected - got).abs().max())
    print(f"UNet: deviation {expected.std():.2f}, largest difference {worst:.1e}")
    if name != "ldm":
        cameras = importlib.import_module(f"{name}.camera_utils")
        # Their azimuth 90 is our 0.
        expected = cameras.get_camera(4, elevation=15, azimuth_start=33)
        turned = orbit([33.0 - 90 + 90 * i for i in range(4)], 15.0, width=8, height=8)
        difference = float((expected - camera_rows(turned)).abs().max())
        print(f"cameras: largest difference {difference:.1e}")
        worst = max(worst, difference)
    wide = {"context_dim": 768 if name == "ldm" else 1024}
    wide |= {} if name == "ldm" else {"num_head_channels": 64}
    with torch.device("meta"):
        full = kind(**config | FULL | wide).state_dict()
    fits = same_names(class_name, full)
    count = sum(tensor.numel() for tensor in full.values())
    print(f"full size: {len(full)} tensors, {count:,} weights, all fit: {fits}")
    return int(worst > MOST or not fits)


def provide_dummies(name: str, path: Path) -> None:
    """The authors' package by its path, and what it imports but does not need here."""
    package = types.ModuleType(name)
    package.__path__ = [str(path)]
    lists = types.ModuleType("omegaconf.listconfig")
    lists.ListConfig = list  # type: ignore[attr-defined]
    configs = types.ModuleType("omegaconf")
    configs.OmegaConf = configs.ListConfig = list  # type: ignore[attr-defined]
    memory, operations = types.ModuleType("xformers"), types.ModuleType("xformers.ops")
    memory.ops = operations  # type: ignore[attr-defined]
    operations.memory_efficient_attention = plain_attention  # type: ignore[attr-defined]
    tools = types.ModuleType("ldm.util")  # imports a dozen packages for two small functions
    tools.exists = lambda value: value is not None  # type: ignore[attr-defined]
    tools.instantiate_from_config = lambda _: nn.Identity()  # type: ignore[attr-defined]
    for module in (package, configs, lists, memory, operations, tools):
        sys.modules[module.__name__] = module


def plain_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_bias: None = None, op: None = None
) -> Tensor:
    """What xformers' fast attention comes to."""
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    return torch.softmax(scores, dim=-1) @ value


def scrambled(model: nn.Module) -> nn.Module:
    """Every parameter anew: what begins at zero would hide mistakes."""
    draws = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            scale = 0.5 / weight[0].numel() ** 0.5 if weight.ndim > 1 else 0.3
            weight.copy_(torch.randn(weight.shape, generator=draws) * scale)
    return model.eval()


def converted(
    class_name: str, tensors: Mapping[str, Tensor], config: Mapping[str, Any]
) -> nn.Module:
    """Our network with their weights, by way of our loader."""
    own = OWN[class_name]
    model = own.make({name: tuple(t.shape) for name, t in tensors.items()}, config)
    return fitted(model, own.rename(tensors, model), Path(class_name))


def same_names(class_name: str, tensors: Mapping[str, Tensor]) -> bool:
    """Whether their tensors are just those that our network has."""
    own = OWN[class_name]
    model = own.make({name: tuple(t.shape) for name, t in tensors.items()}, {})
    found = {name: tuple(t.shape) for name, t in own.rename(tensors, model).items()}
    return found == {name: tuple(t.shape) for name, t in model.state_dict().items()}


def question() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x_t, steps, words and cameras of three groups of four views."""
    draws, count = torch.Generator().manual_seed(1), GROUPS * VIEWS
    x_t = torch.randn(count, 4, 16, 16, generator=draws)
    steps = torch.tensor([20.0, 500.0, 980.0]).repeat_interleave(VIEWS)
    words = torch.randn(GROUPS, 7, WORDS, generator=draws).repeat_interleave(VIEWS, dim=0)
    azimuth = [10.0 + 90 * i for i in range(count)]
    return x_t, steps, words, camera_rows(orbit(azimuth, 20.0, width=8, height=8))


def ask_mvdream(theirs: nn.Module, ours: nn.Module) -> tuple[Tensor, Tensor]:
    """Both answers."""
    x_t, steps, words, camera = question()
    expected = theirs(x_t.clone(), steps, context=words, camera=camera, num_frames=VIEWS)
    return expected, ours(x_t, steps, words, class_labels=camera).sample


def ask_imagedream(theirs: nn.Module, ours: nn.Module) -> tuple[Tensor, Tensor]:
    """Both answers, with the picture as a fifth view of each group, which is left out."""
    from splatsmith.priors.pretrained.mvdream import ask_picture

    x_t, steps, words, camera = question()
    draws = torch.Generator().manual_seed(2)
    cells = torch.randn(GROUPS, 9, 1280, generator=draws)
    latent = torch.randn(GROUPS, 4, 16, 16, generator=draws)

    def five(rows: Tensor, last: Tensor) -> Tensor:
        return torch.cat([rows.unflatten(0, (GROUPS, VIEWS)), last[:, None]], 1).flatten(0, 1)

    expected = theirs(
        five(x_t, torch.zeros(GROUPS, 4, 16, 16)),
        five(steps[:, None], steps[::VIEWS, None])[:, 0],
        context=five(words, words[::VIEWS]),
        camera=five(camera, torch.zeros(GROUPS, 16)),
        num_frames=VIEWS + 1,
        ip=cells.repeat_interleave(VIEWS + 1, dim=0),
        ip_img=latent.clone(),
    )
    expected = expected.unflatten(0, (GROUPS, VIEWS + 1))[:, :VIEWS].flatten(0, 1)
    rows = {"words": words, "camera": camera}
    rows["image"] = cells.repeat_interleave(VIEWS, dim=0)
    rows["reference"] = latent.repeat_interleave(VIEWS, dim=0)
    asked: Any = types.SimpleNamespace(
        x_t=x_t, steps=steps, row=rows.__getitem__, facts=types.SimpleNamespace(views=VIEWS)
    )
    return expected, ask_picture(ours, asked)


def ask_zero123(theirs: nn.Module, ours: nn.Module) -> tuple[Tensor, Tensor]:
    """Both answers."""
    x_t, steps, words, _ = question()
    both = torch.cat([x_t, x_t.flip(0)], dim=1)
    token = words[:, :1]
    return theirs(both, steps, context=token), ours(both, steps, token).sample


if __name__ == "__main__":
    sys.exit(main())
