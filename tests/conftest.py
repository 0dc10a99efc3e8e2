"""Every jaxtyping annotation of the package is checked at run time while the tests run."""

import warnings

from jaxtyping import install_import_hook

with install_import_hook("splatsmith", "beartype.beartype"):
    import splatsmith  # noqa: F401

import pytest
import torch

warnings.filterwarnings("ignore", message=".*beartype.*", category=DeprecationWarning)


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
