"""Every score by its published formula, and what the scores have to do with one another."""

import itertools

import pytest
import torch
import worlds
from questions import SCHEDULES, answer, changed, noise_of, question

from splatsmith.distill import (
    CSD,
    ISM,
    NFSD,
    SCORES,
    SDI,
    SDS,
    SJC,
    VSD,
    OwnModel,
    Ramp,
    Refine,
    UniformTimes,
    beta,
    distill,
    distillation_loss,
    guided,
    weight,
)
from splatsmith.distill.inversion import _spread, inverted, moved
from splatsmith.distill.loss import reconstruction_loss
from splatsmith.errors import InputError
from splatsmith.priors import Prediction

SETTINGS = {
    "sds": SDS(),
    "mvdream": SDS(guidance=50.0, rescale=0.5, weight="sigma_over_alpha"),
    "perp-neg by ramp": SDS(guidance=Ramp(start=20.0, end=5.0)),
    "sjc": SJC(perturbations=2),
    "sjc not centered": SJC(centered=False),
    "csd": CSD(negative=0.5),
    "nfsd": NFSD(below=0.5),
    "ism": ISM(),
    "sdi": SDI(),
    "vsd": VSD(),
    "refine": Refine(),
    "refined and clamped": Refine(guidance=30.0, clamp=True, steps=2),
    "clamped": SDS(guidance=30.0, clamp=True),
    "clipped": CSD(positive=9.0, clip=0.2),
    "clamped and clipped": NFSD(clamp=True, clip=Ramp(start=0.1, end=0.3)),
}


def own_of(asked, target=None):
    """An own model that is the prior still, or that knows one picture of each view."""

    def says(x_t, t):
        if target is None:
            return asked.prior.predict(x_t, t, asked.condition)
        return Prediction.of("x0", target, x_t, t, asked.prior.schedule)

    return says


def shape(values):
    return values[:, None, None, None]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_every_pseudo_ground_truth_reproduces_its_gradient(gen, name, settings):
    """StableDreamer's Proposition 1 for any score at all."""
    asked = question(gen, SCHEDULES[name], kind="v", negative="first")
    distilled = answer(settings, changed(asked, own=own_of(asked, asked.x * 0.5)))
    assert distilled.gradient.abs().max() > 1e-3
    x = asked.x.clone().requires_grad_()
    by_score = torch.autograd.grad(distillation_loss(x, distilled), x)[0]
    pull = beta(settings.weight, asked.prior.schedule, asked.t)
    by_picture = torch.autograd.grad(
        reconstruction_loss(x, distilled.pseudo_ground_truth, pull), x
    )[0]
    torch.testing.assert_close(by_score, by_picture, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(
        distilled.weight, weight(settings.weight, asked.prior.schedule, asked.t)
    )


@pytest.mark.parametrize(
    ("until", "progress", "once"),
    [(0.0, 0.0, 0), (0.5, 0.49, 1), (0.5, 0.5, 0), (1.0, 1.0, 1)],
)
def test_guidance_in_one_pass_until_a_share_of_the_stage(gen, until, progress, once):
    asked, calls = question(gen), []

    class Knowing(type(asked.prior)):
        def guides(self, condition, scale):
            return True

        def predict_guided(self, x_t, t, condition, scale):
            calls.append(scale)
            return self.predict(x_t, t, condition)

    knowing = Knowing.__new__(Knowing)
    knowing.__dict__.update(asked.prior.__dict__)
    settings = SDS(guidance=4.0, one_pass_until=until)
    answer(settings, changed(asked, prior=knowing, progress=progress))
    assert calls == [4.0] * once


@pytest.mark.parametrize("kind", SCORES)
def test_every_score_keeps_to_its_generator_and_to_float32(gen, kind):
    asked = question(gen)
    x = asked.x.float()
    # With little noise refinement finds the nearest picture, whatever the noise was.
    noisy = {"refine": Refine(steps=1, times=UniformTimes(low=0.9))}
    settings = noisy.get(kind, type(SETTINGS[kind])())

    def once(seed):
        draws = torch.Generator().manual_seed(seed)
        own = own_of(asked)
        return distill(settings, asked.prior, asked.condition, x, 0.5, draws, own)

    first, again, other = once(1), once(1), once(2)
    assert torch.equal(first.gradient, again.gradient)
    assert not torch.equal(first.gradient, other.gradient)
    assert first.gradient.dtype == first.pseudo_ground_truth.dtype == torch.float32


@pytest.mark.parametrize(("name", "kind"), [*itertools.product(SCHEDULES, ("eps", "v"))])
def test_score_jacobian_chaining_is_sds_with_weight_1(gen, name, kind):
    asked = question(gen, SCHEDULES[name], kind)
    chained = answer(SJC(guidance=4.0), asked)
    distilled = answer(SDS(guidance=4.0, weight="one"), asked)
    torch.testing.assert_close(chained.gradient, distilled.gradient)


def test_score_jacobian_chaining_by_its_own_formula(gen):
    """Wang et al. 2022: with z = x + s n and s = sigma / alpha, g = -(D(z) - x) / s."""
    asked = question(gen)
    alpha, sigma = asked.shares(asked.t)
    s = sigma / alpha
    z = asked.x + s * asked.noise
    denoised = z - s * noise_of(asked, x_t=z / torch.sqrt(1 + s**2))
    plain = answer(SJC(guidance=1.0), asked)
    torch.testing.assert_close(plain.gradient, -(denoised - asked.x) / s)
    loose = answer(SJC(guidance=1.0, centered=False), asked)
    torch.testing.assert_close(loose.gradient, -(denoised - z) / s)


def test_perturbations_are_averaged(gen):
    asked = question(gen, generator=torch.Generator().manual_seed(5))
    replay = torch.Generator().manual_seed(5)
    noises = [asked.noise]
    noises += [
        torch.randn(asked.x.shape, generator=replay, dtype=asked.x.dtype) for _ in range(2)
    ]
    single = [answer(SJC(), changed(asked, noise=noise)).gradient for noise in noises]
    averaged = answer(SJC(perturbations=3), asked).gradient
    torch.testing.assert_close(averaged, torch.stack(single).mean(0))


@pytest.mark.parametrize("scale", [0.0, 7.5, 100.0])
def test_csd_is_what_guidance_adds(gen, scale):
    """SDS at scale s is SDS at scale 1 and (s - 1) times CSD."""
    asked = question(gen)
    difference = answer(CSD(), asked).gradient
    for s in (scale, 1.0):
        assert difference.abs().max() > 1e-3
        expected = answer(SDS(guidance=1.0), asked).gradient + (s - 1) * difference
        torch.testing.assert_close(answer(SDS(guidance=s), asked).gradient, expected)


def test_csd_weighs_the_negative_by_the_progress(gen):
    asked = question(gen, negative="first", progress=0.25)
    said = [
        noise_of(asked, condition)
        for condition in (
            asked.condition,
            asked.condition.nothing(),
            asked.condition.negative(),
        )
    ]
    assert (said[1] - said[2]).abs().max() > 1e-3
    settings = CSD(positive=2.0, negative=Ramp(start=0.0, end=1.0), weight="one")
    expected = 2.0 * (said[0] - said[1]) - 0.25 * (said[2] - said[1])
    torch.testing.assert_close(answer(settings, asked).gradient, expected)
    # At weight 1 of both, nothing is left of what the prior says unasked.
    both = answer(CSD(negative=1.0, weight="one"), asked)
    torch.testing.assert_close(both.gradient, said[0] - said[2])


def test_nfsd_takes_the_prediction_apart(gen):
    asked = question(gen, negative="first")
    t = torch.tensor([0.1, 0.3, 0.9], dtype=torch.float64)
    asked = changed(asked, t=t)
    wanted, plain, unwanted = (
        noise_of(asked, condition)
        for condition in (
            asked.condition,
            asked.condition.nothing(),
            asked.condition.negative(),
        )
    )
    domain = torch.stack([plain[0], (plain - unwanted)[1], (plain - unwanted)[2]])
    expected = shape(asked.prior.schedule.sigma(t) ** 2) * (domain + 5.0 * (wanted - plain))
    torch.testing.assert_close(answer(NFSD(guidance=5.0), asked).gradient, expected)


def test_nfsd_without_a_negative_prompt_is_csd_above_its_threshold(gen):
    asked = question(gen)
    assert bool((asked.t > 0.2).all())
    chosen = answer(NFSD(guidance=3.0), asked).gradient
    torch.testing.assert_close(chosen, answer(CSD(positive=3.0), asked).gradient)


def inverted_by_hand(asked, to, stride, start):
    """Algorithm 1 of LucidDreamer for one time of all views, step by step."""
    schedule, nothing = asked.prior.schedule, asked.condition.nothing()

    def shares(t):
        return float(schedule.alpha(t)), float(schedule.sigma(t))

    times = torch.linspace(start, to, round((to - start) / stride) + 1, dtype=torch.float64)
    alpha, sigma = shares(times[0])
    x = alpha * asked.x + sigma * asked.noise
    for now, after in itertools.pairwise(times):
        eps = noise_of(asked, nothing, x, now.expand(len(x)))
        alpha, sigma = shares(now)
        clean = (x - sigma * eps) / alpha
        alpha, sigma = shares(after)
        x = alpha * clean + sigma * eps
    return x


def test_ism_compares_both_ends_of_an_interval(gen):
    asked = changed(question(gen), t=torch.full((3,), 0.7, dtype=torch.float64))
    settings = ISM(guidance=4.0, interval=0.1, stride=0.1, start=0.1, weight="one")
    x_s = inverted_by_hand(asked, 0.6, 0.1, 0.1)
    x_t = inverted_by_hand(asked, 0.7, 0.1, 0.1)
    s = torch.full((3,), 0.6, dtype=torch.float64)
    expected = guided(asked.prior, x_t, asked.t, asked.condition, 4.0).eps
    expected = expected - noise_of(asked, asked.condition.nothing(), x_s, s)
    torch.testing.assert_close(answer(settings, asked).gradient, expected)


def test_ism_without_an_interval_is_csd_at_the_noise_of_inversion(gen):
    """The limit of LucidDreamer: s (e_c - e_u), both at the same point of the way."""
    asked = changed(question(gen), t=torch.full((3,), 0.5, dtype=torch.float64))
    x_t = inverted_by_hand(asked, 0.5, 0.1, 0.1)
    difference = noise_of(asked, x_t=x_t)
    difference = difference - noise_of(asked, asked.condition.nothing(), x_t)
    limit = 4.0 * difference
    errors = [
        float((answer(settings, asked).gradient - limit).abs().max())
        for interval in (0.1, 0.01, 1e-4, 0.0)
        for settings in [
            ISM(guidance=4.0, interval=interval, stride=0.1, start=0.1, weight="one")
        ]
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 100 * errors[2]
    assert errors[3] < 1e-9


def single_target(gen, **changes):
    pictures = worlds.targets(gen, views=3, count=1)
    prior = worlds.prior_of(pictures, kind="v")
    return (
        question(gen, prior=prior, condition=worlds.told(prior, pictures), **changes),
        pictures,
    )


def test_on_the_way_to_a_single_picture_ism_finds_nothing_left_to_say(gen):
    """There the noise stays the same along the whole way, and the prompt changes nothing."""
    asked, _ = single_target(gen)
    assert answer(ISM(), asked).gradient.abs().max() < 1e-9
    assert answer(SDS(), asked).gradient.abs().max() > 0.1


@pytest.mark.parametrize("stride", [0.05, 0.5])
def test_sdi_of_a_single_picture_is_exact_and_needs_no_chance(gen, stride):
    """Its inversion is exact there in any number of steps, so x_hat is the picture itself."""
    asked, pictures = single_target(gen)
    settings = SDI(stride=stride, eta=0.0)
    distilled = answer(settings, asked)
    torch.testing.assert_close(distilled.pseudo_ground_truth, pictures[:, 0])
    other = answer(settings, asked.with_fresh_noise())
    torch.testing.assert_close(distilled.gradient, other.gradient)


def test_sdi_asks_about_the_noise_that_inversion_finds(gen):
    asked = question(gen)
    settings = SDI(guidance=3.0, inversion=-2.0, stride=0.1, eta=0.0, weight="one")

    def says(x_t, t):
        return guided(asked.prior, x_t, t, asked.condition, -2.0)

    x_t = inverted(asked, says, asked.t, start=settings.start, stride=settings.stride)
    found = changed(asked, noise=(x_t - asked.shares(asked.t)[0] * asked.x))
    found = changed(found, noise=found.noise / asked.shares(asked.t)[1])
    torch.testing.assert_close(
        answer(settings, asked).gradient,
        answer(SDS(guidance=3.0, weight="one"), found).gradient,
    )
    noisy = answer(SDI(guidance=3.0, inversion=-2.0, stride=0.1, weight="one"), asked)
    assert not torch.allclose(noisy.gradient, answer(settings, asked).gradient)


def test_inversion_leads_back_to_the_picture(gen):
    """DDIM forward from where inversion came to; the more steps, the closer."""
    asked = question(gen)
    schedule = asked.prior.schedule
    low, high = torch.full_like(asked.t, 0.6), torch.full_like(asked.t, 0.95)

    def says(x_t, t):
        return asked.prior.predict(x_t, t, asked.condition)

    begun = inverted(asked, says, low, start=0.6, stride=1.0)
    errors = []
    for count in (5, 20, 80):
        x = inverted(asked, says, high, start=0.6, stride=0.35 / count)
        line = torch.linspace(0.95, 0.6, count + 1, dtype=torch.float64)
        for now, after in itertools.pairwise(line):
            x = moved(says(x, now.expand(3)), after.expand(3), schedule)
        errors.append(float((x - begun).abs().max()))
    assert errors[0] > 3 * errors[1] > 9 * errors[2]


def test_a_move_to_the_same_time_is_none(gen):
    asked = question(gen)
    said = asked.prior.predict(asked.x_t, asked.t, asked.condition)
    torch.testing.assert_close(moved(said, asked.t, asked.prior.schedule), asked.x_t)


def test_fresh_noise_is_that_of_an_ancestral_step(gen):
    """Song et al. 2021, equation 16 with eta 1."""
    schedule = SCHEDULES["stable-diffusion"]
    now, after = (torch.tensor([t], dtype=torch.float64) for t in (0.3, 0.5))
    a, b = schedule.alpha(now) ** 2, schedule.alpha(after) ** 2
    expected = ((1 - a) / (1 - b) * (1 - b / a)).sqrt()
    torch.testing.assert_close(_spread(schedule, now, after).flatten(), expected)


@pytest.mark.parametrize("scale", [1.0, 7.5])
def test_vsd_with_an_untouched_model_is_what_guidance_adds(gen, scale):
    asked = question(gen)
    asked = changed(asked, own=own_of(asked))
    expected = (scale - 1) * answer(CSD(), asked).gradient
    torch.testing.assert_close(answer(VSD(guidance=scale), asked).gradient, expected)


def test_vsd_with_a_model_that_knows_the_render_is_sds(gen):
    """ProlificDreamer: SDS is VSD whose own distribution is a single point."""
    asked = question(gen)
    asked = changed(asked, own=own_of(asked, asked.x))
    torch.testing.assert_close(
        answer(VSD(), asked).gradient, answer(SDS(guidance=7.5), asked).gradient
    )


def test_vsd_needs_a_model_of_its_own(gen):
    with pytest.raises(InputError, match="needs a model of the scene's own renders"):
        answer(VSD(), question(gen))


def test_mvdreams_loss_is_the_distance_to_the_rescaled_picture(gen):
    """Shi et al. 2023: 0.5 |x - x_hat|^2 with x_hat guided by 50 and rescaled by 0.5."""
    asked = question(gen)
    distilled = answer(SETTINGS["mvdream"], asked)
    said = guided(asked.prior, asked.x_t, asked.t, asked.condition, 50.0, 0.5)
    torch.testing.assert_close(distilled.pseudo_ground_truth, said.x0)
    torch.testing.assert_close(distilled.gradient, asked.x - said.x0)


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_the_clip_rises_and_clips(gen, progress):
    asked = question(gen, progress=progress)
    free = answer(SDS(guidance=30.0), asked).gradient
    limit = 0.05 + 0.1 * progress
    assert free.abs().max() > limit
    settings = SDS(guidance=30.0, clip=Ramp(start=0.05, end=0.15))
    clipped = answer(settings, asked).gradient
    torch.testing.assert_close(clipped, free.clamp(-limit, limit))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: SJC(perturbations=0), "perturbations must lie in 1 to 16, got 0"),
        (lambda: CSD(positive=-1.0), "positive must lie in 0 to 1000, got -1.0"),
        (lambda: CSD(negative=Ramp(start=0.0, end=-1.0)), "negative must lie in 0 to 1000"),
        (lambda: NFSD(below=2.0), "below must lie in 0 to 1, got 2.0"),
        (lambda: NFSD(guidance=-1.0), "guidance must lie in 0 to 1000"),
        (lambda: ISM(interval=1.5), "interval must lie in 0 to 1, got 1.5"),
        (lambda: ISM(stride=0.0), "stride must lie in 0.01 to 1, got 0.0"),
        (lambda: ISM(start=-0.1), "start must lie in 0 to 1"),
        (lambda: SDI(inversion=1e9), "inversion must lie in -1000 to 1000"),
        (lambda: SDI(stride=2.0), "stride must lie in 0.01 to 1, got 2.0"),
        (lambda: SDI(eta=2.0), "start and eta must lie in 0 to 1"),
        (lambda: VSD(own=OwnModel(rank=0)), "rank must lie in 1 to 64, got 0"),
        (lambda: VSD(own=OwnModel(rate=0.0)), "rate must be over 0 and at most 1"),
        (lambda: VSD(own=OwnModel(camera_dropped=2.0)), "camera_dropped must lie in 0 to 1"),
        (lambda: Refine(steps=0), "steps must lie in 1 to 100, got 0"),
        (lambda: Refine(image_loss=0.0), "image_loss must be 1e-09 or more"),
        (lambda: Refine(times=UniformTimes(low=0.0)), "times must stay over 0"),
        (lambda: SDS(clip=0.0), "clip must lie in 1e-09 to inf, got 0.0"),
        (lambda: SDS(image_loss=-1.0), "image_loss must be 0 or more, got -1.0"),
        (lambda: SDS(guidance=Ramp(start=1.0, end=-1.0)), "guidance must lie in 0 to 1000"),
        (lambda: SDS(perp_neg=True, rescale=0.5), "perp_neg goes neither"),
        (lambda: SDS(one_pass_until=1.5), "one_pass_until must lie in 0 to 1, got 1.5"),
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(make, says):
    with pytest.raises(InputError, match=says):
        make()
