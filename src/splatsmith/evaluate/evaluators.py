"""What an evaluator is, and how the two that ship are loaded.

E1 is a small convolutional network, E2 a logistic regression on gradients and colors. Both were
trained on meshes under a world light (`splatsmith train evaluator`), never on what the prior
saw. They never give gradients, stop a run early or pick the best of several.
"""

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Judgement:
    """What an evaluator reads out of pictures.

    Attributes:
        categories: log-probabilities, in the order of CATEGORIES.
        colors: log-probabilities of the main color (in the order of COLORS), given the category.
        azimuth: probabilities of 12 bins of 30 degrees, bin 0 centered on azimuth 0, given the
            category asked for; None where the evaluator cannot tell.
    """

    categories: Float[Tensor, "views categories"]
    colors: Float[Tensor, "views categories colors"]
    azimuth: Float[Tensor, "views bins"] | None


class Evaluator(Protocol):
    """Anything that says what pictures show."""

    @property
    def name(self) -> str:
        """Its kind and the first twelve digits of its file's SHA-256, "E1 0123456789ab"."""
        ...

    def judge(
        self, pictures: Float[Tensor, "views height width 3"], category: str
    ) -> Judgement:
        """Read pictures of 96 x 96, values 0 to 1; `category` is what `azimuth` is about."""
        ...
