"""The prior that ships with the package: a small pixel-space denoiser trained on the toybox.

It takes a caption, view words and a camera, each of which may be missing, and knows only the
words of its own vocabulary. Its weights are one safetensors file whose header holds all the
rest: the shapes of the network, the word table, the vocabulary, and how it was made.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from splatsmith.cameras.convention import Cameras
from splatsmith.errors import InputError, InvalidFile
from splatsmith.files import replace_file
from splatsmith.priors.denoiser import Denoiser, DenoiserShape, camera_features, channels_last
from splatsmith.priors.pixels import decode_pixels, encode_pixels
from splatsmith.priors.prediction import Prediction
from splatsmith.priors.schedule import Cosine, NoiseSchedule
from splatsmith.priors.text import WordTable
from splatsmith.prompts.prompt import Prompt
from splatsmith.prompts.vocabulary import Vocabulary

FORMAT = "splatsmith-embedded-prior-1"
SHIPPED = "prior-v1.safetensors"
MOST_BYTES = 25_000_000


def schedule_for(resolution: int) -> Cosine:
    """The noise schedule of a network for pictures of `resolution` pixels.

    A picture twice as large needs twice the noise to hide the same shapes, so the log-SNR is
    shifted by 2 log(32 / resolution) (Hoogeboom et al. 2023, simple diffusion, equation 5).
    """
    return Cosine.for_resolution(resolution, base=32)


@dataclass(frozen=True)
class EmbeddedCondition:
    """What the network is told of each view."""

    tokens: Int[Tensor, "views words"]
    camera: Float[Tensor, "views 7"]
    negative_tokens: Int[Tensor, "views words"]

    def __len__(self) -> int:
        return len(self.tokens)

    def negative(self) -> "EmbeddedCondition":
        """The twin without caption and camera, or with the negative caption if there is one."""
        nothing = torch.zeros_like(self.camera)
        return EmbeddedCondition(self.negative_tokens, nothing, self.negative_tokens)

    def joined(self, other: "EmbeddedCondition") -> "EmbeddedCondition":
        """The rows of both, these first."""
        return EmbeddedCondition(
            torch.cat([self.tokens, other.tokens]),
            torch.cat([self.camera, other.camera]),
            torch.cat([self.negative_tokens, other.negative_tokens]),
        )


class EmbeddedPrior:
    """A frozen denoiser with its vocabulary; implements `Prior`."""

    space: Literal["pixel", "latent"] = "pixel"
    channels = 3
    views = 1
    default_guidance = 7.0

    def __init__(
        self, net: Denoiser, vocabulary: Vocabulary, words: WordTable, name: str
    ) -> None:
        self.net = channels_last(net.eval().requires_grad_(False))
        self.vocabulary = vocabulary
        self.words = words
        self.name = name  # for reports: the file's name and the start of its hash
        self.resolution = net.shape.resolution
        self.schedule: NoiseSchedule = schedule_for(self.resolution)

    def condition(self, prompt: Prompt, cameras: Cameras) -> EmbeddedCondition:
        """Caption, view words and camera of each view."""
        texts = prompt.for_views(cameras.azimuth, cameras.elevation)
        tokens = self.words.encode(texts)
        known = torch.ones_like(cameras.azimuth)
        camera = camera_features(cameras.azimuth, cameras.elevation, known)
        negative = self.words.encode([prompt.negative] * len(cameras))
        return EmbeddedCondition(tokens, camera.float(), negative)

    def encode(
        self, color: Float[Tensor, "views height width 3"]
    ) -> Float[Tensor, "views 3 rows columns"]:
        """Pictures in 0..1 to -1..1 at the prior's resolution; differentiable."""
        return encode_pixels(color, self.resolution)

    def decode(
        self, x: Float[Tensor, "views 3 rows columns"]
    ) -> Float[Tensor, "views rows columns 3"]:
        """-1..1 to pictures in 0..1."""
        return decode_pixels(x)

    @torch.no_grad()
    def predict(
        self,
        x_t: Float[Tensor, "views 3 rows columns"],
        t: Float[Tensor, "views"],
        condition: EmbeddedCondition,
    ) -> Prediction:
        """One pass of the network; native in v. bfloat16 inside where the CPU has it."""
        noisy = x_t.contiguous(memory_format=torch.channels_last)
        log_snr = self.schedule.log_snr(t)
        with torch.autocast(
            x_t.device.type, torch.bfloat16, enabled=_fast_bfloat16(x_t.device)
        ):
            v = self.net(noisy, log_snr, condition.tokens, condition.camera)
        return Prediction.of("v", v.to(x_t.dtype), x_t.detach(), t, self.schedule)


def _fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 multiplies in hardware; elsewhere it would be slower than float32."""
    if device.type != "cpu":
        return True
    return bool(torch.cpu._is_avx512_bf16_supported())


def save_embedded(
    path: Path, net: Denoiser, vocabulary: Vocabulary, words: WordTable, made: dict[str, Any]
) -> None:
    """Write weights (as float16), shapes, words and how they were made, as one file."""
    tensors = {name: t.half().contiguous() for name, t in net.state_dict().items()}
    header = {
        "format": FORMAT,
        "shape": json.dumps(asdict(net.shape)),
        "words": json.dumps(words.words),
        "vocabulary": vocabulary.to_json(),
        "made": json.dumps(made),
    }
    replace_file(path, save(tensors, metadata=header))


def load_embedded(path: Path | str | None = None) -> EmbeddedPrior:
    """Read an embedded prior; without a path, the one that ships with the package.

    Raises:
        InputError: there is no such file.
        InvalidFile: it is no embedded prior, is damaged, or is not the one that shipped.
    """
    file = shipped_weights() if path is None else Path(path)
    if not file.is_file():
        raise InputError(f"No prior at {file}; leave out --prior to use the one that ships.")
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if path is None:
        check_shipped(file, digest)
    header = read_header(file, data)
    try:
        shape = DenoiserShape.from_plain(json.loads(header["shape"]))
        net = Denoiser(shape)
        net.load_state_dict({name: t.float() for name, t in load(data).items()})
        words = WordTable(json.loads(header["words"]), shape.words)
        vocabulary = Vocabulary.from_json(header["vocabulary"])
    except (SafetensorError, RuntimeError, TypeError, ValueError, KeyError) as error:
        raise InvalidFile(file, None, f"not a usable embedded prior ({error})") from error
    if not all(torch.isfinite(t).all() for t in net.state_dict().values()):
        raise InvalidFile(file, None, "some weights are not finite numbers")
    return EmbeddedPrior(net, vocabulary, words, f"{file.stem} {digest[:12]}")


def read_header(path: Path, data: bytes) -> dict[str, str]:
    """The text part of a prior's file; InvalidFile if it is not one."""
    if len(data) > MOST_BYTES:
        raise InvalidFile(path, None, f"{len(data)} bytes; an embedded prior has at most 25 MB")
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])["__metadata__"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidFile(path, 0, "not a safetensors file with a header") from error
    if header.get("format") != FORMAT:
        raise InvalidFile(path, 8, f"format is {header.get('format')!r}, expected {FORMAT!r}")
    return dict(header)


def shipped_weights(name: str = SHIPPED) -> Path:
    """Where the weights are: inside the package when installed, beside `src` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "weights", package.parents[1] / "weights"):
        if (folder / name).is_file():
            return folder / name
    return package / "weights" / name


def check_shipped(path: Path, digest: str) -> None:
    """InvalidFile unless SHA-256 `digest` is the one that `SHA256SUMS` beside `path` gives."""
    sums = path.parent / "SHA256SUMS"
    lines = sums.read_text().splitlines() if sums.is_file() else []
    if [digest, path.name] not in [line.split() for line in lines]:
        raise InvalidFile(
            path, None, "its SHA-256 is not the one it shipped with; reinstall the package"
        )
