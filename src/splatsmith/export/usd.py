"""Gaussians in USD (.usd, .usda, .usdc, .usdz): ParticleField3DGaussianSplat, OpenUSD 26.03.

Writing and reading need the extra `usd` (usd-core). Its parser is a large piece of C++, so
files are read in a process of their own with limits on memory and time (`usd_child.py`).
"""

import json
import subprocess
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from splatsmith.errors import InputError, InvalidFile
from splatsmith.export import arrays as share
from splatsmith.export.frames import GLTF, WORLD
from splatsmith.export.parts import Part, merged
from splatsmith.export.untrusted import check_count, opened
from splatsmith.files import replace_file
from splatsmith.scenes.gaussians import Gaussians

SUFFIXES = (".usd", ".usda", ".usdc", ".usdz")
SECONDS = 120  # that reading may take
REACH = 3.0  # standard deviations that the box of a splat spans to each side


def write_usd(path: Path, scene: Gaussians) -> None:
    """Write a stage with z up, one unit a meter; raises InputError without usd-core."""
    arrays = share.arrays_of(scene, WORLD, 3)
    _need()
    modules = {name: import_module(f"pxr.{name}") for name in ("Usd", "UsdGeom", "UsdUtils")}
    suffix = path.suffix.lower()
    with tempfile.TemporaryDirectory() as name:
        draft = Path(name) / f"splats{'.usdc' if suffix == '.usdz' else suffix}"
        stage = modules["Usd"].Stage.CreateNew(str(draft))
        modules["UsdGeom"].SetStageUpAxis(stage, modules["UsdGeom"].Tokens.z)
        modules["UsdGeom"].SetStageMetersPerUnit(stage, 1.0)
        _define(stage, arrays)
        stage.GetRootLayer().Save()
        if suffix == ".usdz":
            draft, inner = Path(name) / "splats.usdz", draft
            if not modules["UsdUtils"].CreateNewUsdzPackage(str(inner), str(draft)):
                raise InputError(f"usd-core could not pack {path}.")
        replace_file(path, draft.read_bytes())


def read_usd(path: Path) -> Gaussians:
    """All Gaussians of a file, each where its prim is placed, in our world.

    Raises InputError without usd-core, and InvalidFile for any file that usd-core cannot read
    within its limits, that refers to other files, or that holds no Gaussians.
    """
    with opened(path):
        pass  # A regular file that is there; the other process opens it again.
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidFile(
            path, 0, f"this is USD; name it {' or '.join(SUFFIXES)} to have it read"
        )
    _need()
    child = Path(__file__).with_name("usd_child.py")
    command = [sys.executable, "-P", str(child), str(path)]
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise InvalidFile(path, None, f"it takes more than {SECONDS} s to read") from None
    line, _, body = done.stdout.partition(b"\n")
    try:
        said = json.loads(line)
    except ValueError:
        raise InvalidFile(path, None, "usd-core broke down over it") from None
    if done.returncode or "error" in said:
        raise InvalidFile(path, None, str(said.get("error", "usd-core broke down over it")))
    return merged(
        path, _parts(path, said["fields"], body), GLTF if said["up"] == "Y" else WORLD
    )


def _need() -> None:
    if find_spec("pxr") is None:
        raise InputError("USD needs usd-core; pip install 'splatsmith[usd]'.")


def _define(stage: Any, arrays: share.Arrays) -> None:
    """The prim with all its attributes."""
    gaussians, values = import_module("pxr.UsdVol"), import_module("pxr.Vt")
    prim = gaussians.ParticleField3DGaussianSplat.Define(stage, "/splats")
    stage.SetDefaultPrim(prim.GetPrim())
    scales = np.exp(arrays["log_scales"])
    reach = REACH * scales.max(axis=1, keepdims=True)
    box = [(arrays["means"] - reach).min(axis=0), (arrays["means"] + reach).max(axis=0)]
    degree = int(arrays["sh"].shape[1] ** 0.5) - 1

    def set_value(name: str, value: object) -> None:
        prim.GetPrim().GetAttribute(name).Set(value)

    def triples(rows: Float[np.ndarray, "rows 3"]) -> object:
        return values.Vec3fArray.FromNumpy(np.ascontiguousarray(rows, dtype=np.float32))

    set_value("positions", triples(arrays["means"]))
    set_value("scales", triples(scales))
    # In memory the real part of a USD quaternion comes last.
    quats = np.ascontiguousarray(np.roll(arrays["quats"], -1, axis=1), dtype=np.float32)
    set_value("orientations", values.QuatfArray.FromNumpy(quats))
    opacities = share.sigmoid(arrays["logit_opacities"]).astype(np.float32)
    set_value("opacities", values.FloatArray.FromNumpy(opacities))
    set_value("radiance:sphericalHarmonicsDegree", degree)
    set_value("radiance:sphericalHarmonicsCoefficients", triples(arrays["sh"].reshape(-1, 3)))
    set_value("extent", triples(np.stack(box)))


def _parts(path: Path, fields: list[dict], body: bytes) -> list[Part]:
    """What the other process found; its numbers are checked like those of any file."""
    check_count(path, sum(int(field["count"]) for field in fields))
    parts, numbers = [], np.frombuffer(body, dtype="<f4").astype(np.float64)
    for field in fields:
        count, coefficients = int(field["count"]), (int(field["degree"]) + 1) ** 2
        widths = (3, 3, 4, 1, 3 * coefficients)
        if count * sum(widths) > len(numbers):
            raise InvalidFile(path, None, "usd-core broke down over it")
        columns = []
        for width in widths:
            columns.append(numbers[: count * width].reshape(count, width))
            numbers = numbers[count * width :]
        means, scales, quats, opacities, sh = columns
        arrays = {
            "means": means,
            "log_scales": share.log_of_scales(path, scales),
            "quats": quats,
            "logit_opacities": share.logit(opacities[:, 0]),
            "sh": sh.reshape(count, coefficients, 3),
        }
        parts.append(Part(arrays, np.array(field["matrix"], dtype=np.float64)))
    return parts
