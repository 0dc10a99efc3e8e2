"""A published U-Net with a low-rank update of its attention, for one scene; by peft.

As ProlificDreamer trains it (Wang et al. 2023, section 4): LoRA on attention's projections, and
an embedding of the scene's own cameras that is added to that of time. The update lies in the
prior's own network, asleep unless it is asked, so that no second network is in memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.cameras.convention import Cameras
from splatsmith.errors import InputError
from splatsmith.priors.low_rank import AdaptedCondition, PosedAdapter, posed
from splatsmith.priors.prediction import Prediction
from splatsmith.priors.pretrained.text import Told
from splatsmith.prompts.prompt import Prompt

if TYPE_CHECKING:
    from splatsmith.priors.pretrained.prior import PretrainedPrior

PROJECTIONS = ["to_q", "to_k", "to_v", "to_out.0"]  # of attention, by diffusers' names
NAME = "scene"  # of the update, within the network


class PretrainedAdapter(PosedAdapter):
    """The prior as one scene bends it; implements `Adapter`.

    Raises InputError for networks without a place for it, and where peft is missing.
    """

    def __init__(self, prior: "PretrainedPrior", rank: int, generator: torch.Generator) -> None:
        super().__init__()
        network: Any = prior.network
        if not hasattr(network, "time_embedding"):
            raise InputError(
                f"The score vsd bends a U-Net, and {prior.folder.pipeline} has a transformer; "
                f"take Stable Diffusion or another score."
            )
        if prior.options.memory == "low" and prior.device.type != "cpu":
            raise InputError(
                "The score vsd trains the network while it is in the card's memory; "
                "use --memory medium."
            )
        # In a tuple, so that the prior's network is no part of this one.
        self._prior = (prior,)
        self._updates = _updated(network, rank, generator)
        width = network.time_embedding.linear_2.out_features
        self.begin_pose(width, generator, prior.device)

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """A and B of every update, and the embedding of the pose."""
        return dict(self.named_parameters()) | self._updates

    def condition(
        self, prompt: Prompt, cameras: Cameras, known: Float[Tensor, "views"]
    ) -> AdaptedCondition[Told]:
        """Caption and view words as the prior is told them; the camera where it is known."""
        return posed(self._prior[0].condition(prompt, cameras), cameras, known)

    def predict(
        self,
        x_t: Float[Tensor, "views channels rows columns"],
        t: Float[Tensor, "views"],
        condition: AdaptedCondition[Told],
    ) -> Prediction:
        """One pass of the updated network, in its own way of answering."""
        prior = self._prior[0]
        with self._awake(condition):
            return prior.answer(x_t, t, condition.told, None)

    @contextmanager
    def _awake(self, condition: AdaptedCondition[Told]) -> Iterator[None]:
        network: Any = self._prior[0].network
        added = self.embedded_pose(condition)

        def with_pose(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            return output + added.to(output.dtype)

        hook = network.time_embedding.register_forward_hook(with_pose)
        network.enable_adapters()
        try:
            yield
        finally:
            network.disable_adapters()
            hook.remove()
            for parameter in self._updates.values():
                parameter.requires_grad_(True)  # peft lets no gradient reach what is asleep


def _updated(network: Any, rank: int, generator: torch.Generator) -> dict[str, nn.Parameter]:
    """The network's attention with updates that do nothing yet; their weights by name."""
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise InputError(
            "The score vsd on published weights needs peft; install it by "
            'pip install "splatsmith[pretrained]".'
        ) from error
    if NAME in getattr(network, "peft_config", {}):
        network.delete_adapters(NAME)  # of a run before, in the same process
    network.add_adapter(
        LoraConfig(r=rank, lora_alpha=rank, target_modules=PROJECTIONS), adapter_name=NAME
    )
    network.disable_adapters()
    updates = {name: p for name, p in network.named_parameters() if f".{NAME}." in name}
    for name, parameter in updates.items():
        # peft draws A by the global generator; B is zero, so that nothing changes at first.
        if ".lora_A." in name:
            draw = torch.rand(parameter.shape, generator=generator) * 2 - 1
            draw = draw / parameter.shape[1] ** 0.5
            parameter.data.copy_(draw)
        parameter.requires_grad_(True)
    return updates
