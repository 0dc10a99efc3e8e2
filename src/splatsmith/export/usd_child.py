"""The process that reads a USD file for `usd.py`: usd-core within limits and little else.

    python -P usd_child.py FILE

Prints one line of JSON, `{"up": "Z", "fields": [...]}` or `{"error": "..."}`, and then, for
each field of Gaussians, its centers, scales, quaternions wxyz, opacities and harmonics as
32-bit little-endian numbers. What refers to other files is refused, and they are not opened.
"""

import json
import sys
from typing import Any

import numpy as np

SECONDS = 60  # of the processor's time
MEMORY = 8 << 30  # bytes of address space
MAX_PRIMS = 100_000
MAX_FIELDS = 1000
MAX_SPLATS = 10_000_000
TYPE = "ParticleField3DGaussianSplat"


class Refused(Exception):
    """What is wrong with the file."""


def read(path: str) -> tuple[dict[str, Any], list[np.ndarray]]:
    """What goes into the line of JSON, and the numbers behind it."""
    from pxr import Sdf, Usd, UsdGeom

    layer = Sdf.Layer.FindOrOpen(path)
    if layer is None:
        raise Refused("usd-core cannot read it")
    if layer.GetCompositionAssetDependencies():
        raise Refused("it refers to other files, which are not opened; flatten it first")
    stage = Usd.Stage.Open(layer)
    places, total = UsdGeom.XformCache(), 0
    fields: list[dict[str, Any]] = []
    numbers: list[np.ndarray] = []
    for visited, prim in enumerate(stage.Traverse()):
        if visited > MAX_PRIMS:
            raise Refused(f"it has more than {MAX_PRIMS} prims")
        if prim.GetTypeName() != TYPE:
            continue
        columns = field(prim)
        count = len(columns[0])
        total += count
        if total > MAX_SPLATS or len(fields) == MAX_FIELDS:
            raise Refused(
                f"it has more than {MAX_SPLATS} splats or {MAX_FIELDS} fields of them"
            )
        if count:
            # USD multiplies rows by matrices; we multiply matrices by columns.
            matrix = np.array(places.GetLocalToWorldTransform(prim)).T.tolist()
            degree = int(columns[-1].shape[1] ** 0.5) - 1
            fields.append({"count": count, "degree": degree, "matrix": matrix})
            numbers += columns
    if not fields:
        raise Refused(f"it holds no {TYPE}")
    return {"up": str(UsdGeom.GetStageUpAxis(stage)), "fields": fields}, numbers


def field(prim: Any) -> list[np.ndarray]:
    """Centers, scales, quaternions, opacities and harmonics of one field of Gaussians.

    The single-precision attribute counts more than the half one; what is too long is cut, what
    is too short or not there has the schema's default.
    """
    means = value(prim, "positions")
    means = np.zeros((0, 3)) if means is None else means
    count = len(means)
    quats = long_enough(prim, "orientations", count, np.array([0.0, 0, 0, 1]))
    degree = prim.GetAttribute("radiance:sphericalHarmonicsDegree").Get()
    if degree not in (0, 1, 2, 3):
        raise Refused(f"its harmonics have degree {degree}; 0 to 3 are accepted")
    wanted = count * (degree + 1) ** 2
    sh = value(prim, "radiance:sphericalHarmonicsCoefficients")
    if sh is None or len(sh) < wanted:
        sh = np.zeros((count, 1, 3))
    else:
        sh = sh[:wanted].reshape(count, (degree + 1) ** 2, 3)
    return [
        means,
        long_enough(prim, "scales", count, np.ones(3)),
        np.roll(quats, 1, axis=1),
        long_enough(prim, "opacities", count, np.ones(1)),
        sh,
    ]


def value(prim: Any, name: str) -> np.ndarray | None:
    """An attribute's numbers at the default time, or None."""
    for spelling in (name, f"{name}h"):
        attribute = prim.GetAttribute(spelling)
        found = attribute.Get() if attribute else None
        if found is not None and len(found):
            return np.asarray(found)
    return None


def long_enough(prim: Any, name: str, count: int, default: np.ndarray) -> np.ndarray:
    """An attribute's rows, as many as there are splats."""
    found = value(prim, name)
    if found is None or len(found) < count:
        return np.tile(default, (count, 1))
    return found[:count].reshape(count, -1)


def limit() -> None:
    """Bounds on memory and time, where the system has them."""
    try:
        import resource
    except ImportError:
        return
    for kind, most in ((resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_AS, MEMORY)):
        hard = resource.getrlimit(kind)[1]
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (soft, hard))


def main() -> int:
    """The command."""
    limit()
    try:
        said, numbers = read(sys.argv[1])
    except Refused as refusal:
        said, numbers = {"error": str(refusal)}, []
    except MemoryError:
        said, numbers = {"error": "it needs more memory than a file of splats may"}, []
    except Exception as error:
        said, numbers = {"error": f"usd-core cannot read it: {str(error)[:200]!r}"}, []
    out = sys.stdout.buffer
    out.write(json.dumps(said).encode() + b"\n")
    for array in numbers:
        out.write(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
