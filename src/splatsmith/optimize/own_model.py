"""The model of the scene's own renders that VSD compares the prior with, trained step by step.

It is the prior with a low-rank update (`Adapter`), which learns to take noise off what the
scene looks like now (ProlificDreamer, Wang et al. 2023, equation 8). It belongs to the run:
its parameters and Adam's moments are in every checkpoint. Scenes that are made together, the
particles of the paper, share one model.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.distill import Own, OwnModel
from splatsmith.errors import InputError
from splatsmith.optimize import guards
from splatsmith.optimize.adam import PlainAdamW
from splatsmith.optimize.moments import moments_of, restore_moments
from splatsmith.priors.prediction import Prediction
from splatsmith.priors.protocol import Adaptable, Adapter, Prior
from splatsmith.prompts import Prompt

NAME = "own model"  # in messages about values that are not finite
CLEANEST, NOISIEST = 0.02, 0.98  # times that it learns about, drawn uniformly


@dataclass(frozen=True, eq=False)
class Learner:
    """An adapter and the optimizer that moves it."""

    settings: OwnModel
    adapter: Adapter
    optimizer: PlainAdamW

    @classmethod
    def begin(cls, settings: OwnModel, prior: Prior, draws: torch.Generator) -> "Learner":
        """One that says what the prior says; InputError if the prior cannot be adapted."""
        if not isinstance(prior, Adaptable):
            raise InputError(
                "The score vsd trains a low-rank update of the prior, and this prior has no "
                "place for one; take the embedded prior or another score."
            )
        adapter = prior.adapted(settings.rank, draws)
        groups = [
            {"params": [parameter], "name": name}
            for name, parameter in adapter.parameters_by_name().items()
        ]
        return cls(settings, adapter, PlainAdamW(groups, lr=settings.rate))

    def about(self, prompt: Prompt, cameras: Cameras) -> Own:
        """What it says of noisy renders from these cameras."""
        told = self.adapter.condition(prompt, cameras, torch.ones(len(cameras)))
        return lambda x_t, t: self.adapter.predict(x_t, t, told)

    def learn(
        self,
        prior: Prior,
        prompt: Prompt,
        cameras: Cameras,
        x: Float[Tensor, "views channels rows columns"],
        draws: torch.Generator,
    ) -> None:
        """One step on renders as the prior sees them, in the prior's own way of answering.

        Raises BadValue, with nothing changed, if a value is not finite.
        """
        x = x.detach()
        views = len(x)
        known = torch.rand(views, generator=draws) >= self.settings.camera_dropped
        place = torch.rand(views // prior.views, generator=draws)
        t = CLEANEST + (NOISIEST - CLEANEST) * place.repeat_interleave(prior.views)
        t = t.to(x.device)
        noise = torch.randn(x.shape, generator=draws, dtype=x.dtype).to(x.device)
        alpha, sigma = (f(t).to(x) for f in (prior.schedule.alpha, prior.schedule.sigma))
        x_t = alpha[:, None, None, None] * x + sigma[:, None, None, None] * noise
        told = self.adapter.condition(prompt, cameras, known.to(x.dtype))
        with torch.enable_grad():
            answer = self.adapter.predict(x_t, t, told)
            truth = Prediction.of("eps", noise, x_t, t, prior.schedule)
            loss = (answer.value - truth.converted(answer.kind).value).square().mean()
            guards.check(NAME, loss)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
        parameters = self.adapter.parameters_by_name()
        for parameter in parameters.values():
            if parameter.grad is not None:
                guards.check(NAME, parameter.grad)
        try:
            guards.step_or_undo(self.optimizer, parameters)
        except guards.BadValue as bad:
            raise guards.BadValue(NAME) from bad

    def state(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint."""
        parameters = self.adapter.parameters_by_name()
        own = {f"parameter.{name}": p.detach() for name, p in parameters.items()}
        return own | {f"moment.{k}": value for k, value in moments_of(self.optimizer).items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a checkpoint; InputError if it does not fit."""
        for name, parameter in self.adapter.parameters_by_name().items():
            found = state.get(f"parameter.{name}")
            if found is None or found.shape != parameter.shape:
                raise InputError(f"The checkpoint has no proper {name} of the own model.")
            parameter.copy_(found)
        prefix = "moment."
        moments = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        restore_moments(self.optimizer, moments)
