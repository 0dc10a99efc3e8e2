"""What a published prior costs on a GPU.   python benchmarks/gpu.py stable-diffusion-1.5

Full-size networks with random weights (their contents do not change the time), one step after
the other as the loop takes them: render, encode, denoise with guidance, and the way back.
Prints seconds per step for each part, the whole time of the setting, and the peak of memory
beside what was estimated beforehand. Settings:

dreamgaussian  500 steps of one view drawn at 128, 256 and 512 pixels, guidance 100
stabledreamer  four views at the prior's own size, guidance 20 (steps are the paper's 15,000)

`--tiny` is a dry run with a small network on a CPU: it shows that the benchmark works, and its
times mean nothing. This benchmark has been run that way only: nobody here has had a GPU, and no
figure of it is quoted anywhere.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from published import MODELS, write_folder
from torch import nn

from splatsmith.cameras import orbit
from splatsmith.distill import SDS, distill, distillation_loss
from splatsmith.priors.pretrained import MEMORY, PretrainedPrior, PriorOptions, open_pretrained
from splatsmith.priors.pretrained.memory import GIB
from splatsmith.priors.pretrained.parts import empty_part
from splatsmith.priors.pretrained.placing import network_placed
from splatsmith.prompts import Prompt
from splatsmith.scenes import Ball, begin

PROMPT = Prompt(text="a red mushroom")
SMALL = {  # what --tiny changes in each part
    "unet": {"block_out_channels": [32, 64, 64, 64], "attention_head_dim": 8},
    "vae": {"block_out_channels": [32, 32, 32, 32]},
}


@dataclass(frozen=True)
class Setting:
    """A published way of using a prior."""

    steps: int
    views: int
    splats: int
    guidance: float
    sizes: tuple[int, ...]  # pixels a side over the run; empty: the prior's own


SETTINGS = {
    "dreamgaussian": Setting(500, 1, 5000, 100.0, (128, 256, 512)),
    "stabledreamer": Setting(15_000, 4, 1000, 20.0, ()),
}


def prior_of(folder: Path, name: str, options: PriorOptions, tiny: bool) -> PretrainedPrior:
    """The prior with random weights and one prompt that it has already read."""
    parts = MODELS[name][2]
    changed = {p: parts[p][2] | SMALL.get(p, {}) for p in parts} if tiny else {}
    write_folder(folder, name, changed)
    for tokenizer in ("tokenizer", "tokenizer_2", "tokenizer_3"):
        (folder / tokenizer).mkdir()
    prior = open_pretrained(str(folder), options)
    prior._network = network_placed(
        filled(empty_part(prior.folder, prior.family.network), prior.dtype, prior.device),
        prior.device,
        options,
    )
    if prior.facts.latent is not None:
        empty = empty_part(prior.folder, "vae")
        prior._autoencoder = filled(empty, prior.autoencoder_dtype, prior.device)
        if options.memory == "low":
            prior._autoencoder.enable_gradient_checkpointing()  # type: ignore[operator]
    words = PROMPT.views
    assert words is not None
    texts = [PROMPT.text + s for s in (words.front, words.side, words.back, words.overhead)]
    for text in (PROMPT.text, *texts, ""):
        prior.reader.known[text] = {
            row: torch.randn(1, *shape, device=prior.device)
            for row, shape in prior.facts.row_shapes.items()
        }
    return prior


def filled(model: nn.Module, dtype: torch.dtype, device: torch.device) -> nn.Module:
    """The empty model with small random weights."""
    model = model.to(dtype).to_empty(device=device)
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.zero_()
            elif weight.ndim > 1:
                weight.normal_(0, 0.5 * weight[0].numel() ** -0.5, generator=generator)
            else:
                weight.fill_(1)
        for buffer in model.buffers():
            buffer.zero_()
    return model.eval().requires_grad_(False)


class Clock:
    """Sums of seconds by part, the device waited for at each end."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Count the block's time under `part`."""
        self._wait()
        begun = time.perf_counter()
        yield
        self._wait()
        self.seconds[part].append(time.perf_counter() - begun)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def run(prior: PretrainedPrior, setting: Setting, steps: int, clock: Clock) -> None:
    """So many steps, spread over the setting's sizes."""
    gen = torch.Generator().manual_seed(0)
    scene = begin(Ball(count=setting.splats, color_spread=1.0), gen)
    drawn_on_gpu = prior.device.type == "cuda" and gsplat_there()
    place = prior.device if drawn_on_gpu else torch.device("cpu")
    scene = scene.to(place)
    optimizer = torch.optim.Adam(scene.parameters(), lr=1e-3)
    score = SDS(guidance=setting.guidance)
    sizes = setting.sizes or (prior.size,)
    for step in range(steps):
        size = sizes[min(len(sizes) - 1, step * len(sizes) // steps)]
        azimuths = [(77.0 * step + 360 * i / setting.views) % 360 for i in range(setting.views)]
        cameras = orbit(azimuths, 15.0, width=size, height=size)
        condition = prior.condition(PROMPT, cameras)
        white = torch.ones(3, device=place)
        optimizer.zero_grad()
        with clock.timed("render"):
            color = scene.render(cameras.to(place), white).color
        with clock.timed("encode"):
            x = prior.encode(color)
        with clock.timed("denoise"):
            found = distill(score, prior, condition, x, step / steps, gen)
        with clock.timed("backward"):
            distillation_loss(x, found).backward()
        optimizer.step()


def gsplat_there() -> bool:
    import importlib.util

    return importlib.util.find_spec("gsplat") is not None


def report(prior: PretrainedPrior, setting: Setting, clock: Clock, peak: int | None) -> None:
    """The table, and what to think of it."""
    middle = {part: sorted(times)[len(times) // 2] for part, times in clock.seconds.items()}
    device = prior.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}, {prior.name}")
    print(f"{setting.views} views, guidance {setting.guidance}, medians, seconds:")
    for part, seconds in middle.items():
        print(f"  {part:10}{seconds:9.4f}")
    total = sum(middle.values())
    minutes = total * setting.steps / 60
    print(f"  {'step':10}{total:9.4f}   {setting.steps} steps: {minutes:.1f} min")
    need = prior._need(prior.options, setting.views, 1 if setting.guidance == 1 else 2)
    print(f"memory estimated: {need.said()}")
    if peak is not None:
        print(f"memory measured:  {peak / GIB:.2f} GiB at most, allocated by torch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", choices=MODELS, nargs="?", default="stable-diffusion-1.5")
    parser.add_argument("--setting", choices=SETTINGS, default="dreamgaussian")
    parser.add_argument("--steps", type=int, help="fewer than the setting's, to be quick")
    parser.add_argument("--memory", choices=MEMORY, default="high")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--compiled", action="store_true", help="torch.compile the network")
    parser.add_argument("--tiny", action="store_true", help="dry run on a CPU")
    given = parser.parse_args()
    setting = SETTINGS[given.setting]
    if given.tiny:
        setting = Setting(3, setting.views, 100, setting.guidance, (32,))
        print("Dry run with a small network: the times mean nothing.")
    elif not torch.cuda.is_available():
        raise SystemExit("There is no GPU here; --tiny makes a dry run on the CPU.")
    options = PriorOptions(
        memory=given.memory,
        precision=given.precision,
        compiled=given.compiled,
        device="cpu" if given.tiny else "",
        size=64 if given.tiny and "vae" in MODELS[given.model][2] else 0,
    )
    with tempfile.TemporaryDirectory() as folder:
        prior = prior_of(Path(folder), given.model, options, given.tiny)
        warm = Clock(prior.device)
        run(prior, setting, 1 if given.tiny else 5, warm)
        cuda = prior.device.type == "cuda"
        if cuda:
            torch.cuda.reset_peak_memory_stats(prior.device)
        clock = Clock(prior.device)
        run(prior, setting, given.steps or min(setting.steps, 500), clock)
        report(prior, setting, clock, torch.cuda.max_memory_allocated() if cuda else None)


if __name__ == "__main__":
    main()
