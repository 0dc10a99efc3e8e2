"""A score of your own: noise and its mirror image, asked about together.

    python examples/03_own_score.py ["a blue mug"] [FOLDER] [STEPS]

makes an object with it; so does the command line, with the recipe beside this file:

    splatsmith generate "a blue mug" --recipe examples/03_own_score.toml \
        --plugin examples/03_own_score.py

The noise of one step adds to its gradient what has nothing to do with the prompt. SDS asks
about x_t = alpha x + sigma n; this asks about alpha x - sigma n as well and takes the mean, in
which all that is odd in n cancels: antithetic variates (Hammersley and Morton 1956).
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from torch import Tensor

import splatsmith
from splatsmith.distill import Guided, Question, check_guided


@dataclass(frozen=True, slots=True, kw_only=True)
class Antithetic(Guided):
    """What a recipe may say under [stage.score]; guidance, times and more come along."""

    kind: Literal["antithetic"] = "antithetic"
    pairs: int = 1  # noises with their mirror images, 1 to 8; each is two calls of the prior

    def __post_init__(self) -> None:
        check_guided(self)
        if not 1 <= self.pairs <= 8:
            raise splatsmith.InputError(f"pairs must lie in 1 to 8, got {self.pairs}.")


def antithetic(settings: Antithetic, question: Question) -> Tensor:
    """Mean over noises n and -n of e_guided - n: "views channels height width"."""
    asked = [question, *(question.with_fresh_noise() for _ in range(settings.pairs - 1))]
    asked += [replace(one, noise=-one.noise) for one in asked]
    return sum(one.guided(settings).eps - one.noise for one in asked) / len(asked)


splatsmith.add_score(Antithetic, antithetic)


def main(prompt: str = "a blue mug", out: str = "runs/examples/mug", steps: str = "") -> None:
    recipe = Path(__file__).with_suffix(".toml")
    changes = [f"shape.steps={steps}"] if steps else []
    result = splatsmith.generate(
        prompt, recipe=recipe, out=out, overwrite=True, overrides=changes, progress=True
    )
    print(result.paths["contact"])


if __name__ == "__main__":
    main(*sys.argv[1:])
