"""Headless Chromium, if there is one: opens a page as a user would, without a network."""

import io
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--virtual-time-budget=15000",
)


def screenshot(page, folder, *, show, azimuth=0, elevation=0, size=400):
    """What the page shows; skips where there is no browser."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("NOT opened in a browser: there is no chromium")
    picture = folder / f"{show}.png"
    address = f"{page.as_uri()}#show={show}&azimuth={azimuth}&elevation={elevation}"
    command = [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}"]
    command += [f"--window-size={size},{size}", f"--screenshot={picture}", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert picture.is_file(), done.stderr
    return np.array(Image.open(io.BytesIO(picture.read_bytes())).convert("RGB"))
