"""Schedules by their configuration, held to the schedulers of diffusers."""

import pytest
import torch

from splatsmith.errors import InputError
from splatsmith.priors import RectifiedFlow, linear, scaled_linear
from splatsmith.priors.pretrained.steps import StepTable, kind_of, schedule_of
from splatsmith.priors.schedule import NoiseSchedule

TABLES = [
    {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
    {"beta_schedule": "squaredcos_cap_v2"},
    {"trained_betas": [0.001 * i for i in range(1, 101)], "num_train_timesteps": 100},
    {
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "rescale_betas_zero_snr": True,
    },
]


@pytest.mark.parametrize("config", TABLES, ids=["sd", "ddpm", "deepfloyd", "given", "zero-snr"])
def test_the_table_is_that_of_diffusers(config):
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(**config)
    schedule = schedule_of(config, "here")
    assert isinstance(schedule, NoiseSchedule)
    count = len(scheduler.alphas_cumprod)
    steps = torch.arange(0, count - 1, 7)
    t = steps.double() / count
    found = schedule.alpha(t).square()
    torch.testing.assert_close(
        found, scheduler.alphas_cumprod[steps].double(), atol=2e-6, rtol=2e-4
    )
    torch.testing.assert_close(schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2, 0 * t + 1)
    assert (schedule.log_snr(t).diff() < 0).all()


def test_known_tables_are_the_ones_that_recipes_name():
    assert schedule_of(TABLES[0], "x") == scaled_linear()
    assert schedule_of(TABLES[1], "x") == linear()
    assert (
        schedule_of({"_class_name": "FlowMatchEulerDiscreteScheduler"}, "x") == RectifiedFlow()
    )


def test_pure_noise_at_the_end_leaves_every_conversion_finite():
    schedule = schedule_of(TABLES[4], "x")
    t = torch.tensor([0.0, 0.999, 1.0])
    assert (schedule.alpha(t) > 0).all()
    assert (schedule.sigma(t) < 1).all()
    assert schedule.alpha(t)[-1] < 1e-3


def test_a_table_follows_the_type_of_its_times():
    table = StepTable.of_betas(torch.full((10,), 0.1))
    assert table.log_snr(torch.tensor([0.5], dtype=torch.float32)).dtype == torch.float32


@pytest.mark.parametrize(
    "config",
    [
        {"beta_schedule": "sigmoid"},
        {"num_train_timesteps": 0},
        {"num_train_timesteps": "many"},
        {"trained_betas": [2.0, 1.0]},
        {"beta_schedule": "linear", "beta_start": 0.5, "beta_end": 0.1},
    ],
)
def test_other_tables_are_refused(config):
    with pytest.raises(InputError):
        schedule_of(config, "here")


def test_the_kind_of_an_answer():
    assert kind_of({}, "x") == "eps"
    assert kind_of({"prediction_type": "v_prediction"}, "x") == "v"
    assert kind_of({"_class_name": "FlowMatchEulerDiscreteScheduler"}, "x") == "flow"
    with pytest.raises(InputError, match="--prior-set prediction="):
        kind_of({"prediction_type": "score"}, "x")
