"""What makes the prior answer faster?   python benchmarks/inference.py [--threads N]

Milliseconds (least of several rounds, the ways taking turns) for one guided answer about four
views, and how far the answer is from torch's own in float32: root mean square of the
difference, relative, over calls at all noise levels. Torch's layers run in bfloat16 where the
processor has it and in float32 elsewhere; that is the yardstick. Runtimes that are missing are
named at the end (`pip install openvino nncf onnx onnxruntime torchao`); none of them is needed
by the package. The last rows ask less of the network instead of running it faster.
"""

import argparse
import copy
import math
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from splatsmith.cameras import orbit
from splatsmith.distill import guided
from splatsmith.priors.embedded import EmbeddedPrior, load_embedded
from splatsmith.priors.precision import fast_bfloat16
from splatsmith.priors.text import Text
from splatsmith.prompts import parse_prompt

VIEWS, SCALE = 4, 4.0
PROMPT = "a red mushroom with white dots"
TIMES = (0.98, 0.8, 0.6, 0.4, 0.2)
CALIBRATION = 24  # calls from which int8 learns its ranges
REST = 0.1  # seconds in which the threads of the way before stop watching for work
HALF = fast_bfloat16("cpu")
PRECISION = "bfloat16" if HALF else "float32"


class Pass(nn.Module):
    """The network with plain tensors as its inputs, as exporters want it."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x_t: Tensor, log_snr: Tensor, camera: Tensor, *read: Tensor) -> Tensor:
        """The velocity; `read` are the parts of a `Text`, captions as they were read."""
        unread = torch.zeros(len(x_t), 1, dtype=torch.long)
        return self.net(x_t, log_snr, unread, camera, None, Text(*read))


class Core(Pass):
    """A smaller network: the 64-pixel one without its outer level is its 32-pixel core.

    As `Denoiser.forward`, with nothing entering the core and nothing added after it.
    """

    def forward(self, x_t: Tensor, log_snr: Tensor, camera: Tensor, *read: Tensor) -> Tensor:
        """The velocity, where what averaging cannot know is taken to be noise."""
        text = Text(*read)
        signal = self.net.signal(log_snr + math.log(4), text.sentence, camera)
        low, _ = self.net._low(x_t, log_snr, signal, text)
        fine = x_t - F.interpolate(F.avg_pool2d(x_t, 2), scale_factor=2.0)
        # alpha / sigma, by which noise alone is a velocity
        return low + torch.exp(log_snr / 2)[:, None, None, None] * fine


@dataclass(frozen=True)
class Question:
    """One call: what is asked of the prior, and what the network gets to see of it."""

    x_t: Tensor
    t: Tensor
    condition: Any
    inputs: tuple[Tensor, ...]  # of `Pass`, both sides of guidance in one batch


Way = Callable[[Question], Tensor]  # the guided velocity of four views


def questions(prior: EmbeddedPrior, count: int, seed: int) -> list[Question]:
    """Noisy pictures at all noise levels; what is in them does not matter for the time."""
    cameras = orbit(
        torch.linspace(-180, 90, VIEWS), torch.full((VIEWS,), 20.0), radius=3.2, fovy=40.0,
        width=prior.resolution, height=prior.resolution,
    )  # fmt: skip
    condition = prior.condition(parse_prompt(PROMPT, prior.vocabulary), cameras)
    both = condition.joined(condition.negative())
    with torch.no_grad():
        text = prior.net.text(both.tokens)
    generator = torch.Generator().manual_seed(seed)
    shape = (VIEWS, prior.channels, prior.resolution, prior.resolution)
    found = []
    for index in range(count):
        t = torch.full((VIEWS,), TIMES[index % len(TIMES)])
        noise = torch.randn(shape, generator=generator)
        picture = torch.ones(shape)
        picture[:, :, 20:44, 24:40] = torch.rand(VIEWS, 3, 1, 1, generator=generator) * 2 - 1
        alpha, sigma = prior.schedule.alpha(t), prior.schedule.sigma(t)
        x_t = alpha[:, None, None, None] * picture + sigma[:, None, None, None] * noise
        log_snr = prior.schedule.log_snr(torch.cat([t, t]))
        twice = torch.cat([x_t, x_t]).contiguous(memory_format=torch.channels_last)
        inputs = (twice, log_snr, both.camera, text.words, text.sentence, text.mask)
        found.append(Question(x_t, t, condition, inputs))
    return found


def combined(v: Tensor) -> Tensor:
    """Classifier-free guidance of a batch that holds both sides."""
    told, untold = v.chunk(2)
    return untold + SCALE * (told - untold)


def by_module(net: nn.Module, half: bool) -> Way:
    """A module called in float32, or in bfloat16 by autocast."""

    def ask(question: Question) -> Tensor:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            return combined(net(*question.inputs).float())

    return ask


def by_prior(prior: EmbeddedPrior, one_pass: bool) -> Way:
    """As the engine asks."""

    @torch.no_grad()
    def ask(question: Question) -> Tensor:
        x_t, t, condition = question.x_t, question.t, question.condition
        return guided(prior, x_t, t, condition, SCALE, one_pass=one_pass).v

    return ask


def compiled(net: Pass, _: list[Question]) -> Way:
    return by_module(torch.compile(net), half=HALF)


def scripted(net: Pass, asked: list[Question]) -> Way:
    with (
        torch.no_grad(),
        torch.autocast("cpu", torch.bfloat16, enabled=HALF, cache_enabled=False),
    ):
        traced = torch.jit.freeze(torch.jit.trace(net, asked[0].inputs, check_trace=False))
    return by_module(traced, half=HALF)


def plain_layout(net: Pass, _: list[Question]) -> Way:
    plain = copy.deepcopy(net).to(memory_format=torch.contiguous_format)
    way = by_module(plain, half=HALF)

    def ask(question: Question) -> Tensor:
        return way(replace(question, inputs=tuple(x.contiguous() for x in question.inputs)))

    return ask


def whole_bfloat16(net: Pass, _: list[Question]) -> Way:
    """Weights and inputs stored as bfloat16, nothing converted on the way."""
    module = copy.deepcopy(net).to(torch.bfloat16)

    def ask(question: Question) -> Tensor:
        with torch.no_grad():
            return combined(module(*(x.to(torch.bfloat16) for x in question.inputs)).float())

    return ask


def dynamic_int8(net: Pass, _: list[Question]) -> Way:
    """Matrices in int8 by torchao; it has no convolutions."""
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    module = copy.deepcopy(net)
    quantize_(module, Int8DynamicActivationInt8WeightConfig())
    return by_module(module, half=False)


def openvino(net: Pass, asked: list[Question], *, int8: bool) -> Way:
    import openvino as ov

    model = ov.convert_model(net, example_input=asked[0].inputs)
    hint = {"INFERENCE_PRECISION_HINT": "bf16" if HALF else "f32"}
    if int8:
        import nncf

        data = nncf.Dataset([tuple(x.numpy() for x in q.inputs) for q in asked])
        model = nncf.quantize(model, data, subset_size=len(asked))
        hint = {}
    options = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "PERFORMANCE_HINT": "LATENCY"}
    ready = ov.Core().compile_model(model, "CPU", options | hint)

    def ask(question: Question) -> Tensor:
        answer = ready([x.contiguous().numpy() for x in question.inputs])[0]
        return combined(torch.from_numpy(answer))

    return ask


def onnx_runtime(net: Pass, asked: list[Question], *, int8: bool) -> Way:
    import onnxruntime

    names = ["x_t", "log_snr", "camera", "words", "sentence", "mask"]

    def feed(question: Question) -> dict[str, Any]:
        arrays = (x.contiguous().numpy() for x in question.inputs)
        return dict(zip(names, arrays, strict=True))

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        torch.onnx.export(net, asked[0].inputs, str(path), input_names=names, dynamo=False)
        if int8:
            from onnxruntime import quantization

            class Reader(quantization.CalibrationDataReader):
                def __init__(self) -> None:
                    self.left = iter(asked)

                def get_next(self):
                    question = next(self.left, None)
                    return None if question is None else feed(question)

            small = path.with_name("int8.onnx")
            quantization.quantize_static(str(path), str(small), Reader(), per_channel=True)
            path = small
        session = onnxruntime.InferenceSession(str(path), options)
    return lambda question: combined(torch.from_numpy(session.run(None, feed(question))[0]))


def ways(prior: EmbeddedPrior, asked: list[Question]) -> tuple[dict[str, Way], list[str]]:
    """All that can be tried here, and what cannot, with the reason."""
    # Weights that could learn are left to torch.
    net = Pass(copy.deepcopy(prior.net).requires_grad_(True)).eval()
    found = {
        "float32": by_module(net, half=False),
        "bfloat16 by autocast": by_module(net, half=True),
        "our kernels": by_prior(prior, one_pass=False),
    }
    tries: dict[str, Callable[[], Way]] = {
        "not channels-last": lambda: plain_layout(net, asked),
        "weights stored as bfloat16": lambda: whole_bfloat16(net, asked),
        "TorchScript, traced and frozen": lambda: scripted(net, asked),
        "torch.compile": lambda: compiled(net, asked),
        "torchao int8, matrices only": lambda: dynamic_int8(net, asked),
        f"OpenVINO {PRECISION}": lambda: openvino(net, asked, int8=False),
        "OpenVINO int8": lambda: openvino(net, asked, int8=True),
        "ONNX Runtime float32": lambda: onnx_runtime(net, asked, int8=False),
        "ONNX Runtime int8": lambda: onnx_runtime(net, asked, int8=True),
        "our kernels, guidance in one pass": lambda: by_prior(prior, one_pass=True),
        "core alone, without outer level": lambda: by_module(Core(net.net).eval(), half=HALF),
    }
    missing = []
    for name, make in tries.items():
        try:
            way = make()
            way(asked[0])
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:100]
            missing.append(f"{name}: {reason}")
        else:
            found[name] = way
    return found, missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--prior", default="embedded")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.threads:
        torch.set_num_threads(options.threads)
    prior = load_embedded(options.prior)
    asked = questions(prior, CALIBRATION, seed=0)
    examined = questions(prior, 2 * len(TIMES), seed=1)
    found, missing = ways(prior, asked)
    truth = [found["float32"](q) for q in examined]
    least = dict.fromkeys(found, float("inf"))
    for index in range(options.rounds):
        for name, way in found.items():
            question = examined[index % len(examined)]
            time.sleep(REST)
            way(question)
            begun = time.perf_counter()
            way(question)
            least[name] = min(least[name], time.perf_counter() - begun)
    base = least["bfloat16 by autocast" if HALF else "float32"]
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {prior.name}\n")
    header = "".join(f"  t={t:<5}" for t in TIMES)
    print(f"{'':36}{'ms':>7}{'ratio':>7}   relative error at{header}")
    for name, way in found.items():
        errors = ""
        for place, _ in enumerate(TIMES):
            picked = [(way(examined[i]), truth[i]) for i in (place, place + len(TIMES))]
            off, whole = (
                float(torch.cat(parts).square().mean().sqrt())
                for parts in ([a - b for a, b in picked], [b for _, b in picked])
            )
            errors += f"  {off / whole:<7.4f}"
        print(f"{name:36}{1e3 * least[name]:7.1f}{base / least[name]:7.2f}{'':20}{errors}")
    for line in missing:
        print(f"not run: {line}")


if __name__ == "__main__":
    main()
