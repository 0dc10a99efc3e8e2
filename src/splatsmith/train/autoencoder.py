"""How the latent prior's autoencoder is made; the first part of `splatsmith train latent`.

It learns to rebuild toybox pictures of 128 x 128 through 4 x 32 x 32 numbers: mean absolute
error on three scales, and a slight pull of the latents toward a standard normal. Half of the
pictures are roughened, because in distillation it meets renders of unfinished scenes.
"""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from splatsmith.errors import InputError, InvalidFile
from splatsmith.export.sheet import save_png
from splatsmith.files import part_of, replace_file
from splatsmith.optimize.streams import stream
from splatsmith.priors.autoencoder import Autoencoder, AutoencoderShape
from splatsmith.priors.precision import fast_precision
from splatsmith.toybox.sampler import BatchSampler
from splatsmith.toybox.split import Split

WEIGHTS = "autoencoder.safetensors"
SAVE_EVERY = 120.0  # seconds
FIRST_HELD = 1_000_000  # held-out batches are far from the steps of any training


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoencoderTraining:
    """The numbers of one training."""

    minutes: float = 20.0
    seed: int = 0
    batch: int = 16
    rate: float = 2e-3
    warm_up: int = 100  # steps
    fall_from: float = 0.5  # share of the time after which the rate falls, as a cosine
    kl: float = 1e-4  # weight of the pull toward a standard normal
    rough_share: float = 0.5  # of the pictures
    shape: AutoencoderShape = AutoencoderShape()  # noqa: RUF009 (it is frozen)

    def rate_at(self, progress: float, step: int) -> float:
        """Learning rate after a share `progress` (0 to 1) of the time."""
        fallen = min(1.0, max(0.0, (progress - self.fall_from) / (1 - self.fall_from)))
        return (
            self.rate
            * min(1.0, (step + 1) / self.warm_up)
            * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fallen)))
        )


def train_autoencoder(
    settings: AutoencoderTraining, out: Path, *, resume: bool = False, device: str = "cpu"
) -> Autoencoder:
    """Train, or go on; returns the autoencoder, which is also saved in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        net = Autoencoder(settings.shape).to(device)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.01, betas=(0.9, 0.99))
    step, seconds = (
        _load(out / WEIGHTS, net, optimizer)
        if resume and (out / WEIGHTS).is_file()
        else (0, 0.0)
    )
    begun, saved, whole = time.perf_counter() - seconds, seconds, settings.minutes * 60
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns) as line:
        task = line.add_task("autoencoder", total=whole)
        while seconds < whole:
            rate = settings.rate_at(seconds / whole, step)
            x, draws = (
                pictures(settings, step).to(device),
                stream(settings.seed, "latent", step),
            )
            loss = _learn(net, optimizer, x, rate, settings.kl, draws)
            step, seconds = step + 1, time.perf_counter() - begun
            line.update(task, completed=seconds, description=f"step {step}, loss {loss:.4f}")
            if seconds - saved > SAVE_EVERY:
                _save(out, net, optimizer, step, seconds, settings)
                saved = seconds
    _standardize(net, settings, device)
    _save(out, net, optimizer, step, whole, settings)
    return net


def pictures(
    settings: AutoencoderTraining, step: int, split: Split = "train"
) -> Float[Tensor, "views 3 height width"]:
    """The pictures of a step in -1..1, some of them roughened; held-out ones are not."""
    size = settings.shape.resolution
    sampler = BatchSampler(size=size, batch=settings.batch, seed=settings.seed + 7, split=split)
    x = sampler.batch_at(step).color.permute(0, 3, 1, 2) * 2 - 1
    if split == "train":
        generator = stream(settings.seed, "rough", step)
        rough = torch.rand(settings.batch, generator=generator) < settings.rough_share
        x = torch.where(rough[:, None, None, None], roughened(x, generator), x)
    return x.contiguous(memory_format=torch.channels_last)


def roughened(
    x: Float[Tensor, "views 3 height width"], generator: torch.Generator
) -> Float[Tensor, "views 3 height width"]:
    """Blurred, mixed with other pictures, and speckled by blots, as unfinished scenes are."""
    views, _, height, width = x.shape
    share = torch.rand(views, 1, 1, 1, generator=generator)
    blurred = F.interpolate(F.avg_pool2d(x, 4), size=(height, width), mode="bilinear")
    mixed = torch.lerp(x, torch.where(share < 0.5, blurred, x.roll(1, 0)), share)
    blots = torch.randn(views, 3, 16, 16, generator=generator)
    blots = F.interpolate(blots, size=(height, width), mode="bicubic")
    return (mixed + 0.5 * share.flip(0) * blots).clamp(-1, 1)


def _learn(
    net: Autoencoder,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    rate: float,
    kl: float,
    generator: torch.Generator,
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = rate
    with fast_precision(x.device):
        mean, log_variance = net.distribution(x)
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        drawn = mean + torch.exp(0.5 * log_variance) * noise
        rebuilt = net.rebuilt(drawn)
    mean, log_variance = mean.float(), log_variance.float()
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    loss = _difference(rebuilt.float(), x) + kl * divergence
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    if torch.isfinite(norm):
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def _difference(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute error at the full, half and quarter resolution."""
    total = (a - b).abs().mean()
    for _ in range(2):
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
        total = total + (a - b).abs().mean()
    return total


@torch.no_grad()
def _standardize(net: Autoencoder, settings: AutoencoderTraining, device: str) -> None:
    """Set shift and scale so that the latents of toybox pictures are about standard normal."""
    latents = torch.cat(
        [net.distribution(pictures(settings, FIRST_HELD + k).to(device))[0] for k in range(8)]
    )
    net.shift.copy_(latents.mean(dim=(0, 2, 3)))
    net.scale.copy_(1 / latents.std(dim=(0, 2, 3)).clamp(min=1e-3))


@torch.no_grad()
def examined(net: Autoencoder, settings: AutoencoderTraining) -> float:
    """PSNR (dB) of held-out pictures, rebuilt."""
    errors = []
    for k in range(4):
        x = pictures(settings, FIRST_HELD + k, "held").to(net.scale.device)
        rebuilt = net.decode(net.encode(x)).clamp(-1, 1)
        errors.append(((rebuilt - x) / 2).square().mean())
    return float(-10 * torch.stack(errors).mean().log10())


def _save(
    out: Path,
    net: Autoencoder,
    optimizer: torch.optim.Optimizer,
    step: int,
    seconds: float,
    settings: AutoencoderTraining,
) -> None:
    tensors = {f"net.{k}": t for k, t in net.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"moments.{index}.{k}": t for k, t in state.items()}
    counters = {"step": step, "seconds": seconds}
    plain = {k: t.detach().cpu().contiguous() for k, t in tensors.items()}
    replace_file(out / WEIGHTS, save(plain, metadata={"counters": json.dumps(counters)}))
    figures = counters | {"psnr": round(examined(net, settings), 2)}
    with (out / "autoencoder.jsonl").open("a") as file:
        file.write(json.dumps(figures) + "\n")
    _sheet(out, net, settings)


@torch.no_grad()
def _sheet(out: Path, net: Autoencoder, settings: AutoencoderTraining) -> None:
    x = pictures(settings, FIRST_HELD, "held").to(net.scale.device)[:8]
    both = torch.cat([x, net.decode(net.encode(x))]).clamp(-1, 1).cpu()
    rows = ((both + 1) / 2).permute(0, 2, 3, 1).unflatten(0, (2, -1))
    sheet = torch.cat([torch.cat(list(row), dim=1) for row in rows])
    save_png(out / "autoencoder.png", (sheet * 255).round().to(torch.uint8).numpy())


def _load(
    path: Path, net: Autoencoder, optimizer: torch.optim.Optimizer | None = None
) -> tuple[int, float]:
    """Put the saved weights and moments in place; returns step and seconds."""
    try:
        with safe_open(path, framework="pt") as file:
            counters = json.loads((file.metadata() or {})["counters"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        net.load_state_dict(part_of(tensors, "net."))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in part_of(tensors, "moments.").items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = tensor
        if optimizer is not None:
            optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
        return int(counters["step"]), float(counters["seconds"])
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise InvalidFile(path, None, f"not an autoencoder's checkpoint ({error})") from error


def load_autoencoder(path: Path, shape: AutoencoderShape) -> Autoencoder:
    """The trained autoencoder in a checkpoint; InputError if there is none."""
    if not path.is_file():
        raise InputError(f"There is no autoencoder at {path}; train it first.")
    net = Autoencoder(shape)
    _load(path, net)
    return net.eval().requires_grad_(False)
