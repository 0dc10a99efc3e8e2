"""What a denoiser says about a noisy picture, in any of the four ways of saying it.

A noisy picture is x_t = alpha x0 + sigma eps, and every kind of prediction is some other
mixture a x0 + b eps of the same two unknowns. Two equations: each kind gives all the rest.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.priors.schedule import NoiseSchedule

Kind = Literal["eps", "x0", "v", "flow"]


@dataclass(frozen=True)
class Prediction:
    """One prediction per view; make it with `Prediction.of`.

    `eps` is the noise, `x0` the clean picture, `v` = alpha eps - sigma x0 (Salimans and Ho
    2022) and `flow` = eps - x0 (Liu et al. 2022). The conversions hold for any alpha and sigma,
    not only for those that preserve variance.
    """

    kind: Kind  # what `value` is: the denoiser's own way of answering
    value: Float[Tensor, "views channels height width"]
    x_t: Float[Tensor, "views channels height width"]
    alpha: Float[Tensor, "views 1 1 1"]
    sigma: Float[Tensor, "views 1 1 1"]

    @staticmethod
    def of(
        kind: Kind,
        value: Float[Tensor, "views channels height width"],
        x_t: Float[Tensor, "views channels height width"],
        t: Float[Tensor, "views"],
        schedule: NoiseSchedule,
    ) -> "Prediction":
        """`value` as a prediction of that kind, about `x_t` at time `t` of `schedule`."""
        column = (-1, 1, 1, 1)
        alpha, sigma = schedule.alpha(t).view(column), schedule.sigma(t).view(column)
        return Prediction(kind, value, x_t, alpha.to(x_t), sigma.to(x_t))

    @property
    def eps(self) -> Float[Tensor, "views channels height width"]:
        """The noise that was added."""
        if self.kind == "eps":
            return self.value
        a, b = self._mixture()
        return (self.alpha * self.value - a * self.x_t) / (self.alpha * b - self.sigma * a)

    @property
    def x0(self) -> Float[Tensor, "views channels height width"]:
        """The clean picture."""
        if self.kind == "x0":
            return self.value
        a, b = self._mixture()
        return (b * self.x_t - self.sigma * self.value) / (self.alpha * b - self.sigma * a)

    @property
    def v(self) -> Float[Tensor, "views channels height width"]:
        """The velocity, alpha eps - sigma x0."""
        return self.value if self.kind == "v" else self.alpha * self.eps - self.sigma * self.x0

    @property
    def flow(self) -> Float[Tensor, "views channels height width"]:
        """The straight way from picture to noise, eps - x0."""
        return self.value if self.kind == "flow" else self.eps - self.x0

    def converted(self, kind: Kind) -> "Prediction":
        """The same prediction with `kind` as its own way of answering."""
        return self.with_value(kind, getattr(self, kind))

    def with_value(
        self, kind: Kind, value: Float[Tensor, "views channels height width"]
    ) -> "Prediction":
        """Another prediction about the same x_t."""
        return replace(self, kind=kind, value=value)

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, views: slice) -> "Prediction":
        return Prediction(
            self.kind, self.value[views], self.x_t[views], self.alpha[views], self.sigma[views]
        )

    def _mixture(self) -> tuple[Tensor, Tensor]:
        """(a, b) of value = a x0 + b eps."""
        one, zero = torch.ones_like(self.alpha), torch.zeros_like(self.alpha)
        mixtures = {
            "eps": (zero, one),
            "x0": (one, zero),
            "v": (-self.sigma, self.alpha),
            "flow": (-one, one),
        }
        return mixtures[self.kind]
