"""The benchmark for GPUs works, as far as a CPU can tell."""

import sys

import gpu
import pytest


def test_a_dry_run_says_what_it_is_and_measures_every_part(monkeypatch, capsys):
    arguments = ["gpu.py", "stable-diffusion-1.5", "--tiny", "--memory", "low"]
    monkeypatch.setattr(sys, "argv", arguments)
    gpu.main()
    said = capsys.readouterr().out
    assert "Dry run with a small network: the times mean nothing." in said
    for part in ("render", "encode", "denoise", "backward", "memory estimated: about"):
        assert part in said


def test_without_a_gpu_it_does_not_pretend(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gpu.py", "deepfloyd"])
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit, match="There is no GPU here"):
        gpu.main()
