"""Every jaxtyping annotation of the package is checked at run time while the tests run."""

import warnings

import hypothesis
import pytest
import torch
from jaxtyping import config, install_import_hook

import checking

# For good, not as a context: the package's modules are imported when they are first needed.
install_import_hook("splatsmith", "checking.checked")

# A time is never asserted: a busy machine is no mistake.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

warnings.filterwarnings("ignore", message=".*beartype.*", category=DeprecationWarning)


@pytest.fixture(autouse=True)
def shapes_are_looked_at():
    """Every test looks at the first calls of each function."""
    checking.begin()


@pytest.fixture
def unchecked():
    """Lets wrong shapes pass, to see what the package itself says about them."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture
def in_float32(monkeypatch):
    """No bfloat16 where a machine has it in hardware, for what compares exact answers."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)


@pytest.fixture
def gen() -> torch.Generator:
    """A generator with a fixed seed: no test draws from the global one."""
    return torch.Generator().manual_seed(0)


@pytest.fixture
def scores_as_they_were():
    """Scores that a test adds are forgotten after it."""
    from splatsmith.distill import SCORES, SETTINGS, added

    known = (SCORES, SETTINGS, added._sources)
    before = [dict(each) for each in known]
    yield
    for each, then in zip(known, before, strict=True):
        each.clear()
        each.update(then)
