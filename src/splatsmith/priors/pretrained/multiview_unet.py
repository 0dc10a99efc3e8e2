"""MVDream's network (Shi et al. 2023) out of diffusers' own UNet.

Three things are added to Stable Diffusion's: self-attention goes over the cells of all views of
a group at once, the camera goes through a small perceptron into the time embedding, and, for
ImageDream (Wang and Shi 2023), every layer that looks at words also looks at sixteen tokens of
a picture, with keys and values of their own. The first needs no weights and is a processor; the
second is the UNet's class embedding; the third is a processor with weights, and a reader of the
picture, which is diffusers' image projection of IP-Adapter.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.cameras.convention import Cameras
from splatsmith.priors.pretrained.ldm import (
    Shapes,
    Tensors,
    resampler_tensors,
    unet_config,
    unet_names,
)
from splatsmith.priors.pretrained.libraries import library

IMAGE = "image_embed."  # what the tensors of the picture's reader are called by
READER_HEAD = 64  # channels of a head in it


class JointViews:
    """Self-attention over all cells of all views of a group, with the weights of one view's."""

    def __init__(self, views: int) -> None:
        self.views = views

    def __call__(
        self,
        attn: Any,
        hidden_states: Float[Tensor, "views cells width"],
        encoder_hidden_states: Float[Tensor, "views words context"] | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Float[Tensor, "views cells width"]:
        """Views come in whole groups, one after the other; arguments are named by diffusers."""
        count, cells, width = hidden_states.shape
        joined = hidden_states.reshape(count // self.views, self.views * cells, width)
        made = attended(attn, attn.to_q(joined), attn.to_k(joined), attn.to_v(joined))
        return attn.to_out[0](made).reshape(count, cells, width)


class ImageTokens(nn.Module):
    """Attention to words, and apart from it to the last `tokens` rows, of a picture."""

    def __init__(self, context: int, width: int, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.to_k_ip = nn.Linear(context, width, bias=False)
        self.to_v_ip = nn.Linear(context, width, bias=False)

    def forward(
        self,
        attn: Any,
        hidden_states: Float[Tensor, "views cells width"],
        encoder_hidden_states: Float[Tensor, "views rows context"],
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Float[Tensor, "views cells width"]:
        """Both answers added; the picture's counts as much as the words'."""
        words = encoder_hidden_states[:, : -self.tokens]
        picture = encoder_hidden_states[:, -self.tokens :]
        query = attn.to_q(hidden_states)
        made = attended(attn, query, attn.to_k(words), attn.to_v(words))
        made = made + attended(attn, query, self.to_k_ip(picture), self.to_v_ip(picture))
        return attn.to_out[0](made)


def attended(
    attn: Any,
    query: Float[Tensor, "groups cells width"],
    key: Float[Tensor, "groups rows width"],
    value: Float[Tensor, "groups rows width"],
) -> Float[Tensor, "groups cells width"]:
    """Attention by the heads of one of diffusers' layers."""
    parts = (x.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for x in (query, key, value))
    return F.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2)


def multiview_unet(shapes: Shapes, told: Mapping[str, Any], views: int) -> nn.Module:
    """The network for tensors of these names and shapes, without weights (on meta).

    `views` are denoised together. If there are tensors of a picture's reader, the network has
    an `image_embed`, and one more view in each group is the picture itself.
    """
    diffusers = library("diffusers")
    reads = f"{IMAGE}latents" in shapes
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel.from_config(unet_config(shapes, told))
        processors = dict(unet.attn_processors)
        joint = JointViews(views + 1 if reads else views)
        for name in processors:
            if name.endswith("attn1.processor"):
                processors[name] = joint
            elif reads:
                layer = unet.get_submodule(name.removesuffix(".processor"))
                context, width = layer.to_k.in_features, layer.to_k.out_features
                tokens = shapes[f"{IMAGE}latents"][1]
                processors[name] = ImageTokens(context, width, tokens)
        unet.set_attn_processor(processors)
        if reads:
            unet.image_embed = _reader(shapes)
    return unet.eval()


def _reader(shapes: Shapes) -> nn.Module:
    """The reader of a picture: CLIP's cells in, tokens out."""
    from diffusers.models.embeddings import IPAdapterPlusImageProjection

    depth = 0
    while f"{IMAGE}layers.{depth}.0.to_q.weight" in shapes:
        depth += 1
    width, cells = shapes[f"{IMAGE}proj_in.weight"]
    return IPAdapterPlusImageProjection(
        embed_dims=cells,
        output_dims=shapes[f"{IMAGE}proj_out.weight"][0],
        hidden_dims=width,
        depth=depth,
        dim_head=READER_HEAD,
        heads=shapes[f"{IMAGE}layers.0.0.to_q.weight"][0] // READER_HEAD,
        num_queries=shapes[f"{IMAGE}latents"][1],
    )


def multiview_tensors(tensors: Tensors) -> dict[str, Tensor]:
    """Tensors by the names that `multiview_unet` has for them."""
    names = unet_names({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    made = {
        new.replace("attn2.to_k_ip", "attn2.processor.to_k_ip").replace(
            "attn2.to_v_ip", "attn2.processor.to_v_ip"
        ): tensors[old]
        for old, new in names.items()
    }
    reader = {n.removeprefix(IMAGE): t for n, t in tensors.items() if n.startswith(IMAGE)}
    return made | {f"{IMAGE}{name}": t for name, t in resampler_tensors(reader).items()}


def camera_rows(cameras: Cameras, turn: float = 0.0) -> Float[Tensor, "views 16"]:
    """Each camera as MVDream is told of it: world_from_camera, row after row.

    Camera axes are OpenGL's (x right, y up, z backward), the world's z points up, and the eye
    is brought to a distance of 1. Their world and ours have the same front, +X: their script
    for pictures begins there (azimuth 90, counted from -Y), and threestudio hands over its
    cameras, whose azimuth 0 stands on +X, as they are. `turn` (degrees) is the azimuth that
    becomes the front.
    """
    # Ours are x right, y down, z forward; a world_from_camera rotation has them as columns.
    axes = cameras.viewmat[:, :3, :3].transpose(1, 2) * cameras.viewmat.new_tensor([1, -1, -1])
    eye = F.normalize(cameras.position, dim=-1)
    angle = torch.deg2rad(cameras.viewmat.new_tensor(-turn))
    cos, sin, zero, one = angle.cos(), angle.sin(), angle * 0, angle * 0 + 1
    rows = [
        torch.stack(row) for row in ((cos, -sin, zero), (sin, cos, zero), (zero, zero, one))
    ]
    rotation = torch.stack(rows)
    made = torch.zeros_like(cameras.viewmat)
    made[:, :3, :3], made[:, :3, 3] = rotation @ axes, eye @ rotation.T
    made[:, 3, 3] = 1
    return made.flatten(1)
