"""`splatsmith doctor`: what this machine has, and what that enables."""

import importlib.metadata
import importlib.util
import os
import platform
from pathlib import Path

EXTRAS = {
    "gsplat": (("gsplat",), "drawing on CUDA"),
    "mesh": (
        ("skimage", "scipy", "xatlas", "fast_simplification", "trimesh"),
        "meshes of scenes and of the toybox",
    ),
    "rembg": (("rembg",), "cutting objects out of photos"),
    "pretrained": (
        ("diffusers", "transformers", "accelerate", "peft", "sentencepiece"),
        "published priors",
    ),
    "spz": (("zstandard",), "version 4 of .spz"),
    "usd": (("pxr",), "splats and meshes as USD"),
}
CORE = ("torch", "numpy", "safetensors", "pillow", "jaxtyping", "tyro", "rich", "av")
FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd")


def doctor() -> None:
    """Print cores, CPU features, GPU, kernels, extras, weights, and what each enables."""
    sections = {
        "machine": _machine(),
        "gpu": _gpu(),
        "kernels": _kernels(),
        "packages": [f"{name} {importlib.metadata.version(name)}" for name in CORE],
        "extras": _extras(),
        "weights": _weights(),
    }
    for title, lines in sections.items():
        for number, line in enumerate(lines):
            print(f"{title if number == 0 else '':10}{line}")


def _machine() -> list[str]:
    usable = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    names = _cpu_features()
    present = [name for name in FEATURES if name in names]
    return [
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
        f"{os.cpu_count()} cores, {usable} usable by this process",
        f"CPU features: {', '.join(present) or 'none that the kernels ask for'}",
        f"memory: {_memory_gib():.1f} GiB",
    ]


def _cpu_features() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    for line in text.splitlines():
        if line.startswith(("flags", "Features")):
            return set(line.split(":", 1)[1].split())
    return set()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _gpu() -> list[str]:
    import torch

    if not torch.cuda.is_available():
        return ["none that torch can use; everything runs on the CPU"]
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return [f"{name} (draws with the gsplat extra)" for name in names]


def _kernels() -> list[str]:
    """Which of our native modules are there, and which instructions they picked."""
    lines = []
    uses = {
        "_splat": "drawing Gaussians",
        "_fields": "drawing radiance fields",
        "_mesh": "drawing meshes",
        "_toybox": "drawing the toybox",
        "_network": "asking the prior",
    }
    for name, use in uses.items():
        if importlib.util.find_spec(f"splatsmith.{name}") is None:
            lines.append(f"{name}: not built; {use} falls back to slower torch code")
            continue
        module = importlib.import_module(f"splatsmith.{name}")
        lines.append(f"{name}: {use} with {_instructions(module)}")
    return lines


def _instructions(module: object) -> str:
    """The instruction set in use: the widest of those that the machine has."""
    names = [str(name) for name in getattr(module, "isas", getattr(module, "variants", list))()]
    order = ("avx512", "avx2", "baseline")
    names.sort(key=lambda name: order.index(name) if name in order else len(order))
    spare = f" (also {', '.join(names[1:])})" if names[1:] else ""
    return f"{names[0]}{spare}" if names else "built"


def _extras() -> list[str]:
    lines = []
    for extra, (modules, use) in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        remedy = f"{', '.join(missing)} not installed; pip install 'splatsmith[{extra}]'"
        lines.append(f"{extra} ({use}): {remedy if missing else 'installed'}")
    return lines


def _weights() -> list[str]:
    from splatsmith.errors import InputError
    from splatsmith.files import sha256_of
    from splatsmith.priors.embedded import load_embedded
    from splatsmith.priors.shipped import shipped_weights

    path = shipped_weights()
    if not path.is_file():
        return [f"{path}: missing; train them with: splatsmith train prior"]
    lines = [f"{path} sha256 {sha256_of(path)}"]
    try:
        prior = load_embedded()
    except InputError as error:
        return [*lines, f"unusable: {error}"]
    return [*lines, f"usable: {prior.resolution} x {prior.resolution} pixels"]
