"""The explainer's own arithmetic against the package's, on the same numbers."""

import base64

import numpy as np
import pytest
import torch
from explainer import calculate

from splatsmith.distill import (
    CSD,
    SCORES,
    SDS,
    SJC,
    FallingTimes,
    Question,
    UniformTimes,
    answered,
    beta,
)
from splatsmith.priors import AnalyticPrior, cosine
from splatsmith.priors.analytic import AnalyticCondition

TIMES = (0.02, 0.3, 0.5, 0.77, 0.98)


def close(found, expected, tolerance=1e-9):
    found = torch.as_tensor(found, dtype=torch.float64)
    torch.testing.assert_close(found, expected.flatten().double(), rtol=tolerance, atol=1e-10)


def prior_with(shift):
    """Told what it needs by conditions of our own, so it has no targets of its own."""
    return AnalyticPrior(targets=lambda _: torch.empty(0), resolution=1, schedule=cosine(shift))


def condition_of(centers, odds, views):
    """The same centers for every view; without the word all are as likely."""
    targets = centers[None, :, :, None, None].repeat(views, 1, 1, 1, 1)
    told = torch.as_tensor(odds, dtype=torch.float64).log().repeat(views, 1)
    return AnalyticCondition(targets, told, torch.zeros_like(told))


@pytest.fixture
def world(gen):
    """Six centers in five dimensions, two words of three, and four x with a noise for each."""
    draw = [torch.randn(n, 5, generator=gen, dtype=torch.float64) for n in (6, 4, 4)]
    centers, x, noise = 0.6 * draw[0], 0.5 * draw[1], draw[2]
    return centers, condition_of(centers, (1, 1, 1, 0, 0, 0), len(x)), x, noise


def test_the_schedule_is_the_packages_cosine():
    times, shifts = [0.0, 1e-3, *TIMES, 1.0], (0.0, -2.0)
    found = calculate(
        "values.shifts.map((shift) => { const cosine = new explainer.Cosine(shift);"
        "return values.times.map((t) => [cosine.alpha(t), cosine.sigma(t)]); })",
        times=times,
        shifts=shifts,
    )
    t = torch.tensor(times, dtype=torch.float64)
    for shift, rows in zip(shifts, found, strict=True):
        close([alpha for alpha, _ in rows], cosine(shift).alpha(t))
        close([sigma for _, sigma in rows], cosine(shift).sigma(t))


def test_the_denoiser_is_the_analytic_prior(world):
    centers, condition, _, noise = world
    found = calculate(
        "(() => { const prior = new explainer.Mixture(Float64Array.from(values.centers), 5, 0,"
        "new explainer.Cosine(-2)); const odds = explainer.oddsOf(['a', 'b'], [...'aaabbb']);"
        "return values.times.map((t) => values.noisy.map((x) => prior.predict("
        "Float64Array.from(x), t, odds.named.a, odds.unnamed).map((mean) => [...mean]))); })()",
        centers=centers.flatten().tolist(),
        noisy=noise.tolist(),
        times=TIMES,
    )
    prior, x_t = prior_with(-2.0), noise[:, :, None, None]
    for t, rows in zip(TIMES, found, strict=True):
        at = torch.full((4,), t, dtype=torch.float64)
        told = prior.predict(x_t, at, condition).x0
        untold = prior.predict(x_t, at, condition.negative()).x0
        for side, expected in enumerate((told, untold)):
            close([mean for row in rows for mean in row[side]], expected)


def test_so_it_is_for_the_pictures_of_the_page():
    times = (0.3, 0.6, 0.8, 0.95)
    found = calculate(
        "(() => { const world = explainer.pictureWorld(); const { prior } = world;"
        "const random = explainer.stream(1, 'test'); const chosen = prior.centers.slice(-3072);"
        "const noise = random.normals(3072); const bytes = (array) =>"
        "Buffer.from(array.buffer).toString('base64');"
        "const noisy = values.times.map((t) => chosen.map((value, i) => prior.schedule.alpha(t)"
        "* value + prior.schedule.sigma(t) * noise[i]));"
        "return { centers: bytes(prior.centers), words: explainer.WORDS, labels: world.labels,"
        "noisy: noisy.map(bytes), means: noisy.map((x, i) => bytes(prior.predict(x,"
        "values.times[i], world.odds.named.smile)[0])) }; })()",
        times=times,
    )

    def array(text):
        return torch.from_numpy(np.frombuffer(base64.b64decode(text)).copy())

    centers = array(found["centers"]).reshape(-1, 3072)
    assert len(centers) == len(found["labels"]) == 144
    assert centers.min() >= -1
    assert centers.max() <= 1
    odds = [float(label == "smile") for label in found["labels"]]
    x_t = torch.stack([array(text) for text in found["noisy"]])[:, :, None, None]
    t = torch.tensor(times, dtype=torch.float64)
    expected = prior_with(-2.0).predict(x_t, t, condition_of(centers, odds, len(times))).x0
    means = torch.stack([array(text) for text in found["means"]])
    torch.testing.assert_close(means, expected[:, :, 0, 0], rtol=1e-8, atol=1e-9)
    # High noise blurs: the answer moves away from any one picture as t rises.
    nearest = torch.cdist(means, centers).min(dim=1).values
    assert nearest[0] < 1e-4
    assert nearest[-1] > 2


def test_with_a_spread_it_obeys_tweedie_on_torchs_own_density(gen):
    centers = torch.randn(5, 2, generator=gen, dtype=torch.float64)
    noisy = torch.randn(3, 2, generator=gen, dtype=torch.float64)
    found = calculate(
        "(() => { const centers = Float64Array.from(values.centers);"
        "const prior = new explainer.Mixture(centers, 2, 0.2, new explainer.Cosine());"
        "const odds = explainer.oddsOf(['a'], [...'aaaaa']);"
        "return values.times.map((t) => values.noisy.map((row) => {"
        "const x = Float64Array.from(row); return [...prior.predict(x, t, odds.named.a)[0],"
        "prior.logDensity(x, t, odds.named.a)]; })); })()",
        centers=centers.flatten().tolist(),
        noisy=noisy.tolist(),
        times=TIMES,
    )
    for t, rows in zip(TIMES, found, strict=True):
        at = torch.tensor(t, dtype=torch.float64)
        alpha, sigma = cosine().alpha(at), cosine().sigma(at)
        x = noisy.clone().requires_grad_()
        density = log_density(x, alpha * centers, ((0.2 * alpha) ** 2 + sigma**2).sqrt())
        (score,) = torch.autograd.grad(density.sum(), x)
        means = [value for row in rows for value in row[:2]]
        close(means, (noisy + sigma**2 * score) / alpha)
        close([row[2] for row in rows], density.detach())


def log_density(x, centers, deviation):
    """Of equal parts of isotropic Gaussians, by torch."""
    part = torch.distributions.Normal(centers, deviation.expand(centers.shape))
    equal = torch.distributions.Categorical(torch.ones(len(centers), dtype=x.dtype))
    whole = torch.distributions.MixtureSameFamily(
        equal, torch.distributions.Independent(part, 1)
    )
    return whole.log_prob(x)


DISTILL = """
(() => {
  const prior = new explainer.Mixture(
    Float64Array.from(values.centers), 5, 0, new explainer.Cosine(-2));
  const odds = explainer.oddsOf(["a", "b"], [..."aaabbb"]);
  return values.arms.map(({ t, noises, ...settings }) => values.x.map((x, row) => {
    const own = noises.map((noise) => Float64Array.from(noise[row]));
    const { gradient, target } = explainer.distill(
      { ...settings, word: "a" }, prior, odds, Float64Array.from(x), t, own);
    return [[...gradient], [...target]];
  }));
})()
"""


def distilled(world, arms):
    """(gradient, target) of each arm: a score's settings, with its time and noises."""
    centers, _, x, _ = world
    found = calculate(DISTILL, centers=centers.flatten().tolist(), x=x.tolist(), arms=arms)
    return [
        tuple([value for row in arm for value in row[side]] for side in range(2))
        for arm in found
    ]


SETTINGS = {
    "plain": ({"score": "sds", "guidance": 1}, SDS(guidance=1)),
    "clamped": (
        {"score": "sds", "guidance": 7.5, "clamp": True},
        SDS(guidance=7.5, clamp=True),
    ),
    "sjc": ({"score": "sjc", "guidance": 30}, SJC(guidance=30)),
    "csd": ({"score": "csd", "guidance": 99}, CSD()),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_scores_are_the_packages(world, name):
    _, condition, x, noise = world
    ours, settings = SETTINGS[name]
    times = (0.1, 0.6, 0.95)
    found = distilled(world, [{**ours, "t": t, "noises": [noise.tolist()]} for t in times])
    for t, (gradient, target) in zip(times, found, strict=True):
        question = Question(
            prior=prior_with(-2.0),
            condition=condition,
            x=x[:, :, None, None],
            t=torch.full((4,), t, dtype=torch.float64),
            noise=noise[:, :, None, None],
        )
        expected = answered(settings, question, SCORES[settings.kind])
        close(gradient, expected.gradient, 1e-8)
        close(target, expected.pseudo_ground_truth, 1e-8)


def test_averaged_noise_is_the_mean_of_single_steps(world):
    noises = [noise.tolist() for noise in (world[3], world[3].flip(0), -world[3])]
    common = {"guidance": 4, "clamp": False, "t": 0.7}
    arms = [{**common, "score": "averaged", "noises": noises}]
    arms += [{**common, "score": "sds", "noises": [noise]} for noise in noises]
    (mean, _), *single = distilled(world, arms)
    rows = torch.tensor([gradient for gradient, _ in single], dtype=torch.float64)
    close(mean, rows.mean(dim=0))


def test_windows_and_weights_are_the_packages():
    found = calculate(
        "[0, 0.25, 1].map((progress) => [true, false].map((anneal) => explainer.timeWindow("
        "{ anneal, low: 0.02, high: 0.9 }, progress)))"
    )
    falling = FallingTimes(kind="sqrt", start=0.9, stop=0.02, width=0.1)
    uniform = UniformTimes(low=0.02, high=0.9)
    for progress, row in zip((0, 0.25, 1), found, strict=True):
        assert row[0] == pytest.approx(falling.window(progress))
        assert row[1] == pytest.approx(uniform.window(progress))
    t = torch.tensor(TIMES, dtype=torch.float64)
    names = ("sigma2", "one")
    factors = calculate(
        "values.names.map((name) => values.times.map((t) =>"
        "explainer.beta(name, new explainer.Cosine(-2), t)))",
        times=TIMES,
        names=names,
    )
    for name, row in zip(names, factors, strict=True):
        close(row, beta(name, cosine(-2.0), t))
