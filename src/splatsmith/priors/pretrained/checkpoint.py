"""A folder with one checkpoint as its authors published it, in place of a pipeline's parts.

MVDream, ImageDream and Zero-1-to-3 were published as single files: network, autoencoder and the
towers of CLIP under names of their own. Such a file, turned into safetensors (see
docs/multiview.md), serves as it is; only the tokenizer, which is in none of them, must lie
beside it as a folder `tokenizer`.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from splatsmith.errors import InputError, InvalidFile
from splatsmith.priors.pretrained.folder import INDEX, PICKLES, ModelFolder
from splatsmith.priors.pretrained.ldm import Shapes, autoencoder_config, clip_config
from splatsmith.priors.pretrained.own import shapes_in

NETWORK = "model.diffusion_model."
# How the authors of all three added noise in training.
SCHEDULER: Mapping[str, Any] = {
    "_class_name": "DDIMScheduler",
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
}
Part = tuple[str, str]  # what the names of its tensors begin with, and its class

MVDREAM: Mapping[str, Part] = {
    "unet": (NETWORK, "MultiViewUNetModel"),
    "vae": ("first_stage_model.", "LdmAutoencoder"),
    "text_encoder": ("cond_stage_model.model.", "OpenClipText"),
}
IMAGEDREAM: Mapping[str, Part] = {
    "unet": (NETWORK, "MultiViewUNetModel"),
    "vae": ("vae_model.", "LdmAutoencoder"),
    "text_encoder": ("clip_model.model.", "OpenClipText"),
    "image_encoder": ("clip_model.model.visual.", "OpenClipVision"),
}
ZERO123: Mapping[str, Part] = {
    "unet": (NETWORK, "LdmUNet"),
    "vae": ("first_stage_model.", "LdmAutoencoder"),
    "image_encoder": ("cond_stage_model.model.visual.", "ClipVision"),
    "cc_projection": ("cc_projection.", "CCProjection"),
}
# A tensor that only one of them has, its pipeline, and its parts.
KINDS = (
    (f"{NETWORK}image_embed.latents", "MVDreamPipeline", IMAGEDREAM),
    (f"{NETWORK}camera_embed.0.weight", "MVDreamPipeline", MVDREAM),
    ("cc_projection.weight", "Zero1to3StableDiffusionPipeline", ZERO123),
)
CONVERT = (
    "python -c \"import torch, safetensors.torch as s; d = torch.load('{}', "
    "map_location='cpu', weights_only=True); s.save_file({{k: v.clone() for k, v in "
    "d.get('state_dict', d).items() if torch.is_tensor(v)}}, '{}')\""
)


@dataclass(frozen=True)
class CheckpointFolder(ModelFolder):
    """A folder that holds one checkpoint, and perhaps a tokenizer."""

    file: Path

    @cached_property
    def shapes(self) -> Shapes:
        """Names and shapes of all tensors of the file."""
        return shapes_in([self.file], "")

    @cached_property
    def _kind(self) -> tuple[str, Mapping[str, Part]]:
        for name, pipeline, parts in KINDS:
            if name in self.shapes:
                return pipeline, parts
        raise InputError(
            f"{self.root} has no {INDEX}, and {self.file.name} is no checkpoint of MVDream, "
            f"ImageDream or Zero-1-to-3, the only ones that are read as they are; take a "
            f"folder in the layout of diffusers."
        )

    @property
    def pipeline(self) -> str:
        """The pipeline that the same parts make up in the layout of diffusers."""
        return self._kind[0]

    @property
    def title(self) -> str:
        """The file's name."""
        return self.file.stem

    def has(self, part: str) -> bool:
        """Whether the file has the part, or the folder has the tokenizer."""
        if part == "tokenizer":
            return "text_encoder" in self._kind[1] and (self.root / part).is_dir()
        return part in self._kind[1] or part == "scheduler"

    def class_of(self, part: str) -> tuple[str, str]:
        """Library and class of a part; InputError if it is not here."""
        if part == "tokenizer" and not self.has(part):
            raise InputError(
                f"{self.root} has no folder 'tokenizer', which no checkpoint has inside; put "
                f"that of Stable Diffusion 2.1 there, from any folder of it in the layout of "
                f"diffusers."
            )
        if part == "tokenizer":
            return "transformers", "CLIPTokenizer"
        if part not in self._kind[1]:
            raise InvalidFile(self.file, None, f"has no part {part!r}; take the published file")
        return "ldm", self._kind[1][part][1]

    def config(self, part: str) -> Mapping[str, Any]:
        """What the shapes say, in the words in which the folders of diffusers say it."""
        if part == "scheduler":
            return SCHEDULER
        prefix, shapes = self.prefix(part), self.shapes
        inside = {n.removeprefix(prefix): s for n, s in shapes.items() if n.startswith(prefix)}
        if part == "vae":
            return autoencoder_config(inside)
        if part in ("text_encoder", "image_encoder"):
            return clip_config(inside)
        if part == "unet":
            words = "middle_block.1.transformer_blocks.0.attn2.to_k.weight"
            return {
                "in_channels": inside["input_blocks.0.0.weight"][1],
                "context_dim": inside[words][1],
                "cross_attention_dim": inside[words][1],
                "camera_dim": inside.get("camera_embed.0.weight", (0, None))[1],
                "ip_dim": inside.get("image_embed.latents", (0, 0))[1],
            }
        return {}

    def names(self, part: str) -> list[str]:
        """Names of the files of a part: the checkpoint, or the tokenizer's."""
        return super().names(part) if part == "tokenizer" else [self.file.name]

    def variant(self, part: str, *, half: bool) -> str | None:
        """There is one file, and no variants of it."""
        return None

    def weights(self, part: str, *, half: bool) -> list[Path]:
        """The checkpoint."""
        return [self.file]

    def prefix(self, part: str) -> str:
        """What the names of a part's tensors begin with."""
        return self._kind[1].get(part, ("", ""))[0]

    def deciding(self, part: str, *, half: bool) -> list[Path]:
        """The checkpoint, or the files of the tokenizer."""
        if part == "tokenizer":
            return super().deciding(part, half=half)
        return [self.file]


def checkpoint_in(folder: Path) -> CheckpointFolder | None:
    """The folder of an authors' checkpoint; None if there is none directly in it.

    InputError if there are several, or only pickles.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    whole = [path for path in files if path.suffix == ".safetensors"]
    if len(whole) > 1:
        raise InputError(
            f"{folder} holds {len(whole)} checkpoints, {whole[0].name} and {whole[1].name} "
            f"among them; leave one in it."
        )
    if whole:
        found = CheckpointFolder(folder.resolve(), str(folder.resolve()), whole[0].resolve())
        with contextlib.suppress(InvalidFile):  # A damaged file is no checkpoint.
            return found if found.pipeline else None
        return None
    pickles = [path for path in files if path.suffix in PICKLES]
    if pickles:
        turned = CONVERT.format(pickles[0].name, f"{pickles[0].stem}.safetensors")
        raise InputError(
            f"{pickles[0]} is a pickle, which can run code and is never opened here; turn it "
            f"into safetensors once, in its folder, if you trust it: {turned}"
        )
    return None
