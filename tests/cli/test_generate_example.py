"""The example of the whole job, with the prior that ships and a third of the steps."""

import os
import subprocess
import sys
from pathlib import Path

from splatsmith.export import read_ply
from splatsmith.scenes.gaussians import SH_C0

EXAMPLE = Path(__file__).parents[2] / "examples" / "02_generate.py"


def test_the_example_makes_a_yellow_duck(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, str(EXAMPLE), "a yellow duck", str(tmp_path / "duck"), "100"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("off by") == 5
    scene = read_ply(tmp_path / "duck" / "scene.ply")
    opaque = scene.opacities > 0.5
    red, green, blue = (0.5 + SH_C0 * scene.sh[opaque, 0].detach()).mean(dim=0).tolist()
    assert min(red, green) > 0.4
    assert blue < min(red, green) - 0.2
