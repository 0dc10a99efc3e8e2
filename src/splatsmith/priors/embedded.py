"""The priors that ship with the package: small denoisers trained on the toybox.

They take a caption, view words and a camera, each of which may be missing, and know only the
words of their own vocabulary. Some work in pixels, some in the latents of an autoencoder, and
one has never been told of cameras. Some denoise several views together; some are shown a
picture and asked how it looks from elsewhere. The weights of each are one safetensors file
whose header holds all the rest: the shapes of the network, the word table, the vocabulary, how
it was made.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from splatsmith.cameras.convention import Cameras
from splatsmith.errors import InputError, InvalidFile
from splatsmith.files import check_shipped, part_of, replace_file
from splatsmith.images import Reference
from splatsmith.priors.across import REFERENCE, Reading, check_around, relation_features
from splatsmith.priors.autoencoder import Autoencoder, AutoencoderShape
from splatsmith.priors.denoiser import Denoiser, DenoiserShape, camera_features, channels_last
from splatsmith.priors.low_rank import EmbeddedAdapter
from splatsmith.priors.pixels import decode_pixels, encode_pixels
from splatsmith.priors.precision import fast_precision
from splatsmith.priors.prediction import Prediction
from splatsmith.priors.schedule import Cosine, NoiseSchedule
from splatsmith.priors.shipped import SHIPPED, shipped_weights
from splatsmith.priors.text import Text, WordTable
from splatsmith.prompts.prompt import Prompt
from splatsmith.prompts.vocabulary import Vocabulary

FORMAT = "splatsmith-embedded-prior-1"
AUTOENCODER = "autoencoder."  # what its tensors are called by
MOST_BYTES = 25_000_000
MOST_READ = 256  # captions that are remembered as read


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
    relation: Float[Tensor, "views 5"] | None = None  # to the image; None: it sees no pictures
    image: Reference | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def negative(self) -> "EmbeddedCondition":
        """The twin without caption, camera and picture, or with the negative caption."""
        nothing = torch.zeros_like(self.camera)
        unrelated = None if self.relation is None else torch.zeros_like(self.relation)
        tokens = self.negative_tokens
        return EmbeddedCondition(tokens, nothing, tokens, unrelated, self.image)

    def nothing(self) -> "EmbeddedCondition":
        """The twin without caption, camera, picture and negative caption."""
        empty = torch.zeros_like(self.tokens)
        return replace(self, negative_tokens=empty).negative()

    def joined(self, other: "EmbeddedCondition") -> "EmbeddedCondition":
        """The rows of both, these first."""
        relations = [r for r in (self.relation, other.relation) if r is not None]
        return EmbeddedCondition(
            torch.cat([self.tokens, other.tokens]),
            torch.cat([self.camera, other.camera]),
            torch.cat([self.negative_tokens, other.negative_tokens]),
            torch.cat(relations) if relations else None,
            self.image,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """What kind of prior it is."""

    sees_cameras: bool = (
        True  # False: trained on pictures of unknown viewpoint, as the web's are
    )
    guidance: tuple[float, float] | None = None  # scales learned in one pass, least and most


# Words that views add to a prompt, such as ", front view".
VIEW_WORDS = 2


class EmbeddedPrior:
    """A frozen denoiser with its vocabulary; a `Prior`, `OnePassPrior` and `Adaptable`."""

    default_guidance = 7.0

    def __init__(
        self,
        net: Denoiser,
        vocabulary: Vocabulary,
        words: WordTable,
        name: str,
        nature: Nature = Nature(),
        autoencoder: Autoencoder | None = None,
    ) -> None:
        self.net = channels_last(net.eval().requires_grad_(False))
        self.vocabulary = vocabulary
        self.words = words
        self.name = name  # for reports: the file's name and the start of its hash
        self.nature = nature
        self.read: dict[bytes, Text] = {}  # captions read before; a run has a handful
        self.autoencoder = autoencoder
        if autoencoder is not None:
            autoencoder.eval().requires_grad_(False)
        self.space: Literal["pixel", "latent"] = "latent" if autoencoder else "pixel"
        self.looked: dict[str, Reading] = {}  # the picture it was last shown, by its digest
        self.views = net.shape.views
        self.sees_image = net.shape.reference
        self.channels = net.shape.channels
        self.resolution = net.shape.resolution
        self.schedule: NoiseSchedule = schedule_for(self.resolution)

    @property
    def kind(self) -> str:
        """What it is, in words, as its file says."""
        together = f"{self.views} views together" if self.views > 1 else "single views"
        return f"{together}, from a picture" if self.sees_image else together

    @property
    def knows_cameras(self) -> bool:
        """Whether it is told where a picture is seen from, if only relative to another one."""
        return self.nature.sees_cameras or self.sees_image

    def condition(self, prompt: Prompt, cameras: Cameras) -> EmbeddedCondition:
        """Caption, view words, camera and place beside the picture, for each view.

        Views that are denoised together must stand evenly around at one elevation. Where such a
        prior has not learned cameras, it is told nothing that says where the first one stands:
        no camera, and no view words either. Nor is one that sees pictures, to which all its
        places are relative.
        """
        relative = not self.nature.sees_cameras and (self.views > 1 or self.sees_image)
        if self.views > 1:
            check_around(cameras, self.views)
        if relative:
            prompt = replace(prompt, views=None)
        texts = prompt.for_views(cameras.azimuth, cameras.elevation)
        tokens = self.words.encode(texts)
        known = torch.full_like(cameras.azimuth, float(self.nature.sees_cameras))
        camera = camera_features(cameras.azimuth, cameras.elevation, known)
        negative = self.words.encode([prompt.negative] * len(cameras))
        relation = self._relation(prompt.image, cameras) if self.sees_image else None
        return EmbeddedCondition(tokens, camera.float(), negative, relation, prompt.image)

    def check_words(self, prompt: Prompt) -> None:
        """InputError if it would not hear the prompt to its end, view words included."""
        most = self.words.length - VIEW_WORDS
        for text in (prompt.text, prompt.negative):
            if (count := len(self.words.known(text))) > most:
                raise InputError(
                    f'{self.name} hears {most} words at most, and "{text[:60]}…" has {count}; '
                    "say it shorter."
                )

    def _relation(self, image: Reference | None, cameras: Cameras) -> Float[Tensor, "views 5"]:
        if image is None:
            raise InputError(f"{self.name} makes views of a picture, and none was given.")
        return relation_features(
            cameras.elevation - image.elevation,
            cameras.azimuth - image.azimuth,
            cameras.radius - image.radius,
            torch.ones_like(cameras.azimuth),
        ).float()

    def encode(
        self, color: Float[Tensor, "views height width 3"]
    ) -> Float[Tensor, "views channels rows columns"]:
        """Pictures in 0..1 to -1..1 at the prior's size, or to latents; differentiable."""
        if self.autoencoder is None:
            return encode_pixels(color, self.resolution)
        return self.autoencoder.encode(encode_pixels(color, self.autoencoder.shape.resolution))

    def decode(
        self, x: Float[Tensor, "views channels rows columns"]
    ) -> Float[Tensor, "views height width 3"]:
        """Pictures in 0..1."""
        return decode_pixels(x if self.autoencoder is None else self.autoencoder.decode(x))

    @torch.no_grad()
    def predict(
        self,
        x_t: Float[Tensor, "views channels rows columns"],
        t: Float[Tensor, "views"],
        condition: EmbeddedCondition,
    ) -> Prediction:
        """One pass of the network; native in v. bfloat16 inside where the CPU has it."""
        return self._pass(x_t, t, condition, None)

    def guides(self, condition: EmbeddedCondition, scale: float) -> bool:
        """Whether `predict_guided` is for this scale; never with a negative prompt."""
        if self.nature.guidance is None or bool(condition.negative_tokens.any()):
            return False
        return self.nature.guidance[0] <= scale <= self.nature.guidance[1]

    @torch.no_grad()
    def predict_guided(
        self,
        x_t: Float[Tensor, "views channels rows columns"],
        t: Float[Tensor, "views"],
        condition: EmbeddedCondition,
        scale: float,
    ) -> Prediction:
        """The prediction guided by `scale` in one pass, as the network has learned it."""
        return self._pass(x_t, t, condition, torch.full_like(t, scale))

    def _pass(
        self, x_t: Tensor, t: Tensor, condition: EmbeddedCondition, guidance: Tensor | None
    ) -> Prediction:
        noisy = x_t.contiguous(memory_format=torch.channels_last)
        log_snr, tokens = self.schedule.log_snr(t), condition.tokens
        with fast_precision(x_t.device):
            text, reading = self.text_of(tokens), self.reading_of(condition)
            v = self.net(noisy, log_snr, tokens, condition.camera, guidance, text, reading)
        return Prediction.of("v", v.to(x_t.dtype), x_t.detach(), t, self.schedule)

    def adapted(self, rank: int, generator: torch.Generator) -> EmbeddedAdapter:
        """The same network with low-rank updates of its own, which begin at nothing."""
        return EmbeddedAdapter(self, rank, generator)

    @torch.no_grad()
    def reading_of(self, condition: EmbeddedCondition) -> Reading | None:
        """The picture is read once, whatever is asked about it; None if there is none."""
        looking, image, relation = self.net.looking, condition.image, condition.relation
        if looking is None or image is None or relation is None:
            return None
        if image.digest not in self.looked:
            picture = reference_picture(image)[None].to(relation.device)
            self.looked = {image.digest: looking.look(picture, relation[:1])}
        return self.looked[image.digest].for_views(relation)

    @torch.no_grad()
    def text_of(self, tokens: Int[Tensor, "views words"]) -> Text:
        """Each caption is read once; a tenth of a pass is saved by that."""
        rows = []
        for row in tokens:
            key = row.cpu().numpy().tobytes()
            if key not in self.read:
                if len(self.read) >= MOST_READ:
                    self.read.clear()
                self.read[key] = self.net.text(row[None])
            rows.append(self.read[key])
        return Text(
            words=torch.cat([text.words for text in rows]),
            sentence=torch.cat([text.sentence for text in rows]),
            mask=torch.cat([text.mask for text in rows]),
        )


def reference_picture(image: Reference) -> Float[Tensor, "4 64 64"]:
    """A reference as the network is shown it: color over white, then alpha, all -1..1."""
    color = image.over(torch.ones(3), REFERENCE)
    return torch.cat([color, image.alpha(REFERENCE)], dim=-1).permute(2, 0, 1) * 2 - 1


def save_embedded(path: Path, prior: EmbeddedPrior, made: dict[str, Any]) -> None:
    """Write weights (as float16), shapes, words and how they were made, as one file."""
    tensors = dict(prior.net.state_dict())
    header = {
        "format": FORMAT,
        "kind": prior.kind,
        "shape": json.dumps(asdict(prior.net.shape)),
        "words": json.dumps(prior.words.words),
        "vocabulary": prior.vocabulary.to_json(),
        "nature": json.dumps(asdict(prior.nature)),
        "made": json.dumps(made),
    }
    if prior.autoencoder is not None:
        header["autoencoder"] = json.dumps(asdict(prior.autoencoder.shape))
        own = prior.autoencoder.state_dict()
        tensors |= {f"{AUTOENCODER}{name}": t for name, t in own.items()}
    plain = {name: t.half().contiguous() for name, t in tensors.items()}
    replace_file(path, save(plain, metadata=header))


def load_embedded(path: Path | str | None = None) -> EmbeddedPrior:
    """Read an embedded prior: a file, or one that ships by its name; None is "embedded".

    Raises:
        InputError: there is no such file.
        InvalidFile: it is no embedded prior, is damaged, or is not the one that shipped.
    """
    name = "embedded" if path is None else str(path)
    file = shipped_weights(name) if name in SHIPPED else Path(name)
    if not file.is_file():
        raise InputError(
            f"No prior at {file}; those that ship are called {', '.join(SHIPPED)}."
        )
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if name in SHIPPED:
        check_shipped(file, digest)
    header = read_header(file, data)
    try:
        tensors = {name: t.float() for name, t in load(data).items()}
        prior = _built(header, tensors, f"{file.stem} {digest[:12]}")
    except (SafetensorError, RuntimeError, TypeError, ValueError, KeyError) as error:
        raise InvalidFile(file, None, f"not a usable embedded prior ({error})") from error
    if not all(torch.isfinite(t).all() for t in tensors.values()):
        raise InvalidFile(file, None, "some weights are not finite numbers")
    return prior


def _built(header: dict[str, str], tensors: dict[str, Tensor], name: str) -> EmbeddedPrior:
    shape = DenoiserShape.from_plain(json.loads(header["shape"]))
    net = Denoiser(shape)
    net.load_state_dict({k: t for k, t in tensors.items() if not k.startswith(AUTOENCODER)})
    words = WordTable(json.loads(header["words"]), shape.words)
    vocabulary = Vocabulary.from_json(header["vocabulary"])
    told = json.loads(header.get("nature", "{}"))
    guidance = told.get("guidance")
    nature = Nature(**told | {"guidance": tuple(guidance) if guidance else None})
    autoencoder = None
    if "autoencoder" in header:
        autoencoder = Autoencoder(AutoencoderShape(**json.loads(header["autoencoder"])))
        autoencoder.load_state_dict(part_of(tensors, AUTOENCODER))
    prior = EmbeddedPrior(net, vocabulary, words, name, nature, autoencoder)
    if header.get("kind", prior.kind) != prior.kind:
        raise ValueError(f"it says {header['kind']!r}, and is for {prior.kind}")
    return prior


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
