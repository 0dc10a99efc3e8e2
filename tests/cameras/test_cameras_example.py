import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLE = Path(__file__).parents[2] / "examples" / "01_cameras.py"


def test_the_example_shows_the_red_front_first(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    out = tmp_path / "new" / "cameras.png"
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), str(out)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pixels = np.asarray(Image.open(out)).astype(int)
    assert pixels.shape == (3 * 64, 8 * 64, 3)
    front, left = pixels[36, 32], pixels[36, 2 * 64 + 32]  # just below the middle of the views
    assert front[0] > 180
    assert front[1:].max() < 100
    assert left[1] > 140
    assert left[[0, 2]].max() < 100
