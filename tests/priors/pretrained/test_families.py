"""Every other family: what its network is asked is what its own pipeline would ask."""

import pytest
import tiny
import torch
import torch.nn.functional as F

from splatsmith.cameras import orbit
from splatsmith.distill import SDS, distill, distillation_loss, guided
from splatsmith.errors import InputError
from splatsmith.priors import RectifiedFlow
from splatsmith.priors.pretrained import PriorOptions, open_pretrained
from splatsmith.priors.protocol import LargePrior, OnePassPrior, Prior, SeeingPrior, Sight
from splatsmith.prompts import Prompt

PROMPT = Prompt(text="a Red ball")
CAMERAS = orbit([0.0, 180.0], 15.0, width=16, height=16)
TEXTS = PROMPT.for_views(CAMERAS.azimuth, CAMERAS.elevation)


def asked(prior, gen, t=(0.2, 0.7)):
    """x_t, t and the condition of two views."""
    shape = (2, prior.channels, prior.resolution, prior.resolution)
    return (
        torch.randn(shape, generator=gen),
        torch.tensor(t),
        prior.condition(PROMPT, CAMERAS),
    )


def sight(gen, size=32, normal=None):
    """A render with a tilted plane before nothing."""
    depth = torch.linspace(2, 3, size)[None, None, :, None].expand(2, size, size, 1).clone()
    alpha = torch.zeros(2, size, size, 1)
    alpha[:, 8:24, 8:24] = 1
    color = torch.rand(2, size, size, 3, generator=gen)
    cameras = orbit([0.0, 180.0], 15.0, width=size, height=size)
    return Sight(color, alpha, depth * alpha, normal, cameras)


def test_all_are_what_the_loop_asks_for(saved):
    for make in (tiny.sdxl, tiny.deepfloyd, tiny.sd3, tiny.flux):
        prior = open_pretrained(str(saved(make)))
        for protocol in (Prior, OnePassPrior, SeeingPrior, LargePrior):
            assert isinstance(prior, protocol)
        assert prior.check_room(2, 2).startswith("The prior needs about")


def test_sdxl(tmp_path, gen):
    pipeline = tiny.sdxl(tmp_path)
    prior = open_pretrained(str(tmp_path))
    x_t, t, condition = asked(prior, gen)
    words, nothing, sentence, empty = pipeline.encode_prompt(TEXTS, device="cpu")
    size = prior.size
    ids = torch.tensor([[size, size, 0, 0, size, size]] * 2, dtype=torch.float32)
    with torch.no_grad():
        told, untold = (
            pipeline.unet(
                x_t,
                t * 1000,
                encoder_hidden_states=w,
                added_cond_kwargs={"text_embeds": s, "time_ids": ids},
            ).sample
            for w, s in ((words, sentence), (nothing, empty))
        )
    torch.testing.assert_close(prior.predict(x_t, t, condition).eps, told)
    torch.testing.assert_close(prior.predict(x_t, t, condition.negative()).eps, untold)
    assert not condition.negative().rows["words"].any()


def test_sdxl_encodes_in_float32_though_its_network_is_half(saved, gen):
    prior = open_pretrained(str(saved(tiny.sdxl)), PriorOptions(precision="bfloat16"))
    color = torch.rand(1, 16, 16, 3, generator=gen, requires_grad=True)
    x = prior.encode(color)
    assert x.dtype == torch.float32
    assert {p.dtype for p in prior.autoencoder.parameters()} == {torch.float32}
    assert {p.dtype for p in prior.network.parameters()} == {torch.bfloat16}
    x.sum().backward()
    assert color.grad.abs().sum() > 0
    x_t, t, condition = asked(prior, gen)
    answer = prior.predict(x_t, t, condition)
    assert answer.eps.dtype == torch.float32
    exact = open_pretrained(str(saved(tiny.sdxl))).predict(x_t, t, condition)
    torch.testing.assert_close(answer.eps, exact.eps, atol=0.05, rtol=0.05)


def test_deepfloyd(tmp_path, gen):
    pipeline = tiny.deepfloyd(tmp_path)
    prior = open_pretrained(str(tmp_path))
    assert (prior.space, prior.channels, prior.resolution) == ("pixel", 3, 16)
    x_t, t, condition = asked(prior, gen)
    words, nothing = pipeline.encode_prompt(TEXTS)
    with torch.no_grad():
        told, untold = (
            pipeline.unet(x_t, t * 1000, encoder_hidden_states=w).sample
            for w in (words, nothing)
        )
    assert told.shape[1] == 6
    answer = guided(prior, x_t, t, condition, 20.0)
    torch.testing.assert_close(
        answer.eps, (untold + 20 * (told - untold))[:, :3], atol=1e-4, rtol=1e-4
    )
    abar = pipeline.scheduler.alphas_cumprod[[200, 700]]
    torch.testing.assert_close(prior.schedule.alpha(t).square(), abar, atol=1e-5, rtol=1e-4)
    color = torch.rand(2, 32, 32, 3, generator=gen, requires_grad=True)
    x = prior.encode(color)
    assert x.shape == (2, 3, 16, 16)
    found = distill(SDS(clamp=True), prior, condition, x, 0.5, gen)
    distillation_loss(x, found).backward()
    assert color.grad.abs().sum() > 0


def test_deepfloyds_upscaler_sees_the_render(tmp_path, gen):
    pipeline = tiny.deepfloyd(tmp_path, stage=2)
    prior = open_pretrained(str(tmp_path), PriorOptions(low_noise=0.3))
    x_t, t, condition = asked(prior, gen)
    with pytest.raises(InputError, match="must be shown the render"):
        prior.predict(x_t, t, condition)
    seen = sight(gen)
    shown = prior.shown(condition, seen, torch.Generator().manual_seed(1))
    small = F.interpolate(
        seen.color.permute(0, 3, 1, 2) * 2 - 1, (8, 8), mode="bilinear", antialias=True
    )
    large = F.interpolate(small, (32, 32), mode="bilinear", align_corners=True)
    noise = torch.randn(large.shape, generator=torch.Generator().manual_seed(1))
    level = torch.tensor([300, 300])
    noisy = pipeline.image_noising_scheduler.add_noise(large, noise, level)
    torch.testing.assert_close(shown.pictures["small"], noisy, atol=1e-4, rtol=1e-4)
    words, _ = pipeline.encode_prompt(TEXTS)
    with torch.no_grad():
        told = pipeline.unet(
            torch.cat([x_t, noisy], 1), t * 1000, words, class_labels=level
        ).sample
    answer = prior.predict(x_t, t, shown)
    torch.testing.assert_close(answer.eps, told[:, :3], atol=1e-4, rtol=1e-4)
    both = guided(prior, x_t, t, shown, 4.0)
    assert both.eps.shape == x_t.shape


def test_stable_diffusion_3(saved, tmp_path, gen):
    pipeline = tiny.sd3(tmp_path)
    prior = open_pretrained(str(tmp_path))
    assert prior.schedule == RectifiedFlow()
    x_t, t, condition = asked(prior, gen)
    words, _, sentence, _ = pipeline.encode_prompt(TEXTS, None, None)
    with torch.no_grad():
        told = pipeline.transformer(
            hidden_states=x_t,
            timestep=t * 1000,
            encoder_hidden_states=words,
            pooled_projections=sentence,
        ).sample
    answer = prior.predict(x_t, t, condition)
    torch.testing.assert_close(answer.flow, told)
    sigma = t[:, None, None, None]
    torch.testing.assert_close(answer.x0, x_t - sigma * told)
    torch.testing.assert_close(answer.eps, x_t + (1 - sigma) * told)


def test_stable_diffusion_3_without_t5(tmp_path, gen):
    pipeline = tiny.sd3(tmp_path, with_t5=False)
    prior = open_pretrained(str(tmp_path))
    words, _, _, _ = pipeline.encode_prompt(TEXTS, None, None)
    _, _, condition = asked(prior, gen)
    torch.testing.assert_close(condition.rows["words"], words)


@pytest.mark.parametrize("dev", [True, False])
def test_flux(tmp_path, gen, dev):
    pipeline = tiny.flux(tmp_path, dev=dev)
    prior = open_pretrained(str(tmp_path), PriorOptions(size=64))
    assert (prior.channels, prior.resolution) == (4, 32)
    x_t, t, condition = asked(prior, gen)
    words, sentence, text_ids = pipeline.encode_prompt(TEXTS)
    packed = pipeline._pack_latents(x_t, 2, 4, 32, 32)
    ids = pipeline._prepare_latent_image_ids(2, 16, 16, "cpu", torch.float32)
    with torch.no_grad():
        told = pipeline.transformer(
            hidden_states=packed,
            timestep=t,
            guidance=torch.full((2,), 3.5) if dev else None,
            pooled_projections=sentence,
            encoder_hidden_states=words,
            txt_ids=text_ids,
            img_ids=ids,
        ).sample
    told = pipeline._unpack_latents(told, 64, 64, 2)
    assert prior.guides(condition, 3.5) is dev
    unwanted = prior.condition(Prompt(text="a Red ball", negative="a cube"), CAMERAS)
    assert not prior.guides(unwanted, 3.5)  # one pass does not hear what is unwanted
    one_pass = guided(prior, x_t, t, condition, 3.5 if dev else 1.0, one_pass=True)
    torch.testing.assert_close(one_pass.flow, told, atol=1e-5, rtol=1e-4)


def test_latents_of_flow_models_are_shifted(saved, gen):
    from diffusers import AutoencoderKL

    prior = open_pretrained(str(saved(tiny.sd3)))
    color = torch.rand(1, 16, 16, 3, generator=gen)
    own = AutoencoderKL.from_pretrained(saved(tiny.sd3) / "vae")
    with torch.no_grad():
        mean = own.encode(color.permute(0, 3, 1, 2) * 2 - 1).latent_dist.mean
        torch.testing.assert_close(prior.encode(color), (mean - 0.06) * 1.5)
        picture = own.decode(mean).sample.permute(0, 2, 3, 1) / 2 + 0.5
    torch.testing.assert_close(prior.decode(prior.encode(color)), picture.clamp(0, 1))


def test_a_consistency_model_answers_with_the_end_of_its_path(tmp_path, gen):
    from diffusers import LatentConsistencyModelPipeline, LCMScheduler

    pipeline = tiny.latent_consistency(tmp_path)
    prior = open_pretrained(str(tmp_path))
    assert (prior.facts.kind, prior.facts.consistency) == ("x0", "eps")
    x_t, t, condition = asked(prior, gen, (0.212, 0.7))
    steps = [219, 699]  # of the fifty that it knows, the nearest
    scale = torch.full((2,), 8.0)
    features = LatentConsistencyModelPipeline.get_guidance_scale_embedding(
        None, scale - 1, embedding_dim=9
    )
    words, _ = pipeline.encode_prompt(TEXTS, "cpu", 1, False)
    with torch.no_grad():
        eps = pipeline.unet(
            x_t, torch.tensor(steps), encoder_hidden_states=words, timestep_cond=features
        ).sample
    scheduler = LCMScheduler.from_config(pipeline.scheduler.config)
    abar = scheduler.alphas_cumprod
    wanted = []
    for row, step in enumerate(steps):
        c_skip, c_out = scheduler.get_scalings_for_boundary_condition_discrete(step)
        x0 = (x_t[row] - (1 - abar[step]).sqrt() * eps[row]) / abar[step].sqrt()
        wanted.append(c_out * x0 + c_skip * x_t[row])
    assert prior.guides(condition, 8.0)
    assert not prior.guides(condition, 100.0)
    answer = guided(prior, x_t, t, condition, 8.0, one_pass=True)
    torch.testing.assert_close(answer.x0, torch.stack(wanted), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(
        prior.schedule.alpha(t).square(), abar[steps], atol=1e-6, rtol=1e-5
    )


def test_few_steps_move_the_noise_to_levels_that_are_known(saved):
    prior = open_pretrained(str(saved(tiny.stable_diffusion)), PriorOptions(few_steps=4))
    t = torch.tensor([0.02, 0.249, 0.4, 0.74, 0.98])
    known = torch.tensor([0.249, 0.249, 0.499, 0.749, 0.999])
    torch.testing.assert_close(prior.schedule.known(t), known)
    torch.testing.assert_close(prior.schedule.alpha(t), prior.schedule.inner.alpha(known))
    flow = open_pretrained(str(saved(tiny.flux)), PriorOptions(few_steps=4))
    torch.testing.assert_close(flow.schedule.known(t)[:2], torch.tensor([0.25, 0.25]))


@pytest.mark.parametrize("what", ["depth", "normal"])
def test_a_control_net_is_asked_as_its_pipeline_asks_it(saved, tmp_path, gen, what):
    net = tiny.control(tmp_path)
    folder = saved(tiny.stable_diffusion)
    options = PriorOptions(control=f"{what}={tmp_path}", control_scale=0.7)
    prior = open_pretrained(str(folder), options)
    plain = open_pretrained(str(folder))
    assert prior.sha256 != plain.sha256
    x_t, t, condition = asked(prior, gen)
    with pytest.raises(InputError, match="must be shown the render"):
        prior.predict(x_t, t, condition)
    shown = prior.shown(condition, sight(gen), gen)
    picture = shown.pictures["control"]
    assert picture.shape == (2, 3, 16, 16)
    assert 0 <= picture.min() < picture.max() <= 1
    words = condition.rows["words"]
    with torch.no_grad():
        down, middle = net(x_t, t * 1000, words, picture, 0.7, return_dict=False)
        told = plain.network(
            x_t,
            t * 1000,
            words,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
        ).sample
    torch.testing.assert_close(prior.predict(x_t, t, shown).eps, told)
    assert not torch.allclose(plain.predict(x_t, t, condition).eps, told)
    torch.testing.assert_close(shown.negative().pictures["control"], picture)
    assert prior._need(options, 2, 2).weights > plain._need(PriorOptions(), 2, 2).weights


def test_a_control_net_of_another_prior_is_refused(saved, tmp_path):
    tiny.control(tmp_path, cross_attention_dim=8)
    options = PriorOptions(control=f"depth={tmp_path}")
    with pytest.raises(InputError, match="made for another prior: its cross_attention_dim"):
        open_pretrained(str(saved(tiny.stable_diffusion)), options)
    with pytest.raises(InputError, match="goes with StableDiffusionPipeline"):
        open_pretrained(str(saved(tiny.deepfloyd)), options)
    with pytest.raises(InputError, match=r"has no config\.json"):
        open_pretrained(
            str(saved(tiny.stable_diffusion)),
            PriorOptions(control=f"depth={saved(tiny.stable_diffusion)}"),
        )


@pytest.mark.parametrize(
    ("make", "file", "change", "message"),
    [
        (tiny.sdxl, "unet/config.json", {"addition_embed_type": None}, "addition_embed_type"),
        (tiny.sdxl, "text_encoder_2/config.json", {"hidden_size": 8}, "different models"),
        (tiny.deepfloyd, "unet/config.json", {"out_channels": 4}, "out_channels is 4"),
        (tiny.deepfloyd, "text_encoder/config.json", {"d_model": 8}, "different models"),
        (
            tiny.deepfloyd,
            "scheduler/scheduler_config.json",
            {"prediction_type": "v_prediction"},
            "DeepFloyd answers with eps",
        ),
        (
            tiny.sd3,
            "scheduler/scheduler_config.json",
            {"_class_name": "DDPMScheduler"},
            "needs a FlowMatch scheduler",
        ),
        (tiny.sd3, "text_encoder_3/config.json", {"d_model": 8}, "different models"),
        (tiny.flux, "transformer/config.json", {"in_channels": 384}, "in_channels is 384"),
    ],
)
def test_contradictions_are_refused(saved, tmp_path, make, file, change, message):
    import shutil

    folder = shutil.copytree(saved(make), tmp_path / "x")
    tiny.edit_json(folder / file, **change)
    with pytest.raises(InputError, match=message):
        open_pretrained(str(folder))


@pytest.mark.parametrize(
    "make",
    [tiny.latent_consistency, tiny.sdxl, tiny.deepfloyd, tiny.deepfloyd_upscaler, tiny.sd3],
)
def test_generate_runs_with_it(saved, generate, make):
    code, out, said = generate(saved(make), "--set", "output.frames=1")
    assert code == 0, said
    assert (out / "scene.ply").is_file()


def test_generate_runs_with_flux_and_with_a_control_net(saved, generate, tmp_path):
    code, _, said = generate(saved(tiny.flux), "--prior-set", "size=64")
    assert code == 0, said
    tiny.control(tmp_path / "net")
    told = (
        *("--prior-set", f"control=normal={tmp_path / 'net'}", "--overwrite"),
        *("--set", "shape.score.perp_neg=true"),
    )
    code, _, said = generate(saved(tiny.stable_diffusion), *told)
    assert code == 0, said


def test_t5_reads_the_table_that_deepfloyd_ships(tmp_path):
    """Its tokenizer comes as spiece.model alone, a file of sentencepiece."""
    import json

    sentencepiece = pytest.importorskip("sentencepiece")
    tiny.deepfloyd(tmp_path)
    folder = tmp_path / "tokenizer"
    for file in folder.iterdir():
        file.unlink()
    text = tmp_path / "text.txt"
    text.write_text("a red ball, front view\na blue cube, back view\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "spiece"), vocab_size=24, pad_id=0,
        eos_id=1, unk_id=2, bos_id=-1, minloglevel=3,
    )  # fmt: skip
    (folder / "spiece.vocab").unlink()
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "T5Tokenizer", "extra_ids": 0})
    )
    prior = open_pretrained(str(tmp_path))
    rows = prior.reader.rows(["a red ball", "a blue cube"])["words"]
    assert rows.shape == (2, 77, 32)
    assert not torch.equal(rows[0], rows[1])
