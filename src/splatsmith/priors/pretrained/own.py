"""Parts of folders whose classes the libraries do not have, made of parts that they do have.

Some conversions of published weights bring their own Python files for these. Nothing of that is
run: the class's name and the shapes of its tensors say what it is. Their tensors are read from
safetensors, named anew, and must fit exactly.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from splatsmith.errors import InputError, InvalidFile
from splatsmith.priors.pretrained.folder import ModelFolder
from splatsmith.priors.pretrained.ldm import (
    Shapes,
    Tensors,
    autoencoder_config,
    autoencoder_tensors,
    clip_config,
    clip_tensors,
    unet_config,
    unet_names,
)
from splatsmith.priors.pretrained.libraries import library, library_class
from splatsmith.priors.pretrained.multiview_unet import multiview_tensors, multiview_unet

VIEWS = 4  # that MVDream and ImageDream denoise together


@dataclass(frozen=True, slots=True)
class Own:
    """How a class is made and its tensors are named."""

    make: Callable[[Shapes, Mapping[str, Any]], nn.Module]  # shapes, configuration; on meta
    rename: Callable[[Tensors, nn.Module], Mapping[str, torch.Tensor]]  # for that model


def _linear(shapes: Shapes, told: Mapping[str, Any]) -> nn.Module:
    weights = [shape for shape in shapes.values() if len(shape) == 2]
    if len(weights) != 1:
        raise InputError(f"A projection is one matrix and its bias, not {len(weights)}.")
    return nn.Linear(weights[0][1], weights[0][0], device="meta")


def _last_names(tensors: Tensors, _: nn.Module) -> dict[str, torch.Tensor]:
    return {name.rpartition(".")[2]: tensor for name, tensor in tensors.items()}


def _unet(shapes: Shapes, told: Mapping[str, Any]) -> nn.Module:
    with torch.device("meta"):
        kind = library("diffusers").UNet2DConditionModel
        return kind.from_config(unet_config(shapes, told)).eval()


def _unet_tensors(tensors: Tensors, _: nn.Module) -> dict[str, torch.Tensor]:
    names = unet_names({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    return {new: tensors[old] for old, new in names.items()}


def _autoencoder(shapes: Shapes, told: Mapping[str, Any]) -> nn.Module:
    with torch.device("meta"):
        return library("diffusers").AutoencoderKL.from_config(autoencoder_config(shapes)).eval()


def _clip(class_name: str, activation: str) -> Callable[..., nn.Module]:
    """How a tower of CLIP is made whose feed-forward layers have this activation."""

    def make(shapes: Shapes, told: Mapping[str, Any]) -> nn.Module:
        kind = library_class("transformers", class_name)
        config = clip_config(shapes) | {"hidden_act": activation}
        with torch.device("meta"):
            return kind(kind.config_class.from_dict(config)).eval()

    return make


def _clip_tensors(tensors: Tensors, model: nn.Module) -> dict[str, torch.Tensor]:
    """By the names of the installed transformers, with its word before them, if any."""
    wanted = set(model.state_dict())
    made = clip_tensors(tensors, int(model.config.num_hidden_layers))  # type: ignore[arg-type, union-attr]
    before = ("", "text_model.", "vision_model.")
    names = {name: next((w + name for w in before if w + name in wanted), "") for name in made}
    return {new: made[old] for old, new in names.items() if new}


OWN: dict[str, Own] = {
    "MultiViewUNetModel": Own(
        lambda shapes, told: multiview_unet(shapes, told, VIEWS),
        lambda tensors, _: multiview_tensors(tensors),
    ),
    "CCProjection": Own(_linear, _last_names),
    "CLIPCameraProjection": Own(_linear, _last_names),
    "LdmUNet": Own(_unet, _unet_tensors),
    "LdmAutoencoder": Own(_autoencoder, lambda tensors, _: autoencoder_tensors(tensors)),
    "OpenClipText": Own(_clip("CLIPTextModel", "gelu"), _clip_tensors),
    "OpenClipVision": Own(_clip("CLIPVisionModelWithProjection", "gelu"), _clip_tensors),
    "ClipVision": Own(_clip("CLIPVisionModelWithProjection", "quick_gelu"), _clip_tensors),
}


def is_own(folder: ModelFolder, part: str) -> bool:
    """Whether a part is made here and not by the libraries."""
    return folder.class_of(part)[1] in OWN


def shapes_in(files: Sequence[Path], prefix: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in safetensors files whose names begin with `prefix`.

    It is taken off. InvalidFile if one is damaged.
    """
    found = dict[str, tuple[int, ...]]()
    for path in files:
        with _opened(path) as file:
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                if name.startswith(prefix):
                    shape = tuple(file.get_slice(name).get_shape())
                    found[name.removeprefix(prefix)] = shape
    return found


def empty_own(folder: ModelFolder, part: str, *, half: bool = False) -> nn.Module:
    """The part without its weights (on the meta device)."""
    kind = OWN[folder.class_of(part)[1]]
    shapes = shapes_in(folder.weights(part, half=half), folder.prefix(part))
    try:
        return kind.make(shapes, folder.config(part))
    except InputError as error:
        raise InvalidFile(folder.root / part, None, str(error)) from error


def load_own(folder: ModelFolder, part: str, dtype: torch.dtype, *, half: bool) -> nn.Module:
    """The part on the CPU, frozen, its weights as `dtype`.

    InvalidFile if a file is damaged, or if its tensors do not fit.
    """
    model, kind = empty_own(folder, part, half=half), OWN[folder.class_of(part)[1]]
    prefix, tensors = folder.prefix(part), dict[str, torch.Tensor]()
    for path in folder.weights(part, half=half):
        with _opened(path) as file:
            for name in file.keys():  # noqa: SIM118
                if name.startswith(prefix):
                    tensors[name.removeprefix(prefix)] = file.get_tensor(name).to(dtype)
    return fitted(model, kind.rename(tensors, model), folder.root / part)


def fitted(model: nn.Module, tensors: Mapping[str, torch.Tensor], where: Path) -> nn.Module:
    """The model with these tensors as its weights; InvalidFile unless all fit, and no more."""
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if missing := sorted(wanted.keys() - found.keys()):
        raise InvalidFile(
            where,
            None,
            f"lacks {len(missing)} weights, such as {missing[0]}; take the published file",
        )
    if unknown := sorted(found.keys() - wanted.keys()):
        raise InvalidFile(
            where,
            None,
            f"has {len(unknown)} weights that this kind of network does not, such as "
            f"{unknown[0]}; it belongs to another model",
        )
    for name, shape in wanted.items():
        if found[name] != shape:
            raise InvalidFile(
                where,
                None,
                f"has {name} as {found[name]}, and its other weights ask for {shape}; "
                f"take the published file, whole",
            )
    plain = {name: tensor.contiguous() for name, tensor in tensors.items()}
    model.load_state_dict(plain, strict=True, assign=True)
    _number_places(model)
    return model.eval().requires_grad_(False)


def _number_places(model: nn.Module) -> None:
    """Fill the one sort of buffer that is in no file: the numbers of CLIP's places."""
    for name, buffer in list(model.named_buffers()):
        if buffer.is_meta and name.endswith("position_ids"):
            owner, _, leaf = name.rpartition(".")
            places = torch.arange(buffer.shape[-1]).expand(1, -1)
            model.get_submodule(owner).register_buffer(leaf, places, persistent=False)


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise InvalidFile(
            path, None, f"has damaged weights ({error}); fetch it again"
        ) from error
