import pytest
import torch

from splatsmith.distill import WEIGHTS, beta, weight
from splatsmith.errors import InputError
from splatsmith.priors import cosine, rectified_flow, scaled_linear

# Step of Stable Diffusion, w = 1 - abar, its beta, and beta of w = 1.
TABLE = [
    (20, 0.0187, 0.135, 7.25),
    (50, 0.0484, 0.215, 4.43),
    (100, 0.1058, 0.308, 2.91),
    (200, 0.2463, 0.431, 1.75),
    (300, 0.4095, 0.492, 1.20),
    (500, 0.7237, 0.447, 0.618),
    (700, 0.9175, 0.275, 0.300),
    (800, 0.9631, 0.188, 0.196),
    (980, 0.9942, 0.076, 0.077),
]


@pytest.mark.parametrize(("step", "sigma2", "beta_sigma2", "beta_one"), TABLE)
def test_table_of_weights(step, sigma2, beta_sigma2, beta_one):
    schedule, t = scaled_linear(), torch.tensor([step / 1000], dtype=torch.float64)
    assert float(weight("sigma2", schedule, t)) == pytest.approx(sigma2, abs=5.1e-5)
    assert float(beta("sigma2", schedule, t)) == pytest.approx(beta_sigma2, abs=5.1e-4)
    last_digit = 5.1e-3 if beta_one > 1 else 5.1e-4
    assert float(beta("one", schedule, t)) == pytest.approx(beta_one, abs=last_digit)


@pytest.mark.parametrize("schedule", [cosine(), scaled_linear(), rectified_flow()], ids=str)
def test_weights_by_their_formulas(schedule):
    t = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    one = torch.ones_like(t)
    expected = {
        "one": (one, alpha / sigma),
        "sigma2": (sigma**2, alpha * sigma),
        "sigma_over_alpha": (sigma / alpha, one),
        "fantasia": (alpha * sigma**2, alpha**2 * sigma),
    }
    assert set(expected) == set(WEIGHTS)
    for name, (w, b) in expected.items():
        torch.testing.assert_close(weight(name, schedule, t), w)
        torch.testing.assert_close(beta(name, schedule, t), b)


def test_fantasia_is_sqrt_abar_times_1_minus_abar():
    t = torch.tensor([0.3], dtype=torch.float64)
    abar = scaled_linear().alpha(t) ** 2
    torch.testing.assert_close(weight("fantasia", scaled_linear(), t), abar.sqrt() * (1 - abar))


def test_an_unknown_weight_is_refused():
    with pytest.raises(InputError, match="no weight 'sigma'; choose one of one, sigma2"):
        weight("sigma", cosine(), torch.tensor([0.5]))
