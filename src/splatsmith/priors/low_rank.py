"""The embedded prior with a low-rank update of its weights, for one scene.

Hu et al. 2021 (LoRA): a weight W of a convolution or of attention becomes W + B A, with A of
few rows and B of few columns. B begins at zero, so the network begins as it is. Beside it the
adapter learns an embedding of the scene's own cameras, which enters where the sentence does
(ProlificDreamer, Wang et al. 2023, adds it to the embedding of time).
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from splatsmith.cameras.convention import Cameras
from splatsmith.priors.layers import Attention
from splatsmith.priors.precision import fast_precision
from splatsmith.priors.prediction import Prediction
from splatsmith.priors.text import Text
from splatsmith.prompts.prompt import Prompt

if TYPE_CHECKING:
    from splatsmith.priors.embedded import EmbeddedCondition, EmbeddedPrior

Told = TypeVar("Told")  # what a prior is told of each view

POSE_NUMBERS = 12  # world_from_camera without its last row
POSE_WIDTH = 64


@dataclass(frozen=True)
class AdaptedCondition(Generic[Told]):
    """What the prior is told of each view, and the pose of its camera; all zero if unknown."""

    told: Told
    pose: Float[Tensor, "views 12"]
    known: Float[Tensor, "views"]


class PosedAdapter(nn.Module):
    """What adapters know of cameras: an embedding that is zero until it has learned."""

    def begin_pose(
        self, width: int, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> None:
        """Make the embedding, `width` numbers; the next draw of the generator decides it."""
        first = torch.rand(POSE_WIDTH, POSE_NUMBERS, generator=generator) * 2 - 1
        self.pose_in = nn.Parameter((first / POSE_NUMBERS**0.5).to(device))
        self.pose_out = nn.Parameter(torch.zeros(width, POSE_WIDTH, device=device))

    def embedded_pose(self, condition: AdaptedCondition[Any]) -> Float[Tensor, "views width"]:
        """The embedding of each camera; zero where it is unknown."""
        pose, known = condition.pose.to(self.pose_in), condition.known.to(self.pose_in)
        hidden = torch.nn.functional.silu(pose @ self.pose_in.T)
        return (hidden @ self.pose_out.T) * known[:, None]


def posed(
    told: Told, cameras: Cameras, known: Float[Tensor, "views"]
) -> AdaptedCondition[Told]:
    """What is told, with the cameras' poses: world_from_camera without its last row."""
    rotation = cameras.viewmat[:, :3, :3].transpose(1, 2)
    pose = torch.cat([rotation, cameras.position[:, :, None]], dim=2).flatten(1)
    return AdaptedCondition(told, pose.float(), known.float())


def adapted_weights(net: nn.Module) -> dict[str, Tensor]:
    """The weights that are updated: of all convolutions, and of attention's projections."""
    weights: dict[str, Tensor] = {}
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            weights[f"{name}.weight"] = module.weight
        if isinstance(module, Attention):
            for inner, layer in module.named_children():
                if isinstance(layer, nn.Linear):
                    weights[f"{name}.{inner}.weight"] = layer.weight
    return weights


class LowRank(nn.Module):
    """The update B A of one weight, flattened to a matrix of outputs by inputs."""

    def __init__(self, weight: Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        outputs, inputs = weight.shape[0], weight[0].numel()
        rank = min(rank, outputs, inputs)
        # A as PyTorch begins a linear layer: products of it keep about the size of the input.
        a = torch.rand(rank, inputs, generator=generator) * 2 - 1
        self.A = nn.Parameter(a / inputs**0.5)
        self.B = nn.Parameter(torch.zeros(outputs, rank))

    def added_to(self, weight: Tensor) -> Tensor:
        """W + B A, laid out in memory as W is."""
        update = (self.B @ self.A).view(weight.shape).to(weight.dtype)
        if weight.dim() == 4:
            update = update.contiguous(memory_format=torch.channels_last)
        return weight + update


class EmbeddedAdapter(PosedAdapter):
    """The embedded prior as one scene bends it; implements `Adapter`."""

    def __init__(self, prior: "EmbeddedPrior", rank: int, generator: torch.Generator) -> None:
        super().__init__()
        # In a tuple, so that the prior's network is no part of this one.
        self._prior = (prior,)
        self._names = tuple(adapted_weights(prior.net))
        self.updates = nn.ModuleList(
            LowRank(weight, rank, generator) for weight in adapted_weights(prior.net).values()
        )
        self.begin_pose(prior.net.shape.text_width, generator)

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """A and B of every update, and the embedding of the pose."""
        return dict(self.named_parameters())

    def condition(
        self, prompt: Prompt, cameras: Cameras, known: Float[Tensor, "views"]
    ) -> AdaptedCondition["EmbeddedCondition"]:
        """Caption and view words as the prior is told them; the camera where it is known."""
        told = self._prior[0].condition(prompt, cameras)
        told = replace(told, camera=told.camera * known[:, None].to(told.camera))
        return posed(told, cameras, known)

    def predict(
        self,
        x_t: Float[Tensor, "views channels rows columns"],
        t: Float[Tensor, "views"],
        condition: AdaptedCondition["EmbeddedCondition"],
    ) -> Prediction:
        """One pass of the updated network; native in v."""
        prior = self._prior[0]
        told = condition.told
        noisy = x_t.contiguous(memory_format=torch.channels_last)
        weights = dict(prior.net.named_parameters())
        updated: dict[str, Tensor] = {
            name: update.added_to(weights[name])
            for name, update in zip(self._names, self.updates, strict=True)
            if isinstance(update, LowRank)
        }
        with fast_precision(x_t.device):
            text = self._with_pose(prior.text_of(told.tokens), condition)
            asked = (noisy, prior.schedule.log_snr(t), told.tokens, told.camera, None)
            arguments = (*asked, text, prior.reading_of(told))
            v = functional_call(prior.net, updated, arguments)
        return Prediction.of("v", v.to(x_t.dtype), x_t, t, prior.schedule)

    def _with_pose(self, text: Text, condition: AdaptedCondition[Any]) -> Text:
        """The sentence with the camera's embedding added, which the signal then carries."""
        added = self.embedded_pose(condition)
        return replace(text, sentence=text.sentence + added.to(text.sentence.dtype))
