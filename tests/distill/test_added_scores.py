"""Scores from outside of the package: like any other once added, told apart by code."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from questions import answer, changed, question

from splatsmith.cli.plugins import load_plugins
from splatsmith.distill import (
    SDS,
    SETTINGS,
    Common,
    Guided,
    add_score,
    sources_of,
)
from splatsmith.errors import InputError
from splatsmith.priors.prediction import Prediction

pytestmark = pytest.mark.usefixtures("scores_as_they_were")

EXAMPLE = Path(__file__).parents[2] / "examples" / "03_own_score.py"


@dataclass(frozen=True, kw_only=True)
class Copy(Guided):
    """What SDS is, from outside."""

    kind: Literal["copy"] = "copy"


@dataclass(kw_only=True)
class Loose:
    kind: Literal["loose"] = "loose"


@dataclass(frozen=True, kw_only=True)
class Taken(Guided):
    kind: Literal["sds"] = "sds"


@dataclass(frozen=True, kw_only=True)
class Nameless(Guided):
    kind: str = "nameless"


@dataclass(frozen=True, kw_only=True)
class Shouting(Guided):
    kind: Literal["My Score"] = "My Score"


@dataclass(frozen=True, kw_only=True)
class Unknown(Guided):
    kind: Literal["unknown"] = "unknown"
    what: "Nothing" = None  # of which nobody has heard


def copied(settings, asked):
    return asked.guided(settings).eps - asked.noise


def narrow(settings, asked):
    return copied(settings, asked)[:1]


def nothing(settings, asked):
    return None


def broken(settings, asked):
    return asked.nosuch


def refusing(settings, asked):
    raise InputError("the prompt must name a color")


def test_a_score_from_outside_gives_the_gradient_of_its_twin_in_the_package(gen):
    add_score(Copy, copied)
    asked = question(gen)
    ours = answer(Copy(guidance=5.0, weight="one"), asked)
    theirs = answer(SDS(guidance=5.0, weight="one"), asked)
    assert ours.gradient.equal(theirs.gradient)
    assert ours.pseudo_ground_truth.equal(theirs.pseudo_ground_truth)


def test_it_can_be_changed_and_added_again_but_not_take_the_place_of_ours(gen):
    add_score(Copy, copied)
    add_score(Copy, lambda settings, asked: 2 * copied(settings, asked))
    asked = question(gen)
    twice, once = answer(Copy(), asked).gradient, answer(SDS(), asked).gradient
    torch.testing.assert_close(twice, 2 * once)
    with pytest.raises(InputError, match="has a score 'sds' itself"):
        add_score(Taken, copied)
    assert SETTINGS["sds"] is SDS


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (copied, "must be a dataclass, got copied"),
        (3, "must be a dataclass, got 3"),
        (Loose, "Loose, must be a frozen dataclass that extends Common"),
        (Nameless, 'Nameless needs a name, kind: Literal["my-score"]'),
        (Common, "Common needs a name"),
        (Shouting, "Shouting needs a name"),
        (Unknown, "annotations of Unknown cannot be read: name 'Nothing' is not defined"),
    ],
)
def test_settings_that_no_recipe_could_hold_are_refused(settings, message):
    with pytest.raises(InputError) as caught:
        add_score(settings, copied)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (
            narrow,
            r"must return a tensor of the shape of question\.x, \(3, 3, 4, 4\), got \(1, 3",
        ),
        (nothing, r"must return a tensor of the shape of question\.x.*got None"),
        (broken, r"The score 'copy' failed \(.*test_added_scores\.py, line \d+\): Attribute"),
        (refusing, "^the prompt must name a color$"),
    ],
)
def test_a_score_that_fails_says_where(gen, score, message):
    add_score(Copy, score)
    with pytest.raises(InputError, match=message):
        answer(Copy(), question(gen))


def test_only_what_was_added_has_code_of_its_own():
    assert sources_of(["sds", "vsd"]) == {}
    add_score(Copy, copied)
    known = sources_of(["sds", "copy", "copy", "another"])
    assert list(known) == ["copy"]
    assert len(known["copy"]) == 64


def test_of_a_score_without_a_file_only_the_name_is_known():
    class Called:
        def __call__(self, settings, asked):
            return copied(settings, asked)

    add_score(Copy, Called())
    assert sources_of(["copy"]) == {"copy": ""}


def test_a_question_about_other_noise_can_be_asked(gen):
    """What scores from outside do with a question, and must not need our insides for."""
    asked = question(gen)
    turned = replace(asked, noise=-asked.noise)
    torch.testing.assert_close(asked.x_t + turned.x_t, 2 * asked.shares(asked.t)[0] * asked.x)


class OneBlob:
    """The prior of pictures from N(mean, spread^2): what it says is linear in the noise."""

    def __init__(self, like, mean, spread):
        self.like, self.mean, self.spread = like, mean, spread

    def __getattr__(self, name):
        return getattr(self.like, name)

    def predict(self, x_t, t, condition):
        schedule = self.like.schedule
        alpha, sigma = (s(t)[:, None, None, None] for s in (schedule.alpha, schedule.sigma))
        eps = sigma * (x_t - alpha * self.mean) / ((alpha * self.spread) ** 2 + sigma**2)
        return Prediction.of("eps", eps, x_t, t, schedule)


def test_the_example_has_no_noise_where_the_prior_is_linear(gen):
    """For N(m, s^2) it is sigma alpha (x - m) / (alpha^2 s^2 + sigma^2), whatever the noise."""
    load_plugins([EXAMPLE])
    settings = SETTINGS["antithetic"](guidance=1.0, weight="one")
    asked = question(gen)
    mean, spread = 0.2, 0.5
    asked = changed(asked, prior=OneBlob(asked.prior, mean, spread))
    alpha, sigma = asked.shares(asked.t)
    known = sigma * alpha * (asked.x - mean) / ((alpha * spread) ** 2 + sigma**2)
    torch.testing.assert_close(answer(settings, asked).gradient, known)
    assert (answer(SDS(guidance=1.0, weight="one"), asked).gradient - known).abs().max() > 0.1


@pytest.mark.parametrize("pairs", [1, 3])
def test_the_example_asks_about_noises_and_their_mirror_images(gen, pairs):
    load_plugins([EXAMPLE])
    settings = SETTINGS["antithetic"](guidance=5.0, weight="one", pairs=pairs)
    asked = question(gen)
    noises = [asked.noise]
    draws = torch.Generator().manual_seed(3)  # the question's own
    for _ in range(pairs - 1):
        noises.append(torch.randn(asked.x.shape, generator=draws, dtype=torch.float64))
    sides = [changed(asked, noise=sign * noise) for noise in noises for sign in (1, -1)]
    each = [answer(SDS(guidance=5.0, weight="one"), side).gradient for side in sides]
    torch.testing.assert_close(answer(settings, asked).gradient, torch.stack(each).mean(dim=0))
