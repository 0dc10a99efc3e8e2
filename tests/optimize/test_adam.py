"""The optimizers of a run against torch's own, which they are."""

import subprocess
import sys

import pytest
import torch

from splatsmith.optimize.adam import PlainAdam, PlainAdamW

ALONE = """
import sys, torch
from splatsmith.optimize.adam import PlainAdam
p = torch.nn.Parameter(torch.ones(3))
optimizer = PlainAdam([{"params": [p], "name": "p", "lr": 0.1}], fused=True)
p.square().sum().backward()
optimizer.step()
optimizer.zero_grad()
sys.exit("torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize(
    ("plain", "torchs"), [(PlainAdam, torch.optim.Adam), (PlainAdamW, torch.optim.AdamW)]
)
def test_it_steps_as_torch_does(plain, torchs):
    start = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    ended = []
    for kind in (plain, torchs):
        moved = torch.nn.Parameter(start.clone())
        optimizer = kind([{"params": [moved]}], lr=0.01, betas=(0.9, 0.99), fused=True)
        for _ in range(20):
            optimizer.zero_grad()
            (moved.square().sum() + moved.sin().sum()).backward()
            optimizer.step()
        assert moved.grad_fn is None
        ended.append(moved.detach())
    assert torch.equal(*ended)
    assert (ended[0] - start).abs().max() > 0.1


@pytest.mark.parametrize("name", ["PlainAdam", "PlainAdamW"])
def test_the_compiler_is_not_imported(name):
    alone = ALONE.replace("PlainAdam", name)
    assert subprocess.run([sys.executable, "-c", alone], check=False).returncode == 0


def test_weights_decay_by_themselves():
    still = torch.nn.Parameter(torch.ones(3))
    optimizer = PlainAdamW([still], lr=0.1, weight_decay=0.5)
    still.grad = torch.zeros(3)
    optimizer.step()
    assert torch.equal(still.detach(), torch.full((3,), 0.95))
