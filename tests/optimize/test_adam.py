"""The optimizer of a run against torch's own, which it is."""

import subprocess
import sys

import torch

from splatsmith.optimize.adam import PlainAdam

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


def test_it_steps_as_torch_does():
    start = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    ended = []
    for kind in (PlainAdam, torch.optim.Adam):
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


def test_the_compiler_is_not_imported():
    assert subprocess.run([sys.executable, "-c", ALONE], check=False).returncode == 0
