"""Zero123++ draws six views: its reference attention, its steps, its cameras."""

from dataclasses import replace

import pytest
import tiny
import tiny_views
import torch
from asked_views import picture

from splatsmith.errors import InputError
from splatsmith.priors.prediction import Prediction
from splatsmith.priors.pretrained import open_pretrained
from splatsmith.priors.pretrained.zero123plus import ask, open_zero123plus, referring

# diffusers' Euler scheduler hands a tensor to numpy in a way that numpy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def zero123plus(folder):
    """A tiny Zero123++ in `folder`, its last component such as zero123plus-v1.2."""
    from diffusers import EulerAncestralDiscreteScheduler

    tiny_views.write(
        folder,
        "Zero123PlusPipeline",
        {"ramping_coefficients": [n / 77 for n in range(77)]},
        unet=tiny_views.unet(),
        vae=tiny_views.autoencoder(),
        text_encoder=tiny_views.text(),
        tokenizer=tiny.clip_tokenizer(),
        vision_encoder=tiny_views.vision(),
        scheduler=EulerAncestralDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, prediction_type="v_prediction"
        ),
    )


class LooksAlso:
    """diffusers' first processor, with more to look at."""

    def __init__(self, more):
        from diffusers.models.attention_processor import AttnProcessor

        self.plain, self.more = AttnProcessor(), more

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
        return self.plain(attn, hidden_states, torch.cat([hidden_states, self.more], dim=1))


@torch.no_grad()
def test_every_layer_looks_at_what_it_saw_of_the_reference(gen):
    network = tiny_views.unet()
    x_t, noisy = torch.randn(2, 4, 12, 8, generator=gen), torch.randn(2, 4, 8, 8, generator=gen)
    words, step = torch.randn(2, 7, 64, generator=gen), torch.tensor([400.0, 400.0])
    kept = {}
    hooks = [
        module.norm1.register_forward_hook(lambda *a, n=name: kept.update({n: a[2]}))
        for name, module in network.named_modules()
        if name.endswith("transformer_blocks.0")
    ]
    alone = network(noisy, step, words).sample
    for hook in hooks:
        hook.remove()
    own = dict(network.attn_processors)
    looking = {
        name: LooksAlso(kept[name.removesuffix(".attn1.processor")])
        if name.endswith("attn1.processor")
        else processor
        for name, processor in own.items()
    }
    network.set_attn_processor(looking)
    expected = network(x_t, step, words).sample
    network.set_attn_processor(own)
    got = ask(referring(network), x_t, noisy, step, words)
    torch.testing.assert_close(got, expected)
    again = ask(network, x_t, noisy, step, words)
    torch.testing.assert_close(again, expected)  # Nothing was kept from the step before.
    other = ask(network, x_t, noisy + 1, step, words)
    assert (other - expected).abs().max() > 1e-3
    assert alone.shape == noisy.shape


def test_a_step_is_eulers_ancestral_one(tmp_path, gen):
    from diffusers import EulerAncestralDiscreteScheduler

    folder = tmp_path / "zero123plus-v1.2"
    zero123plus(folder)
    plus = open_zero123plus(str(folder))
    assert plus.kind == "v"
    scheduler = EulerAncestralDiscreteScheduler.from_pretrained(
        folder / "scheduler", timestep_spacing="trailing"
    )
    scheduler.set_timesteps(28)
    times = (torch.linspace(1, 1 / 28, 28) * 1000).round() - 1
    torch.testing.assert_close(times, scheduler.timesteps.float())
    x, value = torch.randn(1, 4, 6, 4, generator=gen), torch.randn(1, 4, 6, 4, generator=gen)
    for i in (0, 9, 26):
        # Their x is ours divided by alpha, and their noise level sigma / alpha.
        t, after = times[i : i + 1] / 1000, times[i + 1 : i + 2] / 1000
        alpha, new = plus.schedule.alpha(t), plus.schedule.alpha(after)
        scheduler._step_index = i
        theirs = scheduler.step(
            value, scheduler.timesteps[i], x / alpha, generator=torch.Generator().manual_seed(5)
        ).prev_sample
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(5))
        said = Prediction.of("v", value, x, t, plus.schedule)
        ours = plus._stepped(said, t, after, noise) / new
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_it_draws_six_views_of_a_picture(tmp_path):
    folder = tmp_path / "zero123plus-v1.2"
    zero123plus(folder)
    plus = replace(open_zero123plus(str(folder)), size=8)

    def drawn(value=200, seed=0):
        generator = torch.Generator().manual_seed(seed)
        return plus.draw(picture(value), generator, steps=2)

    views = drawn()
    assert views.pictures.shape == (6, 8, 8, 3)
    assert 0 <= views.pictures.min() < views.pictures.max() <= 1
    torch.testing.assert_close(drawn().pictures, views.pictures, rtol=0, atol=0)
    assert (drawn(seed=1).pictures - views.pictures).abs().max() > 1e-3
    assert (drawn(value=60).pictures - views.pictures).abs().max() > 1e-4
    # From azimuth 20 on; elevations and field of view of version 1.2.
    assert views.cameras.azimuth.tolist() == [50, 110, 170, 230, 290, 350]
    assert views.cameras.elevation.tolist() == [20, -10, 20, -10, 20, -10]
    older = replace(plus, version="1.1").cameras(picture())
    assert older.elevation.tolist() == [30, -20, 30, -20, 30, -20]
    # The unit ball touches the upper edge: a line from the eye along it passes at distance 1.
    half = torch.atan(torch.tensor(4.0) / older.K[0, 1, 1])
    assert (older.radius[0] * torch.sin(half)).item() == pytest.approx(1, abs=1e-5)


def test_the_drawing_is_cut_row_by_row(tmp_path):
    folder = tmp_path / "zero123plus-v1.1"
    zero123plus(folder)
    plus = replace(open_zero123plus(str(folder)), size=2)
    number = torch.tensor([[0.0, 1], [2, 3], [4, 5]]).repeat_interleave(2, 0)
    drawing = number.repeat_interleave(2, 1).expand(3, 6, 4)
    cut = plus._cut(drawing)
    assert [view.unique().tolist() for view in cut] == [[n] for n in range(6)]


def test_what_is_no_zero123plus_is_refused(saved, tmp_path):
    with pytest.raises(InputError, match="is a StableDiffusionPipeline, and Zero123"):
        open_zero123plus(str(saved(tiny.stable_diffusion)))
    folder = tmp_path / "mine"
    zero123plus(folder)
    with pytest.raises(InputError, match=r"give version = 1\.1 or 1\.2"):
        open_zero123plus(str(folder))
    with pytest.raises(InputError, match="the pipelines that can be a prior are"):
        open_pretrained(str(folder))
    tiny.edit_json(folder / "model_index.json", ramping_coefficients=[1.0])
    with pytest.raises(InputError, match="needs ramping_coefficients, one for each of 77"):
        open_zero123plus(str(folder), version="1.2")
